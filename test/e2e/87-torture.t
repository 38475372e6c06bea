#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Whole backups, here and through an agent, whose requester, agent, guard and writer are killed (kill -9) or
# stopped for longer than the lease at random moments, one or two of them at once: in time nothing is frozen,
# mounted, held, locked or running any more, the repository verifies, and the next backup succeeds
# (support/torture.py). And the power is cut in the midst of it (support/powercut.py).
#
#	HOLDFAST_SOAK	not empty: six thousand moments, not some dozens
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
. "$here/support/run.sh"
. "$here/support/loop.sh"
if [ "$(id -u)" -ne 0 ] || ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP freezing takes root, and python3"
	exit 0
fi
scratch torture
rounds=8 seconds=5
[ -z "${HOLDFAST_SOAK:-}" ] || { rounds=700 seconds=36000; }
rounds=${TORTURE_ROUNDS:-$rounds} seconds=${TORTURE_SECONDS:-$seconds}
image=$here/../../doc/examples/external-image

mkdir writers
ln -s "$here/support/gate.py" writers/holdfast-writer-gate
ln -s "${HOLDFAST_WRITER_DIR:?}/holdfast-guard" writers/holdfast-guard
export HOLDFAST_WRITER_DIR=$T/writers CONF=$T/conf HOLDFAST=$holdfast
hf init || bail "no repository: $(cat "$T/err")"

configure() { # MOUNT PROVIDER
	cat >conf <<-END
		[backup]
		provider = $2
		freeze_limit = 2s
		snapshot_timeout = 3s
		[agent]
		state_dir = $HOLDFAST_AGENT_STATE_DIR
		[provider.external]
		create = $image create
		expose = $image expose
		remove = $image remove
		[writer]
		timeout = 2s
		[writer.gate]
		folder = $1/app
		trace = $T/trace
	END
}

# The same small tree on each.
fill() {
	mkdir "$1/app" "$1/data"
	echo something >"$1/app/book"
	: >"$1/app/lock"
	for i in $(seq 40); do head -c $((i * 3000)) /dev/urandom >"$1/data/$i"; done
}

for pair in btrfs:btrfs:128 reflink:xfs:320 external:ext4:32; do
	IFS=: read -r provider type size <<<"$pair"
	if ! loop_possible "$type" || ! loop_new "$T/$provider" "$type" "$size"; then
		skip "$provider on $type" "$type cannot be made here"
		continue
	fi
	at_end "loop_end '$T/$provider'"
	fill "$T/$provider"
	configure "$T/$provider" "$provider"
	[ "${TORTURE_ONLY:-}" = cut ] || for where in local agent; do
		SECONDS_MAX=$seconds python3 "$here/support/torture.py" "$where-$provider" "$rounds" \
			"$T/$provider" "$T/$provider.img"
		code=$?
		check "$where, $provider: nothing is left, the repository verifies, the next backup succeeds" \
			[ "$code" -eq 0 ]
	done

	# And the power is cut.
	if ! loop_possible ext4 || ! loop_new "$T/system" ext4 32 "$T/system-$provider.img"; then
		skip "power cut, $provider" "ext4 cannot be made here"
		continue
	fi
	HOLDFAST_AGENT_STATE_DIR=$T/system/state
	configure "$T/$provider" "$provider"
	SECONDS_MAX=$seconds python3 "$here/support/powercut.py" "$provider" "$rounds" "$T/$provider" \
		"$T/$provider.img" "$T/system" "$T/system-$provider.img"
	code=$?
	check "power cut, $provider: clean, and everything of ours removed" [ "$code" -eq 0 ]
	HOLDFAST_AGENT_STATE_DIR=$T/state
	loop_end "$T/system"
done
done_testing
