#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Backups of a group while everything goes wrong that can: the channel to the active copy is cut, reset or
# forgotten, for a while and for good; the active copy is slow, stands still, is killed; a copy is promoted; the
# passive copy loses its log copier, is far behind, does not replay; logs are gone; a second backup comes. Each with
# real servers in networks of their own (support/group.sh): what is said, how soon, and that nothing is left.
set -u
here=$(cd "$(dirname "$0")" && pwd)
for file in tap run agent pg loop group; do
	# shellcheck source=/dev/null
	. "$here/support/$file.sh"
done
if ! group_possible; then
	echo "1..0 # SKIP $group_why"
	exit 0
fi
scratch group-failures
group_set_up
lease=12
usual() { group_configure "context_lease = ${lease}s" "$@"; }
usual
group_busy 40
# FAILURES_ONLY: an ERE of those that are to be run, by hand.
wanted() { [[ $1 =~ ${FAILURES_ONLY:-.} ]]; }

# By the design: a sign of life every 1.5 s, whose question has to be acknowledged within 2 s and answered within 3 s; and
# this machine may be busy.
NOTICED=5000
# What ends a connection says so.
AT_ONCE=1000
retryable() { exits 75; }
# What the requester and the agent say of it, by the names of VSS.
is_retryable_there() {
	hf writers --agent "tls://${group_ip[$group_chosen]}:7443" &&
		printed 'Last error: Retryable error'
}
# The copy that was chosen since group_mark: group_begin knows only of one whose data moves.
takes_chosen() {
	group_chosen=$(group_events GROUP_CHOSEN | jq -rs 'last | .fields.copy // empty') && [ -n "$group_chosen" ]
}
writer_says() { # NAME CODE
	hf writers --agent "tls://${group_ip[$1]}:7443" && printed 'State: \[1\] Stable' &&
		printed 'Last error: Retryable error' && printed "Code: 0x800423f3 .*\($2\)"
}
writer_is_well() { # NAME
	hf writers --agent "tls://${group_ip[$1]}:7443" && printed 'State: \[1\] Stable' &&
		printed 'Last error: No error'
}
good_point() { # FROM
	group_restore latest back && group_compare back "$1"
	local r=$?
	group_drop back
	return "$r"
}
points() { hf list --json && value length; }

# ---- nothing goes wrong
row=$(group_feed_at)
group_begin || bail 'no backup can be begun'
group_finish
check 'a backup of a passive copy' exits 0
check 'says which one it chose' happened GROUP_CHOSEN '.fields.active == "pg1" and (.fields.why | length > 0)'
check 'opened a context and closed it' happened CONTEXT_CLOSED
check 'nothing is left' group_clean 10
check 'what is restored is as the active copy was' good_point "$row"

# ---- the channel is gone for a while
for_a_while() { # NAME MS SECONDS COMMAND...
	local name=$1 ms=$2 seconds=$3 row
	shift 3
	wanted "$name" || return 0
	row=$(group_feed_at)
	group_begin --tries 1 || { not_ok "$name: no backup" && group_finish && return; }
	group_strikes
	"$@"
	if happens 12 CONTEXT_LOST && happened_within "$ms" CONTEXT_LOST; then
		ok "$name: noticed in time"
	else
		not_ok "$name: noticed in time"
	fi
	nap "$seconds"
	group_join
	check "$name: reopened" happens 15 CONTEXT_REOPENED
	group_finish
	check "$name: the backup goes on" exits 0
	check "$name: nothing is left" group_clean 10
	[ "$name" != 'cut' ] || check "$name: what is restored is right" good_point "$row"
}
for_a_while 'cut' "$NOTICED" 1 group_cut req pg1
for_a_while 'cut on the way there' "$NOTICED" 0 group_cut_to req pg1
for_a_while 'cut on the way back' "$NOTICED" 0 group_cut_to pg1 req
for_a_while 'reset' "$AT_ONCE" 0 group_reset req pg1
for_a_while 'forgotten by a firewall' "$NOTICED" 0 group_forget req pg1
end_context() {
	pg_sql "$T/pg1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name LIKE 'holdfast backup %'" >/dev/null
}
for_a_while 'ended by an administrator' "$AT_ONCE" 0 end_context

