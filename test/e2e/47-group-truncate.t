#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Truncation of a group's logs, on real servers: full and incremental backups move the group's slot, copies
# never do; a copy that is down, behind, or does not replay blocks and is named; a restore point that is
# damaged lets go of nothing; log backups are not left with a gap; the slot never moves back, and log files
# before it are gone.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/agent.sh"
. "$here/support/pg.sh"
. "$here/support/loop.sh"
. "$here/support/group.sh"
group_possible || skip_all "$group_why"
scratch truncate
GROUP_SCALE=1
group_set_up
group_configure 'slot = holdfast_orders'

position() { # of the group's slot, "" if there is none
	pg_sql "$T/${1:-pg1}" "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'holdfast_orders'"
}
stands() { [ "$(position)" = "$1" ]; }
# Is LSN A before B?
before() { [ "$(pg_sql "$T/pg1" "SELECT '$1'::pg_lsn < '$2'::pg_lsn")" = t ]; }
moved() { # FROM: it has moved since, forward
	local now
	now=$(position)
	[ -n "$now" ] && before "$1" "$now"
}
# Some megabytes of log, with a checkpoint behind them: a passive copy's backup begins at one that it knows of.
write_logs() {
	pg_sql "$T/pg1" "INSERT INTO feed SELECT (SELECT coalesce(max(n), 0) FROM feed) + g FROM generate_series(1, ${1:-20000}) g" >/dev/null &&
		pg_sql "$T/pg1" 'CHECKPOINT' >/dev/null && group_caught_up 30
}
start_of() { # POINT: where the logs of its database begin
	hf list --json && exits 0 &&
		jq -rs --arg id "$1" '.[] | select(.type == "point" and .id == $id) | .roots[].component.start_lsn' "$T/out"
}
plan() { hf group truncate orders --explain --json && exits 0 && jq -e "$1" "$T/out" >/dev/null; }
blocks() { # COPY TEXT: --explain names it, with that
	hf group truncate orders --explain && exits 0 && grep -q "^\* *copy $1 .*$2" "$T/out"
}
holds() { # MIB: at least so much log
	[ "$(pg_sql "$T/pg1" "SELECT pg_current_wal_flush_lsn() - '$(position)' >= $1 << 20")" = t ]
}
oldest_segment() { pg_sql "$T/pg1" "SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"; }

# ---- before anything is stored
runs 'without a restore point nothing can go' 0 group truncate orders --explain
check 'and it says why' printed 'there is no full or incremental restore point'
check 'no slot is made by looking' stands ''
runs 'nor by hand' 0 group truncate orders
check 'as nothing may go yet' printed 'nothing to let go of: there is no slot .holdfast_orders. yet'
check 'still no slot' stands ''
fails 'a group that is not there' 1 "there is no group 'others'" group truncate others

# ---- FULL, COPY, INCREMENTAL
write_logs
group_mark
runs 'a full backup' 0 backup --group orders --json
full=$(value '.[-1].point')
at=$(position)
check 'makes the slot' test -n "$at"
check 'up to its own beginning' stands "$(start_of "$full")"
check 'and says so in the event log' happened LOGS_TRUNCATED
write_logs
runs 'a copy backup' 0 backup --group orders --type copy
check 'does not move it' stands "$at"
runs 'nor does truncating by hand after it' 0 group truncate orders
check 'for the copy is no base' stands "$at"
runs 'an incremental backup' 0 backup --group orders --type incremental --json
check 'moves it' moved "$at"
check 'to its own beginning' stands "$(start_of "$(value '.[-1].point')")"
runs 'once more by hand' 0 group truncate orders
check 'there is nothing more' printed 'nothing to let go of'

# ---- what is let go of is gone
at=$(position)
write_logs 60000
check 'logs gather behind the slot' holds 4
runs 'a full backup' 0 backup --group orders
check 'lets go of them' moved "$at"
pg_sql "$T/pg1" CHECKPOINT
check 'the oldest log file is that of the slot' test "$(oldest_segment)" = "$(pg_sql "$T/pg1" "SELECT pg_walfile_name('$(position)')")"

# ---- who blocks
at=$(position)
group_stop pg3
write_logs
group_mark
runs 'with a copy down a full backup is good' 0 backup --group orders --json
check 'but lets go of nothing' stands "$at"
check 'as that copy needs the logs' blocks pg3 ServiceDown
check 'for programs, too' plan '.end == "blocked" and (.marks[] | select(.blocks)).name == "pg3" and .to == .kept_from'
check 'and in the event log' happened LOGS_NOT_TRUNCATED '.fields.copy == "pg3"'
runs 'by hand neither' 0 group truncate orders
check 'it names the copy' printed 'nothing is let go of, as this needs the logs: copy pg3'
group_start pg3
check 'the copy comes back' group_caught_up 30
runs 'and now they go' 0 group truncate orders
check 'up to the full backup' moved "$at"

