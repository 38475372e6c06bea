# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A guest with a database on a file system that can be snapshotted, behind a slow link that can be cut, and
# a requester on this side of it. Source it in bash, behind the other files of support/, after `scratch`.
#
#	story_possible			else $guest_why says what is missing
#	story_set_up			the file system $FS, the cluster $A on it, the link, the agent in $agent
#	story_agent [COMMAND...]	a new agent, started by COMMAND..., after the last one ended
#	story_begin TTL [ARG...]	a backup in the background, its pid in $requester; returns when data moves
#	story_end			waits for it: code, and the files out and err
#	story_remote FUNCTION JSON	a function of the agent, called by the requester's machine
#	story_job			sets $job (JobId, SetId and Epoch as JSON) of the backup that runs
#	is_clean SECONDS		within that time: nothing of ours is mounted, or on the disk
#	timed_out_within MS		between the last keep-alive and the timeout in the agent's log

G=$T/guest FS=$T/fs A=$T/fs/pg
story_url() { echo "tls://$guest_ip:7410"; }

story_possible() {
	guest_possible tc mkfs.btrfs curl jq && { loop_possible btrfs || { guest_why='no btrfs' && return 1; }; }
}

story_set_up() {
	chmod 755 "$T"
	loop_new "$FS" btrfs 600 || bail 'no file system'
	at_end 'loop_end "$FS"'
	at_end '[ ! -f "$A/data/postmaster.pid" ] || pg_stop "$A" immediate >/dev/null 2>&1'
	pg_new "$A" --checksums >"$T/log" 2>&1 && pg_start "$A" >>"$T/log" 2>&1 ||
		bail "no server: $(tail -n 3 "$T/log")"
	mkdir -p "$G"
	cat >"$G/conf" <<-END
		[writer.postgresql]
		host = $A
		port = $(pg_port "$A")
		user = postgres
		database = postgres
	END
	guest_network story
	hf init || bail "no repository: $(cat err)"
	agent_enroll "$G" in_guest -- "$guest_ip:7410" || bail 'cannot enroll'
	story_agent
}

# About half a megabyte a second, with the queue of a small router.
story_slow() {
	tc qdisc replace dev "hf$$h" root tbf rate 4mbit burst 32kb latency 100ms &&
		in_guest tc qdisc replace dev "hf$$g" root tbf rate 4mbit burst 32kb latency 100ms
}

story_fast() {
	tc qdisc del dev "hf$$h" root 2>/dev/null
	in_guest tc qdisc del dev "hf$$g" root 2>/dev/null
	:
}

story_agent() {
	: >"$G/log"
	agent_start "$G" nsenter --net="/run/netns/$guest_ns" "$@" -- "unix:$G/socket" "$(story_url)"
}

story_begin() {
	local ttl=$1
	shift
	pg_sql "$A" "SET client_min_messages = error; DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT n, md5(random()::text) || md5(random()::text)
		FROM generate_series(1, ${rows:-200000}) n" >/dev/null || return 1
	: >"$G/log"
	lateness_begin
	story_slow || bail 'cannot slow the link down'
	"$holdfast" backup --snapshot-timeout "$ttl" --agent "$(story_url)" \
		--writer postgresql "$@" >"$T/out" 2>"$T/err" </dev/null &
	requester=$!
	at_end "kill -9 $requester 2>/dev/null"
	until_true 30 grep -q 'RPC: MoveData' "$G/log" || { run_shows && tail -n 20 "$G/log" && return 1; }
	story_job
}

story_end() {
	story_fast
	code=0
	wait "$requester" 2>/dev/null || code=$?
}

story_job() {
	job=$(call "$G/socket" ListSnapshots '{}' | jq -c '.Snapshots[0] | {JobId, SetId, Epoch}')
}

story_remote() {
	curl -sk --max-time 10 --cert "$T/requester/tls/own.pem" --key "$T/requester/tls/own.pem" \
		-H 'Content-Type: application/json' -d "$2" "https://$guest_ip:7410/v1/$1"
}

clean() {
	local left
	left=$(
		grep " $G/state/mnt" /proc/self/mountinfo
		find "$FS" -maxdepth 2 -path '*/.holdfast/*' 2>/dev/null
	)
	left_over=$left
	[ -z "$left" ]
}
is_clean() {
	until_true "$1" clean && return 0
	printf '%s\n' "$left_over" | sed 's/^/# left: /'
	return 1
}

# 2026-11-22 14:25:06.120 -> milliseconds
log_ms() { date -u -d "$(grep -a "$1" "$G/log" | tail -n 1 | cut -c1-23)" +%s%3N; }

timed_out() { grep -q 'Snapshot timeout occurred' "$G/log"; }

timed_out_within() {
	local kept ended lateness
	get_lateness
	timed_out || { echo '# no timeout in the log' && return 1; }
	kept=$(log_ms 'Snapshot job id:') ended=$(log_ms 'Snapshot timeout occurred')
	[ $((ended - kept)) -le $(($1 + lateness)) ] && [ $((ended - kept)) -ge $(($1 - 150 - lateness)) ] && return 0
	echo "# $((ended - kept)) ms after the last keep-alive, on a machine that is up to $lateness ms late"
	return 1
}
