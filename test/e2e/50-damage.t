#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A repository whose objects are damaged, cut, exchanged or gone, each kind in several places: it is
# noticed and named, and no restore ever ends well with wrong bytes. (Every byte of every kind of object:
# test/unit/repo/test_damage.c, without a process for each.)
#
#	HOLDFAST_SOAK	not empty: many more places
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
scratch damage
places=4
[ -z "${HOLDFAST_SOAK:-}" ] || places=100

mkdir -p src/sub
for i in $(seq 30); do head -c $((i * 331)) /dev/urandom >"src/sub/$i"; done
head -c 1500000 /dev/urandom >src/chunks
head -c 2500000 /dev/urandom >src/pages.db
printf 'secret' >password && chmod 600 password
runs 'init' 0 init
runs 'a password as well' 0 key add --new-password-file "$T/password"
runs 'a first backup' 0 backup "$T/src"
echo more >src/more && printf X | dd of=src/pages.db bs=1 seek=1000000 conv=notrunc status=none
runs 'a second' 0 backup "$T/src"
head -c 100000 /dev/urandom >src/waste
runs 'a third, not to be kept' 0 backup "$T/src"
runs 'forgotten' 0 forget latest
runs 'and marked' 0 prune
rm src/waste
runs 'whole' 0 verify --read-data
cp -a repo good

# The objects of a kind, largest first.
objects() { (cd good && find "$1" -type f -printf '%s %p\n' | sort -rn | cut -d' ' -f2); }
slot() { hf key list --json && value "map(select(.kind == \"$1\"))[0].id"; }
heal() { rm -rf repo && cp -a good repo; }
flip() { # OBJECT OFFSET BIT
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "repo/$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %x $((byte ^ (1 << $3))))" | dd of="repo/$1" bs=1 seek="$2" conv=notrunc status=none
}

# Verification fails and names the object, as a problem or in the error that stopped it.
is_found() { # OBJECT
	hf verify --read-data --json
	exits 1 && json "any(.[]; (.type == \"problem\" and (.object == \"$1\" or (.message | contains(\"$1\")))) or
		(.type == \"error\" and (.message | contains(\"$1\"))))"
}
# A restore, with an empty cache as on a new machine, fails and says why, or brings the right bytes.
is_honest() {
	rm -rf back other
	HOLDFAST_CACHE_DIR=$T/other hf restore "latest:$T/src" --to "$T/back"
	case $code in
	0) diff -r src back >differ || { echo "# exit code 0, but: $(head -n 3 differ)"; return 1; } ;;
	1 | 3 | 75) [ -s err ] || { echo '# failed without a word'; return 1; } ;;
	*) exits 0 ;;
	esac
	[ ! -d back ] || [ "$code" -ne 3 ] || right_or_absent
}
# What is there of an incomplete restore is right, too: nothing wrong stands under a file's name.
right_or_absent() {
	local file
	while IFS= read -r file; do
		cmp -s "src/$file" "back/$file" || { echo "# $file was restored wrong"; return 1; }
	done < <(cd back && find . -type f)
}
# try NAME OBJECT: what was done to it is found, and does no harm.
try() {
	local bad=0
	is_found "$2" || bad=1
	is_honest || bad=1
	[ "$bad" -eq 0 ] || echo "# that was: $1: $2"
	return "$bad"
}

RANDOM=1
flips() { # KIND: places at the beginning, at the end, and anywhere
	local object size at place bad=0
	for object in $(objects "$1"); do
		size=$(stat -c %s "good/$object")
		for ((place = 0; place < places; place++)); do
			case $place in
			0) at=0 ;;
			1) at=$((size - 1)) ;;
			2) at=$((size / 2)) ;;
			*) at=$(((RANDOM * 32768 + RANDOM) % size)) ;;
			esac
			cp "good/$object" "repo/$object"
			flip "$object" "$at" $((RANDOM % 8))
			try "byte $at of $size" "$object" || bad=1
		done
		cp "good/$object" "repo/$object"
	done
	return "$bad"
}
cuts() { # KIND
	local object size cut bad=0
	object=$(objects "$1" | head -n 1)
	size=$(stat -c %s "good/$object")
	for cut in 0 1 $((size / 3)) $((size - 17)) $((size - 1)); do
		cp "good/$object" "repo/$object"
		truncate -s "$cut" "repo/$object"
		try "cut to $cut of $size" "$object" || bad=1
	done
	cp "good/$object" "repo/$object"
	echo x >>"repo/$object"
	try 'longer by two' "$object" || bad=1
	cp "good/$object" "repo/$object"
	return "$bad"
}

