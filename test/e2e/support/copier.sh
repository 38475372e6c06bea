# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Log copiers of a group. Source it in this folder: it brings what it is made of.
#
#	copier_scratch NAME WHAT	a folder for this test, or it is skipped, with the reason
#	copier_start			in the background, its pid in $copier; ends with the test. What it says: $T/copier.log
#	copier_is_streaming [NAME]	from that copy; from the active one
#	copier_stop SIGNAL CODE		and it must end so
#	copier_says TEXT
#	copier_slot COLUMN [NAME]	prints that of its slot on that copy; nothing if there is none
#	log_points [JQ]			prints the ids of all restore points of logs, by the time they were stored
#	log_last JQ			of the last of them
#	has_event ID
#	not COMMAND...
#
#	second_host			another requester, on pg3's host: "$second" is the program there, with a state, a
#					cache and a name of its own, and the same repository; hf2 is its hf

for file in tap run agent pg loop group; do
	# shellcheck source=/dev/null
	. "./$file.sh"
done

copier_scratch() {
	group_possible || { skip "$2" "$group_why"; done_testing; }
	scratch "$1"
}

copier=
copier_start() {
	[ -e "$T/copier.log" ] || at_end '[ -z "$copier" ] || kill -9 "$copier" 2>/dev/null'
	: >>"$T/copier.log"
	"$holdfast" log-copier orders >>"$T/copier.log" 2>&1 &
	copier=$!
}
copier_is_streaming() {
	[ "$(pg_sql "$T/${1:-$(group_active)}" "SELECT count(*) FROM pg_stat_replication
		WHERE application_name LIKE 'holdfast log copier%' AND state IN ('catchup', 'streaming')")" = 1 ]
}
copier_stop() {
	local r=0
	kill "-$1" "$copier" 2>/dev/null
	wait "$copier" 2>/dev/null || r=$?
	copier=
	[ "$r" -eq "$2" ] || { echo "# exit code $r" && tail -n 20 "$T/copier.log" | sed 's/^/# /' && return 1; }
}
copier_says() { grep -qF -- "$1" "$T/copier.log"; }
copier_slot() {
	pg_sql "$T/${2:-$(group_active)}" "SELECT $1 FROM pg_replication_slots WHERE slot_name = 'holdfast_orders_copier'"
}

log_points() { hf list --json && jq -rs "[.[] | select(.logs)] | sort_by(.end) | .[] | ${1:-.id}" "$T/out"; }
log_last() { hf list --json && jq -rs "[.[] | select(.logs)] | sort_by(.end) | last | $1" "$T/out"; }
has_event() { hf events --json && jq -es "any(.[]; .event == $1 or .id == $1 or .number == $1)" "$T/out" >/dev/null; }
not() { ! "$@"; }

second_host() {
	second=$T/second
	mkdir "$T/second.d"
	cat >"$second" <<-END
		#!/bin/sh
		export HOLDFAST_AGENT_STATE_DIR=$T/second.d/state HOLDFAST_CACHE_DIR=$T/second.d/cache
		export HOLDFAST_BACKUP_HOST=elsewhere
		exec nsenter --net=$(group_ns pg3) '$HOLDFAST_BIN' "\$@" --config $T/group.conf
	END
	chmod 755 "$second"
}
hf2() {
	code=0
	"$second" "$@" >"$T/out" 2>"$T/err" </dev/null || code=$?
}
