#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The PostgreSQL writer alone against real servers: its answers, what it leaves behind (nothing), how
# soon it notices trouble, and that a copy made by its instructions, with nothing but tar, starts and is
# whole. What stands in for the mover is w_copy
# in support/writer_copy.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/pg.sh"
. "$here/support/writer.sh"
. "$here/support/writer_copy.sh"
T=$(mktemp -d /tmp/hf-writer.XXXXXX) || exit 1
chmod 755 "$T"
[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$T"
W_ERRORS=$T/stderr

clean_up() {
	local dir
	[ -z "${W_PID:-}" ] || kill -9 "$W_PID" 2>/dev/null
	for dir in "$T"/*/data; do
		[ ! -f "$dir/postmaster.pid" ] || pg_stop "${dir%/data}" immediate >/dev/null 2>&1
	done
	rm -rf "$T"
}
trap clean_up EXIT

# --- a backup while the database works -------------------------------------------------------------
pg_new "$T/a" --checksums --set max_wal_size=64MB && pg_start "$T/a" || bail "cannot start PostgreSQL"
pg_tablespace "$T/a" ts1 "$T/ts one"
pg_sql "$T/a" "CREATE EXTENSION amcheck"
pg_as "$PG_BIN/pgbench" -q -i -s 3 -h "$T/a" -p "$(pg_port "$T/a")" -U postgres postgres 2>/dev/null
pg_sql "$T/a" "CREATE TABLE t TABLESPACE ts1 AS SELECT g, repeat('x', 100) AS pad FROM generate_series(1, 20000) g"
pg_sql "$T/a" "CREATE UNLOGGED TABLE u AS SELECT g FROM generate_series(1, 50000) g"
pg_sql "$T/a" "CREATE INDEX ON t (g); CHECKPOINT"
unlogged=$(pg_sql "$T/a" "SELECT pg_relation_filepath('u')")
mkdir -p "$T/a/data/base/pgsql_tmp" && echo x >"$T/a/data/base/pgsql_tmp/pgsql_tmp1.1"
owned "$T/a/data/base/pgsql_tmp"
mkdir "$T/ts one/PG_14_202107181" && owned "$T/ts one/PG_14_202107181"

check "start" w_start "$(settings "$T/a")"
pg_as "$PG_BIN/pgbench" -n -c 2 -T 6 -h "$T/a" -p "$(pg_port "$T/a")" -U postgres postgres >/dev/null 2>&1 &
bench=$!
check "all events up to the copy" w_to_snapshot
check "the page checksums are to be verified" test "$(jq -r .pages.checksums <<<"$COMPONENT")" = true
check "a temporary slot holds the log" test \
	"$(pg_sql "$T/a" "SELECT count(*) FROM pg_replication_slots WHERE temporary AND restart_lsn IS NOT NULL")" = 1
check "the copy" w_copy "$T/r/data" "$T/r"
# More log than max_wal_size: without the slot the first segments would be recycled by now.
for _ in 1 2 3 4 5 6; do
	pg_sql "$T/a" "INSERT INTO t SELECT g, repeat('y', 1000) FROM generate_series(1, 15000) g"
done
pg_sql "$T/a" CHECKPOINT
last=$(pg_sql "$T/a" "CREATE TABLE before_stop AS SELECT sum(abalance) FROM pgbench_accounts; SELECT count(*) FROM t")
check "post-copy" eval 'w_say post-copy && w_is 5'
TAIL_METADATA=$(w_get .tail.metadata)
check "several logs belong to it" test "$(w_get '.tail.paths | length')" -gt 4
check "its label is the server's" grep -q "^LABEL: holdfast test" <(w_get '.tail.files[0].data')
check "the logs and the label" w_copy_tail "$T/r/data"
check "backup-complete" eval 'w_say backup-complete "\"point\":\"x\"" && w_is 1'
check "the writer ends when its input does" w_end
check "nothing is left in the server" nothing_left "$T/a"
wait "$bench"

check "unlogged tables: only the init fork" test ! -e "$T/r/data/$unlogged" -a -e "$T/r/data/${unlogged}_init"
check "left out: temporary files, slots, pid" test ! -e "$T/r/data/base/pgsql_tmp" -a \
	! -e "$T/r/data/postmaster.pid" -a -z "$(ls "$T/r/data/pg_replslot")"
check "left out: other versions' part of a tablespace" test -z "$(find "$T/r/ts" -name 'PG_14*')"
if [ -x "${BUILD_ROOT:-}/test/test_mover_page_postgresql" ]; then
	start=$(jq .pages.start_lsn <<<"$COMPONENT")
	bad=$(find "$T/a/data/base" "$T/a/data/global" "$T/ts one/" -type f -name '[0-9]*' -print0 |
		xargs -0 "$BUILD_ROOT/test/test_mover_page_postgresql" "$start" | sed 's/.*bad //')
	check "our page checksum agrees on every page of the cluster" test "$bad" = 0
else
	skip "our page checksum agrees on every page of the cluster" "the unit tests were not built"
fi

map=$(jq -c -n --arg o "$T/ts one" --arg n "$T/r/ts/moved" '{($o): $n}')
oid=$(ls "$T/r/ts")
mv "$T/r/ts/$oid" "$T/r/ts/moved" && ln -sfn "$T/r/ts/moved" "$T/r/data/pg_tblspc/$oid"
rm -rf "$T/r/data/pg_stat_tmp" "$T/r/data/pg_wal/archive_status" && chmod 755 "$T/r/data"
owned "$T/r"
restore="\"target\":\"$T/r/data\",\"map\":$map,\"metadata\":$(all_metadata)"
w_start '{}'
check "pre-restore" eval 'w_say pre-restore "$restore" && w_is 1'
check "post-restore" eval 'w_say post-restore "$restore" && w_is 1'
check "the tablespace map names the new place" grep -q "^$oid $T/r/ts/moved\$" "$T/r/data/tablespace_map"
check "the logs count as archived" test -e \
	"$T/r/data/pg_wal/archive_status/$(jq -r '.wal[0]' <<<"$TAIL_METADATA").done"
w_end
pg_port "$T/a" >"$T/r/port"
pg_conf "$T/r" "unix_socket_directories=$T/r"
check "the restored cluster starts" pg_start "$T/r"
check "what was committed before the stop is there" test "$(pg_sql "$T/r" "SELECT count(*) FROM t")" = "$last"
check "pgbench's balances add up" test "$(pg_sql "$T/r" "SELECT (SELECT sum(abalance) FROM pgbench_accounts)
	= (SELECT sum(bbalance) FROM pgbench_branches) AND (SELECT sum(tbalance) FROM pgbench_tellers)
	= (SELECT sum(delta) FROM pgbench_history)")" = t
check "indexes agree with their tables" test -z "$(pg_sql "$T/r" "SELECT bt_index_check(c.oid, true) FROM pg_class c
	JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree' WHERE c.relkind = 'i' AND c.relpersistence = 'p'" | tr -d '\n')"
check "the unlogged table is empty and works" test \
	"$(pg_sql "$T/r" "INSERT INTO u VALUES (1); SELECT count(*) FROM u")" = 1
restore="\"target\":\"$T/r/data\",\"map\":{},\"metadata\":$(all_metadata)"
w_start '{}'
check "no restore over a running server" eval 'w_say pre-restore "$restore" && w_is 13 TARGET'
w_say abort
restore="\"target\":\"$T/new\",\"map\":{},\"metadata\":$(all_metadata)"
check "no restore into a tablespace in use" eval 'w_say pre-restore "$restore" && w_is 13 TARGET'
w_say abort
restore="\"target\":\"$T/new\",\"map\":{\"/nowhere\":\"/x\"},\"metadata\":$(all_metadata)"
check "no moving of a tablespace that is none" eval 'w_say pre-restore "$restore" && w_is 13 TARGET'
w_end
pg_stop "$T/r" immediate
rm -f "$T/r/data/pg_wal/$(jq -r '.wal[0]' <<<"$TAIL_METADATA")"
restore="\"target\":\"$T/r/data\",\"map\":$map,\"metadata\":$(all_metadata)"
w_start '{}'
w_say pre-restore "$restore"
check "an incomplete restore is noticed" eval 'w_say post-restore "$restore" && w_is 14 CORRUPT'
w_end

# --- trouble while data moves -----------------------------------------------------------------------
w_start "$(settings "$T/a")" && w_to_snapshot || not_ok "another backup begins"
pg_sql "$T/a" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'" >/dev/null
check "a session that is killed is noticed within a second" eval 'w_hear 1 && w_is 12 DB_SESSION_LOST'
check "and why it ended is said" grep -q "terminating connection due to administrator command" <<<"$REPLY_LINE"
check "what follows is refused" eval 'w_say post-copy && w_is 12 BAD_STATE'
check "abort" eval 'w_say abort && w_is 1'
check "abort once more" eval 'w_say abort && w_is 1'
check "the same writer begins anew" w_to_snapshot
pg_stop "$T/a" fast
check "a server that stops is noticed within a second" eval 'w_hear 1 && w_is 12 DB_SESSION_LOST'
w_end
w_start "$(settings "$T/a")"
check "a server that is down" eval 'w_say identify && w_is 6 DB_CONNECT'
w_end
pg_start "$T/a"
w_start "$(settings "$T/a")" && w_to_snapshot || not_ok "another backup begins"
kill -9 "$W_PID"
w_end 2>/dev/null
check "after kill -9 nothing is left in the server" nothing_left "$T/a"
w_start "$(settings "$T/a")" && w_to_snapshot || not_ok "another backup begins"
check "a requester that goes away ends the writer" w_end
check "and leaves nothing in the server" nothing_left "$T/a"
pg_as "$PG_BIN/pg_ctl" -D "$T/a/data" -s -m immediate restart -w -l "$T/a/log"
w_start "$(settings "$T/a")" && w_to_snapshot || not_ok "another backup begins"
postmaster=$(head -n 1 "$T/a/data/postmaster.pid")
kill -STOP "$postmaster"
backend=$(pgrep -P "$postmaster" -f 'postgres: .*holdfast|postgres: postgres postgres \[local\] idle' | head -n 1)
kill -STOP "$backend"
check "a server that hangs does not hang the writer" eval \
	'w_say post-copy "\"timeout_ms\":700" && w_is 12 TIMEOUT'
kill -CONT "$backend" "$postmaster"
w_end

# --- logins and rights ------------------------------------------------------------------------------
hba=$T/a/data/pg_hba.conf
cp -p "$hba" "$T/hba"
pg_conf "$T/a" listen_addresses=127.0.0.1
printf 'local all postgres trust\nlocal all plain trust\nhost all all 127.0.0.1/32 scram-sha-256\n' >"$hba"
pg_stop "$T/a"
# Somebody else may listen there already.
for _ in 1 2 3 4 5; do
	port=$((20000 + RANDOM % 12000))
	pg_conf "$T/a" "port=$port"
	echo "$port" >"$T/a/port"
	pg_start "$T/a" 2>/dev/null && break
done
pg_sql "$T/a" "CREATE ROLE plain LOGIN PASSWORD 'right'"
w_refused() { # NAME STATE CODE SETTINGS
	w_start "$4"
	w_say identify
	[ "$(w_get .state)" != 1 ] || w_say prepare-backup
	check "$1" w_is "$2" "$3"
	w_end
}
echo "*:*:*:plain:wrong" >"$T/wrong" && echo "*:*:*:plain:right" >"$T/right"
chmod 600 "$T/wrong" "$T/right"
w_refused "a role that does not exist" 6 DB_AUTH "$(settings "$T/a" host 127.0.0.1 user nobody passfile "$T/right")"
w_refused "a login that pg_hba.conf does not know" 6 DB_AUTH "$(settings "$T/a" user nobody)"
w_refused "a wrong password" 6 DB_AUTH "$(settings "$T/a" host 127.0.0.1 user plain passfile "$T/wrong")"
w_refused "no password" 6 DB_AUTH "$(settings "$T/a" host 127.0.0.1 user plain)"
w_refused "a password file that is not there" 6 CONFIG "$(settings "$T/a" passfile "$T/none")"
w_refused "a database that is not there" 6 DB_CONFIG "$(settings "$T/a" database none)"
w_refused "a port where nobody listens" 6 DB_CONNECT "$(settings "$T/a" host 127.0.0.1 port 1)"
w_start '{"hots":"x"}'
check "a setting that does not exist" w_is 6 CONFIG
w_end
w_start "$(settings "$T/a" host 127.0.0.1 user plain passfile "$T/right")"
w_say identify
check "a role without rights" eval 'w_say prepare-backup && w_is 7 PERMISSION'
hint=$(w_get .error.hint)
w_say abort
pg_sql "$T/a" "${hint#*: }"
check "what the hint says is enough" w_to_snapshot
w_end
pg_sql "$T/a" "CREATE SCHEMA trap; CREATE FUNCTION trap.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT 1/0 = 1';
	ALTER DATABASE postgres SET search_path = trap, pg_catalog"
w_start "$(settings "$T/a")"
check "functions in PostgreSQL's way are not called" w_to_snapshot
w_end
pg_sql "$T/a" "ALTER DATABASE postgres RESET search_path"
if [ "$(id -u)" -eq 0 ]; then
	printf 'local all postgres peer\nlocal all plain trust\n' >"$hba"
	pg_sql "$T/a" "SELECT pg_reload_conf()" >/dev/null
	w_start "$(settings "$T/a")"
	check "started by root it passes peer authentication" eval 'w_say identify && w_is 1'
	check "as the server's own user" test "$(ps -o user= -p "$W_PID")" = "$PG_USER"
	w_end
	w_refused "an os_user that does not exist" 6 CONFIG "$(settings "$T/a" os_user no-such-user)"
	w_refused "an os_user that may not log in as postgres" 6 DB_AUTH "$(settings "$T/a" os_user nobody)"
	# The same cluster twice on one machine, and we see the files of the other.
	cp -p "$T/hba" "$hba"
	pg_sql "$T/a" "SELECT pg_reload_conf()" >/dev/null
	cp -a "$T/a/data" "$T/other"
	if unshare -m true 2>/dev/null; then
		cat >"$T/elsewhere" <<-END
			#!/bin/sh
			mount --bind "$T/other" "$T/a/data" && exec "$W_PROGRAM"
		END
		chmod +x "$T/elsewhere"
		program=$W_PROGRAM
		W_PROGRAM=$T/in-namespace
		printf '#!/bin/sh\nexec unshare -m %s\n' "$T/elsewhere" >"$W_PROGRAM" && chmod +x "$W_PROGRAM"
		w_start "$(settings "$T/a")" && w_say identify && w_say prepare-backup
		check "a server whose files are elsewhere" eval 'w_say prepare-snapshot && w_is 8 DB_CONFIG'
		w_end
		W_PROGRAM=$program
	else
		skip "a server whose files are elsewhere" "no mount namespaces here"
	fi
	rm -rf "$T/other"
else
	for name in "started by root it passes peer authentication" "as the server's own user" \
		"an os_user that does not exist" "an os_user that may not log in as postgres" \
		"a server whose files are elsewhere"; do
		skip "$name" "not root"
	done
fi
cp -p "$T/hba" "$hba"
pg_stop "$T/a" && pg_start "$T/a"

# --- a standby --------------------------------------------------------------------------------------
pg_standby "$T/s" "$T/a" -T "$T/ts one=$T/s/ts" && pg_conf "$T/s" listen_addresses= && pg_start "$T/s"
w_start "$(settings "$T/s")"
check "a backup of a standby" w_to_snapshot
check "is known to be one" test "$(jq -r .metadata.role <<<"$COMPONENT")" = standby
check "the copy of the standby" w_copy "$T/q/data" "$T/q"
check "post-copy on a standby" eval 'w_say post-copy && w_is 5'
TAIL_METADATA=$(w_get .tail.metadata)
w_copy_tail "$T/q/data"
check "backup-complete on a standby" eval 'w_say backup-complete "\"point\":\"y\"" && w_is 1'
oid=$(ls "$T/q/ts")
map=$(jq -c -n --arg o "$T/s/ts" --arg n "$T/q/ts/$oid" '{($o): $n}')
restore="\"target\":\"$T/q/data\",\"map\":$map,\"metadata\":$(all_metadata)"
check "its restore" eval 'w_say pre-restore "$restore" && w_is 1 && w_say post-restore "$restore" && w_is 1'
w_end
pg_port "$T/a" >"$T/q/port"
pg_conf "$T/q" "unix_socket_directories=$T/q" && pg_conf "$T/q" listen_addresses=
check "starts by itself" pg_start "$T/q"
check "as a primary" test "$(pg_sql "$T/q" "SELECT pg_is_in_recovery()")" = f
check "with the data" test "$(pg_sql "$T/q" "SELECT count(*) FROM t")" = "$last"
pg_stop "$T/q" immediate
w_start "$(settings "$T/s")"
check "another backup of the standby" w_to_snapshot
pg_as "$PG_BIN/pg_ctl" -D "$T/s/data" -s -w promote
check "a promotion is noticed within seconds" eval 'w_hear 4 && w_is 12 WRITER_RETRYABLE'
check "and called by its name" grep -q "promoted" <<<"$REPLY_LINE"
w_say abort
check "a backup on the second timeline" eval 'w_to_snapshot && w_say post-copy && w_is 5'
check "has its logs and how it came about" test "$(w_get '.tail.metadata.wal | [.[0][0:8], .[-1]] | join(" ")')" = \
	"00000002 00000002.history"
w_end
pg_stop "$T/s" immediate
pg_stop "$T/a" immediate

# --- clusters that are set up otherwise -------------------------------------------------------------
pg_new "$T/b" --initdb "--waldir=$T/wal" --group-access --wal-segsize 1 --set max_replication_slots=1 &&
	pg_start "$T/b" || not_ok "the second cluster starts"
pg_sql "$T/b" "SELECT pg_create_physical_replication_slot('theirs')" >/dev/null
w_refused "no free slot" 7 DB_CONFIG "$(settings "$T/b")"
pg_sql "$T/b" "SELECT pg_drop_replication_slot('theirs')"
w_start "$(settings "$T/b")"
check "logs behind a link, of another size, group access" w_to_snapshot
check "the log's folder is part of the component" test \
	"$(jq -r '.paths[] | select(.at == "pg_wal") | .source' <<<"$COMPONENT")" = "$T/wal"
w_start_pid=$W_PID
check "two backups cannot share one slot: try later" eval '
	(W_ERRORS=$T/stderr2; w_start "$(settings "$T/b")" && w_say identify && w_say prepare-backup && w_is 7 BUSY) 2>/dev/null'
W_PID=$w_start_pid
w_copy "$T/p/data" "$T/p" && w_say post-copy
check "the logs are taken from where they are" test \
	"$(w_get '.tail.paths[0] | .source + " " + (.expect_size | tostring)' | sed 's|/[0-9A-F]* | |')" = "$T/wal 1048576"
check "files for the group, too" test "$(w_get '.tail.files[0].mode')" = 416
TAIL_METADATA=$(w_get .tail.metadata)
w_copy_tail "$T/p/data"
w_say backup-complete
restore="\"target\":\"$T/p/data\",\"map\":{},\"metadata\":$(all_metadata)"
check "its restore" eval 'w_say post-restore "$restore"; w_is 1 BAD_STATE && w_say pre-restore "$restore" && w_say post-restore "$restore" && w_is 1'
w_end
pg_stop "$T/b"
pg_conf "$T/p" "unix_socket_directories=$T/p" && pg_port "$T/b" >"$T/p/port"
check "starts with its logs in the data folder" pg_start "$T/p"
pg_stop "$T/p" immediate
# Debian's way: the configuration is elsewhere, and leads to the data.
mkdir "$T/etc" && mv "$T/b/data/postgresql.conf" "$T/b/data/pg_hba.conf" "$T/b/data/pg_ident.conf" "$T/etc"
cat >>"$T/etc/postgresql.conf" <<-END
	data_directory = '$T/b/data'
	hba_file = '$T/etc/pg_hba.conf'
	ident_file = '$T/etc/pg_ident.conf'
	cluster_name = 'it''s \\\\ here'
END
owned "$T/etc"
check "a cluster configured from elsewhere" pg_as "$PG_BIN/pg_ctl" -D "$T/etc" -l "$T/b/log" -s -w start
w_start "$(settings "$T/b")" && w_to_snapshot && rm -rf "$T/p" && w_copy "$T/p/data" "$T/p" && w_say post-copy
TAIL_METADATA=$(w_get .tail.metadata)
w_copy_tail "$T/p/data"
w_say backup-complete
restore="\"target\":\"$T/p/data\",\"map\":{},\"metadata\":$(all_metadata)"
w_say pre-restore "$restore"
check "its restore" eval 'w_say post-restore "$restore" && w_is 1'
w_end
pg_as "$PG_BIN/pg_ctl" -D "$T/etc" -s -w -m immediate stop
pg_conf "$T/p" "unix_socket_directories=$T/p" && pg_port "$T/b" >"$T/p/port"
check "starts from its folder alone" pg_start "$T/p"
check "in its own place, as it was configured" test "$(pg_sql "$T/p" \
	"SELECT current_setting('data_directory') || ' ' || current_setting('cluster_name')")" = "$T/p/data it's \\ here"
pg_stop "$T/p" immediate
mv "$T/etc/postgresql.conf" "$T/etc/pg_hba.conf" "$T/b/data"
sed -i '/^data_directory/d; /_file = /d; /^cluster_name/d' "$T/b/data/postgresql.conf"
pg_conf "$T/b" wal_level=minimal && pg_conf "$T/b" max_wal_senders=0
pg_start "$T/b"
w_refused "wal_level = minimal" 7 DB_CONFIG "$(settings "$T/b")"
pg_stop "$T/b" immediate

check "the writer printed nothing all the time" test ! -s "$W_ERRORS"
done_testing
