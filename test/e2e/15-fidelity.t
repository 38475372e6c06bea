#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What goes in comes out: files of every kind and attribute, backed up, restored, and compared by
# support/tree.py, which knows nothing of Holdfast. Then files that change under the reader's eyes, at a
# moment of our choice: the program is stopped before a call (see test/fault/inject.c), the file is
# changed, the program goes on. Then targets in which somebody has laid traps.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
scratch fidelity

tree() { python3 "$here/support/tree.py" "$@"; }
# Are two trees equal in everything?
same_tree() {
	tree list "$1" | sed "${4:-}" >list-1 && tree list "$2" | sed "${4:-}" >list-2 || return 1
	diff list-1 list-2 >list-diff && [ "$(wc -l <list-1)" -gt "${3:-0}" ] && return 0
	cut -c1-300 list-diff | sed 's/^/# /' | head -n 20
	return 1
}
noise() { head -c "$1" /dev/urandom >"$2"; } # BYTES FILE
restored() { # WHAT-PATH TO: the folder WHAT-PATH of the latest restore point
	rm -rf "${2:?}"
	hf restore "latest:$1" --to "$2" && exits 0
}

runs 'init' 0 init

# --- every kind and attribute -----------------------------------------------------------------------
tree make src 2>left-out || bail "cannot make the files: $(cat left-out)"
sed 's/^/# /' left-out
nap 0.3 # times fresher than a tenth of a second tell nothing: such a file is read again the next time
runs 'everything is backed up' 0 backup "$T/src" --json
check 'all of it, without a warning' json 'last | .warnings == 0 and .files > 3000 and .bytes > 1099511627776'
check 'holes take no space' json 'last.bytes_stored < 60000000'
runs 'and restored' 0 restore "latest:$T/src" --to back --json
check 'everything is as it was' same_tree src back 3000
runs 'a second time, nothing is new' 0 backup "$T/src" --json
check 'nothing is read again' json 'last | .files_new == 0 and .files_changed == 0 and .bytes_new < 1000'
runs 'read again by force, nothing is new' 0 backup "$T/src" --force-read --json
check 'nor stored' json 'last | .bytes_new < 1000'
runs 'a delta over what is equal' 0 restore "latest:$T/src" --to back --delta --json
# But for names that share a file: someone else may hold yet another, so they are made anew.
check 'writes nothing' json 'last | .bytes_written < 2110000 and .files_removed == 0'
check 'and changes nothing' same_tree src back 3000
rm -rf back
runs 'all of the point' 0 restore latest --to all
check 'lies under its whole path' same_tree src "all$T/src" 3000
check 'the way there has its own modes' test "$(stat -c '%a %u' "all$T")" = "$(stat -c '%a %u' "$T")"
runs 'nothing is damaged' 0 verify --read-data
rm -rf all src

# --- what is not backed up ----------------------------------------------------------------------------
mkdir odd && echo x >odd/file
python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' odd/socket
runs 'a socket does not disturb' 0 backup "$T/odd" --json
check 'the file beside it is there' restored "$T/odd" back
check 'the socket is not' test ! -e back/socket -a -f back/file
if [ "$(id -u)" -eq 0 ]; then
	mkdir closed && echo x >closed/readable && echo y >closed/secret && chmod 600 closed/secret
	chmod 755 "$T" && chown -R nobody repo key closed/readable && mkdir -p cache && chown -R nobody cache
	# As root no file is unreadable.
	(cd / && runuser -u nobody -- env HOLDFAST_CACHE_DIR="$T/cache/nobody" \
		"$holdfast" backup "$T/closed" --json) >out 2>err
	code=$?
	check 'an unreadable file: exit code 3' exits 3
	check 'named, and why' json 'map(select(.type == "warning" and .serious)) | length == 1 and
		(.[0] | .path | endswith("/closed/secret")) and (.[0].message | test("ermission"))'
	check 'the restore point says so' json 'map(select(.type == "summary"))[0].incomplete'
	check 'the rest is there' restored "$T/closed" back
	check 'but not that file' test -f back/readable -a ! -e back/secret
	(cd / && runuser -u nobody -- env HOLDFAST_CACHE_DIR="$T/cache/nobody" \
		"$holdfast" restore "latest:$T/closed" --to "$T/cache/back") >out 2>err
	code=$?
	check 'a restore by somebody else' exits 0
	check 'belongs to him' test "$(stat -c %U cache/back/readable)" = nobody
