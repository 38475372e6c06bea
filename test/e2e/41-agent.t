#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The agent as its callers see it: enrolment, who gets in and who does not, a job's course and what late
# callers are told, hostile callers, and the end.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/e2e/support/tap.sh
. "$here/support/tap.sh"
# shellcheck source=test/e2e/support/run.sh
. "$here/support/run.sh"
command -v curl >/dev/null || { skip 'the agent' 'no curl'; done_testing; }
scratch agent

guest=$T/guest requester=$T/requester sock=$T/agent.sock
port=$((20000 + $$ % 12000)) # below those that the kernel gives to connections
job='{11111111-2222-3333-4444-555555555555}'

# A holdfast whose state is the guest's, or the requester's.
on() { HOLDFAST_AGENT_STATE_DIR=$1 "$holdfast" "${@:2}"; }
start_agent() {
	HOLDFAST_AGENT_STATE_DIR=$guest "$holdfast" agent --listen "unix:$sock" --listen "tls://127.0.0.1:$port" \
		"$@" 2>>"$T/log" &
	agent=$!
	until_true 10 curl -s -o /dev/null --unix-socket "$sock" http://agent/v1/Hello || bail "the agent does not start: $(cat "$T/log")"
}
stop_agent() {
	kill -TERM "$agent" && wait "$agent"
}
at_end 'kill -KILL "${agent:-}" 2>/dev/null'
# call FUNCTION JSON: over the unix socket; the reply is in `reply`, the status in $status.
call() {
	status=$(curl -s -m 30 -o reply -w '%{http_code}' --unix-socket "$sock" -d "$2" "http://agent/v1/$1")
}
tls() {
	curl -sk -m 10 --cert "$requester/tls/own.pem" --key "$requester/tls/own.pem" "$@" \
		"https://127.0.0.1:$port/v1/Hello" >reply 2>&1
}
is() { [ "$status" = "$1" ] || { echo "# status $status: $(cat reply)" && return 1; }; }
has() { jq -e "$1" reply >/dev/null || { echo "# not so: $1: $(cat reply)" && return 1; }; }

# ---- three steps
on "$guest" agent enroll --listen "tls://127.0.0.1:$port" >code 2>err &
enrolling=$!
until_true 10 grep -q -- --code code || bail "no code: $(cat err)"
code=$(sed -n 's/.*--code //p' code)
check 'a wrong code is refused' \
	eval '! on "$requester" agent enroll --agent "tls://127.0.0.1:$port" --code 0123-4567-89AB-CDEF 2>err'
check 'the code enrols' eval 'on "$requester" agent enroll --agent "tls://127.0.0.1:$port" --code "$code" >out'
check 'and the guest is done' wait "$enrolling"
check 'it works once' \
	eval '! on "$requester" agent enroll --agent "tls://127.0.0.1:$port" --code "$code" 2>err'
check 'keys are their owner'"'"'s' test "$(stat -c %a "$guest/tls/own.pem" "$requester/tls/own.pem" | sort -u)" = 600

# ---- who gets in
start_agent
check 'the socket is its owner'"'"'s' test "$(stat -c %a "$sock")" = 600
check 'an enrolled requester gets in' tls
check 'and is known by name' has '.Peer.Kind == "tls"'
check 'no certificate: no' eval '! curl -sk -m 10 "https://127.0.0.1:$port/v1/Hello"'
mkdir -p stranger
on "$T/stranger" agent enroll --list >/dev/null
HOLDFAST_AGENT_STATE_DIR=$T/stranger "$holdfast" agent enroll --listen "tls://127.0.0.1:$((port + 1))" \
	>stranger.code 2>&1 &
stranger=$!
until_true 10 test -s stranger/tls/own.pem
kill "$stranger"
wait "$stranger"
check 'a stranger'"'"'s certificate: no' \
	eval '! curl -sk -m 10 --cert stranger/tls/own.pem --key stranger/tls/own.pem "https://127.0.0.1:$port/v1/Hello"'
check 'TLS 1.2: no' eval '! tls --tls-max 1.2'
check 'no TLS at all: no' eval '! curl -s -m 10 "http://127.0.0.1:$port/v1/Hello"'
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$T" && chmod 777 "$sock"
	check 'another user on the socket: no' eval '! setpriv --reuid 65534 --regid 65534 --clear-groups \
		curl -s -m 10 --unix-socket "$sock" http://agent/v1/Hello'
	chmod 600 "$sock"
else
	skip 'another user on the socket' 'needs root'
fi
has_event() { on "$guest" events --json | jq -es "any(.[]; $1)" >/dev/null; }
check 'an event: a certificate that is not known' has_event '.name == "REQUESTER_REFUSED" and
	(.fields.peer | startswith("127.0.0.1:")) and .fields.error == "its certificate is not known here"'
check 'an event: none at all' has_event '.name == "REQUESTER_REFUSED" and (.fields.error | test("certificate"))'
if [ "$(id -u)" -eq 0 ]; then
	check 'an event: another user' has_event '.name == "REQUESTER_REFUSED" and (.fields.peer | startswith("uid 65534"))'
fi

