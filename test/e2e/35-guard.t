#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The guard freezes real file systems, and they thaw: whoever is killed, stopped or in the way. Each has
# a way out armed beside it (support/guard.sh), and no test may need it.
#
#	HOLDFAST_SOAK	not empty: ten thousand deaths on each file system, not forty
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
rounds=40
G_LIMIT=120
[ -z "${HOLDFAST_SOAK:-}" ] || { rounds=10000 && G_LIMIT=36000; }
scratch guard
. "$here/support/guard.sh"
g_possible || { echo "1..0 # SKIP $WHY" && exit 0; }

# The administrator's commands. While the first runs everything is frozen: it says so, and waits to be let go.
cat >create <<'END'
#!/bin/sh
: >"$0.begun"
while [ -e "$0.hold" ]; do sleep 0.01; done
END
cat >expose <<'END'
#!/bin/sh
mount --bind "$HOLDFAST_SOURCE" "$HOLDFAST_EXPOSE_AT" && mount -o remount,bind,ro "$HOLDFAST_EXPOSE_AT"
END
printf '#!/bin/sh\necho removed >>"%s"\n' "$T/removed" >remove
chmod +x create expose remove
commands=("create=$T/create" "expose=$T/expose" "remove=$T/remove")
hold() { rm -f create.begun && : >create.hold; }
let_go() { rm -f create.hold; }
begun() { [ -e create.begun ]; }
# A set is in its moment: frozen, its create command waiting.
freeze_and_hold() {
	hold
	g_armed "$@" && g_put snapshot && until_true 30 begun
}
# A thread of it waits within the kernel, as for a freeze of another.
in_kernel() { grep -qs '^[0-9]* (.*) D ' "/proc/$1/task/"*/stat; }
journals() { find state/guard -name '*.journal' | wc -l; }

at_end 'let_go; [ -z "${G_AGENT:-}" ] || kill -9 "$G_AGENT" 2>/dev/null'

