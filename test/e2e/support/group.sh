# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A group: PostgreSQL on three hosts, one active and two that follow it by streaming, an agent on each, and
# a requester on a fourth. Each host is a network namespace of its own; they meet at a bridge that is in
# another, so nothing of it is seen in the network of this machine, and several tests may have theirs at
# the same time. Source it in bash behind tap.sh, run.sh, agent.sh, pg.sh and loop.sh, after `scratch`.
#
#	group_possible			else $group_why says what is missing
#	group_set_up			all of it, enrolled and running: pg1 active, pg2 and pg3 passive. Before
#					it: GROUP_FS=btrfs or xfs, what the data lies on (otherwise: where $T
#					is, that is provider direct); GROUP_MIB, of each; GROUP_SCALE of pgbench
#					(2, i.e. 30 MB); GROUP_SEGSIZE of WAL (1 MB); GROUP_AGENTS, who has one
#	group_configure [LINE...]	group.conf anew, each LINE one of [group.orders]; $GROUP_MORE, other
#					sections, behind it
#
# From then on hf, runs and fails are the requester: in its network, with group.conf (unless --config is given). So is
# "$holdfast" itself, which becomes the program: its pid may be killed. $HOLDFAST_BIN is the bare one.
# The group is called orders. Of a host, NAME being pg1, pg2, pg3 or req:
#
#	$T/NAME				the cluster's folder as pg.sh wants it: pg_sql "$T/pg1" '...'
#	$T/agent-NAME			the agent's: socket, log, conf, state; its pid: ${group_agent[NAME]}
#	$T/req				the requester's state
#	${group_ip[NAME]}		10.77.0.1 to .3; req: 10.77.0.9. Port 5432; the agents': 7443
#	on NAME COMMAND...		runs it there; as root
#	group_sql NAME SQL [USER]	as USER from the requester by TCP; as pg_sql for the rest
#
# Servers:
#	group_active			prints who is active (the first one)
#	group_caught_up [SECONDS]	waits: the passive ones that run have replayed what the active one has
#	group_busy [RATE] / group_idle	pgbench on the active one: RATE transactions a second (100), and a feed
#					of numbered rows beside it
#	group_start / group_stop NAME [MODE]	the server
#	group_agent_start / group_agent_stop NAME [SIGNAL]
#	group_promote NAME [keep]	becomes active; the active one is stopped before it ("keep": is left as it
#					is, then there are two); the others follow the new one
#	group_rejoin NAME		a stopped one becomes a passive copy, made anew
#	group_freeze / group_thaw NAME	SIGSTOP to the whole server, and SIGCONT
#
# The network. A and B are hosts; every one of them lasts until group_join:
#	group_cut A B			nothing passes between them, silently
#	group_cut_to A B		what A sends to B is lost; the other way is open
#	group_forget A B		what they have open now is dropped silently, new connections pass (as a
#					firewall that forgot idle ones)
#	group_refuse A B		all between them is answered with a reset
#	group_join			all of the above is over
#	group_reset A B			once: connections between them are aborted, here and there
#	group_slow NAME RATE		what it sends and what is sent to it takes its time (tc's rates: 16mbit)
#	group_fast NAME
#
# A backup that takes its time, and what happens meanwhile:
#	group_begin [ARG...]		in the background, its pid in $requester, over links of $GROUP_RATE (4mbit), with
#					$GROUP_NOISE new rows (100000: 8 s); returns when data moves from the host
#					$group_chosen; $group_other is the other passive one
#	group_launch [ARG...]		the same, but returns at once
#	group_strikes			now something is done to it: for happened_within
#	group_finish			the links are fast again; waits for its end: code, and the files out and err
#	happened NAME [JQ]		the requester wrote an event of that name since group_begin (or group_mark),
#					for which JQ is true
#	happened_within MS NAME [JQ]	after group_strikes
#	happens SECONDS NAME [JQ]	waits for it
#
# Afterwards:
#	group_clean SECONDS		within that time nothing of ours is left on any host that runs: no slot but
#					those that match $GROUP_KEPT_SLOTS (an ERE), no advisory lock, no
#					session but $GROUP_KEPT_SESSIONS (application_name, an ERE), no
#					snapshot, no mount
#	group_restore POINT NAME [ARG...]	restores to $T/NAME, and starts it: an active server by itself, on
#					a socket; ARG: of holdfast restore
#	group_compare NAME [FROM]	that one is whole (pg_amcheck), its balances add up, and it has the feed
#					without a gap, at least up to row FROM, same as the active one's
#	group_feed_at			prints the last row of the feed on the active one
#	group_drop NAME			that one goes