# ---- a job
mkdir -p data && echo one >data/one
call PrepareSnapshot "{\"JobId\":\"$job\",\"Paths\":[\"$T/data\",\"$T/gone\"],\"Provider\":\"direct\",\"TTL\":60}"
check 'prepare' is 200
check 'an event: who asks' has_event '.name == "REQUESTER_CONNECTED" and (.fields.peer | startswith("uid "))'
check 'prepare: what is not there is told' has '(.Missing | length) == 1'
lease=$(jq -c '{JobId, SetId, Epoch}' reply)
call PrepareSnapshot "{\"JobId\":\"$job\",\"Paths\":[\"$T/data\"]}"
check 'the same job twice: no' is 409
call KeepSnapshotEx "$(jq -c '. + {TTL: 30}' <<<"$lease")"
check 'keep' is 200
check 'keep: the time to live' has '.TTL == 30 and .LeftMs == 30000'
call KeepSnapshot "$(jq -c '.Epoch += 1' <<<"$lease")"
check 'another epoch: 0x800401fd' has '.error.hresult == "0x800401fd" and .error.lease.End == "unknown"'
call CreateSnapshot "$(jq -c '. + {RequestId: "one"}' <<<"$lease")"
check 'create' is 200
call CreateSnapshot "$(jq -c '. + {RequestId: "one"}' <<<"$lease")"
check 'the same request again: the same answer' is 200
call FinishSnapshot "$lease"
check 'finish before the data: out of order' has '.error.hresult == "0x80042301"'
call ListSnapshots '{}'
check 'it is listed' has '.Snapshots[0].State == "held"'
curl -s -m 20 --cert "$requester/tls/own.pem" --key "$requester/tls/own.pem" -k \
	-d "$lease" "https://127.0.0.1:$port/v1/KeepSnapshot" >reply
check 'another requester'"'"'s job: no' has '.error.code == "PERMISSION"'

# ---- its end
call KeepSnapshotEx "$(jq -c '. + {TTL: 1}' <<<"$lease")"
until_true 10 grep -qF 'Snapshot timeout occurred.' "$T/log"
call KeepSnapshotEx "$(jq -c '. + {TTL: 30}' <<<"$lease")"
check 'a late keep-alive: 0x800401fd, expired' has '.error.hresult == "0x800401fd" and .error.lease.End == "expired"'
check 'and 410' is 410
call FinishSnapshot "$lease"
check 'a late finish, too' has '.error.hresult == "0x800401fd" and (.error.lease.Deadline | length) == 20'
check 'the log has the words' eval 'grep -q "RPC: KeepSnapshotEx\$" "$T/log" &&
	grep -qF "Keep snapshot. JobId: $job" "$T/log" && grep -qF "Snapshot job id: $job, ttl: 30." "$T/log" &&
	grep -qF "KeepSnapshot. TTL: [30]" "$T/log" && grep -qF "Keep snapshot. JobId: $job. Ok." "$T/log" &&
	grep -qF "RPC: KeepSnapshotEx. Ok." "$T/log"'

other='{99999999-2222-3333-4444-555555555555}'
call PrepareSnapshot "{\"JobId\":\"$other\",\"Paths\":[\"$T/data\"],\"Provider\":\"direct\"}"
set_id=$(jq -r .SetId reply)
call AbortSnapshot "{\"JobId\":\"$other\"}"
check 'abort' is 200
call AbortSnapshot "{\"JobId\":\"$other\"}"
check 'abort, again' is 200
call ReleaseSnapshot "{\"SetId\":\"$set_id\"}"
check 'release what is over' has '.error.lease.End == "aborted"'

# ---- restarts
third='{88888888-2222-3333-4444-555555555555}'
call PrepareSnapshot "{\"JobId\":\"$third\",\"Paths\":[\"$T/data\"],\"Provider\":\"direct\",\"TTL\":600}"
until_true 10 grep -q 88888888 "$guest/leases.json"
kill -KILL "$agent"
wait "$agent" 2>/dev/null
start_agent
call KeepSnapshot "$lease"
check 'the end is known after a restart' has '.error.lease.End == "expired"'
call KeepSnapshot "{\"JobId\":\"$third\"}"
check 'what was open when it was killed is lost' has '.error.lease.End == "agent-lost"'

# ---- revoked
check 'revoke' eval 'on "$guest" agent enroll --revoke "$(hostname)" >out'
check 'a revoked requester is out' eval '! tls'

# ---- hostile callers
for case in garbage endless-head huge-header huge-body chunked no-such smuggle deep pipeline pipeline-unread gone \
	together many slow-head; do
	check "hostile: $case" "$here/support/hostile.py" "$sock" "$case"
done
check 'hostile: many, on TLS' eval 'for n in 1 2 3 4; do (for i in $(seq 50); do
	(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; done) & done; wait $(jobs -rp | grep -vx "$agent");
	curl -s -m 10 --unix-socket "$sock" http://agent/v1/Hello >/dev/null'
call Hello '{}'
check 'it is still there' is 200

for i in $(seq 30); do
	curl -sk -m 10 --cert stranger/tls/own.pem --key stranger/tls/own.pem "https://127.0.0.1:$port/v1/Hello" >/dev/null
