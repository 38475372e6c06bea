#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Forgetting and pruning: what is not needed goes, after the grace and not before; what is needed stays,
# to the byte, also when most of a pack is waste; and a marked pack that comes back into use is let go.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
scratch prune

size() { du -s --apparent-size -B1 repo/packs | cut -f1; }
point() { "$holdfast" list --json | sed -n "${1}p" | jq -r .id; } # N-th restore point
noise() { head -c "$1" /dev/urandom >"$2"; }

runs 'init' 0 init
mkdir src
noise 8000000 src/keep
noise 24000000 src/drop
runs 'a first backup' 0 backup "$T/src"
first=$(point 1)
rm src/drop
noise 100000 src/new
runs 'a second, with most of it gone' 0 backup "$T/src"
before=$(size)

runs 'prune finds nothing that is not needed' 0 prune --grace 0
check 'and removes nothing' [ "$(size)" -ge "$before" ]

runs 'forget the first, by number of points to keep' 0 forget --keep-last 1
check 'one restore point is left' [ "$("$holdfast" list --json | grep -c '"type":"point"')" -eq 1 ]
runs 'a dry run' 0 prune --dry-run --grace 0
check 'changes nothing' [ "$(size)" -eq "$before" ]
runs 'prune with a grace of a day' 0 prune --grace 24h
check 'only marks: the space is still taken' [ "$(size)" -ge "$before" ]
runs 'the repository is whole meanwhile' 0 verify --read-data

# The marked data comes back: writers store it anew rather than count on what is marked.
cp src/keep src/again
noise 24000000 src/drop2
runs 'a backup while packs are marked' 0 backup "$T/src"
runs 'prune again: nothing is due' 0 prune --grace 24h
runs 'and everything is whole' 0 verify --read-data
runs 'restore' 0 restore "latest:$T/src" --to "$T/back"
check 'exactly' diff -r src back

rm -rf back src/drop2
runs 'one more, small again' 0 backup "$T/src"
runs 'keep only that, and free at once' 0 forget --keep-last 1 --prune
runs 'sweep without grace' 0 prune --grace 0
runs 'and once more, for what was copied' 0 prune --grace 0
# A mark with a grace of a day keeps what it named; what came since is gone.
check 'space was freed' [ "$(size)" -lt $((before + 30000000)) ]
runs 'whole' 0 verify --read-data
runs 'restore after all that' 0 restore "latest:$T/src" --to "$T/back"
check 'exactly as it was' diff -r src back
rm -rf back

# Without any grace from the start: a repository of its own.
rm -rf repo cache
runs 'a fresh repository' 0 init
noise 30000000 src/drop
runs 'backup' 0 backup "$T/src"
full=$(size)
rm src/drop
runs 'backup of the rest' 0 backup "$T/src"
runs 'forget the first' 0 forget "$(point 1)"
runs 'prune at once' 0 prune --grace 0
check 'frees what only the first needed' [ "$(size)" -lt $((full - 25000000)) ]
runs 'whole' 0 verify --read-data
runs 'restore' 0 restore "latest:$T/src" --to "$T/back"
check 'exactly' diff -r src back

runs 'forget everything' 0 forget "$(point 1)"
runs 'prune of a repository without restore points is refused' 1 prune --grace 0
check 'and says why' said 'no restore point'
runs 'unless it is said to be meant' 0 prune --grace 0 --allow-empty
check 'then all is gone' [ "$(find repo/packs -type f | wc -l)" -eq 0 ]
runs 'backup into the emptied repository' 0 backup "$T/src"
runs 'whole' 0 verify --read-data
done_testing
