#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Writers that hang, die, flood, lie, come back late, stop, or leave processes behind, at events around the
# freeze: the backup ends soon, with the reason and VSS's code; what was frozen goes on within the freeze
# limit; and a real PostgreSQL is left without backup mode, session or slot, whatever became of its writer.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/pg.sh"
. "$here/support/writer.sh"
. "$here/support/writer_copy.sh"
holdfast=${HOLDFAST:?the program to test}
if ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP no python3"
	exit 0
fi
T=$(mktemp -d /tmp/hf-misbehave.XXXXXX) || exit 1
chmod 755 "$T"
clean_up() {
	[ -z "${APPLICATION:-}" ] || kill "$APPLICATION" 2>/dev/null
	[ ! -f "$T/a/data/postmaster.pid" ] || pg_stop "$T/a" immediate >/dev/null 2>&1
	rm -rf "$T"
}
trap clean_up EXIT
cd "$T" || exit 1
unset HOLDFAST HOLDFAST_REPOSITORY HOLDFAST_KEY_FILE
export HOLDFAST_CACHE_DIR=$T/cache HOLDFAST_PASSWORD_FILE=$T/pass
export REAL_WRITER=$HOLDFAST_WRITER_DIR/holdfast-writer-postgresql MISDEED=$T/misdeed
export HOLDFAST_WRITER_DIR=$T/writers XDG_STATE_HOME=$T/state

mkdir writers app app2 state
for name in gate front postgresql; do
	ln -s "$here/support/gate.py" "writers/holdfast-writer-$name"
done
echo secret >pass && chmod 600 pass
hf() { timeout 60 "$holdfast" --config conf "$@" >out 2>err </dev/null; }
shows() { grep -q "$1" out err || { cat out err | sed 's/^/# /' && return 1; }; }
# The limit of the freeze is the shorter one, so that it can be told which ended what; both leave a busy machine the
# time for what behaves.
configure() { # AT DO [FREEZE_LIMIT]
	cat >conf <<-END
		[writer]
		timeout = 6s
		[backup]
		freeze_limit = ${3:-10s}
		[agent]
		state_dir = $T/state/holdfast
		[writer.gate]
		folder = $T/app
		at = ${1:-none}
		do = ${2:-nothing}
		trace = $T/trace
		[writer.front]
		folder = $T/app2
		order = 3
		trace = $T/trace
		[writer.postgresql]
		host = $T/a
		user = postgres
		port = $PG_PORT
	END
}

# The application: works under the lock all the time, and notes how long it had to wait for it at most.
cat >application.py <<'END'
import fcntl, sys, time
lock = open("app/lock", "a")
longest = 0.0
while True:
    began = time.monotonic()
    fcntl.flock(lock, fcntl.LOCK_EX)
    took = time.monotonic() - began
    if took > longest:
        longest = took
        with open("longest.new", "w") as f:
            f.write(f"{longest:.3f}\n")
        import os; os.rename("longest.new", "longest")
    with open("app/data", "w") as f:
        f.write(str(began))
    fcntl.flock(lock, fcntl.LOCK_UN)
    time.sleep(0.002)
END
echo 0 >longest
start_application() {
	echo 0 >longest
	python3 application.py &
	APPLICATION=$!
}
stop_application() {
	kill "$APPLICATION" 2>/dev/null
	wait "$APPLICATION" 2>/dev/null
	APPLICATION=
}
waited_at_most() { awk -v limit="$1" '{ print "# the application waited " $1 " s at most"; exit !($1 <= limit) }' longest; }
is_free() { flock -w 5 app/lock true; }
no_writers() { ! pgrep -f "$T/writers/holdfast-writer" >/dev/null; }

configure
check "a repository" hf init -r repo
start_application
check "a writer that freezes and behaves" hf backup -r repo --writer gate --writer front
check "is consistent" shows "consistency application"
check "front ends freeze first and thaw last" test "$(grep -E 'freeze|thaw' trace | tr '\n' ' ')" = \
	"freeze front freeze gate thaw gate thaw front "
stop_application
is_free || not_ok "the lock is free again"

# 75: worth retrying; 1: not. (limit + what a loaded machine takes to kill and wake)
while read -r at what status code; do
	configure "$at" "$what" 2s
	start_application
	began=$(date +%s%N)
	hf backup -r repo --writer gate
	got=$?
	took=$((($(date +%s%N) - began) / 1000000))
	check "$what at $at: the backup fails as it should" test "$got" -eq "$status" -a "$took" -lt 25000
	[ "$got" -eq "$status" ] || sed 's/^/# /' err
	check "$what at $at: with its reason" shows "$code"
	check "$what at $at: the application goes on" eval 'is_free && waited_at_most 4'
	check "$what at $at: no process is left" no_writers
	stop_application
done <<'END'
freeze hang 75 did not answer 'freeze' within
freeze stubborn 75 did not answer 'freeze' within
freeze stop 75 did not answer 'freeze' within
freeze late 75 did not answer 'freeze' within
freeze die 75 ended with exit code 7
freeze fork 75 ended with exit code 7
freeze flood 1 lines that answer nothing
freeze wrong-seq 1 which is not open
freeze wrong-state 1 where 'Waiting for thaw' is right
thaw hang 75 did not answer 'thaw' within
thaw die 75 ended with exit code 7
post-snapshot stop 75 did not answer 'post-snapshot' within
post-copy fork 75 ended with exit code 7
END

configure
check "afterwards a backup is as good as ever" hf backup -r repo --writer gate
check "is consistent" shows "consistency application"

# --- a real database ----------------------------------------------------------------------------------
configure none nothing 3s
pg_new "$T/a" --set fsync=off && pg_start "$T/a" || bail "cannot start PostgreSQL"
while read -r at what status; do
	echo "$at $what" >misdeed
	hf backup -r repo --writer postgresql
	got=$?
	check "PostgreSQL, $what at $at: the backup ends as it should" test "$got" -eq "$status"
	[ "$got" -eq "$status" ] || sed 's/^/# /' err
	check "PostgreSQL, $what at $at: nothing is left in the server" nothing_left "$T/a"
	check "PostgreSQL, $what at $at: nor a process of ours" no_writers
done <<'END'
prepare-snapshot hang 75
prepare-snapshot die 75
freeze hang 75
freeze fork 75
freeze kill 75
thaw hang 75
thaw wrong-state 1
post-snapshot stop 75
post-snapshot kill 75
post-copy hang 75
post-copy flood 1
backup-complete die 0
END
: >misdeed
check "afterwards a backup is as good as ever" hf backup -r repo --writer postgresql
check "is consistent" shows "consistency application"
check "the database knows nothing of it" nothing_left "$T/a"
done_testing
