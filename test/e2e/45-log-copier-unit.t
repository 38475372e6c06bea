#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The log copier as its unit starts it: the line of ExecStart, the environment of a service, the configuration where it
# is looked for by itself, and of the unit's restrictions all that can be had without systemd as the first process:
# no new privileges, no device but the usual ones, no kernel settings, home folders read-only, no memory both
# written to and executed. It says when it is ready, and stores what the server writes.
set -u
cd "$(dirname "$0")/support" || exit 1
. ./copier.sh

command -v setpriv >/dev/null || { skip 'the unit of the log copier' 'no setpriv'; done_testing; }
copier_scratch copier-unit 'the unit of the log copier'

GROUP_AGENTS='' GROUP_MORE='
[log_copier]
interval = 1s'
group_set_up

unit=${BUILD_ROOT:?}/packaging/holdfast-log-copier@.service
line=$(sed -n 's/^ExecStart=//p' "$unit")
# The program is not installed.
read -ra words <<<"${line//%i/orders}"
words[0]=$HOLDFAST_BIN
has() { grep -qxF "$1" "$unit"; }
# What is done below is what stands there.
for setting in NoNewPrivileges=yes ProtectHome=read-only ProtectKernelTunables=yes ProtectControlGroups=yes \
	PrivateDevices=yes MemoryDenyWriteExecute=yes StateDirectory=holdfast CacheDirectory=holdfast Type=notify; do
	check "the unit has $setting" has "$setting"
done

# What the service finds in its places.
mkdir -p "$T/etc/holdfast" "$T/lib/holdfast" "$T/cache-root/holdfast"
chmod 700 "$T/lib/holdfast" "$T/cache-root/holdfast"
for name in passwd group nsswitch.conf hosts ssl ld.so.cache localtime; do
	[ ! -e "/etc/$name" ] || cp -a "/etc/$name" "$T/etc/"
done
{
	printf '[repository]\nlocation = %s\nkey_file = %s\n' "$T/repo" "$T/key"
	cat "$T/group.conf"
} >"$T/etc/holdfast/holdfast.conf"

cat >"$T/start" <<'END'
set -e
mount --make-rprivate /
mount --bind "$T/etc" /etc
mount --bind "$T/lib" /var/lib
mount --bind "$T/cache-root" /var/cache
for place in /proc/sys /sys/fs/cgroup /home /root; do
	[ ! -d $place ] || { mount --bind $place $place && mount -o remount,bind,ro $place; }
done
mount -t tmpfs -o mode=755,nosuid tmpfs /mnt
for device in null zero full random urandom tty; do touch /mnt/$device; mount --bind /dev/$device /mnt/$device; done
mount --rbind /mnt /dev
cd /
ulimit -n 65536 2>/dev/null || : # no more than whoever runs the test may
exec setpriv --no-new-privs --bounding-set=-sys_module,-sys_rawio,-mknod python3 - "$@" <<-'PYTHON'
	import ctypes, os, sys
	# PR_SET_MDWE; kernels before 6.3 do not have it.
	ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
	os.execve(sys.argv[1], sys.argv[1:], {
	    'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', 'LANG': 'C.UTF-8',
	    'INVOCATION_ID': '0' * 32, 'NOTIFY_SOCKET': os.environ['T'] + '/notify',
	    'STATE_DIRECTORY': '/var/lib/holdfast', 'CACHE_DIRECTORY': '/var/cache/holdfast'})
PYTHON
END
cat >"$T/listen.py" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)
END
python3 "$T/listen.py" "$T/notify" >"$T/notified" 2>/dev/null &
listener=$!
at_end "kill $listener 2>/dev/null"
until_true 10 test -S "$T/notify"

group_busy 50
export T
nsenter "--net=$(group_ns req)" unshare -m bash "$T/start" "${words[@]}" >"$T/copier.log" 2>&1 &
copier=$!
at_end '[ -z "$copier" ] || kill -9 "$copier" 2>/dev/null'
check 'it streams' until_true 30 copier_is_streaming pg1
check 'and says that it is ready' until_true 10 grep -qx READY=1 "$T/notified"
restricted() { grep -q '^NoNewPrivs:	1$' "/proc/$copier/status"; }
check 'it has no new privileges' restricted
has_points() { [ -n "$(log_points)" ]; }
check 'it stores' until_true 20 has_points
check 'its state is where the unit has it' test -d "$T/lib/holdfast/logs/orders"
check 'so is its cache' [ -n "$(ls "$T/cache-root/holdfast")" ]
check 'it ends as a service ends' copier_stop TERM 0
check 'and says that it does' grep -qx STOPPING=1 "$T/notified"
# Elsewhere it has left nothing.
check 'it wrote nowhere else' [ -z "$(find "$T/etc" -newer "$T/listen.py" -type f)" ]
hf verify --read-data
check 'what it stored is what the server wrote' exits 0
check 'nothing of it is left' group_clean 10
done_testing