GROUP_COPIES='pg1 pg2 pg3'
declare -A group_ip=([pg1]=10.77.0.1 [pg2]=10.77.0.2 [pg3]=10.77.0.3 [req]=10.77.0.9) group_agent=()
# shellcheck disable=SC2034 # for others
GROUP_KEPT_SLOTS='^(pg[123]|holdfast.*)$' GROUP_KEPT_SESSIONS='^$'
GROUP_BUSY=()

group_possible() {
	[ "$(id -u)" -eq 0 ] || { group_why='needs root'; return 1; }
	for group_tool in ip nft tc ss nsenter curl jq python3 ${GROUP_FS:+mkfs.$GROUP_FS}; do
		command -v "$group_tool" >/dev/null || { group_why="no $group_tool"; return 1; }
	done
	[ -z "${GROUP_FS:-}" ] || loop_possible "$GROUP_FS" || { group_why="no $GROUP_FS"; return 1; }
	ip netns add "hf-try-$$" 2>/dev/null || { group_why='no network namespaces'; return 1; }
	ip -n "hf-try-$$" link add hf type bridge 2>/dev/null || group_why='no bridge'
	ip netns del "hf-try-$$"
	[ -z "${group_why:-}" ]
}

# ---- hosts

group_ns() { echo "/run/netns/hf-$1-$$"; }

# Not ip netns exec: that would have mounts of its own.
on() {
	local host=$1
	shift
	nsenter "--net=$(group_ns "$host")" "$@"
}
group_as() {
	local host=$1
	shift
	(cd / && nsenter "--net=$(group_ns "$host")" runuser -u "$PG_USER" -- "$@")
}

group_network() {
	local host
	ip netns add "hf-hub-$$" || bail 'cannot make a network namespace'
	at_end 'ip netns del "hf-hub-$$"'
	ip -n "hf-hub-$$" link add hub type bridge && ip -n "hf-hub-$$" link set hub up || bail 'no bridge'
	for host in $GROUP_COPIES req; do
		ip netns add "hf-$host-$$" || bail 'cannot make a network namespace'
		at_end "ip netns del hf-$host-$$"
		ip -n "hf-hub-$$" link add "$host" type veth peer name eth0 netns "hf-$host-$$" &&
			ip -n "hf-hub-$$" link set "$host" master hub up &&
			ip -n "hf-$host-$$" addr add "${group_ip[$host]}/24" dev eth0 &&
			ip -n "hf-$host-$$" link set eth0 up && ip -n "hf-$host-$$" link set lo up &&
			on "$host" nft -f - <<-'END' || bail 'cannot make a network'
				table inet hf {
					chain in { type filter hook input priority 0; }
				}
			END
	done
}

