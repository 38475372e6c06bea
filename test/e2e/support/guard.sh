# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# File systems to freeze, and an agent that does what it is told. Source it in bash, behind tap.sh and
# run.sh (scratch).
#
#	g_possible		is this root, with loop devices? else $WHY
#	g_fs TYPE NAME [DIR]	makes and mounts $T/NAME (its image in DIR), with a way out armed: another
#				process that holds it open and thaws it after G_LIMIT seconds
#	g_start [NAME=VALUE]...	the agent, its guard's journals in $G_STATE; see guard_agent.c
#	g_say LINE		do it; $REPLY is the answer; fails if that is an error
#	g_put LINE / g_hear	the two halves of it
#	g_end			end of its input: the guard stops in good order
#	g_guard			the guard's process, into $G_GUARD
#	g_told TEXT		was this event told (within ten seconds)?
#	g_state NAME		"frozen" or "thawed"
#	g_gone PID		no such process (within G_LIMIT seconds)

G_LIMIT=${G_LIMIT:-120}
G_STATE=$T/state
freeze_tool=${FREEZE_TOOL:?} guard_agent=${GUARD_AGENT:?}

g_possible() {
	WHY=
	if [ "$(id -u)" -ne 0 ]; then
		WHY='freezing takes root'
	elif ! losetup -f >/dev/null 2>&1; then
		WHY='there are no loop devices'
	fi
	[ -z "$WHY" ]
}

g_fs() {
	local type=$1 at=$T/$2 image=${3:-$T}/$2.img size=64M
	command -v "mkfs.$type" >/dev/null || { WHY="mkfs.$type is not installed" && return 1; }
	case $type in
	xfs) size=320M ;;
	btrfs) size=128M ;;
	esac
	truncate -s "$size" "$image" && mkfs."$type" -q "$image" >/dev/null 2>&1 && mkdir -p "$at" &&
		mount -o loop "$image" "$at" 2>"$T/mount.err" ||
		{ WHY="cannot mount $type: $(cat "$T/mount.err" 2>/dev/null)" && return 1; }
	at_end "umount '$at' 2>/dev/null || umount -l '$at'"
	# A process of its own session, so that nothing that ends this script ends it before the end.
	exec {G_WAY_OUT}< <(exec setsid "$freeze_tool" watch "$G_LIMIT" "$at" 2>>"$T/way-out")
	local pid=$!
	read -r -t 10 -u "$G_WAY_OUT" _ || return 1
	exec {G_WAY_OUT}<&-
	at_end "fsfreeze -u '$at' 2>/dev/null; kill $pid 2>/dev/null"
	: >"$at/probe"
}

g_start() {
	coproc AGENT { exec "$guard_agent" "$G_STATE" "$@" 2>>"$T/events"; }
	G_AGENT=$AGENT_PID
	exec {G_IN}>&"${AGENT[1]}" {G_OUT}<&"${AGENT[0]}"
	eval "exec ${AGENT[1]}>&- ${AGENT[0]}<&-"
	g_hear
}

g_put() { printf '%s\n' "$1" >&"$G_IN"; }

g_hear() {
	REPLY=
	IFS= read -r -t "$G_LIMIT" -u "$G_OUT" REPLY || REPLY='error NONE no answer'
	case $REPLY in
	ok*) REPLY=${REPLY#ok } && return 0 ;;
	*) echo "# $REPLY" && return 1 ;;
	esac
}

g_say() { g_put "$1" && g_hear; }

g_end() {
	local status=0
	exec {G_IN}>&- {G_OUT}<&-
	wait "$G_AGENT" 2>/dev/null || status=$?
	return "$status"
}

# Not by asking: the agent may be waiting. The newest child: a dead one may not be reaped yet.
g_guard() { G_GUARD=$(pgrep -n -P "$G_AGENT"); }

g_is_told() { grep -qF -- "$1" "$T/events"; }
g_told() {
	until_true 10 g_is_told "$1" && return 0
	echo "# not told: $1"
	sed 's/^/#   /' "$T/events"
	return 1
}

g_state() { "$freeze_tool" state "$T/$1"; }
g_is() { [ "$(g_state "$1")" = "$2" ]; }

g_is_gone() { ! kill -0 "$1" 2>/dev/null; }
g_gone() { until_true "$G_LIMIT" g_is_gone "$1"; }

# Up to the moment, whose create command may do anything.
g_armed() { # MOUNT... CAP_MS last
	local cap=${*: -1}
	g_say 'begin 60000' || return 1
	while [ $# -gt 1 ]; do
		g_say "add external $1" || return 1
		shift
	done
	g_say "freeze $cap"
}
