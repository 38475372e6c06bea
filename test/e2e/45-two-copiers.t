#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# More than one who copies the logs of a group of real servers, on two hosts, into one repository: a second log
# copier is refused as long as the first one lives, and takes over when it is gone; one that slept through that
# gives way, or the other does; a LOG backup from elsewhere does no harm. And more than one active copy: no timeline is gone on with by
# somebody who does not know of a newer one.
set -u
cd "$(dirname "$0")/support" || exit 1
. ./copier.sh

copier_scratch two-copiers 'two log copiers'

GROUP_AGENTS='' GROUP_MORE='
[log_copier]
interval = 1s
point_files = 4'
group_set_up
second_host

flush() { pg_sql "$T/$1" 'SELECT pg_current_wal_flush_lsn()'; }
not_before() { [ "$(pg_sql "$T/$(group_active)" "SELECT '$1'::pg_lsn >= '$2'::pg_lsn")" = t ]; }
commit() { pg_sql "$T/$1" 'INSERT INTO feed SELECT coalesce(max(n), 0) + 1 FROM feed' >/dev/null; }
is_stored() { not_before "$(log_last .logs.to)" "$1"; }
stored_by() { log_points .logs.copier.host | grep -qxF "$1"; }
streams_as() { # HOST NAME
	[ "$(pg_sql "$T/$2" "SELECT count(*) FROM pg_stat_replication WHERE application_name LIKE 'holdfast log copier% by $1'
		AND state IN ('catchup', 'streaming')")" = 1 ]
}
# By position every point begins no later than those before it end.
chain_is_whole() {
	log_points '[.logs.timeline, .logs.from, .logs.to] | @tsv' >"$T/chain"
	python3 - "$T/chain" <<-'END'
		import sys
		def position(text):
		    high, low = text.split('/')
		    return int(high, 16) << 32 | int(low, 16)
		reached = {}
		lines = [line.split() for line in open(sys.argv[1])]
		for timeline, start, end in sorted((int(t), position(a), position(b)) for t, a, b in lines):
		    if timeline in reached and start > reached[timeline]:
		        sys.exit(f'# nothing between {reached[timeline]:X} and {start:X}')
		    reached[timeline] = max(end, reached.get(timeline, 0))
	END
}
second_pid=
second_start() {
	[ -e "$T/second.log" ] || at_end '[ -z "$second_pid" ] || kill -9 "$second_pid" 2>/dev/null'
	"$second" log-copier orders >>"$T/second.log" 2>&1 &
	second_pid=$!
}
second_stop() {
	kill "-$1" "$second_pid" 2>/dev/null
	wait "$second_pid" 2>/dev/null
	second_pid=
}
second_says() { grep -qF -- "$1" "$T/second.log"; }
here=$(hostname)

# ---- refused while the first one lives

group_busy 50
copier_start
check 'the first one streams' until_true 20 streams_as "$here" pg1
check 'and stores' until_true 20 stored_by "$here"
SECONDS=0
hf2 log-copier orders
check 'a second one on another host is refused' exits 75
check 'before long' [ "$SECONDS" -lt 25 ]
check 'it says who holds it' said "'holdfast log copier orders by $here from 10.77.0.9' copies the logs of this group, for "
check 'and what to do' said 'hint: '
check 'it is not told that it was to be ready' not grep -q 'copying the logs of orders' "$T/err"
check 'it stored nothing' not stored_by elsewhere
HOLDFAST_AGENT_STATE_DIR=$T/third hf log-copier orders
check 'so is one of another state folder on the same host' exits 75
check 'the first one was not disturbed' streams_as "$here" pg1

# ---- a LOG backup from elsewhere

