#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Another host's folders and database are backed up through its agent, over a unix socket and over TLS, into
# the requester's own repository, and come back whole. The guest learns no secret that outlives the backup.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/agent.sh"
. "$here/support/pg.sh"
scratch agent
chmod 755 "$T"
export HOLDFAST_AGENT_STATE_DIR=$T/requester

G=$T/guest
W=unix:$G/socket
port=$((20000 + $$ % 12000)) # below those that the kernel gives to connections
tree() { # a few hundred files, some large, some odd
	python3 - "$1" <<-'END'
		import os, random, sys
		random.seed(6)
		for d in range(12):
		    os.makedirs(f"{sys.argv[1]}/d{d}/deep/er")
		    for n in range(30):
		        with open(f"{sys.argv[1]}/d{d}/f{n}", "wb") as f:
		            f.write(random.randbytes(random.choice([0, 1, 700, 40000, 300000])))
		with open(f"{sys.argv[1]}/large", "wb") as f:
		    f.write(random.randbytes(9 << 20))
		os.symlink("large", f"{sys.argv[1]}/link")
		os.link(f"{sys.argv[1]}/large", f"{sys.argv[1]}/hard")
		open(sys.argv[1].encode() + b"/\xff\xfe name", "wb").close()
	END
}
same() { # POINT: what is restored from it is the tree
	rm -rf "$T/back"
	hf restore "$1" --to "$T/back" && exits 0 && diff -r "$T/tree" "$T/back$T/tree"
}
aborted() { grep -q 'Snapshot timeout occurred' "$G/log"; }
held() { call "$G/socket" ListSnapshots '{}' | jq -e ".Snapshots | length == $1" >/dev/null; }

tree "$T/tree"
# What was written within the clock's own coarseness is read again at the next backup: let the files be older.
sleep 0.2
hf init || bail "no repository: $(cat "$T/err")"
agent_start "$G" -- "$W"

# ---- folders, over a unix socket
runs 'folders are backed up through an agent' 0 backup --json --agent "$W" "$T/tree"
check 'all of them' json '.[-1] | .files == 364 and .files_new == 364 and .consistency == "none"'
check 'and come back' same latest
echo changed >"$T/tree/d3/f7"
runs 'again' 0 backup --json --agent "$W" "$T/tree"
check 'only what changed is read' json '.[-1] | .files_unchanged == 363 and .files_changed == 1 and .bytes_new < 200000'
check 'and comes back' same latest
runs 'a path that is not there is told, by the guest' 3 backup --agent "$W" "$T/tree" "$T/nowhere"
check 'with its name' said "$T/nowhere"
fails 'no path that is there' 1 "$T/nowhere" backup --agent "$W" "$T/nowhere"
fails 'no agent there' 75 "$T/guest/nothing" backup --agent "unix:$T/guest/nothing" "$T/tree"
fails 'not a place of an agent' 2 'where an agent is' backup --agent "http://x" "$T/tree"
fails 'a host that is not enrolled' 1 'no agent was enrolled' backup --agent "tls://127.0.0.1:$port" "$T/tree"

# ---- what the guest keeps
cat >"$T/kept" <<-'END'
	import os, sys
	guest, key, keys = sys.argv[1], open(sys.argv[2], "rb").read(), sys.argv[3]
	needles = [key, key.hex().encode(), key.strip()]
	needles += [open(os.path.join(keys, n), "rb").read()[-200:] for n in os.listdir(keys)]
	for folder, _, names in os.walk(guest):
	    for name in names:
	        path = os.path.join(folder, name)
	        if os.path.isfile(path):
	            data = open(path, "rb").read()
	            if any(n in data for n in needles):
	                sys.exit(path)
END
check 'no key, and no key slot, is on the guest' python3 "$T/kept" "$G" "$T/key" "$T/repo/keys"
check 'nothing is held there any more' held 0

# ---- two at once
mkdir "$T/second" && cp -r "$T/tree/d1" "$T/second/"
"$holdfast" backup --json --agent "$W" "$T/second" >"$T/out2" 2>"$T/err2" </dev/null &
second=$!
runs 'one of two at once' 0 backup --json --force-read --agent "$W" "$T/tree"
check 'the other of two at once' wait "$second"
runs 'the repository is sound' 0 verify --read-data

# ---- over TLS
check 'certificates both ways, with a one-time code' agent_enroll "$G" -- "127.0.0.1:$port"
agent_stop
: >"$G/log"
agent_start "$G" -- "$W" "tls://127.0.0.1:$port"
runs 'folders over TLS' 0 backup --json --force-read --agent "tls://127.0.0.1:$port" "$T/tree"
check 'nothing new in them' json '.[-1] | .files == 364 and .bytes_new < 100000'
check 'and come back, too' same latest
HOLDFAST_AGENT_STATE_DIR=$T/stranger fails 'a stranger finds no agent of his' 1 'no agent was enrolled' \
	backup --agent "tls://127.0.0.1:$port" "$T/tree"