group_lose() { # HOST WHAT: what comes in there
	on "$1" nft "add rule inet hf in $2"
}
group_cut_to() { group_lose "$2" "ip saddr ${group_ip[$1]} drop"; }
group_cut() { group_cut_to "$1" "$2" && group_cut_to "$2" "$1"; }
group_refuse() {
	group_lose "$2" "ip saddr ${group_ip[$1]} meta l4proto tcp reject with tcp reset" &&
		group_lose "$1" "ip saddr ${group_ip[$2]} meta l4proto tcp reject with tcp reset"
}
group_forget() {
	local here there
	while read -r here there; do
		group_lose "$2" "ip saddr ${group_ip[$1]} tcp sport ${here##*:} tcp dport ${there##*:} drop" &&
			group_lose "$1" "ip saddr ${group_ip[$2]} tcp sport ${there##*:} tcp dport ${here##*:} drop" ||
			return 1
	done < <(on "$1" ss -Htn dst "${group_ip[$2]}" | awk '{ print $4, $5 }')
}
group_join() {
	local host
	for host in $GROUP_COPIES req; do on "$host" nft flush chain inet hf in; done
}
group_reset() { on "$1" ss -K -tn dst "${group_ip[$2]}" >/dev/null; }
group_slow() {
	on "$1" tc qdisc replace dev eth0 root tbf rate "$2" burst 32kb latency 200ms &&
		on hub tc qdisc replace dev "$1" root tbf rate "$2" burst 32kb latency 200ms
}
group_fast() {
	on "$1" tc qdisc del dev eth0 root 2>/dev/null
	on hub tc qdisc del dev "$1" root 2>/dev/null
	:
}

# ---- servers

group_start() {
	group_as "$1" "$PG_BIN/pg_ctl" -D "$T/$1/data" -l "$T/$1/log" -w -t 60 -s start ||
		{ tail -n 20 "$T/$1/log" >&2 && return 1; }
}
group_stop() { pg_stop "$T/$1" "${2:-fast}"; }

group_sql() {
	(cd / && on req env PGCONNECT_TIMEOUT=5 "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 \
		-h "${group_ip[$1]}" -p 5432 -U "${3:-holdfast}" -d postgres -c "$2")
}

group_conninfo() { # OF FOR
	echo "host=${group_ip[$1]} port=5432 user=replicator application_name=$2 connect_timeout=3"
}

# What differs from host to host. The last one counts, and every one begins as the copy of another.
group_conf() {
	pg_conf "$T/$1" "unix_socket_directories=$T/$1"
	pg_conf "$T/$1" "listen_addresses=${group_ip[$1]}"
}
group_follow() { # NAME ACTIVE
	pg_conf "$T/$1" "primary_conninfo=$(group_conninfo "$2" "$1")"
	pg_conf "$T/$1" "primary_slot_name=$1"
}

group_databases() {
	local c
	pg_new "$T/pg1" --checksums --wal-segsize "${GROUP_SEGSIZE:-1}" --port 5432 \
		--set "max_wal_size=$((64 * ${GROUP_SEGSIZE:-1}))MB" \
		--set "min_wal_size=$((8 * ${GROUP_SEGSIZE:-1}))MB" --set wal_sender_timeout=5s --set wal_receiver_timeout=5s \
		--set wal_receiver_status_interval=1s --set wal_retrieve_retry_interval=300ms --set max_connections=50 \
		--set hot_standby_feedback=on --set wal_log_hints=on || return 1
	printf 'host %s all 10.77.0.0/24 trust\n' all replication | pg_as tee -a "$T/pg1/data/pg_hba.conf" >/dev/null
	group_conf pg1
	group_start pg1 || return 1
	pg_as "$PG_BIN/psql" -X -q -h "$T/pg1" -p 5432 -U postgres -v ON_ERROR_STOP=1 <<-'END' || return 1
		CREATE ROLE replicator LOGIN REPLICATION;
		CREATE ROLE holdfast LOGIN REPLICATION;
		GRANT pg_monitor, pg_checkpoint TO holdfast;
		GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean), pg_switch_wal(),
			pg_create_restore_point(text) TO holdfast;
		CREATE TABLE feed (n bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());
	END
	pg_as "$PG_BIN/pgbench" -q -i -s "${GROUP_SCALE:-2}" -h "$T/pg1" -p 5432 -U postgres postgres 2>&1 || return 1
	# Positions beyond 32 bits.
	pg_stop "$T/pg1" && pg_as "$PG_BIN/pg_resetwal" -l 000000010000000200000001 "$T/pg1/data" &&
		group_start pg1 && pg_sql "$T/pg1" "SELECT pg_create_physical_replication_slot('pg2', true),
			pg_create_physical_replication_slot('pg3', true)" && pg_stop "$T/pg1" || return 1
	for c in pg2 pg3; do
		mkdir -p "$T/$c" && chmod 755 "$T/$c" && chown "$PG_USER" "$T/$c" && echo 5432 >"$T/$c/port" &&
			cp -a "$T/pg1/data" "$T/$c/" && rm -rf "$T/$c/data/pg_replslot/"* || return 1
		group_conf "$c" && group_follow "$c" pg1 && pg_as touch "$T/$c/data/standby.signal"
	done
	group_start pg1 && group_start pg2 && group_start pg3 && group_caught_up 30
}

