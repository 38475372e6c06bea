# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# PostgreSQL clusters for tests: made, started, asked and removed by these functions. Source it. A
# cluster is a folder of its own, with its data in DIR/data, its socket in DIR (so two never meet,
# whatever their port), and its log in DIR/log. As root the server runs as the user postgres.
#
#	pg_new DIR [--checksums] [--wal-level L] [--wal-segsize MB] [--port N] [--tcp]
#		   [--group-access] [--set NAME=VALUE]... [--initdb ARG]... (no blanks in any)
#	pg_start DIR			pg_stop DIR [fast|immediate|smart]
#	pg_tablespace DIR NAME LOCATION	creates LOCATION, too
#	pg_sql DIR SQL [DATABASE]	rows as text, columns by '|'; fails if the statement does
#	pg_bg DIR SQL [DATABASE]	in the background; $! is the client
#	pg_standby DIR OF [ARG...]	a streaming standby, not started; ARG: of pg_basebackup
#	pg_conf DIR NAME=VALUE	a setting, for the next start
#	pg_drop DIR			stop at once and remove
#	pg_as COMMAND...		as the server's user
#
# Nothing here waits without a limit. PG_BIN may name the folder of another version's programs.

if [ -z "${PG_BIN:-}" ]; then
	for pg_dir in /usr/lib/postgresql/*/bin; do
		[ -x "$pg_dir/initdb" ] && PG_BIN=$pg_dir
	done
fi
: "${PG_BIN:?no PostgreSQL server is installed (Debian: postgresql-15)}"
PG_PORT=${PG_PORT:-5432}

if [ "$(id -u)" -eq 0 ]; then
	PG_USER=postgres
	# A folder that the server's user may not enter would be complained about by every command.
	pg_as() { (cd / && runuser -u "$PG_USER" -- "$@"); }
else
	PG_USER=$(id -un)
	pg_as() { (cd / && "$@"); }
fi

pg_port() { cat "$1/port"; }

pg_conf() { # DIR NAME=VALUE: the last one counts
	printf "%s = '%s'\n" "${2%%=*}" "${2#*=}" | pg_as tee -a "$1/data/postgresql.conf" >/dev/null
}

# What every cluster of ours has: quick, not durable (the power stays on), and quiet.
pg_conf_common() {
	pg_conf "$1" listen_addresses=
	pg_conf "$1" "unix_socket_directories=$1"
	pg_conf "$1" "port=$(pg_port "$1")"
	pg_conf "$1" fsync=off
	pg_conf "$1" shared_buffers=32MB
	pg_conf "$1" max_connections=30
	pg_conf "$1" log_line_prefix='%m [%p] %a '
	pg_conf "$1" log_min_messages=log
	pg_conf "$1" lc_messages=C
}

pg_new() {
	pg_dir=$1
	shift
	pg_initdb='' pg_sets='' pg_own_port=$PG_PORT
	while [ $# -gt 0 ]; do
		case $1 in
		--checksums) pg_initdb="$pg_initdb --data-checksums" ;;
		--group-access) pg_initdb="$pg_initdb --allow-group-access" ;;
		--wal-segsize) pg_initdb="$pg_initdb --wal-segsize=$2" && shift ;;
		--initdb) pg_initdb="$pg_initdb $2" && shift ;;
		--wal-level) pg_sets="$pg_sets wal_level=$2" && shift
			[ "$pg_sets" = "${pg_sets%minimal}" ] || pg_sets="$pg_sets max_wal_senders=0" ;;
		--port) pg_own_port=$2 && shift ;;
		--tcp) pg_sets="$pg_sets listen_addresses=127.0.0.1" ;;
		--set) pg_sets="$pg_sets $2" && shift ;;
		*) echo "pg_new: what is '$1'?" >&2 && return 2 ;;
		esac
		shift
	done
	mkdir -p "$pg_dir" && chmod 755 "$pg_dir" || return 1
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$pg_dir" || return 1
	echo "$pg_own_port" >"$pg_dir/port"
	# shellcheck disable=SC2086 # lists of words
	pg_as "$PG_BIN/initdb" -D "$pg_dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
		--no-instructions $pg_initdb >"$pg_dir/initdb.log" 2>&1 ||
		{ cat "$pg_dir/initdb.log" >&2 && return 1; }
	pg_conf_common "$pg_dir"
	for pg_set in $pg_sets; do
		pg_conf "$pg_dir" "$pg_set"
	done
}

pg_start() {
	pg_as "$PG_BIN/pg_ctl" -D "$1/data" -l "$1/log" -w -t 60 -s start ||
		{ tail -n 20 "$1/log" >&2 && return 1; }
}

pg_stop() {
	pg_as "$PG_BIN/pg_ctl" -D "$1/data" -w -t 60 -s -m "${2:-fast}" stop
}

pg_sql() {
	pg_as env PGCONNECT_TIMEOUT=20 PGOPTIONS="-c statement_timeout=60s" \
		"$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$1" -p "$(pg_port "$1")" \
		-U postgres -d "${3:-postgres}" -c "$2"
}

pg_bg() {
	pg_sql "$@" >/dev/null 2>&1 &
}

pg_tablespace() {
	mkdir -p "$3" && chmod 700 "$3" || return 1
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$3" || return 1
	pg_sql "$1" "CREATE TABLESPACE \"$2\" LOCATION '$3'"
}

pg_standby() {
	pg_dir=$1 pg_of=$2
	shift 2
	mkdir -p "$pg_dir" && chmod 755 "$pg_dir" || return 1
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$pg_dir" || return 1
	pg_port "$pg_of" >"$pg_dir/port"
	pg_as "$PG_BIN/pg_basebackup" -h "$pg_of" -p "$(pg_port "$pg_of")" -U postgres -D "$pg_dir/data" \
		-R -X stream -c fast --no-sync "$@" || return 1
	pg_conf "$pg_dir" "unix_socket_directories=$pg_dir"
}

pg_drop() {
	[ ! -f "$1/data/postmaster.pid" ] || pg_stop "$1" immediate >/dev/null 2>&1
	rm -rf "$1"
}
