#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Backups through snapshots, of folders that somebody writes to all the time: what comes back is one
# instant of them. What is promised is kept or refused, what is lost is said, and whatever is killed,
# nothing is left behind.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/loop.sh"
if ! loop_possible btrfs || ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP no btrfs on loop devices here, not root, or no python3"
	exit 0
fi
scratch snapshot
at_end 'for dir in b x e; do mountpoint -q "$T/$dir" && loop_end "$T/$dir"; done'
at_end '[ -z "${COUNTER:-}" ] || { kill "$COUNTER"; wait "$COUNTER"; } 2>/dev/null'
mkdir writers
for program in "$HOLDFAST_WRITER_DIR"/holdfast-guard "$HOLDFAST_WRITER_DIR"/holdfast-writer-postgresql; do
	ln -s "$program" writers/
done
export HOLDFAST_WRITER_DIR=$T/writers

# Counts in forty files, one after the other, each write durable before the next begins: at any instant
# the files show at most two numbers, the larger one in front. Holds still while somebody else has the lock.
cat >counter.py <<'EOF'
import fcntl, os, sys
folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
lock = open(os.path.join(folder, "lock"), "a")
files = [os.open(f"{folder}/{i:02}", os.O_CREAT | os.O_WRONLY | os.O_DSYNC, 0o644) for i in range(40)]
n = 0
while True:
    n += 1
    for f in files:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.pwrite(f, b"%012d\n" % n, 0)
        fcntl.flock(lock, fcntl.LOCK_UN)
EOF
counter() {
	counter_end
	python3 counter.py "$1" &
	COUNTER=$!
	until_true 20 test -s "$1/39"
}
counter_end() {
	[ -z "${COUNTER:-}" ] || { kill "$COUNTER"; wait "$COUNTER"; } 2>/dev/null
	COUNTER=
}
one_instant() { # FOLDER
	python3 - "$1" <<'EOF'
import sys
values = [int(open(f"{sys.argv[1]}/{i:02}").read()) for i in range(40)]
good = values == sorted(values, reverse=True) and values[0] - values[-1] <= 1
if not good:
    print("#", values)
sys.exit(not good)
EOF
}
restored() { # FOLDER
	rm -rf back
	hf restore latest --to back && [ "$code" -eq 0 ] && one_instant "back$1"
}
# Nothing of ours, anywhere, once the guard has let go.
nothing_left() {
	[ -z "$(pgrep -f "^$T/writers/holdfast-guard")" ] && ! grep -q " $T/state/mnt" /proc/self/mounts &&
		[ -z "$(find "$T"/[bxe] -maxdepth 3 -name .holdfast 2>/dev/null)" ] &&
		[ -z "$(find "$T/state/mnt" -mindepth 1 2>/dev/null)" ]
}

hf init
check "a repository" exits 0

# ---- btrfs ----------------------------------------------------------------------------------------
loop_new "$T/b" btrfs 2500 || bail "no btrfs"
counter "$T/b/data"
dd if=/dev/urandom of=b/large bs=1M count=100 status=none
runs "btrfs: a backup of a folder that changes all the time" 0 backup --json --require crash "$T/b"
check "is one instant, it says" json '.[-1].consistency == "crash" and (.[-1] | has("consistency_reason") | not)'
check "nothing is left" until_true 20 nothing_left
check "and it is one" restored "$T/b/data"
check "our own folder is not in it" test ! -e "back$T/b/.holdfast"
hf list latest --json
check "the restore point says when, and by whom" json \
	'.[0] | .roots[0].provider == "btrfs" and .snapshot.proven and .snapshot.epoch > 0
	 and .snapshot.time > .start and .snapshot.time < .end'
counter_end
nap 0.3 # times fresher than a tenth of a second tell nothing: such a file is read again the next time
hf backup --json "$T/b"
runs "with nothing changed" 0 backup --json "$T/b"
check "nothing is read again" json '.[-1].files_changed == 0 and .[-1].files_new == 0'

# A nested subvolume has a snapshot of its own, at an instant of its own.
if command -v btrfs >/dev/null; then
	btrfs subvolume create b/data/sub >/dev/null && echo deep >b/data/sub/file
	runs "two subvolumes are two instants" 0 backup --json "$T/b/data"
	check "so it says" json '.[-1].consistency == "none" and (.[-1].consistency_reason | length > 0)'
	hf restore latest --to back2
	check "and what is nested is in it" test "$(cat "back2$T/b/data/sub/file" 2>/dev/null)" = deep
	fails "more is refused" 1 "no more than 'none'" backup --require crash "$T/b/data"
	btrfs subvolume delete b/data/sub >/dev/null
fi
fails "live files promise nothing" 1 "no more than 'none'" backup --provider direct --require crash "$T/b"
runs "and are taken if nothing is required" 0 backup --provider direct "$T/b/data"
check "nothing is left of all that" until_true 20 nothing_left

