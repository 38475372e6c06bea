#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A guest without an agent, by ssh: a bare Debian behind a real sshd in a network of its own. The
# programs are sent, run with none of the guest's libraries, and are gone afterwards, also when the
# requester is killed, the agent is killed, or the link is lost.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/guest.sh"
scratch ssh

if ! guest_possible ssh sshd debootstrap; then
	skip 'a guest by ssh' "$guest_why"
	done_testing
fi
root=$T/guest
bare_debian "$root" || bail 'cannot make a bare Debian'
guest_network ssh
guest_sshd "$root" || { sed 's/^/# /' sshd.log; bail 'no login'; }
check 'the guest has none of our libraries' \
	[ -z "$(find "$root" -path "$root/opt" -prune -o -name 'libjansson*' -print -o -name 'libpq*' -print -o -name 'libevent*' -print | head -n 1)" ]

mkdir -p "$root/srv/data/deep" && head -c 30000000 /dev/urandom >"$root/srv/data/large"
for i in $(seq 500); do echo "file $i" >"$root/srv/data/deep/$i"; done
ssh_options=(--agent ssh://guest --option "ssh.config=$T/ssh_config" --option ssh.idle=2s)

# The requester's own sockets, too.
mkdir -m 0700 run
export XDG_RUNTIME_DIR=$T/run

# Nothing of ours is there: no folder, no process but the login's own.
left() { find "$root/tmp" "$root/var/tmp" "$root/root" "$root/var/lib" -name '*holdfast*' 2>/dev/null; guest_processes | grep holdfast; }
gone() { [ -z "$(ssh -F ssh_config guest 'ls -d /tmp/holdfast-* /var/tmp/.holdfast-guest-* 2>/dev/null')" ] && [ -z "$(left)" ]; }
clean() {
	until_true "$2" gone && { ok "$1"; return; }
	left | sed 's/^/# /'
	not_ok "$1"
}

runs 'init' 0 init
runs 'a backup by ssh' 0 backup "${ssh_options[@]}" /srv/data
clean 'leaves nothing on the guest' 1
runs 'restore' 0 restore latest:/srv/data --to "$T/back"
check 'exactly' diff -r "$root/srv/data" back
runs 'the next one' 0 backup "${ssh_options[@]}" --json /srv/data
check 'finds everything unchanged' json '.[-1].files_unchanged == 501'
clean 'and leaves nothing' 1
fails 'a folder that is not there' 1 "open '/nowhere'" backup "${ssh_options[@]}" /nowhere
clean 'leaves nothing either' 1
fails 'a database that is not there' 75 'postgresql' backup "${ssh_options[@]}" --writer postgresql
clean 'and again nothing' 1

fails 'nobody answers' 75 'ssh' backup --agent "ssh://root@$host_ip:1" \
	--option "ssh.config=$T/ssh_config" /srv/data
fails 'not an address' 2 'not the address' backup --agent 'ssh://-oProxyCommand=touch${IFS}x' /srv/data
check 'starts nothing' [ ! -e x ]

# Killed in the middle: what is there goes by itself, once nobody has talked to it for the idle time.
# There is something new to send each time, and it takes seconds.
guest_slow 24mbit
start_backup() {
	head -c 30000000 /dev/urandom >"$root/srv/data/large"
	"$holdfast" backup "${ssh_options[@]}" --snapshot-timeout 3s /srv/data >killed.out 2>&1 </dev/null &
	backup=$!
	until_true 30 running
}
agent_pid() {
	pgrep --ns "$guest_sshd_pid" --nslist mnt -f "/tmp/holdfast-[0-9a-f]*/agent.sock" | head -n 1
}
running() { [ -n "$(agent_pid)" ]; }

start_backup
check 'a backup is running' kill -9 "$backup"
wait "$backup" 2>/dev/null
clean 'the requester is killed: the guest cleans up by itself' 40
check 'its sockets are left, until the next one comes' [ -n "$(ls run)" ]
touch -d '-2 minutes' run/*

start_backup
guest_cut
wait "$backup"; code=$?
check 'the link is lost for good: the requester gives up' [ "$code" -ne 0 ]
guest_join
clean 'and the guest has cleaned up by itself' 40

start_backup
check 'a backup is running again' kill -9 "$(agent_pid)"
wait "$backup"; code=$?
check 'its agent is killed: the requester says so' [ "$code" -ne 0 ]
clean 'and nothing stays' 20

runs 'after all that a backup' 0 backup "${ssh_options[@]}" /srv/data
check 'nor is anything left here' [ -z "$(ls run)" ]
runs 'and the repository is whole' 0 verify --read-data
done_testing
