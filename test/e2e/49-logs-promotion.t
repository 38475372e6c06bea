#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# All of it together: a backup of a passive copy, logs by the copier, a promotion in between; and then the
# database of moments before and after the promotion, with all that was committed until then and nothing else.
set -u
cd "$(dirname "$0")/support" || exit 1
. ./copier.sh

copier_scratch logs-promotion 'moments around a promotion'

GROUP_AGENTS='pg2 pg3' GROUP_MORE='
[log_copier]
interval = 1s
point_files = 8'
group_set_up
group_busy 200
hf backup --group orders --tries 1
check 'a full backup of a passive copy' exits 0

copier_start
feed_grows() { [ "$(group_feed_at)" -gt "$1" ]; }
# Into $row and $time: a moment at which nothing was committed. Clocks of all hosts are the same one.
moment() {
	until_true 30 feed_grows "$(($(group_feed_at) + 200))"
	group_idle
	nap 0.3
	row=$(group_feed_at) time=$(date -u +'%Y-%m-%d %H:%M:%S.%6NZ')
	nap 0.3
	group_busy 200
}
moment
before_row=$row before_time=$time
until_true 30 feed_grows "$((row + 200))"
group_idle
group_caught_up
group_promote pg2
group_busy 200
check 'the promotion is followed' until_true 30 copier_says 'is on timeline 2'
moment
after_row=$row after_time=$time
until_true 30 feed_grows "$((row + 200))"
group_idle
end=$(group_feed_at)
check 'the copier ends' copier_stop TERM 0

has_row() { [ "$(pg_sql "$T/restored" 'SELECT max(n) FROM feed')" = "$1" ] || { echo "# not $1" && return 1; }; }
restore_to() { # NAME ROW ARG...
	local name=$1 row=$2
	shift 2
	check "$name: restored and started" group_restore latest restored --group orders "$@"
	check "$name: exactly that moment" has_row "$row"
	check "$name: whole" group_compare restored "$row"
	group_drop restored
}
restore_to 'before the promotion' "$before_row" --target-time "$before_time"
restore_to 'after the promotion' "$after_row" --target-time "$after_time"
restore_to 'the end' "$end" --target-end
done_testing
