#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Whole backups of a group, in each of which something fails at a random moment for a random time, sometimes two
# things at once: links are cut one way or both, reset, forgotten, refused; servers, the agent and the requester
# stand still or are killed; copies are promoted. Each backup ends with a restore point that is right (restored
# and compared, now and then), or says that it may be repeated, with no restore point; and ten seconds after the
# fault is over there is no slot, lock, session, snapshot or mount left on any host.
#
#	HOLDFAST_SOAK		not empty: five hundred backups, not a few
#	GROUP_TORTURE_ROUNDS	that many; SEED: the same ones again; GROUP_TORTURE_SECONDS: not longer than this
set -u
here=$(cd "$(dirname "$0")" && pwd)
for file in tap run agent pg loop group; do
	# shellcheck source=/dev/null
	. "$here/support/$file.sh"
done
rounds=5
[ -z "${HOLDFAST_SOAK:-}" ] || rounds=500
rounds=${GROUP_TORTURE_ROUNDS:-$rounds} budget=${GROUP_TORTURE_SECONDS:-100000}
RANDOM=${SEED:-$(($$ % 32768))}
SEED=${SEED:-$(($$ % 32768))}
# Both ways of data movement: from a snapshot, and from the files themselves.
[ $((SEED % 2)) -eq 0 ] || ! loop_possible btrfs || GROUP_FS=btrfs
GROUP_MIB=900
if ! group_possible; then
	echo "1..0 # SKIP $group_why"
	exit 0
fi
echo "# SEED=$SEED ${GROUP_FS:-direct}"
scratch group-torture
# Where the requester is dead, its snapshot ends with its time: that has to be less than the ten seconds.
GROUP_MORE='[backup]
snapshot_timeout = 5s'
GROUP_RATE=6mbit
group_set_up
group_configure 'context_lease = 6s' 'query_log_range_timeout = 5s'
group_busy 40

