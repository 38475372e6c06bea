#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Backups of type LOG of a group of real servers: by hand, with and without a slot of the group's own, beside a
# log copier that runs, after a promotion, and when logs are missing.
set -u
cd "$(dirname "$0")/support" || exit 1
. ./copier.sh

copier_scratch log-backup 'log backups'

GROUP_AGENTS='' GROUP_KEPT_SLOTS='^(pg[123]|holdfast.*|held.*)$'
group_set_up

log_backup() { hf backup --group orders --type log --json --tries 1 "$@"; }
flush() { pg_sql "$T/$(group_active)" 'SELECT pg_current_wal_flush_lsn()'; }
not_before() { [ "$(pg_sql "$T/$(group_active)" "SELECT '$1'::pg_lsn >= '$2'::pg_lsn")" = t ]; }
slot_at() { pg_sql "$T/$(group_active)" "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '$1'"; }
commit() { pg_sql "$T/$(group_active)" 'INSERT INTO feed SELECT coalesce(max(n), 0) + 1 FROM feed' >/dev/null; }

# ---- by hand

commit
at=$(flush)
now=$(date +%s%N)
log_backup
check 'a LOG backup is made' exits 0
check 'it has what was committed before it' not_before "$(log_last .logs.to)" "$at"
check 'its time says so' [ "$(log_last .logs.to_time)" -ge "$now" ]
check 'it is closed' [ "$(log_last .logs.closed)" = true ]
first_to=$(log_last .logs.to)
commit
# The name alone is not flushed; what is committed behind it is.
pg_sql "$T/pg1" "SELECT pg_create_restore_point('before the change')" >/dev/null
commit
at=$(flush)
log_backup
check 'another one' exits 0
check 'goes on where the first ended' not_before "$first_to" "$(log_last .logs.from)"
check 'and has what is new' not_before "$(log_last .logs.to)" "$at"
check 'it has the names that were given, and the first has none' \
	[ "$(log_points '.logs.names | map(.name) | join(",")' | tr '\n' ';')" = ';before the change;' ]
check 'both are there' [ "$(log_points | wc -l)" -eq 2 ]
check 'the slot that holds logs for it moves' not_before "$(slot_at holdfast_orders_copier)" "$at"
log_backup
check 'one of nothing new is made, too: its time is later' exits 0

# ---- with a slot of the group

group_configure 'slot = held'
commit
log_backup
check 'the slot of the group is made' [ -n "$(slot_at held)" ]
commit
at=$(flush)
log_backup
check 'and moves once the logs are verified' not_before "$(slot_at held)" "$at"

# ---- beside the copier

copier_start
until_true 20 copier_is_streaming
commit
at=$(flush)
SECONDS=0
log_backup
check 'a LOG backup beside the copier' exits 0
check 'does not wait for its interval' [ "$SECONDS" -lt 30 ]
check 'has what was committed' not_before "$(log_last .logs.to)" "$at"
check 'and stays' [ "$(log_last .logs.closed)" = true ]
check 'the copier ends' copier_stop TERM 0

# ---- on another timeline

group_caught_up
group_promote pg2
commit
at=$(flush)
log_backup
check 'after a promotion' exits 0
check 'it is of the new timeline' [ "$(log_last .logs.timeline)" = 2 ]
check 'and has what was committed there' not_before "$(log_last .logs.to)" "$at"

# ---- logs that are missing

pg_sql "$T/pg2" "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active" >/dev/null
for _ in 1 2 3; do
	commit
	pg_sql "$T/pg2" 'SELECT pg_switch_wal()' >/dev/null
	pg_sql "$T/pg2" 'CHECKPOINT' >/dev/null
done
log_backup
check 'a gap is a warning' exits 3
check 'that says what to do' grep -qi 'full backup' "$T/out" "$T/err"
log_backup
check 'the next one goes on behind it' exits 0

check 'nothing of it is left' group_clean 10
done_testing