commit pg1
at=$(flush pg1)
hf2 backup --group orders --type log --tries 1 --json
check 'a LOG backup from another host' exits 0
check 'is its own' json 'all(.[]; .by_copier != true)'
backup=$(log_points 'select(.logs.copier | not) | .id' | tail -n 1)
backup_to=$(log_points 'select(.logs.copier | not) | .logs.to' | tail -n 1)
check 'it has what was committed before' not_before "$backup_to" "$at"
check 'it is closed' [ "$(log_points "select(.id == \"$backup\") | .logs.closed")" = true ]
at=$(flush pg1)
check 'the copier goes on' until_true 20 is_stored "$at"
check 'as it did' [ "$(log_last .logs.copier.host)" = "$here" ]
check 'with no word of a failure' not copier_says 'cannot be stored'
check 'its slot is its own' [ "$(copier_slot active)" = t ]

# ---- taken over from one that died

copier_stop KILL 137
second_start
check 'the second one takes over' until_true 20 streams_as elsewhere pg1
at=$(flush pg1)
check 'and stores' until_true 20 is_stored "$at"
second_stop TERM
check 'nothing is missing' chain_is_whole
check 'nor said to be' not has_event 2254

# ---- one that slept

copier_start
check 'the first one again' until_true 20 streams_as "$here" pg1
nap 2
kill -STOP "$copier"
sleeps() { ! streams_as "$here" pg1; }
# The wrapper is the program: it was replaced by exec.
check 'it stands still, and the server lets go of it' until_true 30 sleeps
second_start
check 'the second one takes over' until_true 20 streams_as elsewhere pg1
at=$(flush pg1)
check 'and stores' until_true 20 is_stored "$at"
kill -CONT "$copier"
# Whose store was on its way when it fell asleep may be done with it before it finds out; then the other one gives way.
waits() {
	copier_says 'copies the logs of this group, for ' || copier_says "another log copier, on 'elsewhere'" ||
		second_says "another log copier, on '$here'"
}
check 'one of them finds it out' until_true 30 waits
nap 3
check 'the first one does not end of it' kill -0 "$copier"
check 'nor does the second one' kill -0 "$second_pid"
only_one() { streams_as "$here" pg1 || streams_as elsewhere pg1; }
check 'one of them streams, and no more' until_true 30 only_one
whoever() { [ "$(pg_sql "$T/pg1" "SELECT application_name LIKE '% by $(log_last .logs.copier.host)' FROM pg_stat_replication
	WHERE application_name LIKE 'holdfast log copier%' AND state IN ('catchup', 'streaming')")" = t ]; }
check 'that one stores' until_true 20 whoever
second_stop KILL
check 'when the second one is gone the first one goes on' until_true 40 streams_as "$here" pg1
at=$(flush pg1)
check 'and stores' until_true 20 is_stored "$at"
check 'nothing is missing of it all' chain_is_whole
check 'nor said to be' not has_event 2254

# ---- two active copies, both in sight

group_idle
group_caught_up
group_promote pg2 keep
check 'two active copies: the copier says so' until_true 20 copier_says 'are active'
of_old_timeline() { log_points 'select(.logs.timeline == 1) | .id' | sort; }
nap 2
before=$(of_old_timeline)
commit pg1
commit pg2
nap 4
check 'nothing is stored of either' [ "$(of_old_timeline)" = "$before" ]
check 'nor of the other one' [ -z "$(log_points 'select(.logs.timeline != 1) | .id')" ]

# ---- each in sight of another copier

copier_stop KILL 137
group_cut pg1 req
group_cut pg2 pg3
second_start
check 'one that sees the old one only goes on with it' until_true 30 streams_as elsewhere pg1
at=$(flush pg1)
check 'and stores' until_true 20 is_stored "$at"
copier_start
check 'one that sees the new one only follows it' until_true 30 streams_as "$here" pg2
commit pg2
has_new() { [ -n "$(log_points 'select(.logs.timeline == 2) | .id')" ]; }
check 'and stores the new timeline' until_true 20 has_new
for _ in 1 2 3 4; do commit pg1; nap 1; done
check 'the other one finds it out' until_true 20 second_says "another log copier, on '$here'"
check 'and does not go on: that copy is behind' until_true 20 second_says 'is behind the logs in the repository'
before=$(of_old_timeline)
commit pg1
nap 4
check 'it stores nothing any more' [ "$(of_old_timeline)" = "$before" ]
check 'the right one still streams' streams_as "$here" pg2
check 'the last logs are of the new timeline' [ "$(log_last .logs.timeline)" = 2 ]
second_stop TERM
group_join

# ---- and back to one

group_stop pg1 immediate
commit pg2
at=$(flush pg2)
check 'with one active copy it goes on' until_true 40 is_stored "$at"
check 'the copier ends' copier_stop TERM 0
check 'nothing is missing on either timeline' chain_is_whole
hf verify --read-data
check 'all of it is what the server wrote' exits 0
check 'no gap was told of' not has_event 2254
check 'nothing of it is left' group_clean 10
done_testing