group_active() {
	local c
	for c in $GROUP_COPIES; do
		[ "$(pg_sql "$T/$c" 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ] && echo "$c" && return 0
	done
	return 1
}

group_replayed() { # NAME LSN
	[ "$(pg_sql "$T/$1" "SELECT coalesce(pg_last_wal_replay_lsn(), '0/0') >= '$2'" 2>/dev/null)" = t ]
}
group_caught_up() {
	local c active lsn
	active=$(group_active) && lsn=$(pg_sql "$T/$active" 'SELECT pg_current_wal_flush_lsn()') || return 1
	for c in $GROUP_COPIES; do
		[ "$c" = "$active" ] || [ ! -f "$T/$c/data/postmaster.pid" ] ||
			until_true "${1:-30}" group_replayed "$c" "$lsn" || return 1
	done
}

group_busy() {
	local active
	active=$(group_active) || return 1
	echo 'INSERT INTO feed SELECT coalesce(max(n), 0) + 1 FROM feed;' >"$T/feed.sql"
	chmod 644 "$T/feed.sql"
	group_load "$active" -b tpcb-like -c 3 -R "${1:-100}" -T 100000
	group_load "$active" -f "$T/feed.sql" -c 1 -R 100 -T 100000
}
# pgbench itself in $!: runuser would be another process.
group_load() { # NAME ARG...
	local c=$1
	shift
	(cd / && exec setpriv --reuid "$PG_USER" --regid "$PG_USER" --init-groups "$PG_BIN/pgbench" -n \
		-h "$T/$c" -p 5432 -U postgres "$@" postgres) >"$T/pgbench-$c.log" 2>&1 &
	GROUP_BUSY+=($!)
}
group_idle() {
	[ "${#GROUP_BUSY[@]}" -eq 0 ] || { kill "${GROUP_BUSY[@]}" && wait "${GROUP_BUSY[@]}"; } 2>/dev/null
	GROUP_BUSY=()
}
group_feed_at() { pg_sql "$T/$(group_active)" 'SELECT coalesce(max(n), 0) FROM feed'; }

group_promote() {
	local old c
	old=$(group_active) || old=
	[ "$old" != "$1" ] || return 1
	[ -z "$old" ] || [ "${2:-}" = keep ] || group_stop "$old" immediate || return 1
	for c in $GROUP_COPIES; do
		[ "$c" = "$1" ] || pg_sql "$T/$1" "SELECT pg_create_physical_replication_slot('$c', true)" >/dev/null 2>&1
	done
	[ "$(pg_sql "$T/$1" 'SELECT pg_promote(true, 30)')" = t ] || return 1
	for c in $GROUP_COPIES; do
		[ "$c" != "$1" ] && [ "$c" != "$old" ] && [ -f "$T/$c/data/postmaster.pid" ] || continue
		group_follow "$c" "$1" && pg_sql "$T/$c" 'SELECT pg_reload_conf()' >/dev/null || return 1
	done
}

group_rejoin() {
	local active
	active=$(group_active) || return 1
	[ ! -f "$T/$1/data/postmaster.pid" ] || group_stop "$1" immediate
	rm -rf "$T/$1/data"
	pg_sql "$T/$active" "SELECT pg_create_physical_replication_slot('$1', true)" >/dev/null 2>&1
	pg_as "$PG_BIN/pg_basebackup" -h "$T/$active" -p 5432 -U postgres -D "$T/$1/data" -X stream -c fast --no-sync &&
		group_conf "$1" && group_follow "$1" "$active" && pg_as touch "$T/$1/data/standby.signal" &&
		group_start "$1"
}

group_processes() { # NAME: of the server
	local postmaster
	postmaster=$(head -n 1 "$T/$1/data/postmaster.pid" 2>/dev/null) || return 1
	# shellcheck disable=SC2046 # a list of words
	echo "$postmaster" $(cat "/proc/$postmaster/task/$postmaster/children" 2>/dev/null)
}
group_freeze() {
	local round
	# The postmaster at first, so that there are no new ones.
	# shellcheck disable=SC2046,SC2034 # a list of words
	for round in 1 2; do kill -STOP $(group_processes "$1") 2>/dev/null; done
	:
}
group_thaw() {
	# shellcheck disable=SC2046 # a list of words
	kill -CONT $(group_processes "$1") 2>/dev/null
	:
}

# ---- agents and the requester

group_agent_conf() {
	cat >"$T/agent-$1/conf" <<-END
		[writer.postgresql]
		host = $T/$1
		port = 5432
		user = holdfast
		database = postgres
	END
}
group_agent_start() {
	local holdfast=$HOLDFAST_BIN
	: >"$T/agent-$1/log"
	agent_start "$T/agent-$1" nsenter "--net=$(group_ns "$1")" -- "unix:$T/agent-$1/socket" "tls://${group_ip[$1]}:7443"
	group_agent[$1]=$agent
}
group_agent_stop() {
	agent=${group_agent[$1]}
	agent_stop "${2:-TERM}"
}

# Both ends of it at the same time for all: most of it is waiting.
group_enroll() {
	local c code
	local -A waiting=()
	for c in ${GROUP_AGENTS-$GROUP_COPIES}; do
		mkdir -p "$T/agent-$c"
		group_agent_conf "$c"
		HOLDFAST_AGENT_STATE_DIR=$T/agent-$c/state on "$c" "$HOLDFAST_BIN" agent enroll \
			--listen "tls://${group_ip[$c]}:7443" >"$T/agent-$c/enroll" 2>&1 &
		waiting[$c]=$!
	done
	for c in "${!waiting[@]}"; do
		until_true 20 agent_code "$T/agent-$c/enroll" >/dev/null || return 1
		code=$(agent_code "$T/agent-$c/enroll")
		hf agent enroll --agent "tls://${group_ip[$c]}:7443" --code "$code" && exits 0 &&
			wait "${waiting[$c]}" || return 1
	done
}

group_configure() {
	local c line
	{
		echo '[group.orders]'
		echo 'engine = postgresql'
		for line; do echo "$line"; done
		for c in $GROUP_COPIES; do
			printf '[group.orders.copy.%s]\nhost = %s\nport = 5432\nuser = holdfast\ndatabase = postgres\n' \
				"$c" "${group_ip[$c]}"
			case " ${GROUP_AGENTS-$GROUP_COPIES} " in
			*" $c "*) echo "agent = tls://${group_ip[$c]}:7443" ;;
			esac
		done
		[ -z "${GROUP_MORE:-}" ] || printf '%s\n' "$GROUP_MORE"
	} >"$T/group.conf"
}