at=$(position)
pg_sql "$T/pg3" 'SELECT pg_wal_replay_pause()' >/dev/null
lag=$(pg_sql "$T/pg3" 'SELECT pg_last_wal_replay_lsn()')
pg_sql "$T/pg1" 'INSERT INTO feed SELECT (SELECT max(n) FROM feed) + g FROM generate_series(1, 20000) g; CHECKPOINT' >/dev/null
check 'the other one goes on' until_true 30 group_replayed pg2 "$(pg_sql "$T/pg1" 'SELECT pg_current_wal_flush_lsn()')"
runs 'a full backup while a copy does not replay' 0 backup --group orders
check 'lets go up to what that copy has replayed' stands "$lag"
check 'and names it' blocks pg3 Suspended
pg_sql "$T/pg3" 'SELECT pg_wal_replay_resume()' >/dev/null
check 'it catches up' group_caught_up 30
runs 'the rest goes' 0 group truncate orders
check 'now' moved "$lag"

# ---- a restore point that is not whole
at=$(position)
write_logs
group_configure
runs 'a full backup of a group without a slot' 0 backup --group orders
runs 'lets go of nothing' 0 group truncate orders
check 'and says why' printed 'has no slot of its own'
group_configure 'slot = holdfast_orders'
pack=$(find "$T/repo/packs" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
cp -p "$pack" "$T/kept"
printf 'X' | dd of="$pack" bs=1 seek=100 conv=notrunc status=none
fails 'a damaged restore point' 1 'is not whole' group truncate orders
check 'lets go of nothing' stands "$at"
cp -p "$T/kept" "$pack"
runs 'mended' 0 group truncate orders
check 'it does' moved "$at"

# ---- log backups are not left with a gap
logs_end() { # of the newest log backup
	hf list --json && exits 0 && jq -rs '[.[] | select(.backup_type == "log")] | last.logs.to' "$T/out"
}
write_logs
runs 'a log backup' 0 backup --group orders --type log
at=$(logs_end)
check 'lets go of all that it has' stands "$at"
write_logs
runs 'a full backup behind it' 0 backup --group orders
check 'lets go of nothing that log backups do not have' stands "$at"
runs 'as is explained' 0 group truncate orders --explain
check 'by the log backups' printed '^[*] *log backups .*without a gap'
write_logs
runs 'the next log backup' 0 backup --group orders --type log
check 'goes on from there' stands "$(logs_end)"
write_logs
runs 'a full backup' 0 backup --group orders
at=$(position)
write_logs
runs 'and another, without a log backup between' 0 backup --group orders --json
check 'counts log backups as given up' stands "$(start_of "$(value '.[-1].point')")"
check 'and lets go' moved "$at"

# ---- logs that are none
write_logs
at=$(position)
size=$(pg_sql "$T/pg1" "SELECT pg_size_bytes(current_setting('wal_segment_size'))")
first=$(pg_sql "$T/pg1" "SELECT pg_walfile_name('$at')")
first_lsn=$(pg_sql "$T/pg1" "SELECT '$at'::pg_lsn - mod('$at'::pg_lsn - '0/0', $size)")
end=$(pg_sql "$T/pg1" 'SELECT pg_current_wal_flush_lsn()')
mkdir "$T/none"
for name in $(pg_sql "$T/pg1" "SELECT name FROM pg_ls_waldir() WHERE name >= '$first' AND name <= pg_walfile_name('$end')"); do
	truncate -s "$size" "$T/none/$name"
done
none=$("$LOG_POINT" "$T/repo" "$T/key" "$T/cache" orders "$T/none" "$(pg_sql "$T/pg1" 'SELECT system_identifier FROM pg_control_system()')" \
	"$size" "$first_lsn" "$end" 0 "$(date +%s)000000000" "1:$first_lsn")
check 'they are stored' test -n "$none"
runs 'and not damaged' 0 verify
fails 'and are found out before they are relied on' 1 'the log cannot be read beyond' group truncate orders
check 'nothing goes' stands "$at"
runs 'they are taken away' 0 forget --force "$none"

# ---- other people's slots; never back
pg_sql "$T/pg1" "SELECT pg_create_physical_replication_slot('somebody', true)" >/dev/null
check "somebody else's slot is shown, and does not count" plan '.marks[] | select(.name == "somebody") | .binding | not'
pg_sql "$T/pg1" "SELECT pg_drop_replication_slot('somebody')" >/dev/null
write_logs
pg_sql "$T/pg1" "SELECT pg_replication_slot_advance('holdfast_orders', pg_current_wal_flush_lsn())" >/dev/null
at=$(position)
runs 'what somebody moved further' 0 group truncate orders
check 'is not moved back' stands "$at"

# ---- after a promotion
group_promote pg2
check 'pg3 follows' group_caught_up 30
runs 'what was stored before a promotion lets go of nothing' 0 group truncate orders --explain
check 'as the new timeline has no restore point' printed 'no full or incremental restore point on timeline 2'
check 'and the old one blocks as well' printed 'copy pg1'
check 'nothing of ours is left' group_clean 10
done_testing
