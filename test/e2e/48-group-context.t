#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The log range query and the backup context of a group, against real servers in networks of their own: what
# the active copy shows of it, and every way of losing it. By a tool that opens one and does no backup.
set -u
here=$(cd "$(dirname "$0")" && pwd)
for part in tap run agent pg loop group context; do . "$here/support/$part.sh"; done

group_possible || { echo "1..0 # SKIP $group_why" && exit 0; }
scratch group-context
GROUP_AGENTS= group_set_up
usual() {
	group_configure 'heartbeat = 500ms' 'heartbeat_timeout = 1s' 'context_lease = 12s' \
		'query_log_range_timeout = 20s'
}
usual
prefix="SELECT count(*) FROM pg_replication_slots WHERE temporary AND slot_name LIKE 'holdfast\_context\_%'"

begin() { # ACTIVE PASSIVE
	c_start "$@" && c_must range && c_must open
}
nothing() { group_clean 10; }
end_well() { c_must 'prove 3000' && c_must close && c_end && nothing; }

# --- all is well -----------------------------------------------------------------------------------
check 'the tool starts' c_start pg1 pg2
check 'the log range' c_must range
check 'it has a timeline, positions, files and their size' c_is '^ok 1 [0-9A-F]+/[0-9A-F]+ [0-9A-F]+/[0-9A-F]+ [0-9A-F]+/[0-9A-F]+ [1-9][0-9]* 1048576 [0-9]+$'
check 'open' c_must open
check 'one session on the active copy, by its name' test \
	"$(group_sql pg1 "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^holdfast backup orders pg2 by host #[0-9a-f]{8}$'")" = 1
check 'it holds the lock' test "$(group_sql pg1 "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = x'484f4c44'::int::oid")" = 1
check 'and a temporary slot' test "$(group_sql pg1 "$prefix AND restart_lsn IS NOT NULL")" = 1
check 'group status shows who' eval 'hf group status orders && printed "pg2 by host"'
check 'check' c_must check
check 'prove asks at once' eval 'c_must "prove 2000" && c_is "^ok [0-9]{1,3}$"'
check 'no word on another active copy' eval 'c_notes 1 " 2242 CONTEXT_OPENED group=orders active=pg1 copy=pg2"'

# --- somebody else -----------------------------------------------------------------------------------
c_aside
check 'a second one, of another copy' eval 'c_start pg1 pg3 elsewhere && c_must range'
check 'is refused' eval '! c_say open'
check 'with the name and age of the holder' c_is '^error GROUP_BUSY .* a backup of group .orders. is running already: of pg2 by host, since [-0-9]+T[:0-9]+Z \(for [0-9]+ s\)'
c_end
sed -i 's/^database = postgres/database = template1/' "$T/group.conf"
check 'from another database, too' eval 'c_start pg1 pg3 elsewhere && c_must range && ! c_say open && c_is "^error GROUP_BUSY .* of pg2 by host, since "'
c_end
sed -i 's/^database = template1/database = postgres/' "$T/group.conf"
c_back
check 'close leaves nothing' eval 'c_must close && test "$(group_sql pg1 "$prefix")" = 0'
check 'so that the next can open at once' eval 'c_must range && c_must open && end_well'
check 'not on a passive copy' eval 'c_start pg2 pg3 && ! c_say range && c_is "^error GROUP_ROLE .*pg2 is not the active copy"'
c_end
check 'nor of an active one taken for passive' eval 'c_start pg1 pg1 && c_must range && c_must open && end_well'

# --- the channel is cut, reset, dropped ------------------------------------------------------------
check 'reset: opened' begin pg1 pg2
at=$(c_now)
group_reset req pg1
check 'noticed, and opened again' c_noted ' 2244 CONTEXT_REOPENED' 5
check 'the logs were held all the time by the new slot, or are there' c_must 'prove 2000'
check 'both at once' test "$((c_at - at))" -le 2000
check 'it goes on' eval 'c_must state && c_is "^ok 1 1 0 "'
check 'and ends well' end_well