failed_of() { # CODE, or several with '|' between
	happened BACKUP_FAILED ".fields.code | test(\"^($1)\$\")" && return 0
	group_events BACKUP_FAILED | jq -c .fields | sed 's/^/# /'
	run_shows
	return 1
}

# ---- the channel is gone for good
lease=6
usual
for_good() { # NAME SECONDS CODE EVENT COMMAND...
	local name=$1 seconds=$2 code_name=$3 event=$4 before
	shift 4
	wanted "$name" || return 0
	before=$(points)
	GROUP_NOISE=200000 group_begin --json --tries 1 || { not_ok "$name: no backup" && group_finish && return; }
	group_strikes
	"$@"
	if happens "$((seconds + 10))" "$event" && happened_within $((seconds * 1000)) "$event"; then
		ok "$name: given up in time"
	else
		not_ok "$name: given up in time"
	fi
	# Its copy would take much longer.
	check "$name: not at the end of the copy" until_true 10 eval '! kill -0 "$requester" 2>/dev/null'
	group_finish
	check "$name: the backup may be repeated" retryable
	check "$name: $code_name" failed_of "$code_name"
	check "$name: the writer says so" is_retryable_there
	group_join
	"${undo[@]}"
	check "$name: nothing is left" group_clean 10
	check "$name: and no restore point" [ "$(points)" = "$before" ]
}
undo=(true)
for_good 'cut for good' $((lease + 6)) CONTEXT_LOST CONTEXT_GIVEN_UP group_cut req pg1
for_good 'refused from now on' $((lease + 6)) CONTEXT_LOST CONTEXT_GIVEN_UP group_refuse req pg1
undo=(group_thaw pg1)
for_good 'the active server stands still' $((lease + 6)) CONTEXT_LOST CONTEXT_GIVEN_UP group_freeze pg1
undo=(group_start pg1)
for_good 'the active server is killed' $((lease + 6)) CONTEXT_LOST CONTEXT_GIVEN_UP group_stop pg1 immediate
undo=(true)
active_is_free() { ! group_left | grep -q '^pg1:'; }
if wanted 'killed requester'; then
	group_begin --tries 1
	kill -9 "$requester"
	group_finish
	check 'the requester is killed: nothing is left on the active copy' until_true 10 active_is_free
	# The passive one holds what it has until its time has passed: a network that comes back is lived with.
	for c in pg2 pg3; do group_agent_stop "$c" && group_agent_start "$c"; done
	check 'nor anywhere, once the agents are told to let go' group_clean 10
fi
if wanted 'dead requester'; then
	group_begin --tries 1
	group_cut req pg1
	kill -9 "$requester"
	group_finish
	check 'the requester and its host are gone: the active copy is free after the lease' \
		until_true $((lease + 10)) active_is_free
	group_join
	for c in pg2 pg3; do group_agent_stop "$c" && group_agent_start "$c"; done
fi

# ---- who holds it
if wanted 'second backup'; then
	group_begin --tries 1
	hf backup --group orders --tries 1
	check 'a second backup is refused' retryable
	check 'with the holder of the context' said "$group_chosen"
	check 'the writer of the other copy says so' writer_says "$group_other" GROUP_BUSY
	hf writers --agent "tls://${group_ip[$group_chosen]}:7443"
	check 'that of the copy that is backed up does not' printed 'Last error: No error'
	hf backup --group orders --tries 1
	check 'asked once more' retryable
	check 'and its age' grep -qE '[0-9]+(\.[0-9]+)? ?(s|ms|min)|since' "$T/err"
	hf group status orders --json
	check 'group status shows it, too' grep -q "$group_chosen by" "$T/out"
	"$holdfast" backup --group orders --tries 1 --wait >"$T/out2" 2>"$T/err2" </dev/null &
	waiting=$!
	at_end "kill -9 $waiting 2>/dev/null"
	nap 1
	check 'with --wait it waits' kill -0 "$waiting"
	group_finish
	check 'the first one is as good' exits 0
	code=0
	wait "$waiting" || code=$?
	check 'and then it is the turn of the other' [ "$code" -eq 0 ]
	check 'nothing is left of both' group_clean 10