# ---- the lease ------------------------------------------------------------------------------------
# A requester that stops for longer than the snapshot timeout finds its snapshot gone.
held() { [ -n "$(find b/.holdfast -mindepth 1 -maxdepth 1 2>/dev/null)" ]; }
released() { ! held; }
dd if=/dev/urandom of=b/large bs=1M count=300 status=none
"$holdfast" backup --snapshot-timeout 2s "$T/b" >out 2>err </dev/null &
REQUESTER=$!
if until_true 30 held && kill -STOP $REQUESTER; then
	check "stopped: the guard lets go after the snapshot timeout" until_true 10 released
	kill -CONT $REQUESTER
	code=0
	wait $REQUESTER || code=$?
	check "and the late requester is told" exits 75
	check "with the code that administrators know" said 0x800401fd
else
	not_ok "a backup to stop"
	wait $REQUESTER
fi
check "nothing is left of it" until_true 20 nothing_left

# Killed at any moment.
counter "$T/b/data"
for after in 0.03 0.08 0.15 0.25 0.4 0.7; do
	"$holdfast" backup "$T/b" >out 2>err </dev/null &
	REQUESTER=$!
	nap $after
	kill -9 $REQUESTER
	wait $REQUESTER 2>/dev/null
	check "killed after $after s: nothing is left" until_true 20 nothing_left
	check "and nothing is frozen" timeout 10 touch b/touched
done
runs "the next backup goes as ever" 0 backup --require crash "$T/b"
counter_end
loop_end "$T/b"

# ---- reflink, with a writer that makes the counter hold still --------------------------------------
sed -n '/^```python$/,/^```$/p' "$here/../../doc/writer-protocol.md" | sed '/^```/d
	s/return {"metadata": \({.*}\)}$/return {"metadata": \1, "paths": [folder]}/
	s/fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)/pass/
	s/^    if event == "post-copy":/    if event == "freeze": fcntl.flock(lock, fcntl.LOCK_EX)\
    if event == "thaw" and lock: fcntl.flock(lock, fcntl.LOCK_UN)\
&/' >writers/holdfast-writer-ledger
chmod +x writers/holdfast-writer-ledger
if loop_possible xfs && loop_new "$T/x" xfs 400; then
	printf '[writer.ledger]\nfolder = %s/x/data\n' "$T" >conf
	counter "$T/x/data"
	runs "reflink: a writer, and clones of its files" 0 \
		--config conf backup --json --provider reflink --writer ledger
	check "is application consistent" json '.[-1].consistency == "application"'
	rm -rf back && hf --config conf restore latest --to back
	check "the counter was still" one_instant back
	counter_end
	nap 0.3
	hf --config conf backup --json --provider reflink --writer ledger
	runs "with nothing changed" 0 --config conf backup --json --provider reflink --writer ledger
	check "clones are known by what they were cloned from" json '.[-1].files_changed == 0'
	check "nothing is left of the clones" until_true 20 nothing_left
	loop_end "$T/x"
else
	skip "reflink" "no XFS here"
fi

# ---- external: a copy of the whole image, of a frozen ext4 ------------------------------------------
if loop_possible ext4 && loop_new "$T/e" ext4 64; then
	command="$here/../../doc/examples/external-image"
	printf '[provider.external]\n' >conf
	for verb in create expose remove; do
		printf '%s = "%s" %s\n' $verb "$command" $verb >>conf
	done
	counter "$T/e/data"
	loop_arm "$T/e" 60
	runs "external: a frozen ext4, copied whole" 0 --config conf backup --json --require crash "$T/e/data"
	check "is one instant" json '.[-1].consistency == "crash" and .[-1].frozen_us > 0'
	check "and it is one" restored "$T/e/data"
	check "nothing is left of it" until_true 20 nothing_left
	check "no image either" test -z "$(ls "$T"/e.img.* 2>/dev/null)"

	# Somebody else thaws meanwhile: the image may be anything.
	cat >thaws <<EOF
#!/bin/sh
fsfreeze -u "\$HOLDFAST_SOURCE"
exec "$command" create
EOF
	chmod +x thaws
	sed -i "s|^create = .*|create = $T/thaws|" conf
	runs "a foreign thaw costs the consistency" 3 --config conf backup --json "$T/e/data"
	check "which the restore point says" json \
		'map(select(.type == "summary"))[0] | .consistency == "none" and (.consistency_reason | contains("thawed"))'
	check "nothing is left of that" until_true 20 nothing_left
	check "and nothing is frozen" timeout 10 touch e/touched
	loop_disarm
	counter_end
	loop_end "$T/e"
else
	skip "external" "no ext4 here"
fi
done_testing