check 'cut both ways: opened' begin pg1 pg2
held=$(group_sql pg1 "SELECT restart_lsn FROM pg_replication_slots WHERE temporary")
pg_sql "$T/pg1" 'CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT' >/dev/null
at=$(c_now)
group_cut req pg1
check 'noticed' c_noted ' 2243 CONTEXT_LOST group=orders active=pg1 error=' 5
check 'within a heartbeat and the answer time' test "$((c_at - at))" -le 2500
check 'the backup may go on' c_must check
nap 2
group_join
check 'back' c_noted ' 2244 CONTEXT_REOPENED' 8
check 'with the same pin' test "$(group_sql pg1 "SELECT restart_lsn FROM pg_replication_slots WHERE temporary")" = "$held"
check 'one session only' test "$(group_sql pg1 "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holdfast backup%'")" = 1
check 'and ends well' end_well

for way in 'req pg1' 'pg1 req'; do
	check "cut from ${way% *}: opened" begin pg1 pg2
	at=$(c_now)
	# shellcheck disable=SC2086 # two words
	group_cut_to $way
	check 'noticed' eval 'c_noted " 2243 CONTEXT_LOST" 5 && test "$((c_at - at))" -le 2500'
	group_join
	check 'back' c_noted ' 2244 CONTEXT_REOPENED' 12
	check 'and ends well' end_well
done

check 'forgotten by something between: opened' begin pg1 pg2
at=$(c_now)
group_forget req pg1
check 'noticed and opened again' eval 'c_noted " 2244 CONTEXT_REOPENED" 8 && test "$((c_at - at))" -le 4000'
group_join
check 'and ends well' end_well

check 'its process in the server is ended: opened' begin pg1 pg2
group_sql pg1 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast backup%'" >/dev/null
check 'opened again' c_noted ' 2244 CONTEXT_REOPENED' 5
check 'and ends well' end_well

# One after the other, without waiting for what becomes of it: also while it is being opened again. The logs
# are written and recycled all the time, and held all the same.
fault() {
	case $((RANDOM % 4)) in
	0) group_reset req pg1 ;;
	1) group_cut req pg1 && nap "0.$((RANDOM % 9 + 1))" && group_join ;;
	2) group_forget req pg1 && nap 0.1 && group_join ;;
	3) group_sql pg1 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast backup%'" >/dev/null ;;
	esac
	nap "0.0$((RANDOM % 10))"
}
SEED=${SEED:-$RANDOM}
echo "# SEED=$SEED"
RANDOM=$SEED
check 'many faults: opened' begin pg1 pg2
for ((i = 0; i < ${CONTEXT_FAULTS:-20}; i++)); do fault; done
check 'still there' c_must 'prove 12000'
check 'one session and one slot' test "$(group_sql pg1 "SELECT count(*), ($prefix) FROM pg_stat_activity WHERE application_name LIKE 'holdfast backup%'")" = '1|1'
check 'and ends well' end_well

# --- between two beats -----------------------------------------------------------------------------
# What ends the session is seen when it happens: the next beat would be long after these limits.
at_once() { # ERE of what is told
	c_noted "$1" 5 && echo "# after $((c_at - at)) ms" && test "$((c_at - at))" -le 3000
}
c_ticks() { awk '{ print $14 + $15 }' "/proc/$C_PID/stat"; } # of the processor's time that the tool took
end_contexts() {
	group_sql pg1 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast backup%'" >/dev/null
}
group_configure 'heartbeat = 60s' 'heartbeat_timeout = 2s' 'context_lease = 120s' 'query_log_range_timeout = 20s'
for way in 'req pg1' 'pg1 req'; do
	check "reset by ${way% *}: opened" begin pg1 pg2
	at=$(c_now)
	# shellcheck disable=SC2086 # two words
	group_reset $way
	check 'seen at once' at_once ' 2243 CONTEXT_LOST group=orders active=pg1 error='
	check 'and open again' at_once ' 2244 CONTEXT_REOPENED'
	check 'and ends well' end_well
