# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Results in the Test Anything Protocol. Source it.
#
#	check NAME COMMAND...	ok if the command succeeds
#	ok NAME / not_ok NAME	a result by itself
#	skip NAME WHY
#	bail WHY		nothing more can be tested
#	done_testing		the plan; exits with 1 if anything failed

TAP_COUNT=0
TAP_FAILED=0

ok() {
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "ok $TAP_COUNT - $1"
}

not_ok() {
	TAP_COUNT=$((TAP_COUNT + 1))
	TAP_FAILED=$((TAP_FAILED + 1))
	echo "not ok $TAP_COUNT - $1"
}

skip() {
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "ok $TAP_COUNT - $1 # SKIP $2"
}

check() {
	tap_name=$1
	shift
	if "$@"; then ok "$tap_name"; else not_ok "$tap_name"; fi
}

bail() {
	echo "Bail out! $1"
	exit 1
}

done_testing() {
	echo "1..$TAP_COUNT"
	[ "$TAP_FAILED" -eq 0 ] || exit 1
	exit 0
}