fi

# ---- the log range
slow_range() { # SECONDS: so long does the active server take to name its logs
	pg_sql "$T/pg1" "SET allow_system_table_mods = on;
		ALTER FUNCTION pg_catalog.pg_ls_waldir() RENAME TO pg_ls_waldir_quick;
		CREATE FUNCTION pg_catalog.pg_ls_waldir(OUT name text, OUT size bigint, OUT modification timestamptz)
		RETURNS SETOF record LANGUAGE sql SECURITY DEFINER AS
		'SELECT q.* FROM (SELECT pg_sleep($1)) s, LATERAL (SELECT s) t, pg_catalog.pg_ls_waldir_quick() q'"
}
quick_range() {
	pg_sql "$T/pg1" "SET allow_system_table_mods = on; DROP FUNCTION pg_catalog.pg_ls_waldir();
		ALTER FUNCTION pg_catalog.pg_ls_waldir_quick() RENAME TO pg_ls_waldir"
}
runs_there() { # WHAT: a statement of a session of that name runs on the active server
	[ "$(pg_sql "$T/pg1" "SELECT count(*) FROM pg_stat_activity
		WHERE application_name LIKE 'holdfast $1 %' AND state = 'active'")" -gt 0 ]
}
if wanted 'log range'; then
	usual 'QueryLogRangeTimeoutInMsec = 1500'
	slow_range 8 && group_caught_up
	group_mark
	begin=$(date +%s%3N)
	hf backup --group orders --tries 1
	took=$(($(date +%s%3N) - begin))
	check 'the active copy is too slow to name its logs: may be repeated' retryable
	check 'and says how to give it more time' said 'query_log_range_timeout'
	check 'and how long it took' grep -qE '[0-9.]+ ?m?s' "$T/err"
	check 'in that time' [ "$took" -lt 7500 ]
	check 'a copy was chosen' takes_chosen
	check 'whose writer says so, though it was asked for nothing' writer_says "$group_chosen" GROUP_LOG_RANGE
	hf test --writer postgresql --until gather --agent "tls://${group_ip[$group_chosen]}:7443"
	check 'as test shows it, too' grep -qxF \
		'Status for writer PostgreSQL Writer: STABLE(0x800423f3 - VSS_E_WRITERERROR_RETRYABLE)' "$T/out"
	check 'nothing is left' group_clean 10
	# Whoever cannot be told hides nothing, and costs three seconds at most.
	group_launch --tries 1
	check 'the query runs' until_true 20 runs_there 'log range'
	takes_chosen
	group_cut req "$group_chosen"
	group_strikes
	group_finish
	check 'the agent is gone: the failure is the same' retryable
	check 'and called so' failed_of GROUP_LOG_RANGE
	check 'and soon' happened_within 9000 BACKUP_FAILED
	group_join
	quick_range && group_caught_up
	usual
	group_mark
	hf backup --group orders --tries 1
	check 'it is quick again: a backup' exits 0
	takes_chosen
	check 'whose writer has nothing to say any more' writer_is_well "$group_chosen"
	# Names alone: what counts is how many there are. The next checkpoint takes them away.
	pg_sql "$T/pg1" CHECKPOINT
	(cd "$T/pg1/data/pg_wal" && printf '0000000100000001%08X\n' $(seq 0 4095) | xargs touch &&
		printf '0000000100000000%08X\n' $(seq 1000 2000) | xargs touch)
	group_mark
	hf backup --group orders --tries 1
	check '5,000 log files are no reason' exits 0
	check 'they are counted' happened LOG_RANGE_KNOWN '(.fields.files | tonumber) >= 5000'
	find "$T/pg1/data/pg_wal" -name '000000010000000[01]*' -empty -delete
fi