done
check 'its process in the server is ended: opened' begin pg1 pg2
at=$(c_now)
end_contexts
check 'seen at once, with the reason' at_once ' 2243 CONTEXT_LOST .*the server ended the session: terminating connection due to administrator command'
check 'and open again' at_once ' 2244 CONTEXT_REOPENED'
check 'and ends well' end_well
for mode in fast immediate; do
	check "the server is stopped ($mode): opened" begin pg1 pg2
	at=$(c_now)
	group_stop pg1 "$mode"
	check 'seen at once, with the reason' at_once ' 2243 CONTEXT_LOST .*the server ended the session: terminating connection '
	group_start pg1
	check 'open again when it is back' c_noted ' 2244 CONTEXT_REOPENED' 10
	check 'and ends well' end_well
done
check 'the session with the passive copy is ended: opened' begin pg1 pg2
at=$(c_now)
pg_sql "$T/pg2" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast watch%'" >/dev/null
check 'seen at once' at_once ' note the copy that is backed up does not answer: pg2: the server ended the session'
check 'and answers again' at_once ' note pg2 answers again after 0\.'
check 'and ends well' end_well
check 'each new session is ended, too: opened' begin pg1 pg2
at=$(c_now)
while [ "$(($(c_now) - at))" -le 4000 ]; do end_contexts; done
nap 1.5
check 'it is opened once a second, not as often as it can be' eval 'n=$(grep -c " 2243 CONTEXT_LOST" "$C_NOTES"); echo "# $n times in $(($(c_now) - at)) ms"; test "$n" -ge 1 && test "$n" -le "$((($(c_now) - at) / 1000 + 2))"'
check 'and ends well' end_well

# The same where what is heard is sealed.
if command -v openssl >/dev/null; then
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=pg1 -days 2 -keyout "$T/tls.key" -out "$T/tls.crt" 2>/dev/null
	for f in "$T"/tls.*; do
		cp "$f" "$T/pg1/data/" && chown "$PG_USER" "$T/pg1/data/${f##*/}" && chmod 600 "$T/pg1/data/${f##*/}"
	done
	{ pg_conf "$T/pg1" ssl=on && pg_conf "$T/pg1" ssl_cert_file=tls.crt && pg_conf "$T/pg1" ssl_key_file=tls.key; } >/dev/null
	group_stop pg1 && group_start pg1
	sed -i '/^host = 10\.77\.0\.1$/a sslmode = require' "$T/group.conf"
	check 'with TLS: opened' begin pg1 pg2
	check 'it is sealed' test "$(group_sql pg1 "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND application_name LIKE 'holdfast backup%'")" = 1
	at=$(c_now)
	end_contexts
	check 'seen at once, with the reason' at_once ' 2243 CONTEXT_LOST .*the server ended the session: terminating connection due to administrator command'
	check 'and open again' at_once ' 2244 CONTEXT_REOPENED'
	# What a server says of its own accord, and goes on.
	pg_sql "$T/pg1" "ALTER SYSTEM SET timezone = 'Asia/Tokyo'" && pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
	nap 1
	check 'a change of a setting is no end' c_notes 1 ' 2243 CONTEXT_LOST'
	check 'nor is it heard for ever' eval 'n=$(c_ticks) && nap 2 && test "$(($(c_ticks) - n))" -le 20'
	check 'and ends well' end_well
	pg_sql "$T/pg1" 'ALTER SYSTEM RESET timezone' && pg_conf "$T/pg1" ssl=off && group_stop pg1 && group_start pg1
else
	skip 'with TLS' 'no openssl'
fi

# --- a link that is dead is none where the server is slow ------------------------------------------
group_configure 'heartbeat = 300ms' 'heartbeat_timeout = 3s' 'context_lease = 30s' 'query_log_range_timeout = 20s'
for way in 'req pg1' 'pg1 req'; do
	check "silent from ${way% *}: opened" begin pg1 pg2
	at=$(c_now)
	# shellcheck disable=SC2086 # two words
	group_cut_to $way
	check 'that it is the network' c_noted ' 2243 CONTEXT_LOST .*the network is silent: nothing was acknowledged for 2\.0 s' 8
	echo "# after $((c_at - at)) ms"
	group_join
	check 'back' c_noted ' 2244 CONTEXT_REOPENED' 12
	check 'and ends well' end_well
