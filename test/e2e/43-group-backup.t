#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The backup of a group: three hosts, one active. A passive copy is backed up and the restored cluster compared
# with the active one; types and what they refuse; who comes second; a failure in mid-copy, repeated on another
# copy, and the writer's state afterwards in the words administrators know.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/agent.sh"
. "$here/support/loop.sh"
. "$here/support/pg.sh"
scratch group-backup
. "$here/support/group.sh"
group_possible || skip_all "$group_why"
group_set_up
group_configure 'context_lease = 6s'
group_busy 60

summary() { json "map(select(.type == \"summary\")) | last | $1"; }
point() { value '.[] | select(.type == "summary") | .point'; }
record() { "$holdfast" list --json "$1" | jq -e "select(.type == \"point\") | $2" >/dev/null; }
noted() { json "any(.[]; .type == \"note\" and (.text | test(\"$1\")))"; }

# ---- a passive copy, while the active one is at work
hf backup --group orders --json
check 'a backup of the group' exits 0
first=$(point)
check 'proven' summary '.consistency == "application" and .incomplete == false'
check 'of a passive copy' summary '.group.role == "passive" and .group.active == "pg1" and (.group.copy | test("pg[23]"))'
check 'says which and why' noted 'is backed up; the active one is .pg1'
check 'the restore point is the group'"'"'s' record "$first" '.host == "group:orders" and .backup_type == "full"'
check 'and says what it is of' record "$first" '.group | .name == "orders" and .active == "pg1" and .role == "passive" and
	.timeline == 1 and (.identity | length) > 10 and .range.files > 0 and .context.reopened == 0 and (.choice | length) > 0'
check 'the logs reach as far as the range says' record "$first" '.roots[0].component.stop_lsn != null'
check 'nothing is left on any host' group_clean 10
job=$(value '.[] | select(.type == "job") | .job')
story() { "$holdfast" events --json --job "$job" | jq -rs 'map(.name) | join(" ")'; }
check 'the context is open until the restore point is stored' eval '[[ $(story) == *CONTEXT_OPENED*BACKUP_FINISHED*CONTEXT_CLOSED* ]]'
check 'restored, it starts' group_restore "$first" restored
check 'and is whole, and the same as the active one' group_compare restored
group_drop restored

# ---- types
hf backup --group orders --type COPY --json
check 'a copy' exits 0
check 'is one' record "$(point)" '.backup_type == "copy" and .base == null'
hf backup --group orders --type incremental --json
check 'an incremental one' exits 0
check 'goes on from the full one, not the copy' record "$(point)" ".backup_type == \"incremental\" and .base == \"$first\""
check 'and stores less than a tenth' summary '.bytes_new * 10 < .bytes'
hf backup --group orders --type log --json
check 'the logs alone' exits 0
check 'say from where to where' summary '.backup_type == "log" and .from != .to and .active == "pg1"'
last=$(point)
fails 'differential: refused' 1 'differential' backup --group orders --type differential
fails 'nonsense: refused' 1 'no type' backup --group orders --type everything
fails 'log of a host: refused' 1 'of a group only' backup --type log --agent "unix:$T/agent-pg2/socket" --writer postgresql
fails 'incremental without a full one: refused' 1 'no full backup' backup --type incremental \
	--agent "unix:$T/agent-pg2/socket" --writer postgresql --host elsewhere
check 'refusals leave nothing' group_clean 10
check 'and no restore point' [ "$("$holdfast" list --json | jq -r 'select(.type == "point") | .id' | tail -n 1)" = "$last" ]

# ---- what is asked for wrongly
fails 'no such group' 1 'orders' backup --group order
fails 'a group and a path' 2 'nothing else' backup --group orders /etc
fails 'a group and an agent' 2 'exclude' backup --group orders --agent "unix:$T/agent-pg2/socket"
fails '--wait without a group' 2 'of a group' backup --wait /etc

# ---- an idle active copy
group_idle
group_caught_up
hf backup --group orders --json
check 'an idle group' exits 0
idle=$(point)
check 'its restored cluster starts' group_restore "$idle" restored
check 'with all there was' group_compare restored "$(group_feed_at)"
group_drop restored
group_busy 60

# ---- who comes second
waits_for_it() { grep -q '"text":"Waiting: ' "$T/two.out"; }
# Long enough for two others to come; its links are made fast again once they have.
GROUP_NOISE=300000
check 'a backup that takes its time' group_begin -q
unset GROUP_NOISE
began=$SECONDS
fails 'a second one: refused' 75 'GROUP_BUSY' backup --group orders
check 'with the holder, the copy and its age' grep -qE 'pg[23] by .*, since ' "$T/err"
check 'at once' [ $((SECONDS - began)) -le 10 ]
"$holdfast" backup --group orders --wait --json >"$T/two.out" 2>"$T/two.err" &
two=$!
check 'a third one waits' until_true 20 waits_for_it
group_fast pg2
group_fast pg3
wait "$requester"
check 'the first one is made' [ $? -eq 0 ]
wait "$two"
check 'and the one that waited, after it' [ $? -eq 0 ] || sed 's/^/# /' "$T/two.out" "$T/two.err"
check 'nothing is left' group_clean 10

# ---- the context is lost for good in mid-copy; the next try succeeds
retried() { grep -q '"text":"Try 1 of 2 failed' "$T/out"; }
check 'another that takes its time' group_begin --tries 2 --wait-between 5s --json
job=$(jq -r 'select(.type == "job") | .job' "$T/out")
group_refuse req pg1
check 'a context that is lost for good ends the try' until_true 30 retried
group_join
# $T/out is being written to.
ask() { "$holdfast" "$@" --agent "unix:$T/agent-$group_chosen/socket" >"$T/asked" 2>&1 </dev/null; }
ask writers postgresql
check 'the writer of that copy is stable' grep -qx '   State: \[1\] Stable' "$T/asked"
check 'with a retryable error' grep -qx '   Last error: Retryable error' "$T/asked"
ask test --writer postgresql --until gather
check 'as test shows it, too' grep -qxF \
	'Status for writer PostgreSQL Writer: STABLE(0x800423f3 - VSS_E_WRITERERROR_RETRYABLE)' "$T/asked"
group_finish
check 'and the next try succeeds' exits 0
check 'it was the second' summary '.group.tries == 2'
hf explain "$job"
check 'the story has the copy that was chosen, and why' printed 'A copy of the group was chosen for the backup\. \(group orders'
check 'the context' printed 'backup context is lost for good'
check 'that it was repeated' printed 'failed and will be repeated'
check 'and ends well' printed 'Done: restore point'
check 'nothing is left after that' group_clean 20

# ---- an agent that is not there is nobody's end
group_agent_stop pg2
hf backup --group orders --json --tries 1
check 'without the agent of pg2' exits 0
check 'pg3 is backed up' summary '.group.copy == "pg3" and .group.tries == 1'
group_agent_start pg2

# ---- passive-only
group_configure 'prefer = passive-only' 'context_lease = 6s'
group_stop pg2
group_stop pg3
fails 'no passive copy, and only those are allowed' 75 'GROUP_NO_COPY' backup --group orders --tries 1
group_configure 'context_lease = 6s'
hf backup --group orders --json --tries 1
check 'the active one, where that is allowed' exits 0
check 'which is said' summary '.group.role == "active" and .group.copy == "pg1"'
group_start pg2 && group_start pg3 && group_caught_up
check 'the end: nothing is left on any host' group_clean 10
hf verify --read-data
check 'the repository is whole' exits 0
done_testing