group_requester() {
	HOLDFAST_BIN=$holdfast holdfast=$T/requester
	export HOLDFAST_AGENT_STATE_DIR=$T/req
	cat >"$holdfast" <<-END
		#!/bin/sh
		config='--config $T/group.conf'
		for argument; do
			case \$argument in
			--config* | --version | --help | -- | help | enroll) config= ;;
			esac
		done
		exec nsenter --net=$(group_ns req) '$HOLDFAST_BIN' "\$@" \$config
	END
	chmod 755 "$holdfast"
}

group_set_up() {
	local c
	chmod 755 "$T"
	group_network
	group_requester
	for c in ${GROUP_FS:+$GROUP_COPIES}; do
		loop_new "$T/$c" "$GROUP_FS" "${GROUP_MIB:-500}" || bail 'no file system'
		at_end "loop_end $T/$c"
	done
	at_end 'group_end'
	group_databases >"$T/set-up.log" 2>&1 || bail "no servers: $(tail -n 5 "$T/set-up.log")"
	hf init --config /dev/null && exits 0 || bail 'no repository'
	group_enroll || bail 'cannot enroll'
	for c in ${GROUP_AGENTS-$GROUP_COPIES}; do group_agent_start "$c"; done
	group_configure
}

group_end() {
	local c
	group_idle
	for c in "$T"/*/data/postmaster.pid; do
		[ -f "$c" ] || continue
		c=${c%/data/postmaster.pid}
		group_thaw "${c##*/}"
		pg_stop "$c" immediate >/dev/null 2>&1
	done
}