done
check 'the server stands still: opened' begin pg1 pg2
at=$(c_now)
group_freeze pg1
check 'it has all of its time to answer' eval 'c_noted " 2243 CONTEXT_LOST .*the server did not answer in time" 8 && test "$((c_at - at))" -ge 3000'
group_thaw pg1
check 'back' c_noted ' 2244 CONTEXT_REOPENED' 12
check 'and ends well' end_well
usual

# --- for good --------------------------------------------------------------------------------------
check 'cut for longer than the lease: opened' begin pg1 pg2
at=$(c_now)
group_cut req pg1
check 'the backup ends' eval '! c_say "wait 30000"'
check 'as worth repeating, with the reason' c_is '^error CONTEXT_LOST .*the backup context on pg1 gave no sign of life for 12\.[0-9] s \(context_lease is 12 s\): '
check 'and is told' eval 'c_noted " 2245 CONTEXT_GIVEN_UP group=orders active=pg1 away_ms=[0-9]+ code=CONTEXT_LOST error="'
check 'when the lease is over, not later' test "$(($(c_now) - at))" -le 13500
check 'the active copy lets go by itself at about the same time' until_true 3 eval '[ "$(pg_sql "$T/pg1" "$prefix")" = 0 ]'
group_join
c_end
check 'nothing is left' nothing

check 'the requester stands still: opened' begin pg1 pg2
c_kill STOP
check 'the active copy lets go by itself' until_true 16 eval '[ "$(pg_sql "$T/pg1" "$prefix")" = 0 ]'
c_kill CONT
check 'the requester knows when it wakes' eval '! c_say "wait 2000" && c_is "^error CONTEXT_LOST "'
c_end
check 'the requester is killed: opened' begin pg1 pg2
c_kill KILL
check 'nothing is left' nothing
c_end

check 'the active copy stands still: opened' begin pg1 pg2
at=$(c_now)
group_freeze pg1
check 'noticed' eval 'c_noted " 2243 CONTEXT_LOST" 5 && test "$((c_at - at))" -le 2500'
check 'proof is not to be had' eval '! c_say "prove 1500" && c_is "^error CONTEXT_LOST "'
group_thaw pg1
check 'back' c_noted ' 2244 CONTEXT_REOPENED' 10
check 'and ends well' end_well

check 'another takes the lock while it is away: opened' begin pg1 pg2
group_cut req pg1
check 'lost' c_noted ' 2243 CONTEXT_LOST' 5
pg_sql "$T/pg1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast backup%'" >/dev/null
C_HOST=pg3 c_aside
check 'the other opens' eval 'C_HOST=pg3 begin pg1 pg3'
c_back
group_join
check 'the first one ends, and names the other' eval '! c_say "wait 8000" && c_is "^error GROUP_BUSY .*: of pg3 by host, since"'
c_end
c_back
check 'and the other ends well' end_well

# --- the copy that is backed up --------------------------------------------------------------------
check 'its log copier loses the active copy: opened' begin pg1 pg2
group_refuse pg1 pg2
group_sql pg1 "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = 'pg2'" postgres >/dev/null
check 'event 2153 with server, database and error' \
	c_noted ' 2153 LOG_COPIER_LOST active=pg1 \(10\.77\.0\.1:5432\) copy=orders/pg2 error=no connection to 10\.77\.0\.1:5432; received' 10
check 'the backup goes on' c_must check
group_join
check '2154 when it is back' c_noted ' 2154 LOG_COPIER_BACK active=pg1 copy=orders/pg2 away_ms=[0-9]+' 15
group_cut pg1 pg2
pg_sql "$T/pg1" 'SELECT pg_switch_wal()' >/dev/null
check '2153 for a link that is silent' eval 'until_true 20 c_notes 2 " 2153 LOG_COPIER_LOST" >/dev/null'
group_join
check 'and 2154' eval 'until_true 20 c_notes 2 " 2154 LOG_COPIER_BACK" >/dev/null'
check 'counted' eval 'c_must state && c_is "^ok 1 0 2 "'
check 'and ends well' end_well

