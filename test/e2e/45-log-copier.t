#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The log copier of a group of real servers: what it stores is, byte for byte, what the servers archived; a
# copier that is killed at random moments goes on without loss; a link that is cut and joined again is told
# of as events 2153 and 2154; a promotion is followed; a LOG backup by hand has what was committed before it.
set -u
cd "$(dirname "$0")/support" || exit 1
. ./copier.sh
support=$PWD

copier_scratch log-copier 'log copier'

GROUP_AGENTS='' GROUP_MORE='
[log_copier]
interval = 1s
point_files = 8'
group_set_up

# ---- what the servers say themselves

mkdir "$T/archive" && chown "$PG_USER" "$T/archive"
for c in $GROUP_COPIES; do
	pg_conf "$T/$c" archive_mode=on
	pg_conf "$T/$c" "archive_command=cp %p $T/archive/%f.new && mv $T/archive/%f.new $T/archive/%f"
done
for c in pg1 pg2 pg3; do group_stop "$c" && group_start "$c" || bail 'the servers do not start again'; done

# The repository on a mount of its own, so that it can be taken away.
mount --bind "$T/repo" "$T/repo" || bail 'no bind mounts'
at_end 'umount "$T/repo"'

# ---- the copier

shows_on_failure() { tail -n 25 "$T/copier.log" | sed 's/^/#   /'; }

# All that is stored is restored and compared with the archive: LAST, a log file that has to be there whole;
# GAPS that have to be between points.
compare() {
	local p
	rm -rf "$T/restored" && mkdir "$T/restored"
	hf list --json && cp "$T/out" "$T/points"
	for p in $(log_points); do
		hf restore "$p" --to "$T/restored/$p" && exits 0 || return 1
	done
	python3 "$support/logcompare.py" "$T/restored" "$T/archive" "$T/points" "$@" 2>&1 | sed 's/^/# /'
	[ "${PIPESTATUS[0]}" -eq 0 ]
}
# Ends a log file, and waits until the server has archived it: prints its name.
switch_log() {
	local active name
	active=$(group_active)
	pg_sql "$T/$active" "SELECT pg_logical_emit_message(false, 'end', 'of a log file')" >/dev/null
	name=$(pg_sql "$T/$active" 'SELECT pg_walfile_name(pg_switch_wal())')
	until_true 30 test -f "$T/archive/$name" || return 1
	echo "$name"
}

group_busy 200
copier_start
check 'it streams' until_true 20 copier_is_streaming pg1
check 'its slot is there' [ "$(copier_slot active pg1)" = t ]
has_points() { [ "$(log_points | wc -l)" -ge "$1" ]; }
check 'it stores' until_true 20 has_points 1
hf log-copier orders
check 'a second one on this machine is refused' said 'another process copies'
slot_moves() {
	local now
	now=$(copier_slot restart_lsn pg1)
	[ -n "$now" ] && [ "$now" != "$1" ]
}
at=$(copier_slot restart_lsn pg1)
check 'the slot moves with what is stored' until_true 20 slot_moves "$at"
has_slots() { [ "$(copier_slot 'count(*)' "$1")" = 1 ]; }
check 'a passive copy keeps logs, too' until_true 10 has_slots pg2
last=$(switch_log)
check 'it ends when it is told to' copier_stop TERM 0
check 'what it stored is what the server wrote' compare "$last"

# ---- killed at random moments

killed() {
	local i
	for i in 1 2 3 4 5 6; do
		copier_start
		until_true 20 copier_is_streaming pg1 || return 1
		nap "$((RANDOM % 3)).$((RANDOM % 1000))"
		copier_stop KILL 137 || return 1
	done
}
check 'killed six times' killed
copier_start
check 'it streams again' until_true 20 copier_is_streaming pg1
last=$(switch_log)
check 'and ends' copier_stop TERM 0
check 'nothing was lost' compare "$last"

# ---- the link

