#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What stands in the way of a backup or a restore: each gives one message that says what and where, a
# hint of what to do, and the right exit code; and nothing that was stored is lost by it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
scratch errors
chmod 755 "$T"

mkdir -p src && echo one >src/one && head -c 3000000 /dev/urandom >src/three
runs 'init' 0 init
runs 'backup' 0 backup "$T/src"
whole() { # NAME: the repository, and what is in it
	rm -rf back
	hf verify --read-data
	check "$1: the repository is whole" exits 0
	hf restore "latest:$T/src" --to "$T/back"
	check "$1: and restores" exits 0
	check "$1: exactly" diff -r src back
}
# Nothing else than the one error: who reads it must not have to search.
one_error() {
	[ "$(grep -c '^holdfast: ' err)" -eq 1 ] && [ "$(grep -c 'hint: ' err)" -eq 1 ] && return 0
	echo '# not one error with one hint:'
	run_shows
	return 1
}
refused() { # NAME CODE TEXT ARG...
	fails "$@"
	check "$1: said once" one_error
}

# --- keys ---------------------------------------------------------------------------------------------
printf 'right' >right && printf 'wrong' >wrong && : >empty && chmod 600 right wrong empty
runs 'a password' 0 key add --new-password-file right
unset HOLDFAST_KEY_FILE
refused 'wrong password' 1 'no key slot opens' list --password-file wrong
check 'with the code administrators know' said '0x80070005'
runs 'the right one' 0 list --password-file right
refused 'an empty password file' 2 'empty' list --password-file empty
refused 'a password file that is not there' 1 'absent' list --password-file absent
head -c 64 /dev/urandom >other-key && chmod 600 other-key
refused 'another key file' 1 'no key slot opens' list --key-file other-key
refused 'a key file that is too short' 2 '32' list --key-file empty
refused 'a key file that is a folder' 2 'folder' list --key-file src
export HOLDFAST_KEY_FILE=$T/key
whole 'keys'

# --- places -------------------------------------------------------------------------------------------
refused 'no such repository' 1 "init" list -r "$T/nowhere"
refused 'a folder that is none' 1 'holdfast.json' list -r "$T/src"
refused 'a file' 1 'Not a directory' list -r "$T/src/one"
refused 'another kind of store' 2 'gopher' list -r gopher://example/
refused 'a source that is not there' 1 "$T/absent" backup "$T/absent"
refused 'a cache folder that cannot be' 1 "$T/src/one" list --cache-dir "$T/src/one"
refused 'a target that cannot be' 1 "$T/src/one" restore latest --to "$T/src/one/x"
refused 'no such restore point' 1 'no restore point' restore 0123456789 --to "$T/none"
refused 'no such path in it' 1 'has no' restore "latest:$T/nothing" --to "$T/none"
check 'and no target was made for that' test ! -e none
whole 'places'