check 'it cannot be reached for a while: opened' begin pg1 pg2
group_cut req pg2
check 'that is told' c_noted ' note the copy that is backed up does not answer: pg2: ' 5
check 'proof is not to be had' eval '! c_say "prove 1500" && c_is "^error CONTEXT_LOST .*the copy that is backed up"'
group_join
check 'it answers again' c_noted ' note pg2 answers again after ' 10
check 'and ends well' end_well

check 'it is restarted: opened' begin pg1 pg2
group_stop pg2 && group_start pg2
check 'the backup ends' eval '! c_say "wait 10000" && c_is "^error GROUP_ROLE .*pg2 was restarted"'
c_end
check 'it is promoted: opened' begin pg1 pg2
at=$(c_now)
group_promote pg2 keep
check 'the backup ends' eval '! c_say "wait 10000" && c_is "^error GROUP_ROLE .*pg2 is not a passive copy any more: it was promoted"'
check 'at once' eval 'c_noted " 2247 COPY_ROLE_CHANGED group=orders copy=pg2 role=passive error=" && test "$((c_at - at))" -le 4000'
c_end
# pg3 has followed it.
{ group_stop pg2 && group_rejoin pg2 && group_rejoin pg3; } >/dev/null 2>&1
check 'nothing is left' nothing

check 'another is promoted, and it follows that: opened' begin pg1 pg2
group_promote pg3
check 'the backup ends' eval '! c_say "wait 11000" && c_is "^error GROUP_ROLE .*(pg2 went from timeline 1 to 2: another copy was promoted|pg2 was restarted)"'
c_end
check 'the active copy comes back as a passive one: opened' begin pg3 pg2
group_stop pg3 fast
pg_as touch "$T/pg3/data/standby.signal"
group_start pg3
check 'the backup ends' eval '! c_say "wait 11000" && c_is "^error GROUP_ROLE .*pg3 is not the active copy any more"'
c_end
check 'nothing is left' nothing

# --- many files, and what a server lacks -----------------------------------------------------------
alone() { # NAME: a group of one, reached by its socket
	printf '[group.%s]\nengine = postgresql\nheartbeat = 500ms\nheartbeat_timeout = 1s\ncontext_lease = 12s\n[group.%s.copy.%s]\nhost = %s\nport = 5432\nuser = holdfast\ndatabase = postgres\n' \
		"$1" "$1" "$1" "$T/$1" >>"$T/group.conf"
	at_end "pg_stop $T/$1 immediate >/dev/null 2>&1"
	pg_sql "$T/$1" 'CREATE ROLE holdfast LOGIN REPLICATION; GRANT pg_monitor TO holdfast'
}
write_log() { # NAME MB
	pg_sql "$T/$1" "SELECT count(pg_logical_emit_message(false, 'x', repeat('x', 1000000))) FROM generate_series(1, $2); SELECT pg_switch_wal(); CHECKPOINT" >/dev/null
}

pg_new "$T/many" --wal-segsize 1 --port 5432 --set wal_recycle=off
pg_as "$PG_BIN/pg_resetwal" -D "$T/many/data" -l 000000010000000200000000 >/dev/null
cp "${HF_SLOWDIR:-/dev/null}" "$T/slowdir.so"
pg_as env "LD_PRELOAD=${HF_SLOWDIR:+$T/slowdir.so}" "HF_SLOWDIR_FILE=$T/slow" "$PG_BIN/pg_ctl" -D "$T/many/data" -l "$T/many/log" -w -t 60 -s start
alone many
pg_as sh -c 'cd "$1" && printf "0000000100000001%08X\n" $(seq 0 4095) | xargs touch && printf "0000000100000000%08X\n" $(seq 3096 4095) | xargs touch' sh "$T/many/data/pg_wal"
export C_GROUP=many
check '5,000 files: the tool starts' c_start many many
check 'the range is right' eval 'c_must range && c_is "^ok 1 0/C1800000 2/[0-9A-F]+ 2/[0-9A-F]+ 509[0-9] 1048576 "'
if [ -n "${HF_SLOWDIR:-}" ]; then
	echo 200 >"$T/slow"
	check 'a slow disk: longer than the limit' eval '! c_say "range 1000"'
	check 'says how long it took, and what would have been enough' c_is \
		'^error GROUP_LOG_RANGE .*many took [1-4]\.[0-9] s to name its logs, longer than query_log_range_timeout \(1\.0 s\); [2-7] s would have been enough'
	check 'which is true' c_must 'range 12000'
	echo 3000 >"$T/slow"
	check 'much longer' eval '! c_say "range 300" && c_is "^error GROUP_LOG_RANGE .*many did not name its logs within query_log_range_timeout \(0\.3 s\), nor within 3\.[0-9] s .*120s or more"'
	rm "$T/slow"
	check 'nothing goes on in the server' until_true 10 eval '[ "$(pg_sql "$T/many" "SELECT count(*) FROM pg_stat_activity WHERE usename = '"'holdfast'"'")" = 0 ]'