else
	skip 'unreadable files' 'needs root to become somebody else'
fi

# --- files that change while they are read ----------------------------------------------------------
# meddled CALL CONDITION ACTION ARG...: a backup with one worker, stopped before each CALL; the first
# time CONDITION holds, ACTION is carried out. Fails if that never came.
meddled() {
	local call=$1 condition=$2 action=$3 end=$((SECONDS + 60)) done=1
	shift 3
	env LD_PRELOAD="$HF_INJECT" HF_INJECT_CALL="$call" HF_INJECT_AT=1 HF_INJECT_PERSIST=1 \
		HF_INJECT_STOP=1 HF_INJECT_PROGRAM="${holdfast##*/}" \
		"$holdfast" backup --option backup.workers=1 --json "$@" >out 2>err </dev/null &
	pid=$!
	while [ "$SECONDS" -lt "$end" ]; do
		get_state "$pid"
		case $state in
		T)
			[ "$done" -eq 0 ] || { eval "$condition" && eval "$action" && done=0; }
			kill -CONT "$pid"
			;;
		Z | '') break ;;
		*) nap 0.002 ;;
		esac
	done
	kill -KILL "$pid" 2>/dev/null
	code=0
	wait "$pid" || code=$?
	[ "$done" -eq 0 ] || echo "# the moment to '$action' never came"
	return "$done"
}
is_open() { [ -n "$(find "/proc/$pid/fd" -lname "$T/$1" 2>/dev/null)" ]; }
warned() { # NAME CODE
	json "map(select(.type == \"warning\" and .serious and .code == \"$2\" and (.path | endswith(\"/$1\")))) | length == 1"
}

if [ -z "${HF_INJECT:-}" ]; then
	skip 'files that change while they are read' 'needs LD_PRELOAD, which a sanitizer does not like'