# ---- a backup, and what happens meanwhile

group_mark() { group_since=$(date +%s%N); }
group_strikes() { group_struck=$(date +%s%N); }

group_launch() {
	local active c
	active=$(group_active) || return 1
	pg_sql "$T/$active" "SET client_min_messages = error; DROP TABLE IF EXISTS noise; CREATE TABLE noise AS
		SELECT n, md5(random()::text) || md5(random()::text) FROM generate_series(1, ${GROUP_NOISE:-100000}) n" >/dev/null &&
		group_caught_up 60 || return 1
	for c in $GROUP_COPIES; do
		[ "$c" = "$active" ] || group_slow "$c" "${GROUP_RATE:-4mbit}" || return 1
		[ ! -e "$T/agent-$c/log" ] || : >"$T/agent-$c/log"
	done
	group_chosen=
	group_mark
	group_strikes
	lateness_begin
	"$holdfast" backup --group orders "$@" >"$T/out" 2>"$T/err" </dev/null &
	requester=$!
	at_end "kill -9 $requester 2>/dev/null"
}

group_begin() {
	group_launch "$@" || return 1
	until_true 30 group_moves && [ -n "$group_chosen" ] && return 0
	run_shows
	return 1
}

# Also true when there will be no more of it.
group_moves() {
	local c
	for c in $GROUP_COPIES; do
		grep -qs 'RPC: MoveData' "$T/agent-$c/log" && group_chosen=$c
	done
	for c in $GROUP_COPIES; do
		[ "$c" = "$group_chosen" ] || [ "$c" = "$(group_active)" ] || group_other=$c
	done
	[ -n "$group_chosen" ] || ! kill -0 "$requester" 2>/dev/null
}

group_finish() {
	local c
	for c in $GROUP_COPIES; do group_fast "$c"; done
	code=0
	wait "$requester" || code=$?
}

group_events() { # NAME JQ: of them
	"$holdfast" events --json 2>/dev/null </dev/null |
		jq -c --argjson since "$group_since" "select(.name == \"$1\" and .time_ns >= \$since) | select(${2:-true})"
}
happened() { group_events "$@" | grep -q .; }
happens() {
	local seconds=$1
	shift
	until_true "$seconds" happened "$@" && return 0
	echo "# no event: $*"
	return 1
}
happened_within() {
	local limit=$1 at lateness
	shift
	get_lateness
	at=$(group_events "$@" | jq -r .time_ns | head -n 1)
	[ -n "$at" ] || { echo "# no event: $*" && return 1; }
	at=$(((at - group_struck) / 1000000))
	echo "# $1 after $at ms, on a machine that is up to $lateness ms late"
	[ "$at" -le $((limit + lateness)) ]
}

