#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Logs that are missing, on real servers. The copier's slot is invalidated while it is away, and another time dropped
# by hand: it says so, goes on with a new slot, and no moment across the gap can be had, until there is another full
# backup. Then a gap that somebody is about to make: forgetting logs that a backup needs is refused, with what would
# be lost.
set -u
cd "$(dirname "$0")/support" || exit 1
. ./copier.sh

copier_scratch log-gaps 'gaps in the logs'

GROUP_AGENTS='pg2' GROUP_MORE='
[log_copier]
interval = 1s
point_files = 2'
group_set_up

full_backup() { hf backup --group orders --tries 1 && exits 0; }
commit() { pg_sql "$T/pg1" 'INSERT INTO feed SELECT coalesce(max(n), 0) + 1 FROM feed' >/dev/null; }
# Into $row and $time: a moment at which nothing was committed, with some log before and after it.
moment() {
	local _
	for _ in 1 2 3; do commit && switch_log; done
	nap 0.2
	row=$(group_feed_at) time=$(date -u +'%Y-%m-%d %H:%M:%S.%6NZ')
	nap 0.2
	commit
}
switch_log() {
	pg_sql "$T/pg1" "SELECT pg_logical_emit_message(false, 'end', 'of a log file')" >/dev/null &&
		pg_sql "$T/pg1" 'SELECT pg_switch_wal()' >/dev/null
}
is_stored() { [ "$(pg_sql "$T/pg1" "SELECT '$(log_last .logs.to)'::pg_lsn >= '$1'::pg_lsn")" = t ]; }
all_stored() { until_true 30 is_stored "$(pg_sql "$T/pg1" 'SELECT pg_current_wal_flush_lsn()')"; }
# So much that the server lets go of what nobody holds; standbys have it all.
much_log() {
	local _
	for _ in 1 2 3 4 5 6 7 8; do commit && switch_log; done
	group_caught_up && pg_sql "$T/pg1" CHECKPOINT >/dev/null
}
has_row() { [ "$(pg_sql "$T/restored" 'SELECT max(n) FROM feed')" = "$1" ] || { echo "# not $1" && return 1; }; }
restore_to() { # NAME ROW ARG...
	local name=$1 row=$2
	shift 2
	check "$name: restored and started" group_restore latest restored --group orders "$@"
	check "$name: exactly that moment" has_row "$row"
	group_drop restored
}
refused() { # NAME TEXT ARG...: not as something that passes, and nothing was written
	local name=$1 text=$2
	shift 2
	hf restore --group orders --to "$T/refused" "$@"
	check "$name: refused" exits 1
	check "$name: says why" said "$text"
	check "$name: says what can be had" said 'can be restored to: '
	check "$name: nothing was written" [ ! -e "$T/refused" ]
}

check 'a full backup' full_backup
copier_start
check 'the copier streams' until_true 20 copier_is_streaming
moment
before_row=$row before_time=$time
check 'its logs are stored' all_stored
check 'no slot was missing so far' not has_event 2257

# ---- the server invalidates the slot while the copier is away

check 'the copier ends' copier_stop TERM 0
pg_conf "$T/pg1" max_slot_wal_keep_size=1MB
pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
moment
gap_time=$time
is_lost() { much_log && [ "$(copier_slot wal_status)" = lost ]; }
check 'the slot is invalidated' until_true 60 is_lost
pg_conf "$T/pg1" max_slot_wal_keep_size=-1
pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
copier_start
check 'the copier streams again' until_true 20 copier_is_streaming
check 'it has a new slot' until_true 10 test "$(copier_slot wal_status)" != lost
check 'it says why' copier_says 'had to be made anew: the server had invalidated it'
check 'it says what is missing, and what to do' copier_says 'make a full backup'
check 'event 2257' has_event 2257
check 'event 2254' has_event 2254
missing() { grep -o 'logs are missing from [^ ]* to [^ :]*' "$T/copier.log" | tail -n 1; }
gap_from=$(missing | cut -d' ' -f5) gap_to=$(missing | cut -d' ' -f7)
at() { pg_sql "$T/pg1" "SELECT '$gap_to'::pg_lsn + $1"; }
moment
after_time=$time
check 'what follows is stored' all_stored
refused 'a moment in the gap' 'do not have everything until' --target-time "$gap_time"
refused 'a position in the gap' 'do not have everything before' --target-lsn "$(pg_sql "$T/pg1" "SELECT '$gap_from'::pg_lsn + 100000")"
refused 'a moment behind it' "they are missing from $gap_from on, and no backup was made behind that" --target-time "$after_time"
refused 'the position behind it' "the logs reach only to $gap_from" --target-lsn "$(at 100000)"
restore_to 'before the gap' "$before_row" --target-time "$before_time"
hf list
check 'the list ends before the gap' printed "any moment from .* to $gap_from,"

