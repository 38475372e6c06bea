#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# System calls that fail, one after the other, in each of the verbs that change something: the program
# ends by itself and in time, the repository verifies, what was there restores, what was said to be done
# is done, and the next try succeeds. A bounded number of places for each call; all of them in a soak.
#
#	HOLDFAST_SOAK	not empty: every place
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
if [ -z "${HF_INJECT:-}" ]; then
	echo '1..0 # SKIP needs LD_PRELOAD, which a sanitizer does not like'
	exit 0
fi
. "$here/support/run.sh"
scratch faults
places=2
[ -z "${HOLDFAST_SOAK:-}" ] || places=1000000

mkdir -p src/sub/deep
head -c 300000 /dev/urandom >src/one
head -c 1300000 /dev/urandom >src/pages.db
for i in 1 2 3 4 5; do echo "$i" >"src/sub/$i"; done
ln src/one src/sub/linked && ln -s one src/link && mkfifo src/fifo && : >src/empty
truncate -s 2000000 src/sub/deep/sparse
cp -a src src-before
runs 'init' 0 init
runs 'backup' 0 backup "$T/src"
head -c 400000 /dev/urandom >src/waste
runs 'another' 0 backup "$T/src"
runs 'to be forgotten' 0 forget latest
rm src/waste && head -c 200000 /dev/urandom >src/new && printf X | dd of=src/pages.db bs=1 seek=700000 conv=notrunc status=none
cp -a repo repo-before && cp -a cache cache-before
export T holdfast

# Before each run all is as it was. The files, mode and key are shared, everything else is made anew.
cat >before <<-'S'
	rm -rf "$T/repo" "$T/cache" "$T/back" "$T/fresh" && cp -a "$T/repo-before" "$T/repo" && cp -a "$T/cache-before" "$T/cache"
S
# What must hold whatever happened: everything stored is sound, and the old restore point comes back.
cat >sound <<-'S'
	set -e
	"$holdfast" verify --read-data
	rm -rf "$T/back"
	"$holdfast" restore "$(cat "$T/first"):$T/src" --to "$T/back"
	diff -r --exclude fifo --no-dereference "$T/src-before" "$T/back"
	rm -rf "$T/back"
S
# A backup that says it is done is; and the next one is in any case.
cat >after-backup <<-'S'
	set -e
	[ "$HF_RUN_STATUS" -ne 0 ] || {
		"$holdfast" restore "latest:$T/src" --to "$T/back"
		diff -r --exclude fifo --no-dereference "$T/src" "$T/back"
	}
	sh "$T/sound"
	"$holdfast" backup "$T/src"
	"$holdfast" restore "latest:$T/src" --to "$T/back"
	diff -r --exclude fifo --no-dereference "$T/src" "$T/back"
S
# A restore that says it is done is; one with losses (3) has nothing wrong in it; and a second try mends.
cat >after-restore <<-'S'
	set -e
	cd "$T"
	case $HF_RUN_STATUS in
	0) diff -r --exclude fifo --no-dereference src-before back ;;
	3) (cd back && find . -type f) | while IFS= read -r f; do cmp "src-before/$f" "back/$f" || exit 1; done ;;
	esac
	"$holdfast" restore "$(cat "$T/first"):$T/src" --to "$T/back" --delta
	diff -r --exclude fifo --no-dereference src-before back
S
cat >after-prune <<-'S'
	set -e
	sh "$T/sound"
	"$holdfast" prune --grace 0
	sh "$T/sound"
S
# A restore point that was said to be gone is; if not, it may be either way, but whole.
cat >after-forget <<-'S'
	set -e
	"$holdfast" verify --read-data
	if "$holdfast" list "$(cat "$T/first")"; then
		[ "$HF_RUN_STATUS" -ne 0 ]
		sh "$T/sound"
	fi
S
# There is a repository, or there is none and it can be made.
cat >after-init <<-'S'
	set -e
	export HOLDFAST_REPOSITORY=$T/fresh HOLDFAST_KEY_FILE=$T/fresh-key
	if [ "$HF_RUN_STATUS" -eq 0 ] || [ -e "$T/fresh/holdfast.json" ]; then
		"$holdfast" list
	else
		"$holdfast" init
	fi
	rm -rf "$T/fresh" "$T/fresh-key"
S
hf list --json
value 'map(select(.type == "point"))[0].id' >first

# sweep VERB CALL MODE ERRNO: how often VERB makes CALL, then some of these failing.
sweep() {
	local verb=$1 call=$2 mode=$3 errno=$4 total step
	local -a command
	case $verb in
	init) command=(init -r "$T/fresh" --key-file "$T/fresh-key") ;;
	backup) command=(backup "$T/src" --option backup.workers=2) ;;
	restore) command=(restore "$(cat first):$T/src" --to "$T/back" --option restore.workers=2) ;;
	prune) command=(prune --grace 0) ;;
	forget) command=(forget latest) ;;
	esac
	sh before
	env LD_PRELOAD="$HF_INJECT" HF_INJECT_CALL="$call" HF_INJECT_PROGRAM="${holdfast##*/}" \
		HF_INJECT_COUNT_FILE="$T/count" "$holdfast" "${command[@]}" >/dev/null 2>&1 </dev/null
	total=$(awk '/^calls/ { n += $3 } END { print n + 0 }' count)
	rm -rf count fresh fresh-key
	[ "$total" -gt 0 ] || return 0
	step=$(((total + places - 1) / places))
	# The last run is the one in which no fault fires.
	if "$SOURCE_ROOT/test/fault/run_nth.sh" -l "$HF_INJECT" -P "${holdfast##*/}" -c "$call" -m "$mode" \
		-e "$errno" -s "$step" -f $(((step + 1) / 2)) -t 60 -B "sh '$T/before'" \
		-C "sh '$T/after-$verb'" -- "$holdfast" "${command[@]}" >log 2>&1 </dev/null; then
		ok "$verb: $(($(grep -c ^ok log) - 1)) of $total calls of $call $mode"
	else
		grep -v '^ok' log | head -n 40 | sed 's/^[^#]/# &/'
		not_ok "$verb: $call $mode"
	fi
}

# ENOSPC 28, EIO 5, EMFILE 24, ENOMEM 12, EACCES 13
for verb in backup restore prune; do
	for call in write pwrite; do sweep $verb $call fail 28; done
	for call in pread read openat fstat fsync fdatasync syncfs linkat renameat2 mkdirat unlinkat readdir \
		ftruncate symlinkat utimensat futimens fchmod fchown; do
		sweep $verb $call fail 5
	done
	for call in mmap malloc pthread_create; do sweep $verb $call fail 12; done
	sweep $verb openat persist 24
	sweep $verb pwrite short 0
	sweep $verb write short 0
	sweep $verb pread short 0
done
for call in write openat fsync mkdirat linkat malloc; do sweep init $call fail 5; done
sweep init write persist 28
sweep forget unlinkat fail 5
for verb in backup prune; do
	sweep $verb write kill 0
	sweep $verb fsync kill 0
	sweep $verb linkat kill-late 0
	sweep $verb unlinkat kill-late 0
done
done_testing