copier_start
until_true 20 copier_is_streaming pg1
told_of_gap() { hf events --json && grep -q '"name":"LOGS_GAP"' "$T/out"; }
group_cut pg1 req
check 'a cut link is told of: event 2153' until_true 15 has_event 2153
nap 1
group_join
check 'and that it is back: event 2154' until_true 30 has_event 2154
check 'it streams' until_true 20 copier_is_streaming pg1
# As often back as lost, and more often lost than COUNT.
count_events() { hf events --json && grep -c "\"id\":$1" "$T/out"; }
is_back() { [ "$(count_events 2153)" -gt "$1" ] && [ "$(count_events 2153)" -eq "$(count_events 2154)" ]; }
before=$(count_events 2153)
group_reset pg1 req
check 'it survives a reset' until_true 30 is_back "$before"

# ---- a server that hangs

group_idle
before=$(count_events 2153)
is_told_again() { [ "$(count_events 2153)" -gt "$before" ]; }
group_freeze pg1
check 'an active copy that stands still is told of' until_true 20 is_told_again
group_thaw pg1
check 'and streams again' until_true 40 is_back "$before"

# ---- nothing happens

newest_time() { hf list --json && jq -rs '[.[] | select(.logs) | .logs.to_time] | max' "$T/out"; }
is_later() { [ "$(newest_time)" -gt "$1" ]; }
check 'the time that is covered goes on in an idle database' until_true 20 is_later "$(date +%s%N)"

# ---- a repository that is away

group_busy 200
# Not while a file in it is being written.
is_read_only() { mount -o remount,bind,ro "$T/repo" 2>/dev/null; }
check 'the repository becomes read-only' until_true 20 is_read_only
check 'a repository that is away is said' until_true 20 copier_says 'logs cannot be stored now'
mount -o remount,bind,rw "$T/repo"
check 'and that it is back' until_true 20 copier_says 'logs are stored again'
last=$(switch_log)
check 'the copier ends' copier_stop TERM 0
check 'nothing was lost meanwhile' compare "$last" || shows_on_failure

# ---- a promotion

copier_start
check 'it streams' until_true 20 copier_is_streaming pg1
group_idle
group_caught_up
group_promote pg2
group_busy 200
check 'a promotion is followed' until_true 60 copier_is_streaming pg2
check 'event 2253 tells of it' until_true 20 has_event 2253
last=$(switch_log)
check 'it ends' copier_stop TERM 0
check 'nothing was lost on either timeline' compare "$last" || shows_on_failure
check 'no gap was told of' not told_of_gap

# ---- a promotion of one that is behind: the copier has more than it

group_idle
group_rejoin pg1 >/dev/null 2>&1
group_caught_up
copier_start
until_true 20 copier_is_streaming pg2
group_cut pg2 pg3
group_busy 200
ahead() { # pg3 does not get it, and the repository has it
	local at
	at=$(pg_sql "$T/pg2" 'SELECT pg_switch_wal()')
	until_true 20 slot_is_beyond "$at"
}
slot_is_beyond() { [ "$(copier_slot "restart_lsn >= '$1'" pg2)" = t ]; }
check 'it has more than a passive copy that is cut off' ahead
group_idle
group_promote pg3
group_join
group_busy 200
check 'that one is followed' until_true 60 copier_is_streaming pg3
last=$(switch_log)
check 'it ends' copier_stop TERM 0
check 'both timelines are whole' compare "$last" || shows_on_failure

# ---- logs that are gone

group_idle
pg_sql "$T/pg3" "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active" >/dev/null
group_busy 200
switch_log >/dev/null
switch_log >/dev/null
group_idle
pg_sql "$T/pg3" 'CHECKPOINT' >/dev/null
switch_log >/dev/null
pg_sql "$T/pg3" 'CHECKPOINT' >/dev/null
copier_start
check 'it begins anew where there are logs' until_true 20 copier_is_streaming pg3
check 'event 2254 tells what is missing' until_true 20 told_of_gap
last=$(switch_log)
check 'it ends' copier_stop TERM 0
check 'nothing of it is left' group_clean 10
hf log-copier orders --drop-slots
check 'its slots are given back, but for a server that is down' exits 75
for c in $GROUP_COPIES; do
	[ ! -f "$T/$c/data/postmaster.pid" ] || check "none is left on $c" not has_slots "$c"
done
done_testing
