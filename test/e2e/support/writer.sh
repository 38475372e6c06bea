# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A writer program driven by hand, line by line, without any of our own requester. Source it in bash.
#
#	w_start SETTINGS-JSON	start the program and say start
#	w_say EVENT [FIELDS]	send an event (FIELDS: JSON members); $REPLY_LINE is its answer
#	w_hear SECONDS		wait for a line that nobody asked for; fails if none comes
#	w_end			close its input and wait for its end; its exit code
#	w_get JQ		a value out of $REPLY_LINE
#	w_is STATE [CODE]	does $REPLY_LINE say so? without CODE: and no error
#	w_to_snapshot		all events up to post-snapshot; $COMPONENT is the component
#
# No wait is without a limit: W_LIMIT seconds for an answer.

W_LIMIT=${W_LIMIT:-60}
W_PROGRAM=${W_PROGRAM:-${HOLDFAST_WRITER_DIR:?}/holdfast-writer-postgresql}

w_start() {
	local settings=$1
	W_SEQ=0
	coproc WRITER { exec "$W_PROGRAM" 2>"$W_ERRORS"; }
	W_PID=$WRITER_PID
	# Copies: bash closes its own when the program ends.
	exec {W_IN}>&"${WRITER[1]}" {W_OUT}<&"${WRITER[0]}"
	eval "exec ${WRITER[1]}>&-"
	w_say start "\"protocol\":1,\"settings\":$settings"
}

w_say() {
	local event=$1 fields=${2:-}
	W_SEQ=$((W_SEQ + 1))
	printf '{"event":"%s","seq":%d%s}\n' "$event" "$W_SEQ" "${fields:+,$fields}" >&"$W_IN" ||
		return 1
	w_hear "$W_LIMIT"
}

w_hear() {
	REPLY_LINE=
	IFS= read -r -t "$1" -u "$W_OUT" REPLY_LINE
}

w_end() {
	local status=0
	exec {W_IN}>&-
	# What it still says is of no interest; its end is.
	while IFS= read -r -t "$W_LIMIT" -u "$W_OUT" _; do :; done
	exec {W_OUT}<&-
	wait "$W_PID" || status=$?
	return "$status"
}

w_get() { jq -r "$1" <<<"$REPLY_LINE"; }

w_is() {
	[ "$(w_get .state)" = "$1" ] && [ "$(w_get '.error.code // ""')" = "${2:-}" ] && return 0
	echo "# wanted state $1 and error '${2:-}', got: $REPLY_LINE"
	return 1
}

w_to_snapshot() {
	w_say identify && w_is 1 &&
		w_say prepare-backup '"backup_type":"full"' && w_is 1 &&
		w_say prepare-snapshot '"provider":"direct","label":"holdfast test"' && w_is 2 ||
		return 1
	COMPONENT=$(w_get .component)
	w_say freeze && w_is 3 && w_say thaw && w_is 4 && w_say post-snapshot && w_is 5
}