for type in ext4 xfs; do
	if ! g_fs "$type" "$type"; then
		skip "$type" "$WHY"
		continue
	fi
	fs=$T/$type
	: >events

	# In good order.
	check "$type: a guard" g_start "${commands[@]}"
	check "$type: armed" g_armed "$fs" 10000
	check "$type: the moment" g_say snapshot
	check "$type: one file system was frozen, and thawed by us" [ "${REPLY#ours=1 frozen=1 }" != "$REPLY" ]
	check "$type: thawed" g_is "$type" thawed
	check "$type: held" g_say thawed
	check "$type: exposed" g_say expose
	check "$type: and readable, by whoever reads" [ -e "$REPLY/probe" ]
	check "$type: finished, and proven" eval 'g_say finish && [ "$REPLY" = proven=1 ]'
	check "$type: all is undone" eval 'g_say settle && [ -s removed ]'
	rm -f removed

	# Somebody else thaws in the middle: it is noticed.
	freeze_and_hold "$fs" 10000
	check "$type: frozen" g_is "$type" frozen
	check "$type: somebody else thaws" fsfreeze -u "$fs"
	let_go
	check "$type: the snapshot was made all the same" g_hear
	check "$type: and is not called one moment" [ "${REPLY#ours=0 }" != "$REPLY" ]
	check "$type: held" g_say thawed
	check "$type: not proven" eval 'g_say finish && [ "$REPLY" = proven=0 ]'
	check "$type: told" g_told FOREIGN_THAW

	# Somebody else has frozen it: nothing of his is undone.
	g_say settle
	g_armed "$fs" 10000
	fsfreeze -f "$fs"
	g_say snapshot
	check "$type: what somebody else froze is refused" [ "${REPLY#error FREEZE }" != "$REPLY" ]
	g_say abort
	g_say settle
	check "$type: and stays frozen" g_is "$type" frozen
	fsfreeze -u "$fs"
	check "$type: told" g_told FOREIGN_FREEZE

	# The cap.
	freeze_and_hold "$fs" 300
	g_hear
	check "$type: the cap ends a freeze" [ "${REPLY#error LEASE_ENDED }" != "$REPLY" ]
	check "$type: thawed" g_is "$type" thawed
	let_go
	g_say 'keep 60000'
	check "$type: a keep-alive comes too late" [ "${REPLY#error LEASE_ENDED }" != "$REPLY" ]
	g_say settle

	# The guard is killed. The journal lies on the file system that is frozen.
	check "$type: that guard ends" g_end
	G_STATE=$fs/state
	check "$type: a guard with its journal there" g_start "${commands[@]}"
	freeze_and_hold "$fs" 20000
	g_guard
	first=$G_GUARD
	took=$("$freeze_tool" killed "$G_GUARD" "$fs")
	echo "# $type: thawed $took us after the guard was killed"
	check "$type: thaws though its guard is dead" [ "$took" -lt 5000000 ]
	let_go
	g_hear
	check "$type: the call ends" [ "${REPLY#error }" != "$REPLY" ]
	check "$type: another guard is there" eval 'g_guard && [ "$G_GUARD" -ne "$first" ]'
	g_say 'keep 60000'
	check "$type: the set has ended with it" [ "${REPLY#error LEASE_ENDED }" != "$REPLY" ]
	check "$type: all is undone" g_say settle

	# Held when its guard dies: goes on.
	g_armed "$fs" 10000
	g_say snapshot && g_say thawed && g_say settle
	g_say look
	before=$REPLY
	g_guard
	kill -9 "$G_GUARD"
	check "$type: a held set outlives its guard" g_say 'keep 60000'
	check "$type: and is proven" eval 'g_say finish && [ "$REPLY" = proven=1 ]'
	check "$type: ends" eval 'g_say settle && g_end'

	# The agent is killed.
	G_STATE=$T/state
	g_start "${commands[@]}"
	freeze_and_hold "$fs" 20000
	g_guard
	took=$("$freeze_tool" killed "$G_AGENT" "$fs")
	echo "# $type: thawed $took us after the agent was killed"
	check "$type: thaws though its agent is dead" [ "$took" -lt 2000000 ]
	let_go
	check "$type: its guard undoes all and ends" g_gone "$G_GUARD"
	wait "$G_AGENT" 2>/dev/null

	# The agent is killed before its freeze: nothing was, and what somebody else freezes is his.
	g_start "${commands[@]}"
	g_armed "$fs" 20000
	g_guard
	kill -9 "$G_AGENT"
	check "$type: a guard ends whose agent is killed before the freeze" g_gone "$G_GUARD"
	wait "$G_AGENT" 2>/dev/null
	fsfreeze -f "$fs"
	check "$type: the next guard" g_start "${commands[@]}"
	check "$type: has nothing to undo" g_say settle
	check "$type: and ends" g_end
	check "$type: nor thaws what somebody else froze" g_is "$type" frozen
	fsfreeze -u "$fs"

	# The agent hangs.
	g_start "${commands[@]}"
	freeze_and_hold "$fs" 500
	g_guard
	took=$("$freeze_tool" stopped "$G_AGENT" "$fs")
	echo "# $type: thawed $took us after the agent was stopped (cap 500 ms)"
	check "$type: thaws at the cap though its agent hangs" [ "$took" -lt 2000000 ]
	let_go
	check "$type: its guard ends when the agent does" g_gone "$G_GUARD"
	wait "$G_AGENT" 2>/dev/null
	check "$type: nothing is left frozen" g_is "$type" thawed

	for who in agent guard; do
		"$freeze_tool" torture "$T/torture" "$fs" external "$rounds" "$who" >torture.out 2>&1
		code=$?
		sed 's/^/# /' torture.out
		check "$type: $rounds deaths of the $who at random moments leave nothing frozen" [ $code -eq 0 ]
	done
done

