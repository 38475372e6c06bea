#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The Python writer in doc/writer-protocol.md, taken out of the page and used: what the page teaches
# works with the requester as it is.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/support/tap.sh"
holdfast=${HOLDFAST:?the program to test}
if ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP no python3"
	exit 0
fi
t=$(mktemp -d /tmp/hf-example.XXXXXX)
trap 'rm -rf "$t"' EXIT
cd "$t" || exit 1
unset HOLDFAST HOLDFAST_REPOSITORY HOLDFAST_KEY_FILE
export HOLDFAST_CACHE_DIR=$t/cache HOLDFAST_PASSWORD_FILE=$t/pass HOLDFAST_WRITER_DIR=$t/writers

mkdir writers ledger
sed -n '/^```python$/,/^```$/p' "$here/../../doc/writer-protocol.md" | sed '/^```/d' >writers/holdfast-writer-ledger
chmod +x writers/holdfast-writer-ledger
check "the page has a writer of some forty lines" test "$(wc -l <writers/holdfast-writer-ledger)" -le 50
echo secret >pass && chmod 600 pass
printf '[writer.ledger]\nfolder = %s/ledger\n' "$t" >conf
echo "ten coins" >ledger/book && : >ledger/lock
hf() { "$holdfast" --config conf "$@" >out 2>err </dev/null; }
shows() { grep -q "$1" out err || { cat out err | sed 's/^/# /' && return 1; }; }

check "a repository" hf init -r repo
check "a backup through it" hf backup -r repo --writer ledger
check "is consistent" shows "consistency application"
check "the writer is gone" test -z "$(pgrep -f "$t/writers/holdfast-writer-ledger")"
check "a restore through it" hf restore -r repo latest --to back
check "brings the data" cmp ledger/book back/book
check "and what the writer made" test "$(cat back/SAVED)" = "in one piece"
check "without what it left out" test ! -e back/lock

# Somebody writes: the lock is taken, and the backup refused for now.
exec 9>>ledger/lock && flock 9
hf backup -r repo --writer ledger
check "a refusal is passed on as worth another try" test $? -eq 75
check "with the writer's words" shows "writer 'ledger': prepare-snapshot: "
exec 9>&-
rm -r ledger
hf backup -r repo --writer ledger
check "a failure is passed on as one" test $? -eq 1
check "with the writer's reason" shows "No such file or directory"
done_testing