# A slot that cannot be read is no reason to stop while another one opens.
key_slot=keys/$(slot key-file) password_slot=keys/$(slot password)
for kind in packs index points marks "$password_slot"; do
	check "flipped bits are found: ${kind%/*}" flips "$kind"
	check "wrong lengths are found: ${kind%/*}" cuts "$kind"
done
for object in holdfast.json "$key_slot"; do
	bad=0
	for at in 0 20 100 $(($(stat -c %s "good/$object") - 2)); do
		flip "$object" "$at" 1
		hf list
		if ! exits 1 || ! said 'hint: '; then bad=1; fi
		cp "good/$object" "repo/$object"
	done
	check "without ${object%/*} nothing opens, and a hint is given" [ "$bad" -eq 0 ]
done
heal
runs 'all is whole again' 0 verify --read-data

# --- exchanged ------------------------------------------------------------------------------------------
swap() { # KIND
	local a b bad=0
	a=$(objects "$1" | sed -n 1p) b=$(objects "$1" | sed -n 2p)
	[ -n "$b" ] || { echo "# there is only one of $1" && return 1; }
	cp "good/$a" "repo/$b" && cp "good/$b" "repo/$a"
	try "exchanged with $b" "$a" || bad=1
	try "exchanged with $a" "$b" || bad=1
	heal
	return "$bad"
}
for kind in packs index points; do
	check "two that changed places are found: $kind" swap "$kind"
done
# One of another repository, with the same key: still not its own.
HOLDFAST_REPOSITORY=$T/stranger hf init --key-file "$T/key"
HOLDFAST_REPOSITORY=$T/stranger hf backup "$T/src/sub"
for kind in packs index points; do
	a=$(objects $kind | head -n 1)
	cp "$(find stranger/$kind -type f | head -n 1)" "repo/$a"
	check "one of another repository is found: $kind" try stranger "$a"
	heal
done
cp stranger/holdfast.json repo/
fails "another repository's holdfast.json" 1 '' list
heal

# --- gone -----------------------------------------------------------------------------------------------
packs_gone() {
	local object bad=0
	for object in $(objects packs); do
		rm "repo/$object"
		hf verify --json
		# What only waits to be removed may be missed or not.
		if [ "$code" -eq 0 ]; then
			is_honest && [ "$code" -eq 0 ] || bad=1
		else
			json "any(.[]; .type == \"problem\" and .object == \"$object\")" || bad=1
			is_honest || bad=1
		fi
		cp -a "good/$object" "repo/$object"
	done
	return "$bad"
}
check 'missing packs are found and named' packs_gone
# Without an index nothing is found, but nothing is lost either.
for object in $(objects index); do rm "repo/$object"; done
check 'without any index: no wrong bytes' is_honest
hf backup "$T/src"
check 'a backup then stores what it cannot find' exits 0
check 'and restores' is_honest
check 'as it should' [ "$code" -eq 0 ]
heal
rm -rf cache
rm -rf repo/marks repo/points
fails 'no restore points at all: nothing to restore' 1 '' restore latest --to "$T/none"
fails 'and a prune refuses to take everything' 1 '--allow-empty' prune --grace 0
heal
runs 'after all that, whole' 0 verify --read-data
runs 'and it restores' 0 restore "latest:$T/src" --to "$T/last"
check 'exactly' diff -r src last
done_testing
