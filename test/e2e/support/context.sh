# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A backup context by hand: context_tool.c on the requester's host of a group. Source it in bash, behind
# group.sh.
#
#	c_start ACTIVE PASSIVE [HOLDER]	with $T/group.conf; its notes and events go to $T/notes
#	c_put LINE / c_hear		an order; its answer, into $REPLY: fails if that is an error
#	c_say LINE			both
#	c_aside / c_back		there may be two: the present one is put aside (the other is present
#					then, if there is one); and is present again
#	C_HOST=NAME C_GROUP=NAME	where the next is started (req), and of which group (orders)
#	c_end				end of its input
#	c_kill SIGNAL
#	c_is ERE			the last answer
#	c_noted ERE [SECONDS]		was that told (within that time, 0)? Its time, ms of the boot clock, in $c_at
#	c_notes COUNT ERE		so often?
#	c_now				prints ms of the boot clock

context_tool=${CONTEXT_TOOL:?}
C_LIMIT=120 C_COUNT=0 C_ASIDE=

c_start() {
	C_NOTES=$T/notes-$((++C_COUNT))
	: >"$C_NOTES"
	{ coproc CONTEXT { cd "$T" && exec nsenter "--net=$(group_ns "${C_HOST:-req}")" "$context_tool" "$T/group.conf" "${C_GROUP:-orders}" "$1" "$2" "${3:-host}" 2>>"$C_NOTES"; }; } 2>/dev/null
	C_PID=$CONTEXT_PID
	exec {C_IN}>&"${CONTEXT[1]}" {C_OUT}<&"${CONTEXT[0]}"
	eval "exec ${CONTEXT[1]}>&- ${CONTEXT[0]}<&-"
	c_hear
}
c_put() { printf '%s\n' "$1" >&"$C_IN"; }
c_hear() {
	REPLY=
	IFS= read -r -t "$C_LIMIT" -u "$C_OUT" REPLY || REPLY='error NONE no answer'
	[ "${REPLY#ok}" != "$REPLY" ]
}
c_say() { c_put "$1" && c_hear; }
c_shown() { echo "# $REPLY" && sed 's/^/#   /' "$C_NOTES"; }
c_must() { c_say "$1" || { c_shown && return 1; }; }
c_end() {
	exec {C_IN}>&- {C_OUT}<&-
	wait "$C_PID" 2>/dev/null
}
c_aside() { C_ASIDE="$C_IN $C_OUT $C_PID $C_NOTES"; }
c_back() {
	local other="$C_IN $C_OUT $C_PID $C_NOTES"
	read -r C_IN C_OUT C_PID C_NOTES <<<"$C_ASIDE"
	C_ASIDE=$other
}
c_kill() { kill "-$1" "$C_PID"; }
c_is() { grep -qE -- "$1" <<<"$REPLY" || { echo "# not /$1/:" && c_shown && return 1; }; }
c_is_noted() {
	c_at=$(grep -E -m 1 -- "$1" "$C_NOTES" | cut -d' ' -f1)
	[ -n "$c_at" ]
}
c_noted() { until_true "${2:-1}" c_is_noted "$1" || { echo "# not told: $1" && c_shown && return 1; }; }
c_notes() { [ "$(grep -cE -- "$2" "$C_NOTES")" = "$1" ] || { echo "# not $1 times: $2" && c_shown && return 1; }; }
c_now() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }
