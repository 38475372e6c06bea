#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What an administrator looks at: writers, snapshots, events, explain, test, release. With the Python
# writer in doc/writer-protocol.md, and a log that was recorded.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
guard=${HOLDFAST_WRITER_DIR:?}/holdfast-guard
if ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP no python3"
	exit 0
fi
scratch verbs
t=$T
unset HOLDFAST_REPOSITORY HOLDFAST_KEY_FILE
export HOLDFAST_PASSWORD_FILE=$t/pass HOLDFAST_WRITER_DIR=$t/writers

mkdir writers ledger state folder
ln -s "$guard" writers/holdfast-guard
sed -n '/^```python$/,/^```$/p' "$here/../../doc/writer-protocol.md" | sed '/^```/d' >writers/holdfast-writer-ledger
chmod +x writers/holdfast-writer-ledger
printf '[writer.ledger]\nfolder = %s/ledger\n' "$t" >conf
echo "ten coins" >ledger/book && : >ledger/lock
hf() { "$holdfast" --config conf "$@" >out 2>err </dev/null; }
says() { grep -qF -- "$1" out err || { sed 's/^/# /' out err && return 1; }; }
fits() { ! grep -E '.{81}' out; }

# writers
check "writers" hf writers
check "in vssadmin's layout" says "Writer name: '"
check "with an id" says "   Writer Id: {"
check "and its state" says "   State: [1] Stable"
check "and its last error" says "   Last error: No error"
check "writers of a name" hf writers --json ledger
check "as JSON" sh -c "jq -e '.type == \"writer\" and .state_number == 1' out >/dev/null"

# test
check "a test of the writer" hf test --writer ledger
check "tells its state" says "Status for writer ledger: STABLE(0x00000000)"
check "after each step" says "Status for writer ledger: WAITING_FOR_BACKUP_COMPLETE(0x00000000)"
check "and goes to the end" says "complete: ok"
check "a test until a step" hf test --writer ledger --until prepare
check "goes until there" says "Status for writer ledger: WAITING_FOR_FREEZE(0x00000000)"
check "and not on" sh -c '! grep -q create out'
check "a test of a folder" hf test --hold 1s "$t/folder"
check "holds it" says "hold: ok"
check_fails() { ! hf "$@"; }
check "no such step" check_fails test --until nowhere /etc
check "is said" says "there is no step 'nowhere'"

# snapshots, release
check "snapshots" hf snapshots
check "none is held" says "no snapshots are held"
check "releasing what is not held fails" check_fails release 12345678
check "and says so" says "is held here"
if [ -e "$guard" ]; then
	check "leftovers are looked for" hf release --leftovers
	check "and there are none" says "There are no leftovers."
fi

# events, explain: a recorded log
rm -f state/events.jsonl*
python3 - state/events.jsonl <<'PY'
import json, sys
T0 = 1795356000
job = "{7d0e54e2-3f6c-4a9a-9a52-1c2f9c0f6a11}"
log = [(0, 0, 2200, "BACKUP_STARTED", {"host": "db1", "writers": "postgresql", "ttl_s": 1200}),
       (0, 3, 2100, "SNAPSHOT_CREATED", {"provider": "btrfs", "frozen_ms": 180})]
log += [(m, 6, 2120, "KEEP_RECEIVED", {"ttl_s": 1200}) for m in range(1, 26, 2)]
log += [(27, 6, 2131, "REQUESTER_DISCONNECTED", {"peer": "backup1"}),
        (45, 7, 2101, "SNAPSHOT_TIMEOUT", {"ttl_s": 1200, "last_keep_ms": 1201000}),
        (47, 30, 2132, "REQUESTER_RECONNECTED", {"away_ms": 1224000}),
        (47, 30, 2123, "FINISH_REFUSED", {"cause": "expired", "ended_ms": 143000}),
        (47, 31, 2204, "BACKUP_FAILED", {"code": "LEASE_ENDED", "error": "Failed to call RPC function "
         "'Vss.FinishSnapshot': Error code: 0x800401fd. Failed to invoke func [FinishSnapshot]"})]
with open(sys.argv[1], "w") as f:
    for m, s, id, name, fields in log:
        f.write(json.dumps({"time_ns": (T0 + 60 * m + s) * 10**9, "id": id, "name": name, "job": job,
                            "level": "error" if id in (2101, 2123, 2204) else "info",
                            "fields": fields}) + "\n")
PY
check "events" hf events
check "in 80 columns" fits
check "with the article's words" says "2026-11-22 14:45:07 ERROR 2101 7d0e54e2 Snapshot timeout occurred."
check "only errors" hf events --level error --job 7d0e
check "are three" test "$(grep -c ^2026 out)" -eq 3
check "since a time" hf events --since '2026-11-22 14:46' --json
check "are three" test "$(jq -s length out)" -eq 3
check "explain a job" hf explain 7d0e54e2
check "in 80 columns" fits
check "says when the last keep-alive came" says "last keep-alive at 14:25:06"
check "when it was let go" says "14:45:07 ! Snapshot timeout occurred."
check "that the requester came too late" says "2 min 23 s too late"
check "what it is called" says "0x800401fd"
check "and which setting would have helped" says "snapshot_timeout = 30m    (was 20m)"
check "explain the latest, as JSON" hf explain latest --json
check "has the proposal" sh -c "jq -e '.ending == \"network\" and .setting.proposed == \"30m\"' out >/dev/null"
for code in 0x800401fd 2147746301 LEASE_ENDED 39 CO_E_OBJNOTCONNECTED; do
	check "explain $code" hf explain "$code"
	check "leads to the same" says "snapshot_timeout"