done
check 'strangers do not fill the event log' eval '
	[ "$(on "$guest" events --json | grep -c REQUESTER_REFUSED)" -le 40 ] &&
	on "$guest" events --json | grep -q "not told"'

# ---- a slow errand
stop_agent
mkdir writers
printf '#!/bin/sh\necho >>"%s"\nsleep 2\n' "$T/begun" >writers/holdfast-writer-slow
chmod +x writers/holdfast-writer-slow
ln -s "$HOLDFAST_WRITER_DIR/holdfast-guard" writers/
HOLDFAST_WRITER_DIR=$T/writers start_agent
call GatherWriterMetadata '{"Writers": ["slow"], "RequestId": "g", "Hold": 100}'
check 'an errand that takes long: 202' is 202
check 'and what it is at' has '.Running.Function == "GatherWriterMetadata"'
call GatherWriterMetadata '{"Writers": ["slow"], "RequestId": "g"}'
check 'asked again: its outcome' is 200
check 'the writer that failed is listed' has '.Writers[0].name == "slow" and .Writers[0].error != null'
call GatherWriterMetadata '{"Writers": ["slow"], "RequestId": "g", "Hold": 0}'
check 'and again: the same' is 200
check 'it was done once' [ "$(wc -l <begun)" -eq 1 ]
call GatherWriterMetadata '{"Writers": ["slow"]}'
check 'without a name it is held until it is done' is 200

# ---- a job that never began: its error becomes that of a writer, as far as the writer is one
never='{77777777-2222-3333-4444-555555555555}'
slow=$(printf '{"code":"GROUP_LOG_RANGE","message":"pg1\\u001b[31m took\\u0007 8 s","hint":"wait"}')
blame() { call AbortSnapshot "{\"JobId\":\"$never\",\"Error\":$slow,$1}"; }
kept() { call GatherWriterStatus '{}' && has ".Writers | $1"; }
files() { find "$guest/writers" -type f 2>/dev/null | sort; }
writers_before=$(files)
call AbortSnapshot "{\"JobId\":\"$never\",\"Error\":$slow}"
check 'a job that never began, and nobody it is about: as ever' has '.error.lease.End == "unknown"'
call AbortSnapshot "{\"JobId\":\"$never\",\"Writers\":[\"slow\"]}"
check 'a writer and no error: no' is 400
blame '"Writers":["slow"],"Instances":["1","2"]'
check 'more instances than writers: no' is 400
blame "\"Writers\":[$(printf '"slow",%.0s' 1 2 3 4 5 6 7 8)\"slow\"]"
check 'more than eight: no' is 400
for name in nobody ../slow 'slow/..' '' "$(printf 'a%.0s' {1..256})" "slow\\u0000"; do
	blame "\"Writers\":[\"slow\",\"$name\"]"
	check "no writer is called '${name:0:9}': no" eval '[ "$status" -ge 400 ]'
done
blame '"Writers":[7]'
check 'nor is a number' is 400
blame '"Writers":"slow"'
check 'nor a list' is 400
check 'and nothing came of all that' [ "$(files)" = "$writers_before" ]
check 'no writer says so' kept 'all(.error.code != "GROUP_LOG_RANGE")'
blame '"Writers":["slow"],"Instances":["7312"],"RequestId":"b"'
check 'one that is installed: yes' is 200
check 'it is stable, with a retryable error' kept 'any(.name == "slow" and .state_number == 1 and
	.last_error == "Retryable error" and .error.hresult == "0x800423f3")'
check 'the words without control characters' kept 'any(.name == "slow" and (.error.message | test("took") and
	(explode | all(. >= 32))))'
before=$(stat -c %Y.%i "$guest/writers/slow.json")
blame '"Writers":["slow"],"RequestId":"b"'
check 'the same again: done once' [ "$status.$(stat -c %Y.%i "$guest/writers/slow.json")" = "200.$before" ]
blame '"Writers":["slow"],"Instances":["7313"]'
check 'another instance than the one that is here: no' has '.error.code == "NOT_FOUND"'
slow=$(printf '{"code":"GROUP_BUSY","message":"%s"}' "$(printf 'x%.0s' {1..100000})")
blame '"Writers":["slow"]'
check 'a long story is cut' eval 'is 200 && [ "$(stat -c %s "$guest/writers/slow.json")" -lt 4096 ]'
slow='{"code":"NONSENSE","message":"x"}'
blame '"Writers":["slow"]'
check 'an error that nobody knows is one of the protocol' kept 'any(.name == "slow" and .error.code == "PROTOCOL")'
slow='{"code":7}'
blame '"Writers":["slow"]'
check 'what is no error: no' is 400
stop_agent
start_agent

# ---- the end
call PrepareSnapshot "{\"JobId\":\"$other\",\"Paths\":[\"$T/data\"],\"Provider\":\"direct\"}"
check 'SIGTERM: exit code 0' stop_agent
check 'the socket is gone' test ! -e "$sock"
start_agent --exit-idle 1s
check 'idle: exit code 0' wait "$agent"
done_testing
