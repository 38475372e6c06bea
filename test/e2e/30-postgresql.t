#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A live PostgreSQL is backed up under load, and comes back: started, checked by the server's own tools,
# and complete up to what was committed before the backup ended. Then what goes wrong: a damaged page, a
# lost session, a server that is down or refuses.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/pg.sh"
scratch postgresql
chmod 755 "$T"
[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$T"

A=$T/a
B=$T/b
load=
stop_all() {
	[ -z "$load" ] || kill "$load" 2>/dev/null
	for dir in "$A" "$B"; do
		[ ! -f "$dir/data/postmaster.pid" ] || pg_stop "$dir" immediate >/dev/null 2>&1
	done
}
at_end stop_all
client() { # PROGRAM DIR ARG...: a client program of the server, as its user
	local program=$1 dir=$2
	shift 2
	pg_as env PGUSER=postgres "$PG_BIN/$program" -h "$dir" -p "$(pg_port "$dir")" "$@"
}
configure() { # DIR: the writer's section
	cat >"$T/conf" <<-CONF
		[writer.postgresql]
		host = $1
		port = $(pg_port "$1")
		user = postgres
		database = postgres
	CONF
}
backup() { hf --config "$T/conf" backup --writer postgresql --json "$@"; }
nothing_left() { # no slot and no session of ours in the server
	local left
	left=$(pg_sql "$1" "SELECT (SELECT count(*) FROM pg_replication_slots)
		+ (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast')") && [ "$left" = 0 ]
}
# What a restored data folder needs to run beside the first: a socket folder and a port of its own.
adopt() { # DIR: DIR/data was restored
	cp "$A/port" "$1/port"
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$1" "$1/port"
	pg_conf "$1" "unix_socket_directories=$1"
}

pg_new "$A" --checksums >"$T/log" 2>&1 && pg_start "$A" >>"$T/log" 2>&1 || bail "no server: $(tail -n 3 "$T/log")"
pg_tablespace "$A" side "$T/side" >>"$T/log" 2>&1 || bail 'no tablespace'
client pgbench "$A" -i -q -s 8 postgres >>"$T/log" 2>&1 || bail 'no pgbench tables'
pg_sql "$A" "CREATE TABLE proof (n bigserial PRIMARY KEY) TABLESPACE side;
	CREATE UNLOGGED TABLE gone AS SELECT generate_series(1, 1000) AS n; CREATE EXTENSION amcheck" >/dev/null
configure "$A"
client pgbench "$A" -n -c 4 -T 600 postgres >"$T/pgbench" 2>&1 &
load=$!

runs 'init' 0 init
for round in 1 2 3; do
	pg_sql "$A" 'INSERT INTO proof SELECT FROM generate_series(1, 500)' >/dev/null
	backup
	check "backup $round under load" exits 0
	check "backup $round is proven" json 'last.consistency == "application" and (last.incomplete | not)'
	committed=$(pg_sql "$A" 'SELECT count(*) FROM proof')
done
check 'the server holds nothing of ours afterwards' until_true 10 nothing_left "$A"
check 'an increment stores less than a tenth of what there is' json 'last | .bytes_stored * 10 < .bytes'
kill "$load" 2>/dev/null
wait "$load" 2>/dev/null
load=

mkdir "$B"
runs 'restore, the tablespace elsewhere' 0 --config "$T/conf" restore latest:postgresql --to "$B/data" \
	--tablespace-map "$T/side=$T/side-b"
adopt "$B"
pg_stop "$A" fast >/dev/null 2>&1
check 'the restored cluster starts' pg_start "$B"
check 'pg_amcheck finds nothing' client pg_amcheck "$B" --heapallindexed postgres
check 'the balances add up' [ "$(pg_sql "$B" 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
	AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history)
	AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)')" = t ]
check 'every row committed before the end is there' [ "$(pg_sql "$B" 'SELECT count(*) FROM proof')" -eq "$committed" ]
check 'the unlogged table is there, and empty' [ "$(pg_sql "$B" 'SELECT count(*) FROM gone')" = 0 ]
check 'the tablespace is where it was sent' [ -n "$(ls "$T/side-b")" ]

# The cluster runs on, and is then brought back: only what differs is written.
client pgbench "$B" -n -t 200 postgres >>"$T/log" 2>&1
pg_stop "$B" fast >/dev/null 2>&1
runs 'delta restore over a cluster that ran on' 0 --config "$T/conf" restore latest:postgresql --to "$B/data" \
	--tablespace-map "$T/side=$T/side-b" --delta --json
adopt "$B"
check 'it starts' pg_start "$B"
check 'and is the restore point again' [ "$(pg_sql "$B" 'SELECT count(*) FROM proof')" -eq "$committed" ]
check 'checked by pg_amcheck' client pg_amcheck "$B" --heapallindexed postgres
pg_stop "$B" fast >/dev/null 2>&1

# --- a damaged page -----------------------------------------------------------------------------------
pg_start "$A" >/dev/null 2>&1
file=$(pg_sql "$A" "SELECT pg_relation_filepath('pgbench_accounts')")
pg_sql "$A" 'CHECKPOINT' >/dev/null
pg_stop "$A" fast >/dev/null 2>&1
printf 'garbage' | dd of="$A/data/$file" bs=1 seek=$((8192 * 17 + 4000)) conv=notrunc status=none
pg_start "$A" >/dev/null 2>&1
backup
check 'a damaged page: the backup is made, exit code 3' exits 3
check 'the file is named' printed "$file"
check 'and the block' printed 'block 17 '

# --- what goes wrong ------------------------------------------------------------------------------------
points() { "$holdfast" list --json | grep -c '"type":"point"'; }
before=$(points)
pg_sql "$A" "CREATE ROLE weak LOGIN" >/dev/null
runs_as() { hf --config "$T/conf" --option "$1" backup --writer postgresql; }
runs_as writer.postgresql.user=weak
check 'a role without the right: refused' exits 1
check 'with a hint' said 'hint: '
runs_as writer.postgresql.user=nobody_at_all
check 'a role that does not exist: refused' exits 1
runs_as writer.postgresql.port=1
check 'no server at this port: worth retrying' exits 75
check 'says so' said 'hint: '

"$holdfast" --config "$T/conf" backup --force-read --writer postgresql >"$T/lost.out" 2>"$T/lost.err" &
pid=$!
terminated() {
	[ "$(pg_sql "$A" "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'holdfast'")" -gt 0 ]
}
until_true 20 terminated
start=$SECONDS
wait "$pid"
code=$?
if [ "$code" -eq 0 ]; then
	skip 'a session lost during the copy' 'the backup was done before its session could be ended'
else
	check 'a session lost during the copy: worth retrying' [ "$code" -eq 75 ]
	check 'noticed within seconds' [ $((SECONDS - start)) -le 5 ]
fi

# Killed while the server is in backup mode: the writer goes, and with it its session and its slot.
in_backup() {
	[ "$(pg_sql "$A" "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast'")" -gt 0 ]
}
for round in 1 2 3; do
	"$holdfast" --config "$T/conf" backup -q --force-read --writer postgresql >"$T/killed" 2>&1 &
	pid=$!
	until_true 20 in_backup
	nap "0.$round"
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	check "killed ($round): the server is left alone" until_true 10 nothing_left "$A"
	runs "killed ($round): the repository verifies" 0 verify --stored
done
before=$(points)
backup
check 'the next backup is made' exits 3 # the damaged page is still there
check 'and proven' json 'map(select(.type == "summary")) | last.consistency == "application"'
before=$((before + 1))

pg_stop "$A" fast >/dev/null 2>&1
backup
check 'the server is down: worth retrying' exits 75
pg_conf "$A" wal_level=minimal
pg_conf "$A" max_wal_senders=0
pg_start "$A" >/dev/null 2>&1
backup
check 'wal_level=minimal: refused' exits 1
check 'which is said' printed 'wal_level is minimal'
check 'nothing is left in the server' until_true 10 nothing_left "$A"
[ "$code" -eq 0 ] || check 'and no restore point was made of all that' [ "$(points)" -eq "$before" ]
runs 'the repository is whole' 0 verify --read-data
done_testing
