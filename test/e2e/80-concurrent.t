#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Any number of backups at once into one repository, beside a prune: nobody waits for anybody, and every
# restore point that was made restores exactly.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
scratch concurrent

runs 'init' 0 init

# Four sources that share half of what they hold.
mkdir shared
for i in $(seq 40); do head -c $((i * 3000)) /dev/urandom >"shared/$i"; done
for s in 1 2 3 4; do
	mkdir "src-$s"
	cp -r shared "src-$s/shared"
	for i in $(seq 40); do head -c $((i * 2000)) /dev/urandom >"src-$s/own-$i"; done
done

for round in 1 2 3; do
	pids=
	for s in 1 2 3 4; do
		echo "round $round" >"src-$s/round"
		# A cache of its own for two of them: as other machines would have.
		cache=$T/cache
		[ "$s" -gt 2 ] || cache=$T/cache-$s
		HOLDFAST_CACHE_DIR=$cache "$holdfast" backup -q --host "host-$s" "$T/src-$s" >"log-$s" 2>&1 &
		pids="$pids $!"
	done
	HOLDFAST_CACHE_DIR=$T/cache-prune "$holdfast" prune >log-prune 2>&1 &
	pids="$pids $!"
	bad=0
	for pid in $pids; do wait "$pid" || bad=$((bad + 1)); done
	check "round $round: four backups and a prune at once, all succeed" [ "$bad" -eq 0 ]
	[ "$bad" -eq 0 ] || cat log-* | sed 's/^/# /'
done

runs 'twelve restore points' 0 list --json
check 'all of them are listed' [ "$(grep -c '"type":"point"' "$T/out")" -eq 12 ]
runs 'every byte is whole' 0 verify --read-data
for s in 1 2 3 4; do
	id=$("$holdfast" list --json --host "host-$s" | tail -n 1 | jq -r .id)
	runs "restore of host $s" 0 restore "$id:$T/src-$s" --to "$T/back-$s"
	check "host $s is as it was" diff -r "src-$s" "back-$s"
done
done_testing