# ---- stopped by hand while it waits for the active copy
slow_slot() { # SECONDS
	pg_sql "$T/pg1" "SET allow_system_table_mods = on;
		ALTER FUNCTION pg_catalog.pg_create_physical_replication_slot(name, boolean, boolean)
			RENAME TO pg_create_physical_replication_slot_quick;
		CREATE FUNCTION pg_catalog.pg_create_physical_replication_slot(name, boolean, boolean) RETURNS text
			LANGUAGE sql AS 'SELECT pg_catalog.pg_create_physical_replication_slot_quick(\$1, \$2, \$3)::text
				FROM pg_sleep($1)'"
}
quick_slot() {
	pg_sql "$T/pg1" "SET allow_system_table_mods = on;
		DROP FUNCTION pg_catalog.pg_create_physical_replication_slot(name, boolean, boolean);
		ALTER FUNCTION pg_catalog.pg_create_physical_replication_slot_quick(name, boolean, boolean)
			RENAME TO pg_create_physical_replication_slot"
}
stopped() { # NAME SIGNAL SESSION
	group_launch --tries 3
	check "$1: it waits" until_true 20 runs_there "$3"
	local begin took
	lateness_begin
	begin=$(date +%s%3N)
	kill -s "$2" "$requester"
	group_finish
	took=$(($(date +%s%3N) - begin))
	get_lateness
	echo "# $2: ended after $took ms; this machine is up to $lateness ms late"
	check "$1: $2 ends it" exits 1
	check "$1: within a second" [ "$took" -lt $((1200 + lateness)) ]
	check "$1: that is no failure of a writer" eval 'takes_chosen && writer_is_well "$group_chosen"'
	check "$1: no session, lock or slot is left" group_clean 2
}
if wanted 'stopped'; then
	usual
	hf backup --group orders --tries 1
	slow_range 30 && group_caught_up
	stopped 'log range' TERM 'log range'
	stopped 'log range' INT 'log range'
	usual 'QueryLogRangeTimeoutInMsec = 1000'
	group_launch --tries 3
	until_true 20 runs_there 'log range'
	nap 2
	kill "$requester"
	begin=$(date +%s%3N)
	group_finish
	check 'the limit is over, and it is only measured: SIGTERM ends that, too' [ $(($(date +%s%3N) - begin)) -lt 1500 ]
	check 'nothing is left of it' group_clean 2
	quick_range && group_caught_up
	usual
	slow_slot 30 && group_caught_up
	stopped 'the context' TERM 'backup'
	stopped 'the context' INT 'backup'
	quick_slot && group_caught_up
	# Nobody there takes the cancelling either.
	slow_range 30 && group_caught_up
	group_launch --tries 3
	until_true 20 runs_there 'log range'
	group_cut req pg1
	begin=$(date +%s%3N)
	kill "$requester"
	group_finish
	check 'a link that is dead: SIGTERM ends it' exits 1
	check 'soon' [ $(($(date +%s%3N) - begin)) -lt 2000 ]
	group_join
	quick_range && group_caught_up
	check 'nothing is left of that, once the active copy has noticed' group_clean 40
	hf backup --group orders --tries 1
	check 'and then there is a backup' exits 0
fi

# ---- the passive copy's log copier
if wanted 'log copier'; then
	group_begin --tries 1
	group_cut pg1 "$group_chosen"
	check 'the log copier is gone: event 2153' happens 20 LOG_COPIER_LOST \
		'.id == 2153 and (.fields.active | startswith("pg1 (10.77.0.1")) and (.fields.error | length > 0)'
	check 'it names the copy of the database' happened LOG_COPIER_LOST "(.fields.copy | contains(\"$group_chosen\"))"
	group_join
	check 'and 2154 when it is back' happens 30 LOG_COPIER_BACK '.id == 2154'
	group_finish
	check 'the backup is none the worse' exits 0
	check 'nothing is left' group_clean 10
fi

