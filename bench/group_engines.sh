# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# Backups of a group (test/e2e/support/group.sh) by Holdfast and by others. Source it in bench/group. For each
# ENGINE:
#
#	ENGINE_prepare		after group_set_up
#	ENGINE_backup FULL	FULL is full or again; in the foreground; its code is the program's. What it said: $T/said
#	ENGINE_program		its version
#
# pgBackRest has its own TLS server on every host; Barman streams from the active copy's server and takes its
# base backup from a passive one, told to use pg1 for what only an active one can do. All compress with zstd, but
# Barman 3.4 with gzip on its own side for the logs only.

# ---- Holdfast

holdfast_program() { "$HOLDFAST_BIN" version | head -n 1; }
holdfast_prepare() { group_configure; }
holdfast_backup() {
	[ "$1" = again ] || { rm -rf "$T/repo" "$T/cache" "$T/key" && hf init --config /dev/null; }
	"$holdfast" backup --group orders --tries 1 >"$T/said" 2>&1 </dev/null
}

# ---- pgBackRest

pgbackrest_program() { pgbackrest version; }

pgbackrest_certificates() {
	local host
	mkdir -p "$T/tls" && chmod 755 "$T/tls" && (
		cd "$T/tls" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=bench
		for host in $GROUP_COPIES req; do
			openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$host.key" -out "$host.csr" -subj "/CN=$host"
			printf 'subjectAltName=DNS:%s' "${group_ip[$host]}" >"$host.ext"
			openssl x509 -req -in "$host.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile "$host.ext" \
				-out "$host.crt"
		done
	) >"$T/tls.log" 2>&1
	chown -R "$PG_USER" "$T/tls" && chmod 600 "$T"/tls/*.key
}

pgbackrest_files() { # HOST
	printf '%s-ca-file=%s\n' "$2" "$T/tls/ca.crt"
	printf '%s-cert-file=%s\n' "$2" "$T/tls/$1.crt"
	printf '%s-key-file=%s\n' "$2" "$T/tls/$1.key"
}

pgbackrest_conf() { # HOST
	local n c
	cat <<-END
		[global]
		log-level-file=off
		log-level-console=info
		lock-path=$T/pgbackrest-$1/lock
		spool-path=$T/pgbackrest-$1/spool
		tls-server-address=${group_ip[$1]}
		tls-server-auth=pg1=bench
		tls-server-auth=pg2=bench
		tls-server-auth=pg3=bench
		tls-server-auth=req=bench
	END
	pgbackrest_files "$1" tls-server
	if [ "$1" != req ]; then
		printf 'repo1-host=%s\nrepo1-host-type=tls\nrepo1-host-user=%s\nrepo1-host-config=%s\n' \
			"${group_ip[req]}" "$PG_USER" "$T/pgbackrest-req/conf"
		pgbackrest_files "$1" repo1-host
		printf '[bench]\npg1-path=%s\npg1-socket-path=%s\n' "$T/$1/data" "$T/$1"
		return
	fi
	cat <<-END
		repo1-path=$T/pgbackrest-req/repo
		repo1-bundle=y
		repo1-retention-full=2
		compress-type=zst
		compress-level=3
		start-fast=y
		backup-standby=y
		process-max=2
		[bench]
	END
	n=0
	for c in $GROUP_COPIES; do
		n=$((n + 1))
		printf 'pg%d-host=%s\npg%d-host-type=tls\npg%d-host-config=%s\npg%d-path=%s\npg%d-socket-path=%s\n' \
			$n "${group_ip[$c]}" $n $n "$T/pgbackrest-$c/conf" $n "$T/$c/data" $n "$T/$c"
		pgbackrest_files req "pg$n-host"
	done
}

pgbackrest_on() { # HOST ARG...
	local host=$1
	shift
	group_as "$host" pgbackrest "--config=$T/pgbackrest-$host/conf" "$@"
}

pgbackrest_prepare() {
	local host
	pgbackrest_certificates || return 1
	for host in $GROUP_COPIES req; do
		mkdir -p "$T/pgbackrest-$host/repo"
		pgbackrest_conf "$host" >"$T/pgbackrest-$host/conf"
		chown -R "$PG_USER" "$T/pgbackrest-$host"
		(cd / && exec nsenter "--net=$(group_ns "$host")" setpriv --reuid "$PG_USER" --regid "$PG_USER" --init-groups \
			pgbackrest "--config=$T/pgbackrest-$host/conf" server) >"$T/pgbackrest-$host/log" 2>&1 &
		at_end "kill $! 2>/dev/null; wait $! 2>/dev/null"
	done
	# Also on those that may be promoted, as its manual has it.
	for host in $GROUP_COPIES; do
		pg_conf "$T/$host" "archive_command=pgbackrest --config=$T/pgbackrest-$host/conf --stanza=bench archive-push %p"
	done
	pg_conf "$T/pg1" archive_mode=on
	group_stop pg1 && group_start pg1 && bench_pin &&
		until_true 30 eval 'pgbackrest_on req --stanza=bench stanza-create >"$T/said" 2>&1' &&
		pgbackrest_on req --stanza=bench check >"$T/said" 2>&1
}

pgbackrest_backup() {
	local type=incr
	[ "$1" = again ] || type=full
	pgbackrest_on req --stanza=bench "--type=$type" backup >"$T/said" 2>&1
}

# ---- Barman

barman_program() { barman --version | head -n 1; }

barman_on() { group_as req barman -c "$T/barman/conf" "$@"; }

barman_prepare() {
	mkdir -p "$T/barman/home" "$T/barman/log"
	cat >"$T/barman/conf" <<-END
		[barman]
		barman_user = $PG_USER
		barman_home = $T/barman/home
		log_file = $T/barman/log/log
		configuration_files_directory = $T/barman/none
		[bench]
		description = bench
		conninfo = host=${group_ip[pg2]} port=5432 user=postgres dbname=postgres
		primary_conninfo = host=${group_ip[pg1]} port=5432 user=postgres dbname=postgres
		streaming_conninfo = host=${group_ip[pg2]} port=5432 user=replicator
		backup_method = postgres
		streaming_archiver = on
		slot_name = barman
		create_slot = auto
		path_prefix = $PG_BIN
		immediate_checkpoint = true
	END
	chown -R "$PG_USER" "$T/barman"
	pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
	barman_on receive-wal --create-slot bench >"$T/said" 2>&1
	(cd / && exec nsenter "--net=$(group_ns req)" setpriv --reuid "$PG_USER" --regid "$PG_USER" --init-groups \
		barman -c "$T/barman/conf" receive-wal bench) >"$T/barman/receive.log" 2>&1 &
	at_end "kill $! 2>/dev/null; wait $! 2>/dev/null"
	nap 1
	barman_on switch-wal --force --archive --archive-timeout 60 bench >>"$T/said" 2>&1
	barman_on check bench >>"$T/said" 2>&1
}

barman_backup() {
	# Its cron, that would fetch the logs in time, is not running: as often as here it would not be needed.
	(while :; do barman_on archive-wal bench >/dev/null 2>&1; nap 1; done) &
	local archiving=$! code=0
	barman_on backup --wait --wait-timeout 120 bench >"$T/said" 2>&1 || code=$?
	kill "$archiving" 2>/dev/null
	wait "$archiving" 2>/dev/null
	return "$code"
}
