# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# File systems on image files, and a net below every freeze. Source it in bash, as root.
#
#	loop_possible TYPE		can file systems of this type (btrfs, xfs, ext4) be made here?
#	loop_new DIR TYPE MIB [IMAGE]	a new one, mounted on DIR, which is created; IMAGE: DIR.img
#	loop_end DIR			unmount; the image stays
#	loop_arm DIR SECONDS		a process of its own that thaws DIR's file system then, whatever
#					became of us; in LOOP_ARMED. Before every freeze.
#	loop_disarm			it is not needed any more
#
# A loop device goes with its mount.

loop_possible() {
	[ "$(id -u)" -eq 0 ] && command -v "mkfs.$1" >/dev/null && [ -e /dev/loop-control ] || return 1
	grep -qw "$1" /proc/filesystems || modprobe -q "$1" 2>/dev/null
	grep -qw "$1" /proc/filesystems
}

loop_new() {
	local dir=$1 type=$2 mib=$3 image=${4:-$1.img}
	truncate -s "${mib}M" "$image" && mkdir -p "$dir" && "mkfs.$type" -q "$image" >/dev/null 2>&1 &&
		mount -o loop "$image" "$dir"
}

loop_end() {
	local device file
	mountpoint -q "$1" || return 0
	device=$(findmnt -n -o SOURCE "$1" | tail -n 1)
	file=$(losetup -n -O BACK-FILE "$device" 2>/dev/null)
	# A server that is going takes a moment. Who is still there may freeze it, at any time.
	for _ in $(seq 50); do
		fsfreeze -u "$1" 2>/dev/null
		umount "$1" 2>/dev/null && break
		mountpoint -q "$1" || break
		sleep 0.1
	done
	# Somebody else's mount namespace may have a copy of a mount on it.
	! mountpoint -q "$1" || umount -l "$1"
	# One that is unmounted while it is frozen stays so, and keeps its device: mounted again, it is the same.
	[ -n "$file" ] && [ "$(losetup -n -O BACK-FILE "$device" 2>/dev/null)" = "$file" ] || return 0
	mount "$device" "$1" 2>/dev/null || return 0
	fsfreeze -u "$1" 2>/dev/null
	umount "$1" 2>/dev/null || umount -l "$1"
}

loop_arm() {
	local ready fd
	exec {fd}< <(exec python3 -c '
import fcntl, os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY)
print("armed", flush=True)
time.sleep(float(sys.argv[2]))
fcntl.ioctl(fd, 0xC0045878, 0)  # FITHAW
' "$1" "$2" 2>/dev/null)
	LOOP_ARMED=$!
	read -r -t 10 -u "$fd" ready
	exec {fd}<&-
	[ "$ready" = armed ]
}

loop_disarm() {
	kill "$LOOP_ARMED" 2>/dev/null
	wait "$LOOP_ARMED" 2>/dev/null
	return 0
}
