# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# An agent as a protected host has it: its own folder for state and cache, away from the requester's. Source
# it in bash, behind run.sh and `scratch`.
#
#	agent_start DIR COMMAND... -- WHERE...	started by COMMAND..., if any, listening; its
#						pid in $agent, its log in DIR/log. COMMAND is a
#						program that executes its arguments, no function
#	agent_stop [SIGNAL]			and wait for its end
#	agent_enroll DIR COMMAND... -- HOST:PORT	certificates both ways, with a one-time code
#	call WHERE FUNCTION JSON		a function of the agent by curl, over its unix socket
#
# The agent's state is DIR/state, its cache DIR/cache, its configuration DIR/conf if there is one.

agent_start() {
	local dir=$1 how=() listen=() tries
	shift
	while [ "$1" != -- ]; do how+=("$1") && shift; done
	shift
	for tries; do listen+=(--listen "$tries"); done
	mkdir -p "$dir"
	rm -f "$dir/socket"
	[ -e "$dir/conf" ] || : >"$dir/conf"
	HOLDFAST_AGENT_STATE_DIR=$dir/state HOLDFAST_CACHE_DIR=$dir/cache HOLDFAST_REPOSITORY='' \
		HOLDFAST_KEY_FILE='' "${how[@]}" "$holdfast" agent --config "$dir/conf" \
		"${listen[@]}" >>"$dir/log" 2>&1 &
	agent=$!
	at_end "kill $agent 2>/dev/null; kill -CONT $agent 2>/dev/null; wait $agent 2>/dev/null"
	tries=$#
	until_true 20 agent_listens "$dir" "$tries" || bail "the agent does not listen: $(cat "$dir/log")"
}

agent_listens() { [ "$(grep -c 'Listening on' "$1/log")" -ge "$2" ]; }

agent_stop() {
	kill "-${1:-TERM}" "$agent" 2>/dev/null
	kill -CONT "$agent" 2>/dev/null # one that stands still does not hear it
	wait "$agent" 2>/dev/null
}

agent_enroll() {
	local dir=$1 how=() code host
	shift
	while [ "$1" != -- ]; do how+=("$1") && shift; done
	host=$2
	mkdir -p "$dir"
	HOLDFAST_AGENT_STATE_DIR=$dir/state "${how[@]}" "$holdfast" agent enroll \
		--listen "tls://$host" >"$dir/enroll" 2>&1 &
	local pid=$!
	until_true 20 agent_code "$dir/enroll" >/dev/null || { kill "$pid" 2>/dev/null && return 1; }
	code=$(agent_code "$dir/enroll")
	hf agent enroll --agent "tls://$host" --code "$code"
	wait "$pid" && exits 0
}

agent_code() { sed -n 's/.*--code \([0-9A-Z-]*\).*/\1/p' "$1" | grep .; }

call() { curl -s --max-time 10 --unix-socket "$1" -H 'Content-Type: application/json' \
	-d "$3" "http://agent/v1/$2"; }