else
	skip 'a slow disk' 'not with sanitizers'
fi
pg_sql "$T/many" CHECKPOINT

check 'logs removed though they were held: opened' eval 'c_must range && c_must open'
pg_sql "$T/many" "ALTER SYSTEM SET max_slot_wal_keep_size = '3MB'" && pg_sql "$T/many" 'SELECT pg_reload_conf()' >/dev/null
write_log many 12
check 'is no matter of repeating, and says which setting' eval '! c_say "wait 10000" && c_is "^error LOGS_GONE .*many removed logs .* although they were held: max_slot_wal_keep_size \(3MB\) was used up.*raise max_slot_wal_keep_size"'
c_end
pg_sql "$T/many" 'ALTER SYSTEM RESET max_slot_wal_keep_size' && pg_sql "$T/many" 'SELECT pg_reload_conf()' >/dev/null
check 'logs removed while the channel was away: opened' begin many many
c_kill STOP
pg_sql "$T/many" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'holdfast'" >/dev/null
write_log many 12
c_kill CONT
check 'is worth repeating' eval '! c_say "wait 10000" && c_is "^error CONTEXT_LOST .*many removed logs that this backup needs, from [0-9A-F/]+ on, while the channel that held them was away"'
c_end
check 'still there after an absence: opened' begin many many
pg_sql "$T/many" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'holdfast'" >/dev/null
check 'goes on' eval 'c_noted " 2244 CONTEXT_REOPENED" 5 && c_must "prove 2000" && c_must close'

pg_sql "$T/many" 'ALTER ROLE holdfast NOREPLICATION'
check 'a role without REPLICATION' eval 'c_must range && ! c_say open && c_is "^error PERMISSION .*ALTER ROLE .* REPLICATION"'
pg_sql "$T/many" 'ALTER ROLE holdfast REPLICATION; REVOKE pg_monitor FROM holdfast'
check 'a role without pg_monitor' eval '! c_say range && c_is "^error PERMISSION .*GRANT pg_monitor"'
pg_sql "$T/many" 'GRANT pg_monitor TO holdfast'
c_end

if loop_possible ext4; then
	loop_new "$T/full" ext4 100 || bail 'no file system'
	at_end "loop_end $T/full"
	pg_new "$T/full" --wal-segsize 1 --port 5432 && pg_start "$T/full" || bail 'cannot start PostgreSQL'
	alone full
	C_GROUP=full
	check 'a full disk: the tool starts' eval 'c_start full full && c_must range'
	pg_as dd if=/dev/zero "of=$T/full/data/filler" bs=64k 2>/dev/null
	pg_as dd if=/dev/zero "of=$T/full/data/filler2" bs=1k 2>/dev/null
	check 'is said' eval '! c_say open && c_is "^error LOG_DISK_FULL .*the disk of full is full"'
	rm "$T/full/data/filler"*
	check 'and is no trouble afterwards' eval 'c_must open && c_must close'
	c_end
	pg_stop "$T/full" immediate
else
	skip 'a full disk' 'no ext4 here'
fi

done_testing
