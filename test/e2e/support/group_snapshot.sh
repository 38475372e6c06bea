# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The backup of a group whose hosts' data lie on a file system with snapshots: the passive copy is read from one,
# made in an instant, and released at the end. Source it in bash, with $here, GROUP_FS and $provider set.
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/agent.sh"
. "$here/support/loop.sh"
. "$here/support/pg.sh"
scratch "group-$GROUP_FS"
. "$here/support/group.sh"
group_possible || skip_all "$group_why"
group_set_up
group_busy 60

record() { "$holdfast" list --json "$1" | jq -e "select(.type == \"point\") | $2" >/dev/null; }

for type in full incremental copy; do
	hf backup --group orders --type "$type" --json
	check "$type: made" exits 0
	check "$type: of a passive copy, application-consistent" json \
		'.[] | select(.type == "summary") | .consistency == "application" and .group.role == "passive"'
done
point=$(value '.[] | select(.type == "summary") | .point')
check 'read from a snapshot' record "$point" ".snapshot.proven and .roots[0].provider == \"$provider\""
check 'nothing is left on any host, no snapshot either' group_clean 10
feed=$(group_feed_at)
hf backup --group orders --json
check 'the one that is restored' exits 0
point=$(value '.[] | select(.type == "summary") | .point')
group_idle
check 'it starts' group_restore "$point" restored
# A passive copy may be a moment behind the active one.
check 'and is whole, and the same as the active one' group_compare restored $((feed > 100 ? feed - 100 : 0))
group_drop restored

# In mid-copy, too, the snapshot goes with the backup.
group_busy 60
check 'another backup' group_begin --force-read -q --tries 1
kill -TERM "$requester"
group_finish
check 'stopped on request' exits 1
check 'leaves nothing' group_clean 10
done_testing