# Production needs the space: the set goes.
if [ -d "$T/ext4" ]; then
	: >events
	G_STATE=$T/space
	check 'space: a guard with a floor that nothing reaches' g_start "${commands[@]}" min_free=1000000000000
	g_armed "$T/ext4" 10000 && g_say snapshot && g_say thawed
	check 'space: told' g_told SPACE_RELEASED
	g_say 'keep 60000'
	check 'space: and the late caller, too' [ "${REPLY#error LEASE_ENDED }" != "$REPLY" ]
	check 'space: all is undone' eval 'g_say settle && g_end'

	# A freeze that hangs in the kernel: its file system lies in one that somebody else has frozen. At the
	# cap it cannot be thawed, and must not stay frozen when it comes free at last.
	if g_fs ext4 inner "$T/ext4"; then
		G_STATE=$T/stuck
		g_start "${commands[@]}"
		g_armed "$T/inner" 500
		head -c 3000000 /dev/urandom >"$T/inner/dirty"
		fsfreeze -f "$T/ext4"
		g_put snapshot
		g_hear
		check 'stuck: the cap ends the lease' [ "${REPLY#error LEASE_ENDED }" != "$REPLY" ]
		g_say 'begin 60000'
		check 'stuck: nothing else is frozen meanwhile' [ "${REPLY#error BUSY }" != "$REPLY" ]
		fsfreeze -u "$T/ext4"
		check 'stuck: all is undone once it comes free' g_say settle
		check 'stuck: nothing is left frozen' g_is inner thawed
		check 'stuck: the next one goes through' eval 'g_armed "$T/inner" 10000 && g_say snapshot && g_say thawed'
		check 'stuck: the guard ends' g_end

		# The same, and the guard is killed in it: its successor waits for the freeze that is under way.
		G_STATE=$T/stuck2
		g_start "${commands[@]}"
		g_armed "$T/inner" 20000
		head -c 3000000 /dev/urandom >"$T/inner/dirty"
		fsfreeze -f "$T/ext4"
		g_put snapshot
		nap 0.3
		g_guard
		kill -9 "$G_GUARD"
		nap 0.5
		fsfreeze -u "$T/ext4"
		g_hear
		check 'stuck: the call fails with its guard' [ "${REPLY#error }" != "$REPLY" ]
		check 'stuck: all is undone by another' g_say settle
		check 'stuck: nothing is left frozen by a dead one' g_is inner thawed
		check 'stuck: and that guard ends' g_end

		# Killed in such a freeze, of two file systems: as long as the dead one's freeze may come, its
		# successor tries to thaw both, again and again. No new freeze may come between that.
		if g_fs ext4 beside; then
			G_STATE=$T/stuck3
			: >events
			rm -f create.begun
			g_start "${commands[@]}"
			g_armed "$T/inner" "$T/beside" 20000
			head -c 3000000 /dev/urandom >"$T/inner/dirty"
			fsfreeze -f "$T/ext4"
			g_put snapshot
			g_guard
			check 'two stuck: the first freeze hangs' until_true 10 in_kernel "$G_GUARD"
			# What is damaged leads to thaws, but to no set that would be in the way of a new one.
			for journal in "$G_STATE"/guard/*.journal; do printf '%064d' 1 >>"$journal"; done
			kill -9 "$G_GUARD"
			g_hear
			check 'two stuck: the call fails with its guard' [ "${REPLY#error }" != "$REPLY" ]
			hold
			check 'two stuck: the next set is armed by another guard' g_armed "$T/beside" 20000
			g_put snapshot
			nap 0.5
			check 'two stuck: and does not freeze while a dead one may' [ ! -e create.begun ]
			fsfreeze -u "$T/ext4"
			check 'two stuck: then it does' until_true 10 begun
			check 'two stuck: frozen' g_is beside frozen
			let_go
			check 'two stuck: the moment' g_hear
			check 'two stuck: no thaw but its own ended it' [ "${REPLY#ours=1 frozen=1 }" != "$REPLY" ]
			check 'two stuck: none of somebody else is told' eval '! g_is_told FOREIGN_THAW'
			check 'two stuck: held and proven' eval 'g_say thawed && g_say finish && [ "$REPLY" = proven=1 ]'
			check 'two stuck: all is undone' eval 'g_say settle && g_is inner thawed && g_is beside thawed'
			check 'two stuck: and that guard ends' g_end
		else
			skip 'two stuck' "$WHY"
		fi
	else
		skip 'stuck' "$WHY"
	fi
fi

# btrfs is never frozen by us: its own snapshots block in a freeze. (And a process that is killed within
# FITHAW of btrfs breaks off its reading of the superblock, which Linux 6.18 takes for damage.)
if g_fs btrfs btrfs; then
	for who in agent guard; do
		"$freeze_tool" torture "$T/torture" "$T/btrfs" btrfs "$rounds" "$who" >torture.out 2>&1
		code=$?
		sed 's/^/# /' torture.out
		check "btrfs: $rounds deaths of the $who at random moments leave nothing frozen" [ $code -eq 0 ]
	done
	# Whoever died left what it had to the next; the last one needs a guard that starts once more.
	G_STATE=$T/torture
	check 'btrfs: one more guard' g_start
	check 'btrfs: undoes all' g_say settle
	check 'btrfs: and ends' g_end
	check 'btrfs: no snapshot is left' [ -z "$(btrfs subvolume list "$T/btrfs")" ]
else
	skip 'btrfs' "$WHY"
fi
check 'no test needed the way out' [ ! -s way-out ]
done_testing