# ---- which copy
if wanted 'choice'; then
	pg_sql "$T/pg2" 'SELECT pg_wal_replay_pause()' >/dev/null
	group_mark
	hf backup --group orders --tries 1
	check 'one that does not replay is not chosen' happened GROUP_CHOSEN '.fields.copy == "pg3"'
	pg_sql "$T/pg3" 'SELECT pg_wal_replay_pause()' >/dev/null
	usual 'prefer = passive-only'
	hf backup --group orders --tries 1
	check 'none replays: may be repeated' retryable
	check 'and it says what is against each' grep -q 'pg2.*pg3' "$T/err"
	check 'so do the writers of both' eval 'writer_says pg2 GROUP_NO_COPY && writer_says pg3 GROUP_NO_COPY'
	usual 'prefer = passive'
	group_mark
	hf backup --group orders --tries 1
	check 'or the active one, if that is allowed' happened GROUP_CHOSEN '.fields.copy == "pg1"'
	check 'that is as good' exits 0
	for c in pg2 pg3; do pg_sql "$T/$c" 'SELECT pg_wal_replay_resume()' >/dev/null; done
	group_caught_up
	usual 'max_copy_queue = 1MB'
	group_cut pg1 pg3
	until_true 20 eval '[ "$(pg_sql "$T/pg3" "SELECT count(*) FROM pg_stat_wal_receiver")" = 0 ]'
	pg_sql "$T/pg1" 'CREATE TABLE much AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n; DROP TABLE much'
	until_true 60 group_replayed pg2 "$(pg_sql "$T/pg1" 'SELECT pg_current_wal_flush_lsn()')"
	group_mark
	hf backup --group orders --tries 1
	check 'one that is far behind is not chosen' happened GROUP_CHOSEN '.fields.copy == "pg2"'
	group_join
	group_caught_up
	usual
	group_stop pg1 immediate
	hf backup --group orders --tries 1
	check 'no active copy: may be repeated' retryable
	group_start pg1
	check 'nothing is left' group_clean 10
fi

# ---- logs that are gone, of no use to repeat
if wanted 'logs gone'; then
	pg_sql "$T/pg1" "ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'" && pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
	# The passive copies are not to lose theirs.
	pg_sql "$T/pg1" "ALTER SYSTEM SET wal_keep_size = 0"
	group_begin --tries 3 --wait-between 1s
	group_idle
	for _ in $(seq 12); do pg_sql "$T/pg1" "SELECT pg_switch_wal() FROM (SELECT txid_current()) t" >/dev/null; done
	pg_sql "$T/pg1" CHECKPOINT
	until_true 20 eval '! kill -0 "$requester" 2>/dev/null'
	group_finish
	check 'the logs are gone: not to be repeated' exits 1
	check 'and what to set' said 'max_slot_wal_keep_size'
	check 'it is called so' happened BACKUP_FAILED '.fields.code == "LOGS_GONE"'
	check 'nothing is left' group_clean 10
	pg_sql "$T/pg1" 'ALTER SYSTEM RESET max_slot_wal_keep_size' && pg_sql "$T/pg1" 'ALTER SYSTEM RESET wal_keep_size' &&
		pg_sql "$T/pg1" 'SELECT pg_reload_conf()' >/dev/null
	for c in pg2 pg3; do
		pg_sql "$T/pg1" "SELECT pg_drop_replication_slot('$c') FROM pg_replication_slots WHERE slot_name = '$c' AND wal_status = 'lost'" >/dev/null
		[ "$(pg_sql "$T/pg1" "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '$c'")" = 1 ] || group_rejoin "$c"
	done
	group_caught_up
	group_busy 40
fi