else
	for name in chunks pages.db; do
		mkdir "change-$name"
		f=change-$name/$name
		noise 9000000 "$f" && cp "$f" whole
		check "$name: grows while it is read" meddled pread "is_open $f" "noise 500000 more; cat more >>$f" "$T/change-$name"
		check "$name: exit code 3" exits 3
		check "$name: is reported" warned "$name" BUSY
		check "$name: and in the restore point" json 'map(select(.type == "summary"))[0].incomplete'
		check "$name: restored" restored "$T/change-$name" back
		check "$name: as it was when it was begun" cmp whole "back/$name"

		for size in 3000000 4096 1 0; do
			cp whole "$f"
			check "$name: shrinks to $size" meddled pread "is_open $f" "truncate -s $size $f" "$T/change-$name"
			check "$name, $size: exit code 3" exits 3
			check "$name, $size: is reported" warned "$name" BUSY
			check "$name, $size: restored" restored "$T/change-$name" back
			# What had been read before the cut may be there; what was not there to read may not.
			got=$(stat -c %s "back/$name")
			check "$name, $size: nothing is made up" cmp -n "$got" whole "back/$name"
			check "$name, $size: no more than was there" test "$got" -lt 9000000 -a "$got" -ge "$size"
		done

		cp whole "$f"
		check "$name: is written to" meddled pread "is_open $f" \
			"printf Z | dd of=$f bs=1 seek=8999999 conv=notrunc status=none" "$T/change-$name"
		check "$name, written to: exit code 3" exits 3
		check "$name, written to: is reported" warned "$name" BUSY
		hf backup "$T/change-$name" --json
		check "$name, written to: read again by the next backup" json 'last | .files_changed == 1 and (.incomplete | not)'
		check "$name, written to: restored" restored "$T/change-$name" back
		check "$name, written to: as it is now" cmp "$f" "back/$name"
		rm -rf "change-$name"
	done

	# Once one of them is open, all others go: between the reading of the folder and their turn.
	mkdir gone
	for n in $(seq 30); do noise 1000000 "gone/$n"; done
	# shellcheck disable=SC2016 # for eval
	vanish='for n in $(seq 30); do is_open gone/$n || rm gone/$n; done'
	check 'files vanish' meddled pread '[ -n "$(find /proc/$pid/fd -lname "$T/gone/[0-9]*")" ]' "$vanish" "$T/gone"
	check 'vanished: exit code 3' exits 3
	n=$(value 'map(select(.type == "warning" and .code == "NOT_FOUND" and .serious)) | length')
	check 'vanished: each is reported' test "$n" -ge 1
	check 'vanished: restored' restored "$T/gone" back
	check 'vanished: what was not reported is there' test "$(find back -type f | wc -l)" -eq $((30 - n))
	rm -rf gone

	# ... or become something that must not be opened, or not be followed.
	mkdir swap && echo secret >not-asked-for
	for n in $(seq 30); do noise 1000000 "swap/$n"; done
	# shellcheck disable=SC2016 # for eval
	swap='for n in $(seq 30); do is_open swap/$n || { rm swap/$n; case $((n % 3)) in
		0) mkfifo swap/$n ;; 1) ln -s ../not-asked-for swap/$n ;; 2) mkdir swap/$n ;; esac; }; done'
	check 'files become something else' meddled pread '[ -n "$(find /proc/$pid/fd -lname "$T/swap/[0-9]*")" ]' "$swap" "$T/swap"
	check 'something else: exit code 3' exits 3
	n=$(value 'map(select(.type == "warning" and .serious)) | length')
	check 'something else: reported' test "$n" -ge 1
	check 'something else: restored' restored "$T/swap" back
	check 'something else: no link was followed' sh -c '! grep -rqs secret back'
	check 'something else: what was not reported is there' test "$(find back -type f | wc -l)" -eq $((30 - n))
	rm -rf swap

	mkdir -p folders/{a,b,c,d,e,f,g,h}/deep && for d in folders/*; do noise 2500000 "$d/deep/file"; done
	# shellcheck disable=SC2016 # for eval
	vanish='for d in folders/*; do is_open $d/deep/file || rm -rf $d; done'
	check 'folders vanish' meddled pread '[ -n "$(find /proc/$pid/fd -lname "$T/folders/*/file")" ]' "$vanish" "$T/folders"
	check 'folders: exit code 3' exits 3
	n=$(value 'map(select(.type == "warning")) | length')
	check 'folders: the rest is restored' restored "$T/folders" back
	check 'folders: nothing is missing without a word' test "$(find back -name file | wc -l)" -ge $((8 - n))
	rm -rf folders
fi

# --- targets ------------------------------------------------------------------------------------------
mkdir -p src/sub/deeper outside && echo original >src/sub/file && echo deep >src/sub/deeper/file
noise 5000000 src/chunks && noise 5000000 src/pages.db && : >src/empty && ln -s sub src/link
echo precious >outside/file && echo precious >outside/victim && ln -s outside pointer
runs 'something to restore' 0 backup "$T/src" --json
tree list outside >outside-before
untouched() { tree list outside | diff outside-before - | sed 's/^/# /'; [ "${PIPESTATUS[1]}" -eq 0 ]; }

mkdir full && echo mine >full/file
fails 'a target with something in it is refused' 1 'full' restore "latest:$T/src" --to full
check 'with a way out' said '--overwrite'
check 'and left alone' test "$(ls full)" = file -a "$(cat full/file)" = mine
fails 'so is one that is a file' 1 'outside/file' restore "latest:$T/src" --to outside/file
fails 'and one below a file' 1 'Not a directory' restore "latest:$T/src" --to outside/file/sub
mkdir empty
runs 'an empty one is fine' 0 restore "latest:$T/src" --to empty
check 'and filled' same_tree src empty
check 'nothing else changed' untouched

