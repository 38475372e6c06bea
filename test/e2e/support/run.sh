# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A scratch folder with a repository's place in it, runs of the program, and what they said. Source it
# in bash, behind tap.sh.
#
#	scratch NAME		makes and enters $T; gone at the end, with what at_end was told. The
#				environment names $T/repo, $T/key, $T/cache and $T/state from here on
#	at_end COMMAND		to be run (by eval) at the end, the last one first
#	hf ARG...		run: exit code in $code, outputs in the files out and err
#	runs NAME CODE ARG...	a run that must end so; what it said is shown if not
#	fails NAME CODE TEXT ARG...	and say TEXT on standard error, and a hint of what to do
#	said TEXT, printed ERE, json JQ		of the last run: true?
#	value JQ		of the last run's JSON lines (slurped)
#	until_true SECONDS COMMAND...	asks again and again; fails at the end of the time
#	nap SECONDS		between two looks at something
#	get_state PID		into $state: R, S, T ..., see proc(5)
#	lateness_begin		from now on it is measured how late this machine wakes who sleeps
#	get_lateness		into $lateness: the most of it, in ms, times the three processes that a promise
#				passes through until a test sees it kept: so much later than promised may it be.
#				Nothing to speak of on a machine that has a core to spare

holdfast=${HOLDFAST:?the program to test}
# What the one who runs the tests has set for himself is none of our business.
for run_name in $(env | sed -n 's/^\(HOLDFAST_[A-Z_]*\)=.*/\1/p'); do
	case $run_name in
	HOLDFAST_WRITER_DIR | HOLDFAST_SOAK) ;;
	*) unset "$run_name" ;;
	esac
done
unset HOLDFAST
export LC_ALL=C TZ=UTC
ENDINGS=()

at_end() { ENDINGS+=("$1"); }

run_endings() {
	local i
	trap - EXIT INT TERM HUP
	cd /
	for ((i = ${#ENDINGS[@]} - 1; i >= 0; i--)); do
		eval "${ENDINGS[i]}"
	done
}

scratch() {
	T=$(mktemp -d "${TMPDIR:-/var/tmp}/hf-$1.XXXXXX") || exit 1
	# $TMPDIR may hold a link or two; paths in restore points are as they were given.
	T=$(cd "$T" && pwd -P) && cd "$T" || exit 1
	trap run_endings EXIT
	trap 'exit 1' INT TERM HUP
	at_end 'rm -rf "$T"'
	export HOLDFAST_REPOSITORY=$T/repo HOLDFAST_KEY_FILE=$T/key HOLDFAST_CACHE_DIR=$T/cache
	export HOLDFAST_AGENT_STATE_DIR=$T/state
}

hf() {
	code=0
	"$holdfast" "$@" >"$T/out" 2>"$T/err" </dev/null || code=$?
}

run_shows() { sed 's/^/#   /' "$T/err" "$T/out" | tail -n 15; }

exits() {
	[ "$code" -eq "$1" ] && return 0
	echo "# exit code $code, not $1:"
	run_shows
	return 1
}

said() {
	grep -qF -- "$1" "$T/err" && return 0
	echo "# standard error lacks '$1':"
	run_shows
	return 1
}

printed() {
	grep -qE -- "$1" "$T/out" && return 0
	echo "# output lacks '$1':"
	run_shows
	return 1
}

json() {
	jq -es "$1" "$T/out" >/dev/null && return 0
	echo "# not so: $1"
	run_shows
	return 1
}

value() { jq -rs "$1" "$T/out"; }

runs() {
	local name=$1 want=$2
	shift 2
	hf "$@"
	check "$name" exits "$want"
}

# The second line of an error is its hint.
fails() {
	local name=$1 want=$2 text=$3
	shift 3
	hf "$@"
	if exits "$want" && said "$text" && said 'hint: '; then ok "$name"; else not_ok "$name"; fi
}

until_true() {
	# $SECONDS counts whole ones: a second by it may be no time at all.
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
		nap 0.01
	done
}

# A pause without a process: nothing ever comes out of this pipe.
exec {RUN_NOTHING}<> <(:)
nap() { read -r -t "$1" -u "$RUN_NOTHING" _ || :; }

lateness_begin() {
	lateness_end
	echo 0 >"$T/lateness"
	(
		trap - EXIT INT TERM HUP
		worst=0
		while [ -e "$T/lateness" ]; do
			at=${EPOCHREALTIME/[.,]/}
			nap 0.02
			late=$(((${EPOCHREALTIME/[.,]/} - at) / 1000 - 20))
			[ "$late" -le "$worst" ] || { worst=$late && echo "$worst" >"$T/lateness"; }
		done
	) &
	LATENESS=$!
	[ -n "${LATENESS_ENDS:-}" ] || at_end lateness_end
	LATENESS_ENDS=yes
}
lateness_end() {
	[ -z "${LATENESS:-}" ] || { kill "$LATENESS"; wait "$LATENESS"; } 2>/dev/null
	LATENESS=
}
get_lateness() {
	lateness=0
	read -r lateness 2>/dev/null <"$T/lateness"
	lateness=$((3 * ${lateness:-0}))
}

# Into $state; no child for it, since it is asked often. The program's name, in parentheses, may hold
# anything, a parenthesis too.
get_state() {
	state=
	read -r state 2>/dev/null <"/proc/$1/stat" || return 1
	state=${state##*) } state=${state%% *}
}
