#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A group in the configuration, and what 'holdfast group status' says of its copies: each status made real
# on servers of their own, whatever is done to them and to the network between.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/e2e/support/tap.sh
. "$here/support/tap.sh"
# shellcheck source=test/e2e/support/run.sh
. "$here/support/run.sh"
# shellcheck source=test/e2e/support/agent.sh
. "$here/support/agent.sh"
# shellcheck source=test/e2e/support/pg.sh
. "$here/support/pg.sh"
# shellcheck source=test/e2e/support/loop.sh
. "$here/support/loop.sh"
# shellcheck source=test/e2e/support/group.sh
. "$here/support/group.sh"
GROUP_AGENTS='' # nobody is backed up here
group_possible || { skip 'a group of three hosts' "$group_why"; done_testing; }
scratch groupstatus
group_set_up

# NAME is STATUS (and WHY says so), by now.
is() { # NAME STATUS [WHY] [ARG...]
	local name=$1 status=$2 why=${3:-}
	shift $(($# < 3 ? $# : 3))
	hf group status orders --json "$@"
	jq -e --arg name "$name" --arg status "$status" --arg why "$why" \
		'.copies[] | select(.name == $name) | .status == $status and (.why | contains($why))' "$T/out" >"$T/is" 2>&1
}
becomes() {
	until_true 20 is "$@" && return 0
	echo "# $1 is not $2 (${3:-}):"
	jq -c '.copies[] | [.name, .role, .status, .why, .copy_queue_bytes, .replay_queue_bytes]' "$T/out" | sed 's/^/#   /'
	return 1
}
no_active() {
	jq -e --arg why "$1" '.active == null and (.why_no_active | contains($why))' "$T/out" >"$T/is" && return 0
	echo "# no_active: $(jq -c '[.active, .why_no_active]' "$T/out")"
	return 1
}
write_log() { # MIB, on the active copy
	pg_sql "$T/$(group_active)" "DROP TABLE IF EXISTS filler; CREATE TABLE filler (t text);
		ALTER TABLE filler ALTER t SET STORAGE EXTERNAL;
		INSERT INTO filler SELECT repeat(md5(n::text), 256) FROM generate_series(1, $1 * 128) n" >/dev/null 2>&1
}

# ---- the configuration
fails 'an unknown group: those there are' 1 "there is no group 'order'" group status order
check '... by name' said 'there is: orders'
printf '[group.orders]\nengine = postgresql\npreffer = active\n' >wrong.conf
fails 'a misspelt setting is an error' 1 "wrong.conf:3: there is no setting 'group.orders.preffer'" \
	group status --config wrong.conf
check '... that names the nearest' said "did you mean 'group.orders.prefer'?"
printf '[group.orders]\nengine = postgresql\nprefer = passive\nprefer = active\n' >wrong.conf
fails 'a setting given twice' 1 'was given at wrong.conf:3 already' group status --config wrong.conf
printf '[group.orders]\nengine = postgresql\n' >wrong.conf
fails 'a group without copies' 1 'has no copies' group status --config wrong.conf
printf '[group.orders.copy.pg1]\nhost = here\n' >wrong.conf
fails 'copies without their group' 1 'there is no section [group.orders]' group status --config wrong.conf
printf '[group.orders]\nQueryLogRangeTimeoutInMsec = 120000\n' >wrong.conf
runs 'the older name of the timeout' 0 config show --config wrong.conf
check '... is a number of milliseconds' printed 'query_log_range_timeout +2m +120000 milliseconds'
fails 'no group at all' 1 'there is no group in the configuration' group status --config /dev/null
fails 'an interval is for --watch' 2 'interval' group status --interval 1s

# ---- as it should be
runs 'status' 0 group status orders
check 'the active copy is Mounted' printed '^pg1 +active +Mounted +0 B +0 B +[0-9A-F]+/[0-9A-F]+ '
check 'a passive one is Healthy' printed '^pg2 +passive +Healthy '
check 'no context' printed '^Backup context: none$'
becomes pg3 Healthy
check 'JSON: roles and queues' json '.[0] | .type == "group_status" and .active == "pg1" and
	([.copies[] | .role] == ["active", "passive", "passive"]) and
	all(.copies[]; .copy_queue_bytes < 1000000 and .replay_queue_bytes < 1000000)'
check 'JSON: positions and their times' json '.[0] | .time_ns as $now | all(.copies[1:][];
	(.last_copied | test("^[0-9A-F]+/[0-9A-F]+$")) and (.last_replayed | test("/")) and
	(.last_copied_ns > $now - 60e9) and .receiving and (.source == "10.77.0.1:5432"))'

# ---- replay
pg_sql "$T/pg2" 'SELECT pg_wal_replay_pause()' >/dev/null
write_log 3
check 'replay paused: Suspended' becomes pg2 Suspended 'replay is paused'
check '... and its replay queue grows' until_true 10 eval \
	"is pg2 Suspended && jq -e '.copies[1] | .replay_queue_bytes > 2000000 and .copy_queue_bytes < 1000000' out >/dev/null"
pg_sql "$T/pg2" 'SELECT pg_wal_replay_resume()' >/dev/null
check 'replay goes on: Healthy' becomes pg2 Healthy

# ---- the context of a backup
lock=$(python3 -c 'h = 2166136261
for c in b"orders": h = ((h ^ c) * 16777619) & 0xffffffff
print(h - (1 << 32) if h >> 31 else h)')
pg_as env PGAPPNAME='holdfast backup orders pg2 by backup1' "$PG_BIN/psql" -X -q -h "$T/pg1" -p 5432 -U postgres \
	-c "SELECT pg_advisory_lock(x'484f4c44'::int, $lock)" -c 'SELECT pg_sleep(60)' >/dev/null 2>&1 &
context_held() { hf group status orders --json && json '.[0].copies[0].contexts | length == 1' >/dev/null; }
check 'a backup that runs is seen' until_true 10 context_held
check '... for which copy, from where' json '.[0] | .time_ns as $now | .copies[0].contexts[0] |
	.holder == "pg2 by backup1" and .since_ns <= $now and .since_ns > $now - 60e9'
runs 'also in the table' 0 group status
check '... since when' printed '^Backup context: pg2 by backup1, since 20[0-9-]+ [0-9:]+ \([0-9:]+\)$'
pg_sql "$T/pg1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^holdfast backup'" >/dev/null
context_gone() { hf group status orders --json && json '.[0].copies[0].contexts == []' >/dev/null; }
check 'and that it is over' until_true 10 context_gone

# ---- somebody else's backup
pg_as "$PG_BIN/pg_basebackup" -h "$T/pg2" -p 5432 -U postgres -D "$T/pg2/foreign" -X none -c fast -r 32k >/dev/null 2>&1 &
foreign=$!
taken() { hf group status orders --json && json '.[0].copies[1].in_backup_mode' >/dev/null; }
pg_sql "$T/pg1" CHECKPOINT # a passive copy waits for one
check 'a base backup by another program is seen' until_true 20 taken
runs 'and told' 0 group status
check '... of which copy' printed '^pg2: a base backup is being taken there$'
pg_sql "$T/pg2" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_basebackup'" >/dev/null
wait "$foreign"

# ---- who does not get in
check 'no such role: Failed' becomes pg3 Failed 'does not exist' --option group.orders.copy.pg3.user=nobody
pg_sql "$T/pg1" 'CREATE ROLE plain LOGIN' && group_caught_up
check 'a role that may see nothing: Failed' becomes pg3 Failed 'GRANT pg_monitor' --option group.orders.copy.pg3.user=plain
nobody() { # ARG...: as a role that no copy knows
	hf "$@" --option group.orders.copy.pg1.user=nobody --option group.orders.copy.pg2.user=nobody \
		--option group.orders.copy.pg3.user=nobody
}
nobody backup --group orders
check 'nobody may log in: the backup fails, and is not repeated' exits 1
check '... as every copy says' said 'pg3: log in to PostgreSQL: role "nobody" does not exist'
check '... with the code of the first' said 'code: DB_AUTH'
check '... and what to do' said 'pg_hba.conf (in [group.orders.copy.pg1])'
nobody group truncate orders
check '... and so is letting go of logs' exits 1
fails 'two copies that are one' 1 'are the same server' group status --option group.orders.copy.pg2.host=10.77.0.1

# ---- the log copier's connection
group_cut pg1 pg3
check 'the link between them cut: DisconnectedAndHealthy' becomes pg3 DisconnectedAndHealthy 'log copier is not connected'
write_log 3
check '... far behind: DisconnectedAndResynchronizing' becomes pg3 DisconnectedAndResynchronizing 'still to be copied' \
	--option group.orders.max_copy_queue=1MiB
group_join
check 'the link is back: Healthy' becomes pg3 Healthy
group_slow pg3 3mbit
write_log 4
check 'connected, and far behind: Resynchronizing' becomes pg3 Resynchronizing 'still to be copied' \
	--option group.orders.max_copy_queue=1MiB
group_fast pg3
check 'caught up: Healthy' becomes pg3 Healthy

# ---- nobody answers
in_time() { # SECONDS ARG...: a run
	local begun=$EPOCHSECONDS limit=$1
	shift
	hf "$@"
	[ $((EPOCHSECONDS - begun)) -le "$limit" ] || { echo "# it took $((EPOCHSECONDS - begun)) s" && return 1; }
}
group_cut req pg3
check 'the way there is cut: an answer in time' in_time 7 group status --json
check '... ServiceDown' is pg3 ServiceDown
group_join
group_freeze pg3
check 'the server is stopped: an answer in time' in_time 7 group status --json
check '... ServiceDown' is pg3 ServiceDown
"$holdfast" group status --watch --json >watched 2>err &
watcher=$!
asking() { [ "$(pg_sql "$T/pg1" "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast status'")" = 0 ] &&
	kill -0 "$watcher" && on req ss -Htn dst "${group_ip[pg3]}" | grep -q :5432; }
until_true 10 asking
begun=${EPOCHREALTIME/./}
kill -INT "$watcher"
wait "$watcher"
check 'SIGINT ends it at once, even while nobody answers' test $((${EPOCHREALTIME/./} - begun)) -lt 1500000
group_thaw pg3
check 'and goes on: Healthy' becomes pg3 Healthy
group_stop pg3
check 'the server is down: ServiceDown' becomes pg3 ServiceDown
pg_conf "$T/pg3" hot_standby=off
group_begins() { group_as "$1" "$PG_BIN/pg_ctl" -D "$T/$1/data" -l "$T/$1/log" -W -s start; }
group_begins pg3
check 'a standby that is closed to everybody: Failed' becomes pg3 Failed 'hot standby mode is disabled'
runs '... in words, too' 0 group status
check '... with what to do' printed '^  hint: .*hot_standby = on.*\[group.orders.copy.pg3\]'
group_stop pg3 immediate
# Without a log it cannot reach the point from which on it may be looked at.
rm -rf "$T/pg3/data"
pg_as "$PG_BIN/pg_basebackup" -h "$T/pg1" -p 5432 -U postgres -D "$T/pg3/data" -X none -c fast --no-sync
group_conf pg3
pg_as touch "$T/pg3/data/standby.signal"
group_begins pg3
check 'a server that takes nobody in yet: Initializing' becomes pg3 Initializing
group_stop pg3 immediate
group_follow pg3 pg1
group_start pg3
check 'it has its log: Healthy' becomes pg3 Healthy

# ---- watched
"$holdfast" group status --watch --interval 100ms --json >watched 2>err &
watcher=$!
three_lines() { [ "$(wc -l <watched)" -ge 3 ]; }
check 'watch: again and again' until_true 10 three_lines
kill -INT "$watcher"
check '... until SIGINT' eval 'wait "$watcher"'
check '... in whole lines' eval 'jq -es "length >= 3 and all(.[]; .group == \"orders\")" watched >/dev/null'
"$holdfast" group status --watch --interval 100ms >watched 2>err &
watcher=$!
two_tables() { [ "$(grep -c '^Group: orders' watched)" -ge 2 ]; }
check 'watch: tables' until_true 10 two_tables
kill -INT "$watcher"
wait "$watcher"
check '... without escapes in a file' eval '! grep -q "$(printf "\033")" watched'

# ---- the active copy
group_stop pg1
check 'no active copy: Disconnected' becomes pg2 Disconnected 'no active copy is known'
check '... and it says so' no_active 'none of the copies that could be asked is active'
group_start pg1
check 'it is back' becomes pg2 Healthy
pg_new "$T/other" --port 5433 >/dev/null && pg_start "$T/other"
at_end 'pg_drop "$T/other"'
runs 'a copy of another database' 0 group status --json --option "group.orders.copy.pg3.host=$T/other" \
	--option group.orders.copy.pg3.port=5433 --option group.orders.copy.pg3.user=postgres
check '... is no copy' no_active 'active copies of different databases'
fails '... which no waiting mends' 1 'active copies of different databases' backup --group orders --option \
	"group.orders.copy.pg3.host=$T/other" --option group.orders.copy.pg3.port=5433 --option group.orders.copy.pg3.user=postgres
check '... but the configuration' said 'have to be of one database'

# ---- logs that are gone
group_cut pg1 pg3
check 'cut' becomes pg3 DisconnectedAndHealthy
pg_sql "$T/pg1" "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'" && pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
# A checkpoint would wait for who still has the slot.
slot_left() { [ "$(pg_sql "$T/pg1" "SELECT active FROM pg_replication_slots WHERE slot_name = 'pg3'")" = f ]; }
until_true 30 slot_left
slot_lost() {
	write_log 8
	pg_sql "$T/pg1" CHECKPOINT
	[ "$(pg_sql "$T/pg1" "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'pg3'")" = lost ]
}
until_true 60 slot_lost
check 'logs it needs are gone: Failed' becomes pg3 Failed 'slot pg3 was invalidated'
group_join
pg_sql "$T/pg1" 'ALTER SYSTEM RESET max_slot_wal_keep_size' && pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
pg_sql "$T/pg1" "SELECT pg_drop_replication_slot('pg3')" >/dev/null
group_rejoin pg3 >/dev/null 2>&1
check 'made anew: Healthy' becomes pg3 Healthy

# ---- roles change
group_promote pg2 keep
check 'two that are active' until_true 10 eval 'hf group status --json; no_active "are active" >/dev/null'
check '... with their timelines' no_active 'both pg1 (timeline 1) and pg2 (timeline 2) are active'
group_stop pg1
check 'another is promoted: Mounted' becomes pg2 Mounted
check '... and the third follows it: Healthy' becomes pg3 Healthy
check '... on the new timeline' json '.[0] | .active == "pg2" and .copies[1].timeline == 2 and .copies[2].timeline == 2'

check 'no session of ours is left' group_clean 10
done_testing
