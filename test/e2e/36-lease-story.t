#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The story that every administrator of snapshot-based backups knows: keep-alives, a link that drops, a
# snapshot that is closed on time, and who comes late is told so. With real processes, a real database on
# a real snapshot, and a network namespace for the guest.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/agent.sh"
. "$here/support/guest.sh"
. "$here/support/loop.sh"
. "$here/support/pg.sh"
scratch story
export HOLDFAST_AGENT_STATE_DIR=$T/requester
. "$here/support/story.sh"
story_possible || { skip 'the story of a lease' "$guest_why" && done_testing; }
story_set_up

gaps() { # the longest time between two keep-alives, in ms
	grep -a 'Snapshot job id:' "$G/log" | cut -c1-23 | while read -r t; do date -u -d "$t" +%s%3N; done |
		awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }'
}
kept() { [ "$(grep -ac 'Snapshot job id:' "$G/log")" -ge "$1" ]; }
refused() { # FUNCTION: of the lease that ran out, with the cause
	story_remote "$1" "$(jq -c ". + $2" <<<"$job")" >"$T/reply"
	jq -e '.error | .hresult == "0x800401fd" and .lease.End == "expired"' "$T/reply" >/dev/null && return 0
	echo "# $(cat "$T/reply")"
	return 1
}

# ---- the link drops for less than the snapshot timeout
story_begin 10s || bail 'no backup'
check 'keep-alives arrive' until_true 10 kept 4
get_lateness
check 'every tenth of the snapshot timeout' [ "$(gaps)" -lt $((1500 + lateness)) ]
guest_cut
nap 5
guest_join
story_end
check 'a link that drops for less than the snapshot timeout fails nothing' exits 0
check 'the backup is consistent to the application' printed 'consistency application'
check 'the drop was told as it happened' grep -q 'connection to .* lost (.*); trying again, lease ends in [0-9]*s' out err
check 'and its end' grep -q 'connected to .* again after' out err
check 'nothing is left' is_clean 5

# ---- and for longer
story_begin 10s || bail 'no backup'
until_true 10 kept 3
guest_cut
check 'the guard closes the snapshot' until_true 15 timed_out
check 'within the timeout and 100 ms' timed_out_within 10100
check 'nothing is left mounted or on disk' is_clean 1
guest_join
check 'the late keep-alive gets 0x800401fd' refused KeepSnapshotEx '{"TTL": 10}'
check 'and so does the late finish' refused FinishSnapshot '{}'
story_end
check 'the backup failed, and is worth repeating' exits 75
check "in the words of the guest's log" said "Failed to call RPC function 'Vss.KeepSnapshot': Error code: 0x800401fd. Failed to invoke func [KeepSnapshot]"
check 'with the setting that would have helped' said snapshot_timeout
HOLDFAST_AGENT_STATE_DIR=$G/state hf explain latest
check 'explain tells the story' exits 0
check 'with the timeout' printed 'timeout'
check 'the last keep-alive' printed 'last keep-alive'
check 'and the setting' printed 'snapshot_timeout'

# ---- the same, whoever it is that falls silent
silent() { # NAME: the guard lets go on time, and completely
	check "$1: the guard closes the snapshot" until_true 6 timed_out
	check "$1: on time" timed_out_within 3100
	check "$1: nothing is left" is_clean 1
}
begin() { story_begin 3s && until_true 10 kept 2 || { tail -n 20 "$G/log" | sed "s,^,# ," && bail "no backup: $(cat err)"; }; }
guard() { pgrep -P "$agent" -x holdfast-guard | head -n 1; }

begin
kill -9 "$requester"
silent 'the requester is killed'
story_end

begin
kill -STOP "$requester"
silent 'the requester is stopped'
kill -CONT "$requester"
story_end
check 'when it goes on it learns why' said 'Error code: 0x800401fd'
check 'and fails' exits 75

begin
guest_cut
kill -9 "$requester"
silent "the requester's machine is gone"
guest_join
story_end

begin
kill -9 "$agent"
check 'the agent is killed: nothing is left' is_clean 2
story_end
check 'the requester says so, and that a retry is worthwhile' exits 75
check 'with what it saw' said 'connection to'
wait "$agent" 2>/dev/null
story_agent

begin
kill -STOP "$agent"
check 'the agent hangs: the guard lets go without it' is_clean 5
kill -CONT "$agent"
story_end
check 'the requester is told' exits 75
check 'in the known words' said '0x800401fd'

begin
kill -9 "$(guard)"
story_end
check 'the guard is killed: another takes over, and the backup finishes' exits 0
check 'consistent to the application' printed 'consistency application'
check 'and nothing is left' is_clean 5

# ---- the wall clock has no say in any of it
if [ -n "${HF_CLOCKSTEP:-}" ]; then
	agent_stop
	story_agent env "LD_PRELOAD=$HF_CLOCKSTEP" "HF_CLOCKSTEP_FILE=$T/step"
	begin
	: >"$T/step"
	nap 1
	rm "$T/step"
	story_end
	check "the guest's clock is stepped by a day, and back: the backup finishes" exits 0
	check 'no snapshot timed out' grep -qv 'Snapshot timeout' "$G/log"
	agent_stop
	story_agent
	begin
	kill -9 "$requester"
	silent 'with the right time again'
	story_end
else
	skip "the guest's clock is stepped by a day" 'no library to step it with'
fi

agent_stop
check 'at the end nothing is left anywhere' is_clean 5
done_testing