# Traps: links where folders and files belong, from the top to the bottom, and things that block.
trap_target() {
	rm -rf target && cp -a src target && rm -rf target/{sub,chunks,pages.db,empty,link}
	case $1 in
	folder-link) ln -s ../outside target/sub ;;
	absolute-link) ln -s "$T/outside" target/sub && ln -s "$T/outside/victim" target/chunks ;;
	file-link) mkdir target/sub && ln -s ../../outside/file target/sub/file && ln -s ../outside/victim target/pages.db &&
		ln -s ../outside/new target/empty ;;
	deep-link) mkdir target/sub && ln -s ../../outside target/sub/deeper ;;
	hard-link) mkdir target/sub && ln outside/file target/sub/file && ln outside/victim target/pages.db &&
		ln outside/victim target/empty ;;
	link-is-folder) mkdir -p target/link/x && : >target/link/x/y ;;
	fifo) mkfifo target/sub target/chunks target/pages.db ;;
	folder-is-file) echo x >target/sub ;;
	file-is-folder) mkdir -p target/chunks/sub target/empty && echo x >target/chunks/sub/x ;;
	magic-link) ln -s /proc/self/cwd/outside target/sub ;;
	loop) ln -s sub target/sub && ln -s ../target target/chunks ;;
	esac
}
for how in delta overwrite; do
	for kind in folder-link absolute-link file-link deep-link hard-link link-is-folder fifo \
		folder-is-file file-is-folder magic-link loop; do
		trap_target "$kind"
		code=0
		timeout 60 "$holdfast" restore "latest:$T/src" --to target "--$how" >out 2>err || code=$?
		# What is in the way may be replaced or refused, but if all is said to be well it must be.
		case $code in
		# Overwriting is not to make the top folder older than what is in it.
		0) check "--$how, $kind: all is well" same_tree src target 5 "$([ $how = delta ] || echo 1d)" ;;
		1 | 3) check "--$how, $kind: refused, and said why" test -s err ;;
		*) check "--$how, $kind: no such end" exits 0 ;;
		esac
		check "--$how, $kind: nothing outside was touched" untouched
		check "--$how, $kind: no new names of what is outside" test "$(stat -c %h outside/file)" -le 2
	done
	rm -rf target
	check "--$how: nothing outside was touched at all" untouched
done

# --- delta: only what differs -------------------------------------------------------------------------
cp -a src target && cp -a src before
printf X | dd of=target/chunks bs=1 seek=2000000 conv=notrunc status=none
printf X | dd of=target/pages.db bs=1 seek=3000000 conv=notrunc status=none
rm target/sub/file && echo more >target/extra && mkdir -p target/sub/extra/folder && : >target/sub/extra/file
truncate -s 6000000 target/pages.db && chmod 600 target/empty && touch target/sub
runs 'delta' 0 restore "latest:$T/src" --to target --delta --json
check 'delta makes it equal' same_tree src target
check 'writes what differs, and no more' json 'last | .bytes_written > 0 and .bytes_written < 2200000'
check 'removes what is extra' json 'last.files_removed >= 2'
rm -rf target && cp -a src target && echo more >target/extra && echo other >target/sub/file
runs 'overwrite' 0 restore "latest:$T/src" --to target --overwrite --json
check 'keeps what is extra' test "$(cat target/extra)" = more -a "$(cat target/sub/file)" = original
check 'and the rest is equal' sh -c 'rm target/extra && diff -r --no-dereference src target'
mkdir empty2 && ln -s empty2 to-empty
runs 'a delta into what is not there' 0 restore "latest:$T/src" --to new/target --delta
check 'restores it all' same_tree src new/target
check 'the source was never touched' same_tree src before
runs 'the repository is whole' 0 verify --read-data
done_testing
