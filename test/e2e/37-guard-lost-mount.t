#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A file system is frozen and its mount is lost: unmounted lazily, moved, mounted over. And agent and guard are
# killed in one instant, so that nobody is left who knows: `holdfast release --leftovers` thaws it, wherever it is.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
scratch lost
. "$here/support/guard.sh"
g_possible || { echo "1..0 # SKIP $WHY" && exit 0; }

# While the first command runs everything is frozen: it says so, and waits to be let go.
cat >create <<'END'
#!/bin/sh
: >"$0.begun"
while [ -e "$0.hold" ]; do sleep 0.01; done
END
printf '#!/bin/sh\nexit 0\n' >expose
printf '#!/bin/sh\necho removed >>"%s"\n' "$T/removed" >remove
chmod +x create expose remove
commands=("create=$T/create" "expose=$T/expose" "remove=$T/remove")
cat >conf <<END
[provider.external]
create = $T/create
expose = $T/expose
remove = $T/remove
END
begun() { [ -e create.begun ]; }
freeze_and_hold() {
	rm -f create.begun && : >create.hold
	g_start "${commands[@]}" && g_armed "$1" 20000 && g_put snapshot && until_true 30 begun
}
# In one instant: both stand still before one of them dies, so that neither sees the other's end.
kill_both() {
	g_guard
	kill -STOP "$G_GUARD" "$G_AGENT"
	kill -KILL "$G_GUARD" "$G_AGENT"
	wait "$G_AGENT" 2>/dev/null
	rm -f create.hold
	until_true 30 g_is_gone "$G_GUARD"
}
leftovers() { hf release --config "$T/conf" --leftovers; }
thawed_by_leftovers() {
	leftovers
	exits 0 && said 'The guard thawed'
}
in_kernel() { grep -qs '^[0-9]* (.*) D ' "/proc/$1/task/"*/stat; }
# Of an image whose file system is mounted nowhere, by what the kernel lists as its device.
again() { # NAME
	mkdir -p "$T/again" && mount "$(losetup -n -O NAME -j "$T/$1.img" | tr -d ' ')" "$T/again"
}
at_end 'rm -f create.hold; [ -z "${G_AGENT:-}" ] || kill -9 "$G_AGENT" 2>/dev/null'
at_end 'for at in $(awk -v t="$T/" "index(\$5, t) == 1 { print \$5 }" /proc/self/mountinfo); do umount -l "$at"; done'

for type in ext4 xfs; do
	if ! g_fs "$type" "$type"; then
		skip "$type" "$WHY"
		continue
	fi
	fs=$T/$type

	# The guard that froze it holds it open.
	check "$type: frozen" freeze_and_hold "$fs"
	check "$type: unmounted lazily while it is frozen" umount -l "$fs"
	rm -f create.hold
	check "$type: the moment" g_hear
	check "$type: is thawed by its guard" [ "${REPLY#ours=1 frozen=1 }" != "$REPLY" ]
	check "$type: mounted again" again "$type"
	check "$type: it is thawed" g_is again thawed
	mount --bind "$T/again" "$fs" && umount "$T/again"
	g_say abort
	check "$type: all is undone" eval 'g_say settle && g_end'

	# Both are killed. Nothing else is in the way.
	freeze_and_hold "$fs" && kill_both
	check "$type: frozen, and nobody is left" g_is "$type" frozen
	check "$type: release --leftovers thaws it" thawed_by_leftovers
	check "$type: thawed" g_is "$type" thawed
	leftovers
	check "$type: and then there are no leftovers" printed 'There are no leftovers'

	# And its mount is lost.
	freeze_and_hold "$fs" && kill_both
	check "$type: unmounted" umount -l "$fs"
	check "$type, unmounted: release --leftovers thaws it" thawed_by_leftovers
	check "$type, unmounted: mounted again" again "$type"
	check "$type, unmounted: thawed" g_is again thawed
	mount --bind "$T/again" "$fs" && umount "$T/again"

	freeze_and_hold "$fs" && kill_both
	mkdir -p "$T/elsewhere" && mount --bind "$fs" "$T/elsewhere" && umount -l "$fs"
	check "$type, moved: release --leftovers thaws it" thawed_by_leftovers
	check "$type, moved: thawed" g_is elsewhere thawed
	mount --bind "$T/elsewhere" "$fs" && umount "$T/elsewhere"

	freeze_and_hold "$fs" && kill_both
	check "$type: another is mounted over it" mount -t tmpfs none "$fs"
	check "$type, mounted over: release --leftovers thaws it" thawed_by_leftovers
	umount "$fs"
	check "$type, mounted over: thawed" g_is "$type" thawed

	# Somebody thawed it by hand before, as far as it goes.
	freeze_and_hold "$fs" && kill_both
	fsfreeze -u "$fs" && umount -l "$fs"
	leftovers
	check "$type, thawed by hand: nothing is said to have failed" exits 0
	check "$type, thawed by hand: there is one thing less" printed 'Leftovers: 1 removed'
	again "$type" && mount --bind "$T/again" "$fs" && umount "$T/again"
done

# The freeze hangs in the kernel when both are killed and its mount is lost: it comes afterwards, of nobody.
if [ -d "$T/ext4" ] && g_fs ext4 inner "$T/ext4"; then
	g_start "${commands[@]}" && g_armed "$T/inner" 20000
	head -c 3000000 /dev/urandom >"$T/inner/dirty"
	fsfreeze -f "$T/ext4"
	g_put snapshot
	g_guard
	check 'stuck: the freeze hangs' until_true 10 in_kernel "$G_GUARD"
	kill -STOP "$G_GUARD" "$G_AGENT"
	kill -KILL "$G_GUARD" "$G_AGENT"
	wait "$G_AGENT" 2>/dev/null
	umount -l "$T/inner"
	fsfreeze -u "$T/ext4"
	check 'stuck: its guard is gone' until_true 30 g_is_gone "$G_GUARD"
	check 'stuck: release --leftovers thaws what froze at last' thawed_by_leftovers
	mkdir -p "$T/again" && mount -o loop "$T/ext4/inner.img" "$T/again"
	check 'stuck: thawed' g_is again thawed
	umount "$T/again"
else
	skip 'stuck' "${WHY:-no ext4}"
fi

# What these tests themselves leave (support/loop.sh): it freezes when it is on its way out already.
. "$here/support/loop.sh"
if loop_possible ext4 && loop_new "$T/late" ext4 32; then
	loop_arm "$T/late" 60
	(cd "$T/late" && exec sleep 60) &
	holder=$!
	(sleep 1 && exec fsfreeze -f "$T/late") &
	loop_end "$T/late"
	check 'loop_end: unmounted' eval '! mountpoint -q "$T/late"'
	check 'loop_end: mounted again' again late
	check 'loop_end: it was not left frozen' g_is again thawed
	umount "$T/again"
	kill "$holder" && loop_disarm
else
	skip 'loop_end' 'ext4 cannot be made here'
fi
check 'no test needed the way out' [ ! -s way-out ]
done_testing
