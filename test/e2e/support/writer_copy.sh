# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What stands in for the mover in tests of the PostgreSQL writer alone: copies by the component's
# instructions, with tar. Source it after writer.sh and pg.sh; $T is a folder for its lists.
#
#	settings DIR [KEY VALUE]...	the writer's settings for the cluster in DIR, as JSON
#	nothing_left DIR		neither slot nor session of ours is left in its server
#	owned PATH			give it to the server's user
#	w_copy DATA TOP			the files of $COMPONENT; tablespaces to TOP/ts/OID
#	w_copy_tail DATA		those of the tail in $REPLY_LINE
#	all_metadata			of $COMPONENT and $TAIL_METADATA, for a restore

settings() { # DIR [KEY VALUE]...
	local json
	json=$(jq -n --arg host "$1" --arg port "$(pg_port "$1")" '{host: $host, port: $port, user: "postgres"}')
	shift
	while [ $# -gt 0 ]; do
		json=$(jq -c --arg k "$1" --arg v "$2" '.[$k] = $v' <<<"$json")
		shift 2
	done
	jq -c . <<<"$json"
}

# A session of ours, a slot, a backup: is anything left in the server? It ends within seconds.
nothing_left() {
	local left
	for _ in $(seq 100); do
		left=$(pg_sql "$1" "SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'holdfast%')
			+ (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast')") || return 1
		[ "$left" = 0 ] && return 0
		pg_sql "$1" 'SELECT pg_sleep(0.05)' >/dev/null
	done
	echo "# still there: $left"
	return 1
}

# What root wrote is the server's, as a restore by root would leave it.
owned() { [ "$(id -u)" -ne 0 ] || chown -Rh "$PG_USER" "$1"; }

# Patterns of the component as extended regular expressions, for a path or anything below it.
exclude_expressions() {
	jq -r '.exclude[]' <<<"$COMPONENT" | sed -e 's/[.+(){}^$|]/\\&/g' -e 's/\[!/[^/g' \
		-e 's/\*/[^\/]*/g' -e 's/?/[^\/]/g' -e 's/^/(/' -e 's/$/)(\/.*)?/'
}

# Where a path of the component is read; a test that has a snapshot says otherwise.
w_where() { echo "$1"; }

# The component's files into a folder, as they are; the last ones last. Tablespaces go to
# $2/ts/OID with a link, as a restore would put them.
w_copy() {
	local to=$1 paths n source at
	paths=$(jq '.paths | length' <<<"$COMPONENT")
	mkdir -p "$to" "$2/ts" && exclude_expressions >"$2/exclude" || return 1
	for ((n = 0; n < paths; n++)); do
		source=$(w_where "$(jq -r ".paths[$n].source" <<<"$COMPONENT")")
		at=$(jq -r ".paths[$n].at" <<<"$COMPONENT")
		if [ "$(jq -r ".paths[$n].relocatable" <<<"$COMPONENT")" = true ]; then
			rm -rf "${to:?}/$at" && mkdir -p "$2/ts/${at##*/}" && ln -s "$2/ts/${at##*/}" "$to/$at" || return 1
		elif [ -n "$at" ]; then
			rm -rf "${to:?}/$at" && mkdir "$to/$at" || return 1
		fi
		(cd "$source" && find . -mindepth 1 -printf "${at:+$at/}%P\n") |
			grep -Evx -f "$2/exclude" | grep -vx global/pg_control |
			sed "s|^${at:+$at/}||" >"$2/list"
		[ -n "$at" ] || echo global/pg_control >>"$2/list"
		tar -C "$source" --no-recursion --ignore-failed-read --warning=none -cf - -T "$2/list" |
			tar -C "$to/$at" -xpf - || return 1
	done
	owned "$2"
}

# The tail of post-copy in $REPLY_LINE.
w_copy_tail() {
	local source at
	mkdir -p "$1/pg_wal"
	w_get '.tail.paths[]? | .source + "\t" + .at + "\t" + (.expect_size | tostring)' >"$T/tail"
	while IFS=$'\t' read -r source at size; do
		cp "$source" "$1/$at" && [ "$(stat -c %s "$1/$at")" = "$size" ] || return 1
	done <"$T/tail"
	for at in $(w_get '.tail.files[]?.at'); do
		w_get ".tail.files[] | select(.at == \"$at\") | .data" | head -c -1 >"$1/$at"
	done
	owned "$1"
}

all_metadata() { jq -c -n --argjson a "$(jq .metadata <<<"$COMPONENT")" --argjson b "$TAIL_METADATA" '$a + $b'; }