# ---- a full backup mends it

check 'another full backup' full_backup
moment
check 'what follows it is stored' all_stored
restore_to 'behind the gap' "$row" --target-time "$time"

# ---- dropped by hand

check 'the copier ends again' copier_stop TERM 0
pg_sql "$T/pg1" "SELECT pg_drop_replication_slot('holdfast_orders_copier')" >/dev/null
rm -f "$T/copier.log.old" && mv "$T/copier.log" "$T/copier.log.old" && : >"$T/copier.log"
much_log
much_log
copier_start
check 'without a slot it streams again' until_true 20 copier_is_streaming
check 'it says that the slot was not there' copier_says 'had to be made anew: it was not there any more'
check 'it tells of the gap' copier_says 'logs are missing from'
moment
check 'and stores' all_stored
refused 'behind the second gap' 'and no backup was made behind that' --target-time "$time"

# ---- a LOG backup meets such a gap: a warning, and no success without a word

check 'the copier ends for a while' copier_stop TERM 0
pg_sql "$T/pg1" "SELECT pg_drop_replication_slot('holdfast_orders_copier')" >/dev/null
much_log
much_log
hf backup --group orders --type log --tries 1
check 'a LOG backup across a gap' exits 3
check 'says what to do' grep -qi 'full backup' "$T/out" "$T/err"

# ---- logs that somebody forgets

check 'a third full backup' full_backup
copier_start
until_true 20 copier_is_streaming
moment
first_time=$time
all_stored
moment
all_stored
moment
last_row=$row last_time=$time
all_stored
check 'the copier ends at last' copier_stop TERM 0
# The one that has what was committed just after the first of these moments.
at=$(date -u -d "$first_time" +%s%N)
needed=$(log_points "select(.logs.from_time <= $at and .logs.to_time > $at) | .id" | head -n 1)
check 'there is such a restore point' [ -n "$needed" ]
hf forget "$needed" --dry-run
check 'a dry run' exits 0
check 'says which moments would be lost' printed 'Lost with the logs: group:orders: every moment from '
check 'and what would go' printed "Would forget ${needed:0:8}"
hf forget "$needed"
check 'logs that a backup needs are not forgotten just so' exits 1
check 'it says what for' said 'could not be brought to any moment from'
check 'and how' said '--force'
is_there() { hf list --json && grep -q "\"$1\"" "$T/out"; }
check 'they are there' is_there "$needed"
restore_to 'all of it is there' "$last_row" --target-time "$last_time"
hf forget "$needed" --json --dry-run
check 'as JSON, too' json 'any(.[]; .type == "lost" and .with == "logs" and .to_ns > .from_ns and .timeline == 1)'
hf forget "$needed" --force
check 'with --force they go' exits 0
check 'it says what was lost' printed 'Lost with the logs: group:orders: every moment from '
check 'and are gone' not is_there "$needed"
refused 'what was lost' 'can be restored to: ' --target-time "$last_time"
# A backup that goes takes its moments along: that is told, and done.
last=$(hf list --json && jq -rs '[.[] | select(.id) | select(.logs | not)] | last | .id' "$T/out")
hf forget "$last"
check 'a backup is forgotten when it is asked for' exits 0
check 'which moments go with it is told' printed 'Lost with the backup: group:orders: every moment from '
check 'nothing is left' group_clean 10
done_testing