# ---- no room on the active copy
small_disk() { # where the active server writes what holds back its logs
	group_stop pg1 && mv "$T/pg1/data/pg_replslot" "$T/slots" && loop_new "$T/pg1/data/pg_replslot" ext4 8 "$T/small.img" &&
		at_end 'loop_end "$T/pg1/data/pg_replslot"' && rmdir "$T/pg1/data/pg_replslot/lost+found" &&
		cp -a "$T/slots/." "$T/pg1/data/pg_replslot/" && chown "$PG_USER" "$T/pg1/data/pg_replslot" &&
		chmod 700 "$T/pg1/data/pg_replslot" && group_start pg1 && group_caught_up || return 1
	dd if=/dev/zero of="$T/pg1/data/pg_replslot/filled" bs=4k 2>/dev/null
	:
}
large_disk() {
	rm -f "$T/pg1/data/pg_replslot/filled"
	group_stop pg1 && cp -a "$T/pg1/data/pg_replslot/." "$T/slots/" && loop_end "$T/pg1/data/pg_replslot" &&
		rmdir "$T/pg1/data/pg_replslot" && mv "$T/slots" "$T/pg1/data/pg_replslot" && group_start pg1 && group_caught_up
}
if wanted 'disk full' && loop_possible ext4; then
	group_idle
	small_disk || bail 'no small disk'
	group_mark
	hf backup --group orders --tries 3 --wait-between 1s
	check 'the disk is full: not to be repeated' exits 1
	check 'it is called so' happened BACKUP_FAILED '.fields.code == "LOG_DISK_FULL"'
	check 'it says so' said 'full'
	large_disk || bail 'no large disk'
	check 'nothing is left' group_clean 10
	group_busy 40
fi

# ---- the passive copy is at fault: the other one is next
if wanted 'another passive'; then
	group_begin --tries 2 --wait-between 1s
	first=$group_chosen
	group_stop "$first" immediate
	check 'the server of the copy dies: another try' happens 20 BACKUP_RETRY '.fields.tries == 2 or .fields.tries == "2"'
	group_finish
	check 'which succeeds' exits 0
	check 'on the other copy' happened GROUP_CHOSEN ".fields.copy == \"$group_other\""
	group_start "$first" && group_caught_up
	check 'nothing is left' group_clean 10

	group_begin --tries 1
	group_cut req "$group_chosen"
	nap 3
	group_join
	group_finish
	check 'a link to the agent that is cut for a moment is lived with' exits 0
	check 'nothing is left of that' group_clean 10
fi

# ---- roles
rejoin_all() { # those that are not NAME begin anew
	local c
	for c in $GROUP_COPIES; do
		[ "$c" = "$1" ] || [ ! -f "$T/$c/data/postmaster.pid" ] || group_stop "$c" immediate
	done
	for c in $GROUP_COPIES; do [ "$c" = "$1" ] || group_rejoin "$c"; done
	group_idle
	group_busy 40
	group_caught_up
}
undo=(eval 'rejoin_all "$group_chosen"')
for_good 'the copy is promoted' 6 GROUP_ROLE COPY_ROLE_CHANGED eval 'group_promote "$group_chosen" keep'
[ "$(group_active)" = pg1 ] || { group_promote pg1 && rejoin_all pg1; }
# Its writer, which looks for itself, is the first to see it: it is told as what it is all the same. The mover asks the
# writer between two packs, each of which takes seconds on this link.
lease=120
usual 'heartbeat = 60s'
for_good 'the writer sees the promotion' 20 GROUP_ROLE COPY_ROLE_CHANGED eval 'group_promote "$group_chosen" keep'
lease=6
usual
[ "$(group_active)" = pg1 ] || { group_promote pg1 && rejoin_all pg1; }
if wanted 'moved'; then
	before=$(points)
	GROUP_NOISE=200000 group_begin --tries 1
	group_promote "$group_other"
	check 'another copy is the active one now: noticed during the copy' until_true $((lease + 8)) \
		eval '! kill -0 "$requester" 2>/dev/null'
	group_finish
	check 'the backup may be repeated' retryable
	check 'no restore point of it' [ "$(points)" = "$before" ]
	rejoin_all "$group_other"
	check 'nothing is left' group_clean 10
	row=$(group_feed_at)
	group_begin --tries 1
	group_finish
	check 'the group goes on with its new active copy' happened GROUP_CHOSEN ".fields.active == \"$(group_active)\""
	check 'and its backup succeeds' exits 0
	check 'and is right' good_point "$row"
fi
done_testing
