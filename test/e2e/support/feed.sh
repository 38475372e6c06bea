# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A database at work, and whether a copy of it is whole. Source it in bash after pg.sh; $T/acked is the
# feed's file, $FEEDER its process.
#
#	feed DIR / stop_feed DIR	numbered rows in the table feed, one commit each
#	last_acked			the last number whose commit was acknowledged
#	feed_on N			wait until N more are (within a minute)
#	load CLIENTS DIR / load_end DIR	pgbench, until its end is wanted
#	is_whole DIR			pg_amcheck of everything, heaps against indexes
#	adds_up DIR			pgbench's balances

# Numbered rows, each committed by itself; a number is in the file once its commit was acknowledged.
feed() { # DIR
	pg_sql "$1" "SET client_min_messages = error; CREATE TABLE IF NOT EXISTS feed (n serial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())"
	: >"$T/acked"
	(yes 'INSERT INTO feed DEFAULT VALUES RETURNING n;' |
		pg_as stdbuf -oL "$PG_BIN/psql" -X -q -A -t -h "$1" -p "$(pg_port "$1")" -U postgres postgres \
			>>"$T/acked" 2>/dev/null) &
	FEEDER=$!
}
stop_feed() {
	pg_sql "$1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO feed%' AND pid <> pg_backend_pid()" >/dev/null
	wait "$FEEDER" 2>/dev/null
	FEEDER=
}
feed_has() { [ "$(last_acked || echo 0)" -ge "$1" ] 2>/dev/null; }
feed_on() {
	local now end=$((SECONDS + 60))
	now=$(last_acked) || now=0
	until feed_has $((${now:-0} + $1)); do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}
load() {
	pg_as "$PG_BIN/pgbench" -n -c "$1" -T 600 -h "$2" -p "$(pg_port "$2")" -U postgres postgres >/dev/null 2>&1 &
	LOAD=$!
}
load_end() {
	pg_sql "$1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgbench'" >/dev/null
	wait "$LOAD" 2>/dev/null
	LOAD=
}
last_acked() { tail -n 1 "$T/acked" | grep -x '[0-9]*' || tail -n 2 "$T/acked" | head -n 1; }

is_whole() { # TOP
	pg_as "$PG_BIN/pg_amcheck" --heapallindexed --all --install-missing -h "$1" -p "$(pg_port "$1")" -U postgres
}
adds_up() {
	[ "$(pg_sql "$1" "SELECT (SELECT sum(abalance) FROM pgbench_accounts)
		= (SELECT sum(bbalance) FROM pgbench_branches) AND (SELECT sum(tbalance) FROM pgbench_tellers)
		= (SELECT sum(delta) FROM pgbench_history)")" = t ]
}