# ---- the requester is killed: the guest lets go by itself
head -c 150000000 /dev/urandom >"$T/tree/slow"
"$holdfast" backup --json --snapshot-timeout 1s --agent "$W" "$T/tree" >"$T/out2" 2>"$T/err2" </dev/null &
victim=$!
if until_true 10 held 1; then ok 'a backup runs'; else not_ok 'a backup runs'; fi
kill -9 "$victim"
wait "$victim" 2>/dev/null
check 'the snapshot timeout of a requester that was killed occurs' until_true 5 aborted
check 'nothing is held' until_true 5 held 0
rm "$T/tree/slow"
runs 'the next backup is as good as any' 0 backup --json --agent "$W" "$T/tree"
check 'and comes back as well' same latest

# ---- a guest that reaches the repository by itself, by another path and with a key file of its own
cp "$T/key" "$G/key" && ln -s "$T/repo" "$T/shared"
echo by itself >"$T/tree/d3/f8"
own() { "$@" --agent "$W" --agent-repository "$T/shared" --agent-key-file "$G/key" "$T/tree"; }
own runs 'a guest that stores by itself' 0 backup --json
check 'what changed, and no more' json '.[-1] | .files_changed == 1 and .bytes_new < 200000'
check 'nothing came over the requester'"'"'s connections' eval '! tail -n 40 "$G/log" | grep -q StoreExchange'
check 'and it comes back' same latest
runs 'what it stored is sound' 0 verify --read-data
HOLDFAST_REPOSITORY=$T/other runs 'another repository' 0 init
points=$(find "$T/other/points" "$T/repo/points" -type f | wc -l)
HOLDFAST_REPOSITORY=$T/other own fails 'that is not the one the guest opens' 1 'is another repository' backup
fails 'a place without a key' 2 'go together' backup --agent "$W" --agent-repository "$T/shared" "$T/tree"
fails 'a key that the guest does not have' 1 'nokey' backup --agent "$W" --agent-repository "$T/shared" \
	--agent-key-file "$G/nokey" "$T/tree"
fails 'a place that is none' 1 "$T/none" backup --agent "$W" --agent-repository "$T/none" \
	--agent-key-file "$G/key" "$T/tree"
check 'no restore point came of these' [ "$(find "$T/other/points" "$T/repo/points" -type f | wc -l)" -eq "$points" ]
check 'and nothing is held' until_true 5 held 0

# ---- a live PostgreSQL over TLS
[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$T"
A=$T/a B=$T/b
at_end 'for dir in "$A" "$B"; do [ ! -f "$dir/data/postmaster.pid" ] || pg_stop "$dir" immediate >/dev/null 2>&1; done'
pg_new "$A" --checksums >"$T/log" 2>&1 && pg_start "$A" >>"$T/log" 2>&1 || bail "no server: $(tail -n 3 "$T/log")"
pg_as env PGUSER=postgres "$PG_BIN/pgbench" -h "$A" -p "$(pg_port "$A")" -i -q -s 4 postgres >>"$T/log" 2>&1
agent_stop
cat >"$G/conf" <<-END
	[writer.postgresql]
	host = $A
	port = $(pg_port "$A")
	user = postgres
	database = postgres
END
: >"$G/log"
agent_start "$G" -- "$W" "tls://127.0.0.1:$port"
pg_as env PGUSER=postgres "$PG_BIN/pgbench" -h "$A" -p "$(pg_port "$A")" -n -c 2 -T 300 postgres >"$T/pgbench" 2>&1 &
load=$!
at_end 'kill "$load" 2>/dev/null'
runs 'a PostgreSQL under load, over TLS' 0 backup --json --agent "tls://127.0.0.1:$port" --writer postgresql
check 'is consistent to the application' json '.[-1].consistency == "application"'
runs 'its increment' 0 backup --json --agent "tls://127.0.0.1:$port" --writer postgresql
check 'costs what changed' json '.[-1].bytes_new < .[-1].bytes / 2'
kill "$load" 2>/dev/null
mkdir "$B" && cp "$A/port" "$B/port"
runs 'it is restored' 0 restore latest:postgresql --to "$B/data"
[ "$(id -u)" -ne 0 ] || chown -R "$PG_USER" "$B"
pg_stop "$A" immediate
pg_conf "$B" "unix_socket_directories=$B"
check 'starts' pg_start "$B"
check 'and is whole' [ "$(pg_sql "$B" 'SELECT count(*) FROM pgbench_accounts')" = 400000 ]
agent_stop
check 'the agent ended when it was told to' grep -q 'Listening' "$G/log"
done_testing
