#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Killed at any moment (kill -9), a backup leaves a repository that verifies, and the next backup uses what
# was uploaded. The same for prune. SIGINT and SIGTERM end cleanly.
#
#	HOLDFAST_SOAK	not empty: five hundred moments, not twelve
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
scratch kill
rounds=12
[ -z "${HOLDFAST_SOAK:-}" ] || rounds=500

mkdir src
for i in $(seq 300); do head -c $((i * 700)) /dev/urandom >"src/small-$i"; done
for i in 1 2 3; do head -c 40000000 /dev/urandom >"src/large-$i"; done

# The time a whole backup takes here and now: moments are drawn from it.
runs 'init' 0 init
start=$(date +%s%N)
runs 'a whole backup' 0 backup "$T/src"
whole=$((($(date +%s%N) - start) / 1000000))
echo "# a backup takes $whole ms"
rm -rf repo cache
runs 'init anew' 0 init

RANDOM=7
dead=0
for round in $(seq "$rounds"); do
	"$holdfast" backup -q "$T/src" >"$T/killed" 2>&1 &
	pid=$!
	# At a random moment: this is the fault, not a wait for something.
	read -r -t "$(printf '%d.%03d' $((RANDOM % (whole + 1) / 1000)) $((RANDOM % 1000 * whole / 1000 % 1000)))" <> <(:)
	kill -9 "$pid" 2>/dev/null
	# Quicker than it was: the machine has less to do now.
	wait "$pid" 2>/dev/null && whole=$((whole / 2)) && continue
	dead=$((dead + 1))
	hf verify --stored
	if [ "$code" -ne 0 ]; then
		not_ok "round $round: verifies"
		run_shows
	fi
done
check 'some were killed in the midst' [ "$dead" -gt 0 ]
echo "# $dead of $rounds were"
runs 'the repository verifies after all that' 0 verify --read-data
runs 'a good backup' 0 backup "$T/src" --json
runs 'restore' 0 restore "latest:$T/src" --to "$T/back"
check 'everything is there' diff -r src back
runs 'and verifies' 0 verify --read-data

# What a killed backup stored is not stored again.
rm -rf repo cache
runs 'init once more' 0 init
"$holdfast" backup -q --option backup.pack_size=4MiB "$T/src" >/dev/null 2>&1 &
pid=$!
stored() { [ -d repo/packs ] && [ "$(du -s --apparent-size -B1 repo/packs | cut -f1)" -gt 60000000 ]; }
until_true 30 stored
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
kept=$(find repo/packs -type f -size +0 -printf '%s\n' | awk '{s += $1} END {print s + 0}')
runs 'the backup after it' 0 backup "$T/src" --json
check 'uses what was uploaded' json "last.bytes_stored < 155000000 - $kept / 2"
rm -rf back
runs 'restore of it' 0 restore "latest:$T/src" --to "$T/back"
check 'is exact' diff -r src back

# A prune that is killed.
rm src/large-3
runs 'another backup' 0 backup "$T/src"
runs 'forget what was before' 0 forget --keep-last 1
for round in 1 2 3 4 5; do
	"$holdfast" prune -q --grace 0 >/dev/null 2>&1 &
	pid=$!
	read -r -t "0.0$((RANDOM % 90 + 10))" <> <(:)
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	runs "prune killed ($round): verifies" 0 verify --stored
done
runs 'prune goes through' 0 prune --grace 0
rm -rf back
runs 'restore after it' 0 restore "latest:$T/src" --to "$T/back"
check 'exact again' diff -r src back

for signal in INT TERM; do
	rm -rf repo cache
	hf init
	"$holdfast" backup -q "$T/src" >"$T/out" 2>"$T/err" &
	pid=$!
	begun() { [ -n "$(find repo/tmp repo/packs -type f 2>/dev/null)" ]; }
	until_true 20 begun
	# A background job of a script ignores SIGINT; that is bash's doing, so TERM stands for it there.
	kill -s TERM "$pid" 2>/dev/null
	wait "$pid"
	code=$?
	check "SIG$signal: ends by itself, with 1 (or was done already)" [ "$code" -le 1 ]
	runs 'and leaves a sound repository' 0 verify --read-data
done
done_testing