# --- versions -----------------------------------------------------------------------------------------
cp repo/holdfast.json kept
inner=$(sed 's/^{"holdfast"://; s/,"sha256":"[0-9a-f]*"}$//; s/"version":1/"version":2/' kept)
printf '{"holdfast":%s,"sha256":"%s"}\n' "$inner" "$(printf %s "$inner" | sha256sum | cut -d' ' -f1)" >repo/holdfast.json
refused 'a repository of a newer version' 1 'format version 2' list
check 'the hint is to upgrade' said 'pgrade'
refused 'nor is anything written into it' 1 'format version 2' backup "$T/src"
inner=${inner/\"version\":2/\"version\":1 }
printf '{"holdfast":%s,"sha256":"%s"}\n' "$inner" "$(printf %s "$inner" | sha256sum | cut -d' ' -f1)" >repo/holdfast.json
refused 'a holdfast.json that somebody has rewritten' 1 '' list
cp kept repo/holdfast.json
whole 'versions'

# --- space --------------------------------------------------------------------------------------------
can_mount=
mkdir small
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=8m tmpfs small 2>/dev/null; then
	can_mount=yes
	at_end 'umount -l "$T/small" 2>/dev/null'
else
	skip 'a full disk' 'needs root and mount'
	skip 'a read-only store' 'needs root and mount'
fi
fill() { # BYTES-TO-LEAVE: what is free else goes to a file
	rm -f small/filler
	head -c $(($(stat -f -c '%a * %S' small) - $1)) /dev/zero >small/filler 2>/dev/null
	return 0
}
if [ -n "$can_mount" ]; then
	export HOLDFAST_REPOSITORY=$T/small/repo
	fill 0
	refused 'init on a full disk' 1 'No space left' init
	rm small/filler
	runs 'and again where there is space' 0 init
	runs 'a backup that fits' 0 backup "$T/src"
	head -c 12000000 /dev/urandom >src/more
	refused 'a backup that does not' 1 'No space left' backup "$T/src"
	check 'is told apart' said 'STORE_FULL'
	check 'the hint names forget and prune' said 'prune'
	mv src/more more
	whole 'a full disk'
	# Wherever the end of the space is met.
	head -c 600000 /dev/urandom >src/a
	for left in 0 4096 8192 12288 16384 40960 200000 650000; do
		fill "$left"
		hf backup "$T/src" --tag "left-$left"
		if [ "$code" -ne 0 ]; then
			check "$left bytes left: says so" said 'No space left'
			check "$left bytes left: exit code" exits 1
		fi
		hf verify --read-data
		check "$left bytes left: nothing is damaged" exits 0
		hf list
		check "$left bytes left: it can be listed" exits 0
	done
	rm -f small/filler
	runs 'with space again' 0 backup "$T/src"
	whole 'space'
	rm src/a
	runs 'backup without it' 0 backup "$T/src"
	fill 0
	runs 'forget on a full disk' 0 forget --keep-last 1
	hf prune --grace 0
	check 'prune on a full disk ends, one way or the other' [ "$code" -le 1 ]
	rm -f small/filler
	runs 'prune with space' 0 prune --grace 0
	whole 'a prune on a full disk'
	rm -rf small/repo

	export HOLDFAST_REPOSITORY=$T/repo
	mv more src/more
	runs 'something large' 0 backup "$T/src"
	refused 'a restore that does not fit' 1 'No space left' restore "latest:$T/src" --to "$T/small/back"
	rm -rf small/back
	mkdir small/cache && fill 0
	HOLDFAST_CACHE_DIR=$T/small/cache hf list
	[ "$code" -eq 0 ] || check 'a full cache folder: says why' said 'No space left'
	rm -rf small/filler small/cache
	whole 'a full target'

	# --- a store that only reads ------------------------------------------------------------------------
	mkdir read-only
	at_end 'umount -l "$T/read-only" 2>/dev/null'
	mount --bind repo read-only && mount -o remount,bind,ro read-only || bail 'cannot mount read-only'
	export HOLDFAST_REPOSITORY=$T/read-only
	runs 'read-only: list' 0 list
	whole 'read-only'
	echo more >src/new
	refused 'read-only: backup' 1 'Read-only file system' backup "$T/src"
	refused 'read-only: forget' 1 'Read-only file system' forget latest
	refused 'read-only: key add' 1 'Read-only file system' key add --new-key-file "$T/another"
	hf prune --grace 0
	check 'read-only: prune finds nothing to do, or says why not' [ "$code" -eq 0 -o -s err ]
	refused 'read-only: init' 1 'Read-only file system' init -r "$T/read-only/new"
	export HOLDFAST_REPOSITORY=$T/repo
	rm src/new
	umount read-only
	whole 'after that'
fi

# --- not allowed --------------------------------------------------------------------------------------
if [ "$(id -u)" -eq 0 ] && runuser -u nobody -- true 2>/dev/null; then
	as_nobody() { # as hf
		code=0
		(cd / && runuser -u nobody -- env HOLDFAST_CACHE_DIR="${cache:-$T/nobody}" "$holdfast" "$@") \
			>"$T/out" 2>"$T/err" </dev/null || code=$?
	}
	denied() { # NAME CODE TEXT ARG...
		local name=$1 want=$2 text=$3
		shift 3
		as_nobody "$@"
		check "$name: refused" exits "$want"
		check "$name: says what" said "$text"
		check "$name: said once" one_error
	}
	mkdir nobody && chown nobody nobody
	denied 'a repository that may not be read' 1 'ermission denied' list
	chmod -R a+rX repo
	denied 'a key file that may not be read' 1 "$T/key" list
	chown nobody key
	as_nobody list
	check 'one that may be read: list' exits 0
	as_nobody restore "latest:$T/src" --to "$T/nobody/back"
	check 'one that may be read: restore' exits 0
	check 'one that may be read: exactly' diff -r src nobody/back
	denied 'but not written: backup' 1 'ermission denied' backup "$T/src"
	denied 'but not written: forget' 1 'ermission denied' forget latest
	denied 'a target that may not be written' 1 'ermission denied' restore latest --to "$T/elsewhere"
	mkdir forbidden && chmod 700 forbidden
	cache=$T/forbidden
	denied 'a cache folder that may not be written' 1 "$T/forbidden" list
	cache=
	denied 'a source that may not be read' 1 "$T/forbidden" backup "$T/forbidden/x"
	chown root key
	whole 'all that was not allowed'
else
	skip 'what is not allowed' 'needs root, to become somebody else'
fi
done_testing
