#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A database as it was at a moment between backups. A known sequence of commits, under load; then moments
# of it, by time, position and name: each restored cluster starts by itself, has everything committed until
# then and nothing that came later, and keeps nothing of the recovery. Then what must be refused: what the
# logs do not have, names that mean nothing or two things; and another timeline.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/pg.sh"
. "$here/support/loop.sh"
scratch moment
chmod 755 "$T"
[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$T"

A=$T/a
SEGMENT=1048576
LOAD=
stop_all() {
	[ -z "$LOAD" ] || kill "$LOAD" 2>/dev/null
	for dir in "$A" "$T"/r* "$T/s" "$T/v/pg/a"; do
		[ ! -f "$dir/data/postmaster.pid" ] || pg_stop "$dir" immediate >/dev/null 2>&1
	done
	! mountpoint -q "$T/v" || loop_end "$T/v"
}
at_end stop_all
configure() { # DIR
	cat >"$T/conf" <<-CONF
		[writer.postgresql]
		host = $1
		port = $(pg_port "$1")
		user = postgres
		database = postgres
	CONF
}
load() { # DIR: until it is killed
	pg_as env PGUSER=postgres "$PG_BIN/pgbench" -h "$1" -p "$(pg_port "$1")" -n -c 2 -R 200 -T 600 postgres >/dev/null 2>&1 &
	LOAD=$!
}
unload() {
	kill "$LOAD" 2>/dev/null
	wait "$LOAD" 2>/dev/null
	LOAD=
}

# --- the sequence ---------------------------------------------------------------------------------------
# Step n is one row. After each: the position and the server's time, before the next began.
STEP=0
declare -a LSN TIME
step() { # DIR
	local line
	STEP=$((STEP + 1))
	pg_sql "$1" "INSERT INTO steps VALUES ($STEP)" &&
		line=$(pg_sql "$1" "SELECT pg_current_wal_insert_lsn(), clock_timestamp()") || bail "step $STEP"
	LSN[STEP]=${line%%|*} TIME[STEP]=${line#*|}
	pg_sql "$1" "SELECT pg_create_restore_point('step $STEP')" >/dev/null
}
steps() { # DIR N
	local i
	for ((i = 0; i < $2; i++)); do step "$1"; done
}

# --- the logs, as a log copier would store them ----------------------------------------------------------
to_bytes() { echo $((16#${1%/*} << 32 | 16#${1#*/})); }
to_lsn() { printf '%X/%X\n' $(($1 >> 32)) $(($1 & 0xffffffff)); }
GROUP=test
FROM_TIME=0
FIRST=
store_logs() { # DIR HISTORY...: what there is, since the last time
	local dir=$1 line to to_time file first number
	shift
	line=$(pg_sql "$dir" "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000, pg_current_wal_flush_lsn()")
	to_time=${line%|*} to=${line#*|}
	pg_as "$PG_BIN/pg_receivewal" -h "$dir" -p "$(pg_port "$dir")" -U postgres -S copier -D "$T/wal" \
		--endpos="$to" --no-loop >"$T/receive" 2>&1 || { cat "$T/receive"; return 1; }
	rm -rf "$T/stage" && mkdir "$T/stage"
	number=$(printf '%08X%08X' $((FIRST >> 32)) $(((FIRST & 0xffffffff) / SEGMENT)))
	for file in "$T/wal"/*; do
		first=${file##*/}
		first=${first%.partial}
		case $first in
		*.history) cp "$file" "$T/stage/$first" ;;
		*) [[ ${first:8} < $number ]] || cp "$file" "$T/stage/$first" ;;
		esac
	done
	[ $# -gt 0 ] || set -- "1:$(to_lsn "$FIRST")"
	LAST_LOGS=$("$LOG_POINT" "$T/repo" "$T/key" "$T/cache" "$GROUP" "$T/stage" "$IDENTITY" $SEGMENT \
		"$(to_lsn "$FIRST")" "$to" "$FROM_TIME" "$to_time" "$@") || return 1
	FROM_TIME=$to_time
	FIRST=$(($(to_bytes "$to") / SEGMENT * SEGMENT))
	LOGS_END=$to
}

# --- restores ---------------------------------------------------------------------------------------------
R=0
restore() { # ARG...: into a new place
	R=$((R + 1))
	B=$T/r$R
	mkdir "$B"
	hf --config "$T/conf" restore "$@" --to "$B/data" --json
}
start_it() {
	cp "$A/port" "$B/port"
	[ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$B" "$B/port"
	cp -p "$B/data/postgresql.auto.conf" "$B/told"
	pg_conf "$B" "unix_socket_directories=$B"
	pg_start "$B" && until_true 60 lets_in
}
lets_in() { # as soon as it is there; before that nobody gets in
	pg_sql "$B" "SELECT 1" >/dev/null 2>&1
}
clean() { # nothing of the recovery is left
	[ ! -e "$B/data/recovery.signal" ] && [ ! -e "$B/data/holdfast_recovery" ] &&
		! grep -q 'holdfast\|recovery' "$B/data/postgresql.auto.conf"
}
has() { # N: the steps up to N, all of them and no more
	[ "$(pg_sql "$B" "SELECT count(*), max(n), pg_is_in_recovery() FROM steps")" = "$1|$1|f" ] && return 0
	echo "# has $(pg_sql "$B" "SELECT count(*), max(n), pg_is_in_recovery() FROM steps"), not $1"
	grep -i 'recovery\|fatal' "$B/log" | sed 's/^/#   /'
	return 1
}
moment() { # NAME N ARG...: a restore with ARG has the steps up to N
	local name=$1 n=$2
	shift 2
	restore "$@"
	check "$name: restored" exits 0
	check "$name: the server starts" start_it
	check "$name: exactly $n steps" has "$n"
	check "$name: and nothing of the recovery is left" until_true 10 clean
	check "$name: balances add up" adds_up
}
adds_up() {
	[ "$(pg_sql "$B" 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)
		AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)')" = t ]
}
gone() { # the last restored one
	pg_drop "$B"
}
refused() { # NAME CODE TEXT ARG...: and nothing was written
	local name=$1 want=$2 text=$3
	shift 3
	restore "$@"
	check "$name: refused" exits "$want"
	check "$name: says why" grep -qF -- "$text" "$T/out"
	check "$name: nothing was written" test ! -e "$B/data"
	rmdir "$B"
}

# --- the history ------------------------------------------------------------------------------------------
pg_new "$A" --checksums --wal-segsize 1 --set max_wal_size=64MB >"$T/log" 2>&1 && pg_start "$A" >>"$T/log" 2>&1 ||
	bail "no server: $(tail -n 3 "$T/log")"
pg_as env PGUSER=postgres "$PG_BIN/pgbench" -h "$A" -p "$(pg_port "$A")" -i -q -s 1 postgres >>"$T/log" 2>&1 || bail 'no tables'
pg_sql "$A" "CREATE TABLE steps (n int PRIMARY KEY)"
IDENTITY=$(pg_sql "$A" "SELECT system_identifier FROM pg_control_system()")
configure "$A"
mkdir "$T/wal" && { [ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$T/wal"; }
runs 'init' 0 init
pg_sql "$A" "SELECT pg_create_physical_replication_slot('copier', true)" >/dev/null
FIRST=$(to_bytes "$(pg_sql "$A" "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'copier'")")
FIRST=$((FIRST / SEGMENT * SEGMENT))
load "$A"
steps "$A" 3
BEFORE=${TIME[2]}
hf --config "$T/conf" backup --writer postgresql --json
check 'the first backup' exits 0
check 'says where in the log it begins and ends' json \
	'last.type == "summary" and (last.incomplete | not)'
FIRST_BASE=$(value 'last.point')
BASE_STEP=$STEP
steps "$A" 8
check 'the first logs' store_logs "$A" || bail 'no logs'
steps "$A" 6
check 'the second logs' store_logs "$A"
MIDDLE_LOGS=$LAST_LOGS
hf --config "$T/conf" backup --writer postgresql --json
check 'the second backup' exits 0
SECOND_BASE=$(value 'last.point')
SECOND_STEP=$STEP
hf --config "$T/conf" restore --target-end --to "$T/alone"
check 'no logs go on from the newest backup' printed "^Restored ${SECOND_BASE:0:8} "
check '... so it is as of its own end, and that is said' printed '^To its own end: the repository has no logs'
rm -rf "$T/alone"
steps "$A" 8
pg_sql "$A" "SELECT pg_create_restore_point('twice')" >/dev/null
pg_sql "$A" "SELECT pg_create_restore_point('twice')" >/dev/null
check 'the third logs' store_logs "$A"
unload
pg_sql "$A" "CHECKPOINT"
nap 1.1
IDLE=$(pg_sql "$A" "SELECT clock_timestamp()")
check 'the last logs, after which nothing was committed' store_logs "$A"
LAST=$STEP

hf list --json
check 'log points say that they are' json 'map(select(.backup_type == "log")) | length == 4'
check 'backups say where they begin and end' json 'map(select(.backup_type == "full") | .roots[0].component |
	select(.start_lsn and .stop_lsn and .held_lsn and .timeline == 1 and .stop_time > .start_time)) | length == 2'
check 'and which moments there are' json 'map(select(.type == "moments")) |
	length == 1 and .[0].host == "group:test" and .[0].backups == 2 and .[0].to == "'"$LOGS_END"'"'
hf list
check 'for people, too' printed 'group:test: any moment from '
check 'logs are shown as such' printed 'group:test +log .*logs 0/[0-9A-F]+ to 0/[0-9A-F]+, until'
hf list latest --json
check "'latest' is a backup, not its logs" json "last.id == \"$SECOND_BASE\""
runs 'all of it verifies' 0 verify --read-data

# --- ten moments --------------------------------------------------------------------------------------------
# The first lies before the second backup, the others anywhere.
for ((i = 0; i < 10; i++)); do
	n=$((BASE_STEP + 1 + RANDOM % (LAST - BASE_STEP)))
	[ $i -gt 0 ] || n=$((BASE_STEP + 1))
	case $((i % 3)) in
	0) moment "$i: time of step $n" "$n" --target-time "${TIME[n]}" ;;
	1) moment "$i: position of step $n" "$n" --target-lsn "${LSN[n]}" ;;
	2) moment "$i: name of step $n" "$n" --target-name "step $n" --group test ;;
	esac
	if [ "$n" -le "$SECOND_STEP" ]; then
		want=$FIRST_BASE
	else
		want=$SECOND_BASE
	fi
	check "$i: begun with the newest backup before it" json "last.point == \"$want\""
	gone
done
moment 'when nothing was committed any more' "$LAST" --target-time "$IDLE"
gone
moment 'the end' "$LAST" --target-end
check 'the end: where the logs end' json "last.recovery.logs_to == \"$LOGS_END\""
gone
moment 'from a given backup' "$LAST" "$FIRST_BASE:postgresql" --target-end
check 'from a given backup: that one' json "last.point == \"$FIRST_BASE\""
gone
moment 'the end of the last position' "$LAST" --target-lsn "$LOGS_END"
pg_stop "$B" fast
hf --config "$T/conf" restore --target-lsn "${LSN[LAST - 1]}" --to "$B/data" --delta --json
check 'delta, over one that was restored so before' exits 0
check 'delta: it starts' start_it
check 'delta: exactly' has $((LAST - 1))
gone

# --- what is refused --------------------------------------------------------------------------------------
refused 'before the first backup' 1 'no backup can be brought to' --target-lsn "${LSN[1]}"
refused 'a time before the first backup' 1 'can be restored to: ' --target-time "$BEFORE"
refused 'a time to come' 1 'can be restored to: ' --target-time '2099-01-01 00:00Z'
refused 'a position to come' 1 'can be restored to: ' --target-lsn 'FF/0'
refused 'a name that nobody gave' 1 "no restore point named 'nonsense'" --target-name nonsense
refused 'a name given twice' 1 'was given 2 times' --target-name twice
refused 'a backup that is too new' 1 'ends later' "$SECOND_BASE" --target-lsn "${LSN[BASE_STEP + 1]}"
refused 'logs of a group that has none' 1 "no logs of group 'other'" --target-end --group other
refused 'a restore point that is none' 1 'is no backup of a database' "$MIDDLE_LOGS" --target-end
refused 'two targets' 2 'only one --target' --target-end --target-time "$IDLE"
refused 'a group without a moment' 2 'goes with a moment' latest --group test
refused 'over what is there' 2 'does not go with a moment' --target-end --overwrite
refused 'another timeline' 1 'timeline 7' --target-end --target-timeline 7

# --- logs that are not what they say ------------------------------------------------------------------------
bad_logs() { # from the last stage, as it has been made
	BAD=$("$LOG_POINT" "$T/repo" "$T/key" "$T/cache" bad "$T/stage" "$IDENTITY" $SEGMENT \
		"$(to_lsn $((FIRST - 2 * SEGMENT)))" "$(to_lsn $((FIRST + SEGMENT)))" 0 0 "1:$(to_lsn $((FIRST - 2 * SEGMENT)))")
}
name_of() { printf '00000001%08X%08X' $(($1 >> 32)) $((($1 & 0xffffffff) / SEGMENT)); }
rm -rf "$T/stage" && mkdir "$T/stage" && cp "$T/wal/$(name_of $((FIRST - 2 * SEGMENT)))" "$T/wal/$(name_of $((FIRST - SEGMENT)))" "$T/stage/"
bad_logs
hf verify
check 'a log is missing: verify finds it' exits 1
check 'and says where' said "the log at $(to_lsn "$FIRST") is missing"
hf forget --force "$BAD" && head -c $SEGMENT /dev/urandom >"$T/stage/$(name_of "$FIRST")"
bad_logs
runs 'a log is full of something else: that takes a look inside' 0 verify
hf verify --read-data
check 'which finds it' exits 1
check 'and says where it ends' said 'the log cannot be read beyond'
hf forget --force "$BAD"
runs 'without them all is well' 0 verify --read-data

# --- another timeline: a restored cluster goes on, and its logs are copied ----------------------------------
SWITCH=$((LAST - 4))
moment 'a moment to go on from' "$SWITCH" --target-lsn "${LSN[SWITCH]}"
C=$B
SWITCH_LSN=$(awk '$1 == 1 { print $2 }' "$C/data/pg_wal/00000002.history")
check 'the server began a timeline there' [ "$SWITCH_LSN" = "${LSN[SWITCH]}" ]
pg_sql "$C" "SELECT pg_create_physical_replication_slot('copier', true)" >/dev/null
SLOT_LSN=$(pg_sql "$C" "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'copier'")
rm -rf "$T/wal" && mkdir "$T/wal" && { [ "$(id -u)" -ne 0 ] || chown "$PG_USER" "$T/wal"; }
OLD_LAST=$LAST
STEP=$SWITCH
load "$C"
steps "$C" 8
FIRST=$(($(to_bytes "$SWITCH_LSN") / SEGMENT * SEGMENT))
FROM_TIME=0
check 'from the segment on in which it began' [ $FIRST = $(($(to_bytes "$SLOT_LSN") / SEGMENT * SEGMENT)) ]
check 'its logs' store_logs "$C" "1:$(to_lsn "$FIRST")" "2:$SWITCH_LSN"
unload
NEW_LAST=$STEP
moment 'the end of the new timeline' "$NEW_LAST" --target-end
gone
moment 'a moment of the new timeline' $((NEW_LAST - 2)) --target-lsn "${LSN[NEW_LAST - 2]}"
gone
moment 'the old timeline' "$OLD_LAST" --target-end --target-timeline 1
gone
B=$C
gone
pg_stop "$A" fast

# --- forgetting -----------------------------------------------------------------------------------------------
hf forget --keep-last 1 --json
check 'logs go with the last backup that needs them' json \
	'[.[] | select(.type == "forgotten") | .point] | length == 3 and (index("'"$FIRST_BASE"'") and index("'"$MIDDLE_LOGS"'"))'
check 'the others stay, and it says why' json 'map(select(.type == "kept" and .reasons == "logs")) | length == 3'
moment 'after the newer backup' $((SECOND_STEP + 2)) --target-lsn "${LSN[SECOND_STEP + 2]}" --target-timeline 1
gone
refused 'before it' 1 'can be restored to' --target-lsn "${LSN[BASE_STEP + 1]}"
runs 'what is left verifies' 0 verify
pg_drop "$A"

# --- the log copier itself -------------------------------------------------------------------------------------
# (Its own story is told in 45-log-copier.t.)
pg_new "$A" --wal-segsize 1 >"$T/log" 2>&1 && pg_start "$A" >>"$T/log" 2>&1 || bail "no server: $(tail -n 3 "$T/log")"
pg_as env PGUSER=postgres "$PG_BIN/pgbench" -h "$A" -p "$(pg_port "$A")" -i -q -s 1 postgres >>"$T/log" 2>&1
pg_sql "$A" "CREATE TABLE steps (n int PRIMARY KEY)"
configure "$A"
cat >>"$T/conf" <<-CONF
	[log_copier]
	interval = 1s
	[group.orders]
	engine = postgresql
	[group.orders.copy.pg1]
	host = $A
	port = $(pg_port "$A")
	user = postgres
CONF
"$holdfast" --config "$T/conf" log-copier orders >"$T/copier" 2>&1 &
copier=$!
at_end '[ -z "$copier" ] || kill -9 "$copier" 2>/dev/null'
copies() { [ "$(pg_sql "$A" "SELECT count(*) FROM pg_stat_replication")" = 1 ]; }
check 'the log copier copies' until_true 30 copies
STEP=0
load "$A"
steps "$A" 2
hf --config "$T/conf" backup --writer postgresql --json
check 'a backup meanwhile' exits 0
COPIED_BASE=$(value 'last.point')
steps "$A" 4
unload
sent() { # what was committed last is there: while nothing is, time goes on
	hf --config "$T/conf" restore --group orders --target-time "${TIME[STEP]}" --to "$T/sent/data" --json
	rm -rf "$T/sent"
	[ "$code" -eq 0 ]
}
check 'what was committed last is in the repository within seconds' until_true 20 sent
moment 'while it copies' 5 --group orders --target-time "${TIME[5]}"
check 'while it copies: from its backup' json "last.point == \"$COPIED_BASE\""
gone

# From a backup of a standby, and no further than a tablespace that recovery would share with the original.
S=$T/s
pg_standby "$S" "$A" >>"$T/log" 2>&1 && pg_start "$S" >>"$T/log" 2>&1 || bail "no standby: $(tail -n 3 "$T/log")"
pg_sql "$A" CHECKPOINT
load "$A"
steps "$A" 1
hf --config "$T/conf" --option writer.postgresql.host="$S" backup --writer postgresql --json
check 'a backup of a standby' exits 0
STANDBY_BASE=$(value 'last.point')
steps "$A" 3
unload
pg_stop "$S" fast
pg_tablespace "$A" side "$T/side"
kill "$copier" && wait "$copier" 2>/dev/null
copier=
moment 'from a standby' $((STEP - 1)) --group orders --target-time "${TIME[STEP - 1]}"
check 'from a standby: that backup' json "last.point == \"$STANDBY_BASE\""
gone
moment 'after the log copier has ended' "$STEP" --group orders --target-lsn "${LSN[STEP]}"
gone
restore --group orders --target-end
check 'a tablespace that is in use: refused' exits 1
check 'and named' grep -qF "a tablespace was created in '$T/side'" "$T/out"
check 'and not made to recover' test ! -e "$B/data/recovery.signal"
gone
pg_drop "$S"
pg_drop "$A"

# --- an image, made without backup mode, as the base ----------------------------------------------------------
# The server that recovers it first replays all of the image's own logs: no moment before their end.
if ! loop_possible btrfs || ! loop_new "$T/v" btrfs 700; then
	skip 'an image as the base' 'no btrfs on loop devices here, or not root'
	done_testing
fi
btrfs -q subvolume create "$T/v/pg" && chmod 755 "$T/v" "$T/v/pg" && chown "$PG_USER" "$T/v/pg"
A=$T/v/pg/a
pg_new "$A" --wal-segsize 1 --set max_wal_size=64MB --set fsync=on >"$T/log" 2>&1 && pg_start "$A" >>"$T/log" 2>&1 ||
	bail "no server: $(tail -n 3 "$T/log")"
pg_as env PGUSER=postgres "$PG_BIN/pgbench" -h "$A" -p "$(pg_port "$A")" -i -q -s 1 postgres >>"$T/log" 2>&1
pg_sql "$A" "CREATE TABLE steps (n int PRIMARY KEY); CHECKPOINT"
IDENTITY=$(pg_sql "$A" "SELECT system_identifier FROM pg_control_system()")
configure "$A"
rm -rf "$T/wal" && mkdir "$T/wal" && chown "$PG_USER" "$T/wal"
pg_sql "$A" "SELECT pg_create_physical_replication_slot('copier', true)" >/dev/null
FIRST=$(to_bytes "$(pg_sql "$A" "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'copier'")")
FIRST=$((FIRST / SEGMENT * SEGMENT)) GROUP=image FROM_TIME=0 STEP=0
load "$A"
steps "$A" 3
hf --config "$T/conf" backup --writer postgresql --provider btrfs --json
check 'image: the backup' exits 0
IMAGE=$(value 'last.point')
IMAGE_STEP=$STEP
steps "$A" 5
unload
check 'image: its logs' store_logs "$A"
hf list "$IMAGE" --json
check 'image: it is one' json 'last.roots[0].component | .method == "image" and .held_lsn and .stop_lsn and .stop_time'
refused 'image: before its end' 1 'ends later' "$IMAGE" --target-lsn "${LSN[IMAGE_STEP]}"
refused 'image: two databases, and none is named' 1 'several databases' --target-end
moment 'image: the first step after it' $((IMAGE_STEP + 1)) --target-time "${TIME[IMAGE_STEP + 1]}" --group image
gone
moment 'image: by position' $((IMAGE_STEP + 2)) "$IMAGE" --target-lsn "${LSN[IMAGE_STEP + 2]}"
gone
moment 'image: by name' $((IMAGE_STEP + 3)) --target-name "step $((IMAGE_STEP + 3))" --group image
gone
moment 'image: the end' "$STEP" --target-end --group image
gone
done_testing