done
check "explain an event" hf explain 2101
check "by its text" says "Snapshot timeout occurred."
check "nonsense" check_fails explain nonsense
check "is no code" says "neither a known code nor a job"

# plan
check "plan" hf plan --writer ledger "$t/folder"
check "fits a screen" fits
check "names the provider" grep -qE '^   Provider: +[a-z]+$' out
check "and the consistency to expect" grep -qE '^   Consistency: +(none|crash|application)$' out

# all of it behind an agent
where=unix:$t/agent.sock
mkdir guest
HOLDFAST_AGENT_STATE_DIR=$t/guest "$holdfast" agent --config conf --listen "$where" 2>agent.log &
agent=$!
at_end 'kill "$agent" 2>/dev/null; wait "$agent" 2>/dev/null'
listens() { [ -S agent.sock ] && grep -q Listening agent.log; }
check "an agent listens" until_true 20 listens
check "writers of an agent" hf writers --agent "$where"
check "say who they are" says "Writer name: 'Ledger Writer'"
check "and how they are" says "   State: [1] Stable"
check "as JSON" hf writers --agent "$where" --json ledger
check "with the same fields" sh -c "jq -e '.name == \"ledger\" and .state_number == 1 and .error == null' out >/dev/null"
check "snapshots of an agent" hf snapshots --agent "$where"
check "none is held there" says "no snapshots are held"
check "a test of an agent" hf test --agent "$where" --writer ledger --hold 1s
check "tells its writer's state" says "Status for writer ledger: WAITING_FOR_BACKUP_COMPLETE(0x00000000)"
check "holds" says "hold: ok"
check "goes to the end" says "complete: ok"
check "leaves its writer stable" sh -c "tail -n 3 out | grep -qF 'Status for writer ledger: STABLE(0x00000000)'"
check "and says what a backup would be" says "Consistency of ledger would be: application"
check "a test of an agent as JSON" hf test --agent "$where" --json --writer ledger "$t/folder"
check "has every step" sh -c "jq -es '[.[] | select(.type == \"step\").step] == [\"gather\", \"prepare\", \"create\", \"finish\", \"complete\"]' out >out2"
check "and a verdict" sh -c "jq -es 'any(.[]; .type == \"summary\" and .proven)' out >out2"
check "a test of an agent until a step" hf test --agent "$where" --until finish "$t/folder"
check "goes until there" says "finish: ok"
check "and not on" sh -c '! grep -q complete out'
check "a test that leaves BackupComplete out" hf test --agent "$where" --no-complete --writer ledger
check "says so" says "BackupComplete is left out."
check "nothing of it is held there" hf snapshots --agent "$where"
check "nothing at all" says "no snapshots are held"
check "a test that lets a snapshot expire" check_fails test --agent "$where" --hold 2s --no-keep-alive \
	--snapshot-timeout 1s "$t/folder"
check "is told so" says "Error code: 0x800401fd"
check "events of an agent" hf events --agent "$where"
check "tell of it" says "Snapshot timeout occurred."
"$holdfast" --config conf events --agent "$where" --follow --json >followed 2>followed.err </dev/null &
follower=$!
check "following an agent's events begins with what was" until_true 20 grep -q SNAPSHOT_TIMEOUT followed
check "a test meanwhile" hf test --agent "$where" --json --writer ledger
id=$(jq -rs 'map(select(.type == "summary"))[0].job' out)
follows() { grep -F "$id" followed | grep -q "$1"; }
check "is followed" until_true 20 follows REQUESTER_CONNECTED
check "to its end" until_true 20 follows SNAPSHOT_FINISHED
kill -TERM $agent && wait $agent
HOLDFAST_AGENT_STATE_DIR=$t/guest "$holdfast" agent --config conf --listen "$where" 2>agent.log &
agent=$!
started_twice() { [ "$(grep -c AGENT_STARTED followed)" -eq 2 ]; }
check "through a restart of the agent" until_true 20 started_twice
check "each once" sh -c "[ \$(wc -l <followed) -eq \$(sort -u followed | wc -l) ]"
kill -TERM $follower
check "and ends on a signal" eval 'wait $follower || [ $? -ge 128 ] || [ $? -eq 130 ]'

"$holdfast" --config conf test --agent "$where" --hold 60s "$t/folder" >held 2>&1 </dev/null &
held=$!
is_held() { hf snapshots --agent "$where" --json && jq -re '(.SetId // .value.SetId // .set // "") | select(. != "")' out >set && [ -s set ]; }
check "a set that is held there" until_true 20 is_held
check "is listed" hf snapshots --agent "$where"
check "is shown" says "Contents of shadow copy set ID: $(cat set)"
check "is released by hand" hf release --agent "$where" "$(cut -c2-9 set)"
check "and says so" says "Released snapshot set"
check "is held no more" sh -c '! kill -0 '"$held"' 2>/dev/null || kill '"$held"
wait "$held"
check "explain a job of an agent" hf explain latest --agent "$where"
check "names the end" says "an administrator let the snapshot go"
done_testing