# Into a variable: a subshell would have random numbers of its own.
pick() { # VARIABLE WORD...
	local picked=$((RANDOM % ($# - 1) + 2))
	printf -v "$1" %s "${!picked}"
}
seconds() { # VARIABLE FROM TO, tenths
	local tenths=$(($2 + RANDOM % ($3 - $2 + 1)))
	printf -v "$1" %s "$((tenths / 10)).$((tenths % 10))"
}
hosts_of() { # who it is about: the one that is backed up, more often than the other
	pick chosen pg2 pg3
	chosen=${group_chosen:-$chosen}
	# Once more: one that answers late is not one that is gone.
	active=$(group_active) || active=$(group_active) || active=pg1
}

# ---- faults: each does it, and says in $undo how it is over

fault_link() {
	local pair how a b
	pick pair "req $active" "req $active" "req $chosen" "$active $chosen"
	pick how group_cut group_cut_to group_forget group_refuse group_reset group_reset
	read -r a b <<<"$pair"
	[ $((RANDOM % 2)) -eq 0 ] || read -r b a <<<"$pair"
	what="$how $a $b"
	"$how" "$a" "$b"
	undo=group_join
}
fault_stop() {
	local c
	pick c "$active" "$active" "$chosen"
	what="the server of $c stands still"
	group_freeze "$c"
	undo="group_thaw $c"
}
fault_kill_backend() {
	local c pid
	pick c "$active" "$chosen"
	what="a session of ours on $c is killed"
	for pid in $(pg_sql "$T/$c" "SELECT pid FROM pg_stat_activity WHERE usename = 'holdfast' LIMIT 1" 2>/dev/null); do
		# The whole server starts anew after it.
		[ $((RANDOM % 3)) -eq 0 ] && what="$what (kill -9)" && kill -9 "$pid" && continue
		pg_sql "$T/$c" "SELECT pg_terminate_backend($pid)" >/dev/null 2>&1
	done
	undo=:
}
fault_server() {
	local c
	pick c "$active" "$chosen"
	what="the server of $c is stopped"
	pick mode immediate fast
	group_stop "$c" "$mode"
	undo="group_start $c"
}
fault_promote() {
	local c
	pick c "$chosen" "$chosen" pg2 pg3
	[ "$c" != "$active" ] || c=$chosen
	what="$c is promoted"
	if [ $((RANDOM % 2)) -eq 0 ]; then group_promote "$c" keep; else group_promote "$c"; fi
	undo="only_active $c"
}
only_active() { # NAME: the others begin anew
	local c
	for c in $GROUP_COPIES; do [ "$c" = "$1" ] || [ ! -f "$T/$c/data/postmaster.pid" ] || group_stop "$c" immediate; done
	for c in $GROUP_COPIES; do [ "$c" = "$1" ] || group_rejoin "$c"; done
	group_idle
	group_busy 40
}
fault_requester() {
	local signal
	pick signal KILL TERM INT STOP
	what="the requester gets SIG$signal"
	kill "-$signal" "$requester" 2>/dev/null
	[ "$signal" = STOP ] || expected=any
	undo="kill -CONT $requester 2>/dev/null"
}
fault_agent() {
	local signal pid=${group_agent[$chosen]}
	pick signal KILL TERM STOP
	what="the agent on $chosen gets SIG$signal"
	kill "-$signal" "$pid" 2>/dev/null
	undo="kill -CONT $pid 2>/dev/null"
	[ "$signal" = STOP ] || undo="group_agent_stop $chosen; group_agent_start $chosen"
}

strike() {
	hosts_of
	local fault
	pick fault link link link stop kill_backend server promote requester agent
	# A server that stands still cannot be promoted, nor can two be undone in any order: one of these at a time.
	case $fault in
	stop | server | promote)
		[ -z "$heavy" ] || fault=link
		heavy=$fault
		;;
	esac
	"fault_$fault"
	whats="${whats:+$whats; }$what" undos+=("$undo")
}

# ---- a round

wrong() {
	echo "# WRONG: round $round (SEED=$SEED): $whats; for $long s, after $after s, exit code $code: $1"
	tail -n 12 "$T/out" "$T/err" | sed 's/^/#   /'
	grep -s . "$T/agent-$chosen/log" | tail -n 12 | sed 's/^/#   agent: /'
	bad=$((bad + 1))
}

group_shows() {
	local c
	for c in $GROUP_COPIES; do
		echo "#   $c: $(df --output=pcent "$T/$c" | tail -n 1) full, $(du -sm "$T/$c/data" | cut -f1) MB"
		tail -n 8 "$T/$c/log" | sed "s/^/#   $c: /"
	done
}

count_points() { "$holdfast" list --json 2>/dev/null </dev/null | wc -l; }

torture() {
	local before row u tries
	before=$(count_points) row=$(group_feed_at)
	whats='' undos=() expected='' heavy=''
	seconds after 0 45
	seconds long 2 80
	pick tries 1 1 1 2
	group_launch --tries "$tries" --wait-between 1s || { code=- && wrong 'cannot be begun' && return; }
	nap "$after"
	group_moves
	strike
	[ $((RANDOM % 3)) -ne 0 ] || strike
	# While it lasts, or until the backup has ended.
	until_true "${long%.*}" eval '! kill -0 $requester 2>/dev/null'
	for ((u = ${#undos[@]} - 1; u >= 0; u--)); do eval "${undos[u]}"; done
	group_finish
	ended[$code]=$((${ended[$code]:-0} + 1))
	case $code in
	0) [ "$(count_points)" -eq $((before + 1)) ] || wrong 'no restore point' ;;
	75) [ "$(count_points)" -eq "$before" ] || wrong 'a restore point of what failed' ;;
	*) [ "$expected" = any ] || wrong 'not what may be repeated' ;;
	esac
	group_clean 10 || wrong 'left over'
	group_caught_up 60 || { wrong 'the group does not come to rest' && group_shows; }
	if [ "$code" -eq 0 ] && [ $((RANDOM % 4)) -eq 0 ]; then
		compared=$((compared + 1))
		group_restore latest back && group_compare back "$row" || wrong 'not what the active copy had'
		group_drop back
	fi
	echo "# round $round: $whats; after $after s, for $long s: exit code $code"
}

bad=0 compared=0 rounds_done=0
declare -A ended=()
for round in $(seq "$rounds"); do
	[ "$SECONDS" -lt "$budget" ] && [ "$bad" -lt 5 ] || break
	torture
	rounds_done=$((rounds_done + 1))
done
echo "# $rounds_done rounds in $SECONDS s, by exit code: $(for code in "${!ended[@]}"; do printf '%s: %s, ' "$code" "${ended[$code]}"; done)restored and compared: $compared"
check 'every backup was right, or said that it may be repeated, and left nothing' [ "$bad" -eq 0 ]

row=$(group_feed_at)
runs 'after all that a backup succeeds' 0 backup --group orders --tries 1
check 'and is right' eval 'group_restore latest back && group_compare back "$row"'
runs 'the repository verifies' 0 verify --read-data
check 'nothing is left' group_clean 10
done_testing
