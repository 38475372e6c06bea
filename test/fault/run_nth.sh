#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run_nth.sh: run a command again and again, failing the 1st, then the 2nd, 3rd ... call of one libc
# function in it, until there is no such call any more; TAP on standard output, one line for each n.
#
#	run_nth.sh -l LIBRARY -c CALL [options] -- COMMAND [ARG...]
#
#	-l LIBRARY   the library built from inject.c
#	-c CALL      the function that fails, by inject.c's names: fsync, openat, malloc ...
#	-e ERRNO     with this errno, a number (5, EIO)
#	-m MODE      fail (default); persist: it fails from then on; late: it is carried out and
#	             fails all the same; short: it does half of its work; kill, kill-late: the
#	             process dies by SIGKILL before or after the call
#	-P PROGRAM   only in processes of this name
#	-f FIRST     begin with this n (1)
#	-s STEP      n grows by this much (1)
#	-M MAX       n goes up to this (0: until no fault fires)
#	-t SECONDS   how long one run may take (60)
#	-B BEFORE    shell command before each run, without faults, e.g. to make a fresh repository
#	-C CHECK     shell command after each run, without faults; must succeed. It sees HF_RUN_N
#	             and HF_RUN_STATUS, the command's exit status
#
# A run is "ok" if the command ended by itself (with whatever status: reporting the failure is its
# job), in time, without a signal and without a finding of a sanitizer, and the check succeeded.
# With the kill modes it must have died by SIGKILL or, if a child was killed, ended by itself. The
# last run, in which no fault fires, must exit with 0. Exit status: 0 if all runs are ok, 1 if not,
# 2 for a mistake in the arguments.
set -u
export LC_ALL=C

# Findings of sanitizers get an exit status that nothing else has.
finding=99
library='' call='' errno=5 mode=fail program='' first=1 step=1 max=0 seconds=60 before='' check=''

usage() {
	printf 'run_nth.sh: %s\n' "$1" >&2
	exit 2
}

while getopts l:c:e:m:P:f:s:M:t:B:C: option; do
	case $option in
	l) library=$OPTARG ;;
	c) call=$OPTARG ;;
	e) errno=$OPTARG ;;
	m) mode=$OPTARG ;;
	P) program=$OPTARG ;;
	f) first=$OPTARG ;;
	s) step=$OPTARG ;;
	M) max=$OPTARG ;;
	t) seconds=$OPTARG ;;
	B) before=$OPTARG ;;
	C) check=$OPTARG ;;
	*) usage 'see the top of this file' ;;
	esac
done
shift $((OPTIND - 1))
[ -r "$library" ] || usage "-l: no library '$library'"
[ -n "$call" ] || usage '-c: which call?'
[ $# -gt 0 ] || usage 'which command?'
for number in "$errno" "$first" "$step" "$max" "$seconds"; do
	case $number in
	'' | *[!0-9]*) usage "'$number' is not a number" ;;
	esac
done
if [ "$first" -eq 0 ] || [ "$step" -eq 0 ]; then
	usage '-f and -s begin at 1'
fi
# The dynamic linker would search a bare name in its own folders.
case $library in
/*) ;;
*) library=$PWD/$library ;;
esac

persist=0 late=0 short=0 kill=0
case $mode in
fail) ;;
persist) persist=1 ;;
late) late=1 ;;
short) short=1 ;;
kill) kill=1 ;;
kill-late) kill=1 late=1 ;;
*) usage "-m: no mode '$mode'" ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/run_nth.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Where LIBRARY is preloaded into a program with a sanitizer, that one would insist on being first.
asan_options=${ASAN_OPTIONS:+$ASAN_OPTIONS:}exitcode=$finding:verify_asan_link_order=0
run_command() {
	timeout -k 5 "$seconds" env ${program:+"HF_INJECT_PROGRAM=$program"} \
		"HF_INJECT_CALL=$call" "HF_INJECT_AT=$n" "HF_INJECT_ERRNO=$errno" \
		"HF_INJECT_PERSIST=$persist" "HF_INJECT_LATE=$late" "HF_INJECT_SHORT=$short" \
		"HF_INJECT_KILL=$kill" "HF_INJECT_COUNT_FILE=$work/count" \
		"ASAN_OPTIONS=$asan_options" \
		"UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}exitcode=$finding:halt_on_error=1" \
		"TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}exitcode=$finding" \
		"LD_PRELOAD=$library" "$@" >"$work/output" 2>&1
}

# Why a run is not ok, from its exit status and whether a fault fired; nothing if it is.
judge() {
	if [ "$status" -eq 124 ]; then
		echo "not done after $seconds s"
	elif [ "$status" -eq "$finding" ]; then
		echo 'a sanitizer found something'
	elif [ "$status" -eq 137 ] && [ $kill -eq 1 ] && [ $did_fire -eq 1 ]; then
		: # as ordered
	elif [ "$status" -ge 128 ]; then
		echo "ended by signal $((status - 128))"
	elif [ "$status" -ne 0 ] && [ $did_fire -eq 0 ]; then
		echo "exit status $status without a fault"
	fi
}

results=0 failures=0
report() { # report WHY TEXT: WHY empty is ok
	results=$((results + 1))
	if [ -z "$1" ]; then
		printf 'ok %d - %s\n' $results "$2"
		return
	fi
	failures=$((failures + 1))
	printf 'not ok %d - %s\n# %s\n' $results "$2" "$1"
	sed 's/^/# /' "$work/output"
}

n=$first
while :; do
	: >"$work/count"
	if [ -n "$before" ] && ! sh -c "$before" >"$work/output" 2>&1; then
		report 'the command before the run failed' "$call $n: not run"
		break
	fi
	status=0
	run_command "$@" || status=$?
	did_fire=0
	grep -q '^fired ' "$work/count" && did_fire=1
	why=$(judge)
	if [ -n "$check" ] && ! HF_RUN_N=$n HF_RUN_STATUS=$status sh -c "$check" \
		>"$work/check" 2>&1; then
		why="${why:+$why; }the check failed"
		{
			echo '--- check:'
			cat "$work/check"
		} >>"$work/output"
	fi
	if [ $did_fire -eq 0 ]; then
		report "$why" "$call $n: no such call, exit status $status"
		break
	fi
	report "$why" "$call $n $mode, errno $errno: exit status $status"
	n=$((n + step))
	[ "$max" -gt 0 ] && [ "$n" -gt "$max" ] && break
done
printf '1..%d\n' $results
[ $failures -eq 0 ]