# ---- afterwards

group_left() {
	local c
	for c in $GROUP_COPIES; do
		[ ! -f "$T/$c/data/postmaster.pid" ] || pg_sql "$T/$c" "
			SELECT '$c: temporary slot ' || slot_name FROM pg_replication_slots WHERE temporary
			UNION ALL SELECT '$c: slot ' || slot_name FROM pg_replication_slots
				WHERE NOT temporary AND slot_name !~ '$GROUP_KEPT_SLOTS'
			UNION ALL SELECT '$c: advisory lock of ' || pid FROM pg_locks WHERE locktype = 'advisory'
			UNION ALL SELECT format('%s: session %s \"%s\", %s', '$c', pid, application_name, query)
				FROM pg_stat_activity WHERE usename = 'holdfast'
				AND application_name !~ '$GROUP_KEPT_SESSIONS'" 2>&1
		[ -n "${group_agent[$c]:-}" ] && kill -0 "${group_agent[$c]}" 2>/dev/null || continue
		call "$T/agent-$c/socket" ListSnapshots '{}' | jq -r ".Snapshots[] | \"$c: snapshot \(.SetId)\"" ||
			echo "$c: the agent does not answer"
		grep -o " $T/agent-$c/state/mnt[^ ]*" /proc/self/mountinfo
		find "$T/$c" -maxdepth 2 -path '*/.holdfast/*' 2>/dev/null
	done
}
group_is_clean() {
	group_left_over=$(group_left)
	[ -z "$group_left_over" ]
}
group_clean() {
	until_true "$1" group_is_clean && return 0
	printf '%s\n' "$group_left_over" | sed 's/^/# left: /'
	return 1
}

group_restore() {
	local point=$1 name=$2
	shift 2
	mkdir -p "$T/$name" && chmod 755 "$T/$name" && chown "$PG_USER" "$T/$name" && echo 5432 >"$T/$name/port"
	hf restore "$point" --to "$T/$name/data" "$@" && exits 0 || return 1
	pg_conf "$T/$name" "unix_socket_directories=$T/$name"
	pg_conf "$T/$name" listen_addresses=
	pg_start "$T/$name" && until_true 60 group_writable "$name"
}
group_writable() { [ "$(pg_sql "$T/$1" 'SELECT pg_is_in_recovery()')" = f ]; }

group_digest() { # FOLDER N
	pg_sql "$1" "SELECT md5(coalesce(string_agg(n || ' ' || extract(epoch FROM at), ',' ORDER BY n), '')) FROM feed WHERE n <= $2"
}
group_compare() {
	local n count active
	active=$(group_active) || { echo '# nothing is active' && return 1; }
	pg_as "$PG_BIN/pg_amcheck" --heapallindexed --all --install-missing -h "$T/$1" -p 5432 -U postgres ||
		{ echo '# pg_amcheck finds something' && return 1; }
	[ "$(pg_sql "$T/$1" "SELECT (SELECT sum(abalance) FROM pgbench_accounts)
		= (SELECT sum(bbalance) FROM pgbench_branches) AND (SELECT sum(tbalance) FROM pgbench_tellers)
		= (SELECT coalesce(sum(delta), 0) FROM pgbench_history)")" = t ] ||
		{ echo '# the balances do not add up' && return 1; }
	n=$(pg_sql "$T/$1" 'SELECT coalesce(max(n), 0) FROM feed') && count=$(pg_sql "$T/$1" 'SELECT count(*) FROM feed')
	if [ "$n" != "$count" ] || [ "$n" -lt "${2:-0}" ]; then
		echo "# the feed ends at $n, and has $count rows; ${2:-0} had to be there"
		return 1
	fi
	[ "$(group_digest "$T/$1" "$n")" = "$(group_digest "$T/$active" "$n")" ] ||
		{ echo '# the feed is another than on the active copy' && return 1; }
}
group_drop() { pg_drop "$T/$1"; }
