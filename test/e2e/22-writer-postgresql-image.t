#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The PostgreSQL writer and snapshots, driven by hand on real file systems: an image of one instant is
# taken without backup mode, restores, recovers, and has every transaction committed before the moment
# and none from after it; where that cannot be had, backup mode is there, for as long as it takes.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/pg.sh"
. "$here/support/writer.sh"
. "$here/support/writer_copy.sh"
. "$here/support/loop.sh"
. "$here/support/feed.sh"
if ! loop_possible btrfs; then
	echo "1..0 # SKIP no btrfs on loop devices here, or not root"
	exit 0
fi
T=$(mktemp -d /tmp/hf-image.XXXXXX) || exit 1
chmod 755 "$T"
W_ERRORS=$T/stderr
V=$T/b/vol # the subvolume that is snapshotted

clean_up() {
	local dir
	[ -z "${W_PID:-}" ] || kill -9 "$W_PID" 2>/dev/null
	[ -z "${FEEDER:-}" ] || kill "$FEEDER" 2>/dev/null
	for dir in "$T"/*/data "$V"/*/data "$T"/x/*/data; do
		[ ! -f "$dir/postmaster.pid" ] || pg_stop "${dir%/data}" immediate >/dev/null 2>&1
	done
	mountpoint -q "$T/x2" && loop_end "$T/x2"
	mountpoint -q "$T/x" && loop_end "$T/x"
	mountpoint -q "$T/b" && loop_end "$T/b"
	rm -rf "$T"
}
trap clean_up EXIT

# The events up to post-snapshot; $4 is run between freeze and thaw, with the feed's last numbers taken
# right before and after it.
events() { # PROVIDER ATOMIC SOURCES-JSON COMMAND...
	w_say prepare-backup '"backup_type":"full"' && w_is 1 &&
		w_say prepare-snapshot "\"provider\":\"$1\",\"atomic\":$2,\"sources\":$3,\"label\":\"holdfast test\"" &&
		w_is 2 || return 1
	COMPONENT=$(w_get .component)
	shift 3
	w_say freeze && w_is 3 || return 1
	BEFORE=$(last_acked)
	"$@" || return 1
	AFTER=$(last_acked)
	w_say thaw && w_is 4 && w_say post-snapshot
}
method() { jq -r .metadata.method <<<"$COMPONENT"; }
method_is() { # METHOD [WHY]
	[ "$(method)" = "$1" ] && jq -r '.metadata.method_why // ""' <<<"$COMPONENT" | grep -q "${2:-^$}" && return 0
	echo "# $(jq -c '.metadata | {method, method_why}' <<<"$COMPONENT")"
	return 1
}
# How much is asked of the server: checkpoints that somebody wanted.
wanted_checkpoints() { pg_sql "$1" "SELECT checkpoints_req FROM pg_stat_bgwriter"; }

finish_copy() { # what post-copy says, into a copy in $1/data
	w_say post-copy && w_is 5 || return 1
	TAIL_METADATA=$(w_get '.tail.metadata // {}')
	w_copy_tail "$1/data" && w_say backup-complete '"point":"x"' && w_is 1
}
finish_restore() { # TOP LOCATION-OF-THE-TABLESPACE
	local oid map restore
	oid=$(ls "$1/ts")
	map=$(jq -c -n --arg o "$2" --arg n "$1/ts/$oid" '{($o): $n}')
	restore="\"target\":\"$1/data\",\"map\":$map,\"metadata\":$(all_metadata)"
	w_start '{}' && w_say pre-restore "$restore" && w_is 1 && w_say post-restore "$restore"
	local r=$?
	w_end
	return $r
}
start_restored() { # TOP LIKE
	pg_port "$2" >"$1/port"
	pg_conf "$1" "unix_socket_directories=$1" && pg_conf "$1" listen_addresses= && pg_start "$1"
}
# Every number up to the last acknowledged before the moment, and none given out after it. (One may have
# been committed and not yet acknowledged.)
has_the_moment() { # TOP
	local n count
	n=$(pg_sql "$1" "SELECT max(n) FROM feed")
	count=$(pg_sql "$1" "SELECT count(*) FROM feed")
	echo "# acknowledged before $BEFORE, after $AFTER; restored $n"
	[ "$BEFORE" -gt 0 ] && [ "$n" = "$count" ] && [ "$n" -ge "$BEFORE" ] && [ "$n" -le $((AFTER + 1)) ]
}
nothing_after() { # TOP SECONDS-SINCE-1970
	[ "$(pg_sql "$1" "SELECT count(*) FROM feed WHERE at > to_timestamp($2)")" = 0 ]
}

# --- btrfs, everything in one subvolume ---------------------------------------------------------------
loop_new "$T/b" btrfs 1600 || bail "cannot make a btrfs"
btrfs -q subvolume create "$V" && chmod 755 "$T/b" "$V" && chown "$PG_USER" "$V"
pg_new "$V/a" --checksums --initdb "--waldir=$V/wal" --wal-segsize 1 --set fsync=on --set max_wal_size=64MB \
	--set min_wal_size=8MB --set wal_keep_size=16MB && chmod 755 "$V/wal" && pg_start "$V/a" ||
	bail "cannot start PostgreSQL"
pg_tablespace "$V/a" ts1 "$V/ts one"
pg_as "$PG_BIN/pgbench" -q -i -s 3 -h "$V/a" -p "$(pg_port "$V/a")" -U postgres postgres 2>/dev/null
pg_sql "$V/a" "CREATE TABLE t TABLESPACE ts1 AS SELECT g, repeat('x', 100) AS pad FROM generate_series(1, 20000) g"
pg_sql "$V/a" "CREATE INDEX ON t (g); CREATE UNLOGGED TABLE u AS SELECT g FROM generate_series(1, 50000) g"
pg_sql "$V/a" "CHECKPOINT"
unlogged=$(pg_sql "$V/a" "SELECT pg_relation_filepath('u')")
load 3 "$V/a"
feed "$V/a"
snap() { btrfs -q subvolume snapshot -r "$V" "$T/b/snap" >/dev/null; }
through_snapshot() { w_where() { echo "${1/#"$V"/$T\/b\/snap}"; }; }
live() { w_where() { echo "$1"; }; }

check "start" w_start "$(settings "$V/a")"
check "identify" eval 'w_say identify && w_is 1'
check "says where the cluster's folders are" test "$(w_get '.paths | sort | join(" ")')" = "$V/a/data $V/ts one $V/wal"
w_say prepare-backup
feed_on 200 # something has to have happened
wanted=$(wanted_checkpoints "$V/a")
w_say abort && w_say identify
check "events around an atomic snapshot" eval 'events btrfs true "[\"$V\"]" snap && w_is 5'
moment=$(date +%s.%N)
check "taken as an image" method_is image
check "without a checkpoint for it" test "$(wanted_checkpoints "$V/a")" = "$wanted"
check "the server is left alone as soon as the snapshot is there" nothing_left "$V/a"
check "recovery's start is known" test "$(jq .pages.start_lsn <<<"$COMPONENT")" -gt 0
check "its logs are part of it" test "$(jq -r '.paths[] | select(.at == "pg_wal") | .source' <<<"$COMPONENT")" = "$V/wal"
check "but not those from before the last checkpoint" test \
	"$(jq -r '[.exclude[] | select(test("^pg_wal/[0-9A-F]+$"))] | length' <<<"$COMPONENT")" -gt 0
# Much happens before it is read, the end of the server included.
pg_sql "$V/a" "CREATE TABLE later AS SELECT 1; CHECKPOINT"
for _ in 1 2 3; do
	pg_sql "$V/a" "SELECT pg_switch_wal(); CHECKPOINT" >/dev/null
done
load_end "$V/a"
stop_feed "$V/a"
check "it went on meanwhile" test "$(last_acked)" -gt $((AFTER + 1))
pg_stop "$V/a" immediate
through_snapshot
check "the copy, from the snapshot" w_copy "$T/r/data" "$T/r"
check "the end needs no server" finish_copy "$T/r"
check "the writer ends when its input does" w_end
check "left out: pid, slots, what was archived" test ! -e "$T/r/data/postmaster.pid" -a -z "$(ls "$T/r/data/pg_replslot")" \
	-a ! -e "$T/r/data/backup_label" -a -z "$(ls "$T/r/data/pg_wal/archive_status")"
check "unlogged tables: only the init fork" test ! -e "$T/r/data/$unlogged" -a -e "$T/r/data/${unlogged}_init"
check "restore" eval 'finish_restore "$T/r" "$V/ts one" && w_is 1'
check "the tablespace's link leads to its new place" test "$(readlink "$T/r/data/pg_tblspc/"*)" = "$T/r/ts/$(ls "$T/r/ts")"
check "the logs count as archived" test "$(ls "$T/r/data/pg_wal/archive_status" | grep -c '\.done$')" -gt 0
check "and none is to be" test "$(ls "$T/r/data/pg_wal/archive_status" | grep -c '\.ready$')" = 0
check "it starts" start_restored "$T/r" "$V/a"
check "by recovery" grep -q "redo done" "$T/r/log"
check "every commit from before the moment, none from after" has_the_moment "$T/r"
check "nothing newer than the moment" nothing_after "$T/r" "$moment"
check "no table from after it" test "$(pg_sql "$T/r" "SELECT count(*) FROM pg_class WHERE relname = 'later'")" = 0
check "balances add up" adds_up "$T/r"
check "what the tablespace has is there" test "$(pg_sql "$T/r" "SELECT count(*) FROM t")" = 20000
check "heaps and indexes are sound" is_whole "$T/r"
check "the unlogged table is empty and works" test \
	"$(pg_sql "$T/r" "INSERT INTO u VALUES (1); SELECT count(*) FROM u")" = 1
check "nothing of it leads to the original" eval '! grep -rq "$V" <(find "$T/r/data" -type l -printf "%l\n")'
pg_stop "$T/r" immediate

# --- an image that is not complete ----------------------------------------------------------------------
redo=$(jq -r .metadata.redo_log <<<"$COMPONENT")
pg_as "$PG_BIN/pg_controldata" "$T/r/data" >"$T/control"
now=$(sed -n "s/^Latest checkpoint's REDO WAL file: *//p" "$T/control")
cp -a "$T/r/data" "$T/r/data2" && rm "$T/r/data2/pg_wal/$now"
oid=$(ls "$T/r/ts")
map=$(jq -c -n --arg o "$V/ts one" --arg n "$T/r/ts/$oid" '{($o): $n}')
restore="\"target\":\"$T/r/data2\",\"map\":$map,\"metadata\":$(all_metadata)"
w_start '{}'
w_say pre-restore "$restore"
check "a log that recovery needs is missing" eval 'w_say post-restore "$restore" && w_is 14 CORRUPT'
check "and named" grep -q "$now" <<<"$REPLY_LINE"
w_end
cp "$T/r/data/pg_wal/$now" "$T/r/data2/pg_wal/" && echo x >"$T/r/data2/backup_label" && owned "$T/r/data2"
w_start '{}'
w_say pre-restore "$restore"
check "a label of another backup lies there" eval 'w_say post-restore "$restore" && w_is 14 TARGET'
w_end
rm "$T/r/data2/backup_label"
check "the log recovery begins with is known" test -n "$redo" -a "$redo" != null
rm -rf "$T/r"

# --- what rules an image out: then backup mode ---------------------------------------------------------
btrfs -q subvolume delete "$T/b/snap" >/dev/null
live
pg_start "$V/a"
now_method() { # METHOD WHY [SOURCES]
	w_start "$(settings "$V/a")" && w_say identify && w_say prepare-backup &&
		w_say prepare-snapshot "\"provider\":\"btrfs\",\"atomic\":${ATOMIC:-true},\"sources\":${3:-[\"$V\"]}" && w_is 2 &&
		COMPONENT=$(w_get .component) && method_is "$1" "${2:-}"
	local r=$?
	w_end
	return $r
}
check "an image again" now_method image
pg_sql "$V/a" "ALTER SYSTEM SET fsync = off"
pg_sql "$V/a" "SELECT pg_reload_conf()" >/dev/null
check "not with fsync = off" now_method "backup mode until the snapshot" "fsync is off"
pg_sql "$V/a" "ALTER SYSTEM SET fsync = on"
pg_sql "$V/a" "ALTER SYSTEM SET full_page_writes = off"
pg_sql "$V/a" "SELECT pg_reload_conf()" >/dev/null
check "not with full_page_writes = off" now_method "backup mode until the snapshot" "full_page_writes is off"
pg_sql "$V/a" "ALTER SYSTEM RESET full_page_writes"
pg_sql "$V/a" "SELECT pg_reload_conf()" >/dev/null
pg_sql "$V/a" CHECKPOINT
check "an image again, a checkpoint later" now_method image
pg_tablespace "$V/a" young "$V/young"
check "not with a tablespace that recovery would create again" now_method "backup mode until the snapshot" "tablespace"
check "the checkpoint of that backup ends this" now_method image
btrfs -q subvolume create "$V/nested" && pg_tablespace "$V/a" deep "$V/nested/ts" && pg_sql "$V/a" CHECKPOINT
check "a subvolume below the source is not in the snapshot" now_method "backup mode" "nested/ts"
check "unless it is a source itself" now_method image "" "[\"$V\",\"$V/nested\"]"
ATOMIC=false
check "two subvolumes are two instants" now_method "backup mode until the snapshot" "one instant" "[\"$V\",\"$V/nested\"]"
ATOMIC=true
check "logs outside of the snapshot" now_method "backup mode" "'$V/wal' is not in the snapshot" "[\"$V/a\",\"$V/ts one\"]"
check "nothing is left in the server" nothing_left "$V/a"

# --- what happens between the look and the snapshot ------------------------------------------------------
w_start "$(settings "$V/a")" && w_say identify
during() { pg_tablespace "$V/a" sudden "$V/sudden"; }
check "a tablespace created meanwhile" eval 'events btrfs true "[\"$V\",\"$V/nested\"]" during && w_is 11 WRITER_RETRYABLE'
w_say abort
for name in sudden young deep; do
	pg_sql "$V/a" "DROP TABLESPACE $name"
done
pg_sql "$V/a" CHECKPOINT
w_say identify
during() { pg_as "$PG_BIN/pg_ctl" -D "$V/a/data" -s -m immediate restart -w -l "$V/a/log"; }
check "a restart meanwhile" eval 'events btrfs true "[\"$V\"]" during; w_is 10 DB_SESSION_LOST || w_is 11 DB_SESSION_LOST'
w_end
w_start "$(settings "$V/a")" && w_say identify
check "and the next backup is good" eval 'events btrfs true "[\"$V\"]" true && w_is 5'
w_end

# --- backup mode until the snapshot ------------------------------------------------------------------------
load 2 "$V/a"
feed "$V/a"
slow() { # as two subvolumes would be: one part, then the other
	btrfs -q subvolume snapshot -r "$V" "$T/b/snap" >/dev/null && feed_on 50
}
w_start "$(settings "$V/a")" && w_say identify
check "events around a snapshot of several instants" eval 'events btrfs false "[\"$V\"]" slow && w_is 5'
check "backup mode has ended with it" method_is "backup mode until the snapshot" "one instant"
check "a slot holds the logs" test "$(pg_sql "$V/a" "SELECT count(*) FROM pg_replication_slots WHERE temporary")" = 1
at_snapshot=$(last_acked)
for _ in 1 2 3 4; do
	pg_sql "$V/a" "SELECT pg_switch_wal(); CHECKPOINT" >/dev/null
done
load_end "$V/a"
stop_feed "$V/a"
through_snapshot
check "the copy, from the snapshot" w_copy "$T/r/data" "$T/r"
check "its logs, live" finish_copy "$T/r"
w_end
check "nothing is left in the server" nothing_left "$V/a"
check "restore" eval 'finish_restore "$T/r" "$V/ts one" && w_is 1'
check "it starts" start_restored "$T/r" "$V/a"
n=$(pg_sql "$T/r" "SELECT max(n) FROM feed")
check "with everything up to the end of backup mode, and not what came later" test \
	"$n" -ge "$BEFORE" -a "$n" -le "$((at_snapshot + 1))"
check "balances add up" adds_up "$T/r"
check "heaps and indexes are sound" is_whole "$T/r"
pg_stop "$T/r" immediate
rm -rf "$T/r"
btrfs -q subvolume delete "$T/b/snap" >/dev/null

# --- an image of a standby -----------------------------------------------------------------------------------
live
pg_standby "$V/s" "$V/a" "--tablespace-mapping=$V/ts one=$V/ts two" && rm -f "$V/s/data/pg_wal/archive_status"/* &&
	pg_start "$V/s" || not_ok "the standby starts"
feed "$V/a"
fed() { [ "$(pg_sql "$V/s" "SELECT count(*) FROM feed")" -gt "$1" ]; }
await_fed() { for _ in $(seq 600); do fed "$1" && return; sleep 0.1; done; }
await_fed 100
pg_sql "$V/s" CHECKPOINT
await_fed $(($(pg_sql "$V/s" "SELECT count(*) FROM feed") + 100))
w_start "$(settings "$V/s")" && w_say identify
replayed() { pg_sql "$V/s" "SELECT max(n) FROM feed"; }
standby_snap() { REPLAYED=$(replayed) && snap; }
check "events around the snapshot of a standby" eval 'events btrfs true "[\"$V\"]" standby_snap && w_is 5'
check "an image, too" method_is image
w_say post-copy && TAIL_METADATA={}
through_snapshot
check "its copy" w_copy "$T/q/data" "$T/q"
w_say backup-complete
w_end
stop_feed "$V/a"
check "its restore" eval 'finish_restore "$T/q" "$V/ts two" && w_is 1'
check "starts by itself" start_restored "$T/q" "$V/a"
check "as a primary" test "$(pg_sql "$T/q" "SELECT pg_is_in_recovery()")" = f
n=$(pg_sql "$T/q" "SELECT max(n) FROM feed")
check "with all that was replayed, and nothing from after the moment" test "$n" -ge "$REPLAYED" -a "$n" -le $((AFTER + 1))
check "heaps and indexes are sound" is_whole "$T/q"
pg_stop "$T/q" immediate
live
w_start "$(settings "$V/s")" && w_say identify
during() { pg_as "$PG_BIN/pg_ctl" -D "$V/s/data" -s -w promote; }
check "a promotion meanwhile" eval 'events btrfs true "[\"$V\"]" during && w_is 11 WRITER_RETRYABLE'
w_end
pg_stop "$V/s" immediate
pg_stop "$V/a" immediate
rm -rf "$T/q" "$V/s" "$V/ts two"
btrfs -q subvolume delete "$T/b/snap" >/dev/null

# --- XFS, copied below while it is frozen; and cloned file by file ------------------------------------------
if loop_possible xfs && loop_new "$T/x" xfs 500 "$T/b/x.img" && chown "$PG_USER" "$T/x"; then
	pg_new "$T/x/a" --checksums --wal-segsize 1 --set fsync=on --set max_wal_size=32MB --set min_wal_size=4MB &&
		pg_start "$T/x/a"
	pg_tablespace "$T/x/a" ts1 "$T/x/ts"
	pg_as "$PG_BIN/pgbench" -q -i -s 2 -h "$T/x/a" -p "$(pg_port "$T/x/a")" -U postgres postgres 2>/dev/null
	pg_sql "$T/x/a" "CREATE TABLE t TABLESPACE ts1 AS SELECT 1 AS g; CHECKPOINT"
	load 2 "$T/x/a"
	feed "$T/x/a"
	feed_on 100
	frozen_copy() {
		local r
		loop_arm "$T/x" 10 && sync -f "$T/x" && fsfreeze -f "$T/x" || return 1
		cp --reflink=always "$T/b/x.img" "$T/b/x2.img"
		r=$?
		fsfreeze -u "$T/x"
		loop_disarm
		return $r
	}
	w_start "$(settings "$T/x/a")" && w_say identify
	check "XFS: events around a copy below the frozen file system" eval 'events external true "[\"$T/x\"]" frozen_copy && w_is 5'
	check "XFS: an image" method_is image
	mkdir "$T/x2" && mount -o loop,ro,nouuid,norecovery "$T/b/x2.img" "$T/x2"
	w_where() { echo "${1/#"$T/x"/$T\/x2}"; }
	check "XFS: its copy" w_copy "$T/r/data" "$T/r"
	check "XFS: its end" finish_copy "$T/r"
	w_end
	loop_end "$T/x2"
	rm "$T/b/x2.img"
	check "XFS: restore" eval 'finish_restore "$T/r" "$T/x/ts" && w_is 1'
	check "XFS: it starts" start_restored "$T/r" "$T/x/a"
	check "XFS: every commit from before the moment, none from after" has_the_moment "$T/r"
	check "XFS: balances add up" adds_up "$T/r"
	check "XFS: heaps and indexes are sound" is_whole "$T/r"
	pg_stop "$T/r" immediate
	rm -rf "$T/r"

	clone() { cp -a --reflink=always "$T/x/a" "$T/x/clone-a" && cp -a --reflink=always "$T/x/ts" "$T/x/clone-ts"; }
	w_start "$(settings "$T/x/a")" && w_say identify
	check "reflink: events around the cloning" eval 'events reflink false "[\"$T/x/a\",\"$T/x/ts\"]" clone && w_is 5'
	check "reflink: backup mode is over" method_is "backup mode until the snapshot" "one instant"
	w_where() { sed "s|^$T/x/|&clone-|" <<<"$1"; }
	check "reflink: the copy" w_copy "$T/r/data" "$T/r"
	load_end "$T/x/a"
	stop_feed "$T/x/a"
	check "reflink: its logs" finish_copy "$T/r"
	w_end
	check "reflink: restore" eval 'finish_restore "$T/r" "$T/x/ts" && w_is 1'
	check "reflink: it starts" start_restored "$T/r" "$T/x/a"
	check "reflink: balances add up" adds_up "$T/r"
	check "reflink: heaps and indexes are sound" is_whole "$T/r"
	pg_stop "$T/r" immediate
	pg_stop "$T/x/a" immediate
else
	skip "XFS and reflink" "no XFS here"
fi

check "the writer printed nothing all the time" test ! -s "$W_ERRORS"
done_testing
