# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A guest: a host of its own behind a network of its own, that can be cut off. Source it in bash behind
# tap.sh and run.sh, after `scratch`. Needs root, ip(8), nft(8).
#
#	guest_possible			can there be one here? If not, $guest_why says what is missing
#	guest_network NAME		makes the network namespace $guest_ns, and $guest_ip in it, behind $host_ip
#	in_guest COMMAND...		runs it in that network
#	guest_slow RATE			what it sends takes its time, from now on (tc's rates: 16mbit)
#	guest_cut / guest_join		the link drops every packet, both ways and silently; and no longer
#	bare_debian FOLDER		fills it with a Debian that has nothing installed
#	guest_sshd ROOT			starts an sshd there whose users see ROOT as /; writes ssh_config
#					(Host guest) for the program's --option ssh.config
#	guest_processes			what runs there, a command line each
#
# All of it ends with the test.

guest_possible() {
	[ "$(id -u)" -eq 0 ] || { guest_why='needs root'; return 1; }
	for guest_tool in ip nft unshare "$@"; do
		command -v "$guest_tool" >/dev/null || { guest_why="no $guest_tool"; return 1; }
	done
	ip netns add "hf-try-$$" 2>/dev/null || { guest_why='no network namespaces'; return 1; }
	ip netns del "hf-try-$$"
}

guest_network() {
	local n=$(($$ % 250))
	# Another test may have its guest at the same time.
	while ip -4 addr | grep -q " 10\.213\.$n\."; do n=$(((n + 1) % 250)); done
	guest_ns=hf-$1-$$ host_ip=10.213.$n.1 guest_ip=10.213.$n.2
	ip netns add "$guest_ns" || bail 'cannot make a network namespace'
	at_end 'ip netns del "$guest_ns"'
	ip link add "hf$$h" type veth peer name "hf$$g" netns "$guest_ns" &&
		ip addr add "$host_ip/30" dev "hf$$h" && ip link set "hf$$h" up &&
		ip -n "$guest_ns" addr add "$guest_ip/30" dev "hf$$g" &&
		ip -n "$guest_ns" link set "hf$$g" up && ip -n "$guest_ns" link set lo up ||
		bail 'cannot make a network'
	at_end 'ip link del "hf$$h" 2>/dev/null'
}

# Not ip netns exec: that would have mounts of its own, which hold what others unmount.
in_guest() { nsenter --net="/run/netns/$guest_ns" -- "$@"; }

guest_slow() { in_guest tc qdisc add dev "hf$$g" root tbf rate "$1" burst 64kb latency 400ms; }

# Like a cable that is cut somewhere in the middle: nobody is told.
guest_cut() {
	in_guest nft -f - <<-'END'
		table inet cut {
			chain in { type filter hook input priority 0; iif != lo drop; }
			chain out { type filter hook output priority 0; oif != lo drop; }
		}
	END
}

guest_join() { in_guest nft delete table inet cut; }

# Made once for a build folder: it takes half a minute.
bare_debian() {
	local kept=${BUILD_ROOT:?}/bare-debian.tar
	if [ ! -e "$kept" ]; then
		debootstrap --variant=minbase bookworm "$1.new" >"$1.log" 2>&1 ||
			{ tail -n 5 "$1.log" | sed 's/^/# /'; return 1; }
		tar -C "$1.new" --exclude=./var/cache/apt/archives/*.deb --exclude=./var/lib/apt/lists/* \
			-cf "$kept.$$" . && mv "$kept.$$" "$kept"
		rm -rf "$1.new" "$1.log"
	fi
	mkdir -p "$1" && tar -C "$1" -xf "$kept"
}

# sshd runs in the guest's root, from a bundle of its own: the guest has none of its libraries either.
# The mounts it needs are in a namespace of its own: they go with its processes.
guest_sshd() {
	ssh-keygen -q -t ed25519 -N '' -f host_key && ssh-keygen -q -t ed25519 -N '' -f user_key &&
		mkdir -p "$1/opt/sshd" "$1/run/sshd" &&
		"$SOURCE_ROOT/tools/bundle" sshd.tar.gz "$BUILD_ROOT/holdfast-launcher" \
			"$(command -v sshd)" && tar -C "$1/opt/sshd" -xzf sshd.tar.gz || return 1
	cat >"$1/opt/sshd/config" <<-END
		ListenAddress $guest_ip:22
		HostKey /opt/sshd/host_key
		AuthorizedKeysFile /opt/sshd/authorized_keys
		PidFile none
		PermitRootLogin prohibit-password
		StrictModes no
		UsePAM no
	END
	cp host_key "$1/opt/sshd/" && cp user_key.pub "$1/opt/sshd/authorized_keys" &&
		echo 'sshd:x:105:65534::/run/sshd:/usr/sbin/nologin' >>"$1/etc/passwd" || return 1
	echo "$guest_ip $(cut -d' ' -f1,2 host_key.pub)" >known_hosts
	cat >ssh_config <<-END
		Host guest
		HostName $guest_ip
		User root
		IdentityFile $T/user_key
		IdentitiesOnly yes
		UserKnownHostsFile $T/known_hosts
		StrictHostKeyChecking yes
		ConnectTimeout 10
	END
	nsenter --net="/run/netns/$guest_ns" -- unshare -m sh -c '
		mount --make-rprivate / && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
		exec chroot "$1" /opt/sshd/bin/sshd -r -D -e -f /opt/sshd/config' sh "$1" 2>sshd.log &
	guest_sshd_pid=$!
	at_end 'kill "$guest_sshd_pid" 2>/dev/null; wait "$guest_sshd_pid" 2>/dev/null'
	until_true 20 ssh -F ssh_config guest true 2>/dev/null
}

# The command lines of what runs there: processes that see the mounts of the guest's sshd.
guest_processes() {
	local p guest
	guest=$(readlink "/proc/$guest_sshd_pid/ns/mnt")
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/ns/mnt" 2>/dev/null)" = "$guest" ] &&
			tr '\0' ' ' <"$p/cmdline" 2>/dev/null && echo
	done
	:
}
