# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A database at work, and whether a copy of it is whole. Source it in bash after pg.sh; $T/acked is the
# feed's file, $FEEDER its process.
#
#	feed DIR / stop_feed DIR	numbered rows in the table feed, one commit each
#	last_acked			the last number whose commit was acknowledged
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
last_acked() { tail -n 1 "$T/acked" | grep -x '[0-9]*' || tail -n 2 "$T/acked" | head -n 1; }

is_whole() { # TOP
	pg_as "$PG_BIN/pg_amcheck" --heapallindexed --all --install-missing -h "$1" -p "$(pg_port "$1")" -U postgres
}
adds_up() {
	[ "$(pg_sql "$1" "SELECT (SELECT sum(abalance) FROM pgbench_accounts)
		= (SELECT sum(bbalance) FROM pgbench_branches) AND (SELECT sum(tbalance) FROM pgbench_tellers)
		= (SELECT sum(delta) FROM pgbench_history)")" = t ]
}
