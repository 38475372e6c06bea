#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Backups of a PostgreSQL at work, by the requester, the guard and real snapshots: what is restored has
# every transaction committed before the moment that the guard says, and none from after it.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/pg.sh"
. "$here/support/loop.sh"
. "$here/support/feed.sh"
holdfast=${HOLDFAST:?the program to test}
if ! loop_possible btrfs; then
	echo "1..0 # SKIP no btrfs on loop devices here, or not root"
	exit 0
fi
T=$(mktemp -d /tmp/hf-pgsnap.XXXXXX) || exit 1
chmod 755 "$T"
V=$T/b/vol
clean_up() {
	local dir
	[ -z "${FEEDER:-}" ] || kill "$FEEDER" 2>/dev/null
	for dir in "$T"/*/data "$V"/*/data "$T"/x/*/data; do
		[ ! -f "$dir/postmaster.pid" ] || pg_stop "${dir%/data}" immediate >/dev/null 2>&1
	done
	mountpoint -q "$T/x" && loop_end "$T/x"
	mountpoint -q "$T/b" && loop_end "$T/b"
	rm -rf "$T"
}
trap clean_up EXIT
cd "$T" || exit 1
unset HOLDFAST HOLDFAST_REPOSITORY HOLDFAST_KEY_FILE
export HOLDFAST_CACHE_DIR=$T/cache HOLDFAST_PASSWORD_FILE=$T/pass HOLDFAST_AGENT_STATE_DIR=$T/state
echo secret >pass && chmod 600 pass
hf() { timeout 120 "$holdfast" --config conf "$@" >out 2>err </dev/null; }
shows() { grep -q "$1" out err || { cat out err | sed 's/^/# /' && return 1; }; }
moment() { # of the last snapshot, seconds since 1970
	"$holdfast" --config conf events --json | jq -r 'select(.name == "SNAPSHOT_CREATED") | .time_ns / 1e9' | tail -n 1
}
method() { "$holdfast" --config conf list -r repo --json | tail -n 1 | jq -r '.roots[0].component.method'; }
busy() { # DIR SECONDS
	pg_as "$PG_BIN/pgbench" -n -c 3 -T "$2" -h "$1" -p "$(pg_port "$1")" -U postgres postgres >/dev/null 2>&1 &
	BENCH=$!
	feed "$1"
	for _ in $(seq 200); do
		[ "$(last_acked)" -gt 20 ] 2>/dev/null && return 0
		sleep 0.05
	done
	return 1
}
cluster() { # DIR TABLESPACE
	pg_new "$1" --checksums --set fsync=on --wal-segsize 1 --set max_wal_size=64MB --set min_wal_size=8MB &&
		pg_start "$1" && pg_tablespace "$1" ts1 "$2" || return 1
	pg_as "$PG_BIN/pgbench" -q -i -s 2 -h "$1" -p "$(pg_port "$1")" -U postgres postgres 2>/dev/null
	pg_sql "$1" "CREATE TABLE t TABLESPACE ts1 AS SELECT g FROM generate_series(1, 5000) g; CREATE INDEX ON t (g)"
	pg_sql "$1" CHECKPOINT
}
# Rows of the original that were made before the moment, but for the milliseconds of a commit and of the
# snapshot itself, are all in the copy, in one unbroken row; none was made after it.
has_the_moment() { # ORIGINAL COPY MOMENT
	local before n count late
	before=$(pg_sql "$1" "SELECT max(n) FROM feed WHERE at < to_timestamp($3) - interval '0.3 s'")
	n=$(pg_sql "$2" "SELECT max(n) FROM feed")
	count=$(pg_sql "$2" "SELECT count(*) FROM feed")
	late=$(pg_sql "$2" "SELECT count(*) FROM feed WHERE at > to_timestamp($3) + interval '0.05 s'")
	echo "# up to $before before the moment, restored $n in $count rows, $late late"
	[ "${before:-0}" -gt 0 ] && [ "$n" -ge "$before" ] && [ "$n" = "$count" ] && [ "$late" = 0 ]
}
restore() { # POINT COPY ORIGINAL TABLESPACE
	mkdir "$2" && chmod 755 "$2" && hf restore -r repo "$1" --to "$2/data" --tablespace-map "$4=$2/ts" || return 1
	pg_port "$3" >"$2/port" && chown postgres "$2"
	pg_conf "$2" "unix_socket_directories=$2" && pg_conf "$2" listen_addresses= && pg_start "$2"
}
nothing_of_ours() { # MOUNT
	[ -z "$(find "$1" -maxdepth 3 -path '*/.holdfast/*')" ] && ! grep -q "$T/state" /proc/self/mounts
}

loop_new "$T/b" btrfs 1600 || bail "cannot make a btrfs"
btrfs -q subvolume create "$V" && chmod 755 "$T/b" "$V" && chown "$PG_USER" "$V"
printf '[writer.postgresql]\nhost = %s\nuser = postgres\n' "$V/a" >conf
check "a repository" hf init -r repo
cluster "$V/a" "$V/ts one" || bail "cannot start PostgreSQL"

# --- btrfs: an image ------------------------------------------------------------------------------------
busy "$V/a" 12
checkpoints=$(pg_sql "$V/a" "SELECT checkpoints_req FROM pg_stat_bgwriter")
check "backup through a btrfs snapshot" hf backup -r repo --writer postgresql --require application
now=$(moment)
check "without a checkpoint" test "$(pg_sql "$V/a" "SELECT checkpoints_req FROM pg_stat_bgwriter")" = "$checkpoints"
check "as an image" test "$(method)" = image
check "consistent" shows "consistency application"
check "nothing of the snapshot is left" nothing_of_ours "$T/b"
check "restore, and start" restore latest "$T/r" "$V/a" "$V/ts one"
check "every commit from before the moment, none from after" has_the_moment "$V/a" "$T/r" "$now"
check "balances add up" adds_up "$T/r"
check "heaps and indexes are sound" is_whole "$T/r"
check "the tablespace is here" test "$(pg_sql "$T/r" "SELECT count(*) FROM t")" = 5000
pg_stop "$T/r" immediate && rm -rf "$T/r"

# --- the server goes while data moves: the image is none the worse ----------------------------------------
check "another, of what changed" hf backup -r repo --writer postgresql
check "restore, and start" restore latest "$T/r" "$V/a" "$V/ts one"
check "every commit from before the moment, none from after" has_the_moment "$V/a" "$T/r" "$(moment)"
pg_stop "$T/r" immediate && rm -rf "$T/r"

# --- two subvolumes: two instants, so backup mode ------------------------------------------------------------
btrfs -q subvolume create "$V/nested" && chown "$PG_USER" "$V/nested"
pg_tablespace "$V/a" ts2 "$V/nested/ts"
pg_sql "$V/a" "CREATE TABLE t2 TABLESPACE ts2 AS SELECT g FROM generate_series(1, 5000) g; CREATE INDEX ON t2 (g)"
check "backup of a cluster in two subvolumes" hf backup -r repo --writer postgresql --require application
check "in backup mode until the snapshot" test "$(method)" = "backup mode until the snapshot"
check "nothing of the snapshots is left" nothing_of_ours "$T/b"
mkdir "$T/r" && chmod 755 "$T/r"
check "restore" hf restore -r repo latest --to "$T/r/data" --tablespace-map "$V/ts one=$T/r/ts" \
	--tablespace-map "$V/nested/ts=$T/r/ts2"
pg_port "$V/a" >"$T/r/port" && chown "$PG_USER" "$T/r"
pg_conf "$T/r" "unix_socket_directories=$T/r"
check "start" pg_start "$T/r"
check "balances add up" adds_up "$T/r"
check "heaps and indexes are sound" is_whole "$T/r"
wait "$BENCH"
stop_feed "$V/a"
pg_stop "$T/r" immediate
pg_stop "$V/a" immediate
rm -rf "$T/r"

# --- XFS: the image file below it copied while it is frozen; and its files cloned ------------------------------
if loop_possible xfs && loop_new "$T/x" xfs 500 "$T/b/x.img" && chown "$PG_USER" "$T/x"; then
	cluster "$T/x/a" "$T/x/ts"
	cat >conf <<-END
		[backup]
		provider = external
		[provider.external]
		create = $here/../../doc/examples/external-image create
		expose = $here/../../doc/examples/external-image expose
		remove = $here/../../doc/examples/external-image remove
		[writer.postgresql]
		host = $T/x/a
		user = postgres
	END
	busy "$T/x/a" 10
	loop_arm "$T/x" 30
	check "XFS: backup through a copy below the frozen file system" hf backup -r repo --writer postgresql --require application
	loop_disarm
	now=$(moment)
	check "XFS: as an image" test "$(method)" = image
	check "XFS: restore, and start" restore latest "$T/r" "$T/x/a" "$T/x/ts"
	check "XFS: every commit from before the moment, none from after" has_the_moment "$T/x/a" "$T/r" "$now"
	check "XFS: balances add up" adds_up "$T/r"
	check "XFS: heaps and indexes are sound" is_whole "$T/r"
	check "XFS: nothing is left" test -z "$(find "$T/b" -maxdepth 1 -name 'x.img.*')"
	pg_stop "$T/r" immediate && rm -rf "$T/r"

	printf '[backup]\nprovider = reflink\n[writer.postgresql]\nhost = %s\nuser = postgres\n' "$T/x/a" >conf
	check "reflink: backup" hf backup -r repo --writer postgresql --require application
	check "reflink: in backup mode until the snapshot" test "$(method)" = "backup mode until the snapshot"
	check "reflink: restore, and start" restore latest "$T/r" "$T/x/a" "$T/x/ts"
	check "reflink: balances add up" adds_up "$T/r"
	check "reflink: heaps and indexes are sound" is_whole "$T/r"
	check "reflink: nothing is left" nothing_of_ours "$T/x"
	wait "$BENCH"
	stop_feed "$T/x/a"
	pg_stop "$T/r" immediate
	pg_stop "$T/x/a" immediate
else
	skip "XFS" "no XFS here"
fi
done_testing
