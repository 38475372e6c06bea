#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The command line, verb by verb, as a person or a script uses it: results, exit codes, what is said
# when something is wrong. Folders only; databases are tested elsewhere.
#
# shellcheck disable=SC2317 # functions are called through check
set -u
export LC_ALL=C TZ=UTC
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/e2e/support/tap.sh
. "$here/support/tap.sh"

holdfast=${HOLDFAST:?the program to test}
t=$(mktemp -d /tmp/hf-cli-XXXXXX)
trap 'rm -rf "$t"' EXIT
cd "$t" || exit 1
unset HOLDFAST HOLDFAST_REPOSITORY HOLDFAST_PASSWORD_FILE HOLDFAST_KEY_FILE
export HOLDFAST_CACHE_DIR="$t/cache"

# hf ARG...: run; leaves the exit code in $code, outputs in files out and err.
hf() {
	"$holdfast" "$@" >out 2>err </dev/null
	code=$?
}
exits() { [ "$code" -eq "$1" ] || { echo "# exit code $code, not $1: $(cat err)" && return 1; }; }
said() { grep -qF -- "$1" err || { echo "# standard error lacks '$1': $(cat err)" && return 1; }; }
printed() { grep -qE -- "$1" out || { echo "# output lacks '$1': $(cat out)" && return 1; }; }
# runs NAME CODE ARG...: a run that must end so; fails NAME CODE TEXT ARG...: and say that.
runs() {
	name=$1 want=$2
	shift 2
	hf "$@"
	check "$name" exits "$want"
}
fails() {
	name=$1 want=$2 text=$3
	shift 3
	hf "$@"
	check "$name" exits "$want" && check "$name: says why" said "$text"
}
all_json() { jq -es 'all(type == "object" and has("type"))' out >/dev/null; }
json() { jq -es "$1" out >/dev/null || { echo "# not so: $1: $(cat out)" && return 1; }; }

# Something to back up: a bit of everything.
mkdir -p src/a/b src/empty
printf 'one\n' >src/a/one
printf 'two\n' >src/a/b/two
head -c 3000000 /dev/urandom >src/a/big
: >src/zero
truncate -s 5M src/sparse
ln -s a/one src/link
ln src/a/one src/a/hard
printf 'x' >"src/$(printf 'odd\nname\377')"
mkfifo src/fifo
chmod 640 src/a/one
touch -d '2001-02-03 04:05:06.789' src/a/one
echo secret >pass && echo other >pass2 && chmod 600 pass pass2
same() { diff -r --no-dereference --exclude fifo "$1" "$2"; }

# Help, version, usage
runs 'version' 0 version
check 'version says it' printed '^holdfast [0-9]'
runs 'version --json' 0 version --json
check 'version --json is JSON' json '.[0].type == "version"'
runs '--version' 0 --version
runs 'help' 0 help
check 'help lists the commands' printed '^  backup'
for c in init backup list restore verify forget prune 'key add' 'key list' 'key remove' stats plan \
	'config show' version help errors settings key; do
	# shellcheck disable=SC2086 # names of two words are two words
	runs "help $c" 0 help $c
done
runs 'backup --help' 0 backup --help
check '--help shows the flags' printed '--exclude PATTERN'
fails 'no command' 2 'no command was given' -r repo
fails 'a value for a switch' 2 'takes no value' list --json=x
fails 'a command that is none' 2 "did you mean 'holdfast backup'?" bakcup
fails 'a flag that is none' 2 "did you mean '--exclude'?" backup --exlude x
fails 'nothing to back up' 2 'nothing to back up' backup -r repo
fails 'no repository given' 2 'no repository was given' list
fails 'restore without --to' 2 '--to is missing' restore -r repo latest
hf; check 'no arguments at all' exits 2

# init
fails 'no repository there' 1 'holdfast init' list -r repo --password-file pass
fails 'no terminal to ask on' 2 'no terminal' init -r repo
check 'what to give instead' said 'give --password-file or --key-file'
check 'and no repository made' test ! -e repo/holdfast.json
runs 'init' 0 init -r repo --password-file pass
check 'init says so' printed '^Created repository [0-9a-f]{8}'
fails 'init twice' 1 'init' init -r repo --password-file pass
fails 'a folder in use' 1 '' init -r src --password-file pass
fails 'a wrong password' 1 'no key slot opens' list -r repo --password-file pass2
check 'with its code' said '0x80070005'
fails 'nothing to restore yet' 1 'no restore point yet' restore -r repo --password-file pass latest --to none
check 'how to make one' said "'holdfast backup'"
fails 'a missing password file' 1 'absent' list -r repo --password-file absent
chmod 644 pass
hf list -r repo --password-file pass
check 'a readable password file is warned about' said 'can be read by other users'
chmod 600 pass

export HOLDFAST_REPOSITORY="$t/repo" HOLDFAST_PASSWORD_FILE="$t/pass"

# key
fails 'no terminal to ask for the new password on' 2 'no terminal' key add
check 'what to give instead of it' said 'give --new-password-file or --new-key-file'
runs 'key add' 0 key add --new-key-file key --label robot
check 'the key file was made' test "$(stat -c '%a %s' key)" = '600 64'
check 'and this is said' said 'Made key file'
runs 'key list' 0 key list
check 'key list shows both' test "$(grep -cE '(password|key-file) ' out)" -eq 2
runs 'key list --json' 0 key list --json
check 'key list --json' json 'map(select(.label == "robot" and .kind == "key-file")) | length == 1'
runs 'the key file opens it' 0 list --key-file key
robot=$(jq -r 'select(.label == "robot").id' out 2>/dev/null || true)
hf key list --json && robot=$(jq -r 'select(.label == "robot").id' out)
other=$(jq -r 'select(.label != "robot").id' out)
runs 'key remove' 0 key remove "$robot"
fails 'the removed key opens nothing' 1 'no key slot opens' list --key-file key
fails 'the last key stays' 1 'last' key remove "$other"
fails 'no such key' 1 'no key begins with' key remove ffffffff
unset HOLDFAST_PASSWORD_FILE
runs 'a key file instead of a password' 0 key add --password-file pass --new-key-file key2
export HOLDFAST_KEY_FILE="$t/key2"

# backup
fails 'nothing there' 1 '/absent' backup "$t/absent"
runs 'backup' 0 backup --tag first src
check 'backup names the point' printed '^Restore point [0-9a-f]{8}: consistency none$'
runs 'backup again' 0 backup src --json
check 'every line is an object' all_json
check 'nothing new' json 'last | .type == "summary" and .files_new == 0 and .files_changed == 0 and .bytes_stored < 10000'
check 'compared with the first' json 'last.parent | length == 32'
runs 'force-read finds the same' 0 backup src --force-read --json
check 'force-read stores nothing new' json 'last.bytes_stored < 10000'
runs 'one path missing' 3 backup src absent --host elsewhere --json
check 'it is a serious warning' json 'map(select(.type == "warning")) | .[0].serious'
check 'and the error says INCOMPLETE' json 'last | .type == "error" and .code == "INCOMPLETE" and .exit_code == 3 and (.message | contains("(1 warning)"))'
runs 'excluded' 0 backup src --exclude '*.none' --exclude big --exclude "$t/src/a/b" --tag less
runs '--stats' 0 backup src --stats --tag same
check '--stats shows the stages' printed '^compress '
runs 'the repository is not backed up into itself' 0 backup "$t" --exclude src --tag self
check 'and that is said' said 'left out'
hf list "latest:$t"
check 'it is not in there' sh -c '! grep -q " repo$" out && grep -q " key2$" out'

# list
runs 'list' 0 list
check 'a line for each' test "$(grep -c ' none' out)" -eq 7
runs 'list by tag' 0 list --tag first --tag less
check 'two of them' test "$(grep -c ' none' out)" -eq 2
runs 'list by host' 0 list --host elsewhere --json
check 'one of them' json 'length == 1 and .[0].incomplete and .[0].warnings[0].code == "SOURCE"'
first=$(hf list --tag first --json && jq -r '.id' out)
runs 'one point' 0 list "$first"
check 'its host' printed "^Host: +$(hostname)"
runs 'a folder' 0 list "$first:$t/src"
check 'as ls -l' printed '^lrwxrwxrwx .* link -> a/one$'
check 'odd names are escaped' printed 'odd\\x0aname\\xff$'
runs 'a file' 0 list "$first:$t/src/a/one"
check 'with its mode and time' printed '^-rw-r----- .* 4  2001-02-03 04:05:06  one$'
runs 'recursively' 0 list -R "$first:$t/src"
check 'paths from there' printed ' a/b/two$'
runs 'entries as JSON' 0 list -R "$first:$t/src" --json
check 'odd names survive' json 'map(select(.path | type == "object")) | length == 1'
runs 'the smaller one' 0 list -R "$(hf list --tag less --json && jq -r .id out):$t/src"
check 'lacks what was excluded' sh -c '! grep -qE " a/(big|b)$" out && grep -q " a/one$" out'
fails 'no such path' 1 'has no' list "$first:/absent"
fails 'no such point' 1 'no restore point begins with' list 00000000000000000000000000000000
fails 'too short' 1 '' list x

# restore
# What 'list' says of a restore point: everything but folders.
files_of() { "$holdfast" list "$1" | sed -n 's/^Size: .* in //p'; }
runs 'restore all' 0 restore "$first" --to all
check 'as many files as the restore point has' sh -c "grep -q \": $(files_of "$first"), \" out"
check 'under its whole path' same src "all$t/src"
check 'times to the nanosecond' test "$(stat -c %y src/a/one)" = "$(stat -c %y "all$t/src/a/one")"
check 'hard links are one file' test "$(stat -c %h "all$t/src/a/one")" -eq 2
check 'holes stay holes' test "$(stat -c %b "all$t/src/sparse")" -lt 100
check 'a FIFO is one' test -p "all$t/src/fifo"
runs 'restore a folder' 0 restore "latest:$t/key2" --to one
check 'restore a file' cmp -s key2 one/key2
fails 'not over what is there' 1 '--delta' restore "$first" --to all
printf 'changed' >"all$t/src/a/one"
: >"all$t/src/extra"
runs 'overwrite' 0 restore "$first:$t/src/a" --to "all$t/src/a" --overwrite
check 'overwritten' cmp -s src/a/one "all$t/src/a/one"
check 'extra files stay' test -e "all$t/src/extra"
printf 'changed' >"all$t/src/a/b/two"
runs 'delta' 0 restore "$first:$t/src" --to "all$t/src" --delta --json
check 'delta wrote little' json 'last | .bytes_written < 100000 and .files_removed == 1'
check 'delta made it equal' same src "all$t/src"
fails 'not both' 2 'exclude each other' restore "$first" --to x --delta --overwrite
fails 'a map for nothing' 2 'OLD=NEW' restore "$first" --to x --tablespace-map y
check 'and shows a right one' said 'hint: as in --tablespace-map'
fails 'no such point to restore' 1 '' restore 0000 --to x
check 'and nothing was made' test ! -e x

# verify, stats
runs 'verify' 0 verify
check 'no problems' printed 'no problems$'
runs 'verify a point' 0 verify "$first"
runs 'verify --stored' 0 verify --stored
runs 'verify --read-data' 0 verify --read-data --json
check 'everything was read' json 'last | .problems == 0 and .bytes_read > 3000000'
runs 'stats' 0 stats --json
check 'stats counts' json '.[0] | .points == 7 and .logical_bytes > .stored_bytes and .packs > 0'
runs 'stats as text' 0 stats

# forget, prune
fails 'forget needs to know' 2 'nothing says what to keep' forget
fails 'rules or points' 2 'go with rules' forget "$first" --tag x
runs 'forget --dry-run' 0 forget --keep-last 1 --dry-run --json
check 'what would go' json 'map(select(.type == "forgotten")) | length == 4 and all(.dry_run)'
runs 'all still there' 0 list
check 'all seven' test "$(grep -c ' none' out)" -eq 7
fails 'one of two does not exist' 1 '' forget "$first" 0123456789abcdef
runs 'then none goes' 0 list "$first"
runs 'forget one' 0 forget "$first"
fails 'it is gone' 1 '' list "$first"
runs 'by rule, for one host' 0 forget --keep-last 1 --host "$(hostname)"
runs 'the other host stays' 0 list --host elsewhere --json
check 'one of it' json 'length == 1'
hf list --json
for p in $(jq -r .id out); do hf forget "$p"; done
fails 'prune of nothing needs a word' 1 '--allow-empty' prune --grace 0
runs 'prune --dry-run' 0 prune --grace 0 --allow-empty --dry-run --json
check 'it would remove' json '.[0].dry_run and .[0].points == 0'
runs 'prune' 0 prune --grace 0 --allow-empty --json
runs 'prune again' 0 prune --grace 0 --allow-empty --json
check 'no packs are left' test "$(find repo/packs -type f | wc -l)" -eq 0
runs 'a backup after that' 0 backup src
runs 'is whole' 0 verify --read-data

# config
printf '[backup]\nhost = fromfile\nexclude = *.o\nexclude = *.a\n[output]\nprogress = never\n' >c.conf
runs 'config show' 0 config show --config c.conf --effective --option backup.workers=3
check 'from the file' printed '^backup.host +fromfile +c.conf:2$'
check 'from the command line' printed '^backup.workers +3 +threads +command line$'
check 'from the environment' printed '^repository.location .* environment HOLDFAST_REPOSITORY$'
check 'with unit' printed '^backup.memory_limit +128MiB +134217728 bytes +default$'
runs 'config show --json' 0 config show --config c.conf --json
check 'lists' json 'map(select(.key == "exclude"))[0].values == ["*.o", "*.a"]'
runs 'the file counts' 0 backup src --config c.conf --json
hf list latest --json
check 'its host' json '.[0].host == "fromfile"'
fails 'a missing file' 1 'no configuration file' list --config absent.conf
echo 'x = 1' >bad.conf
fails 'a bad file' 1 'bad.conf:1' list --config bad.conf
fails 'a bad option' 2 "did you mean 'backup.workers'?" list --option backup.worker=1
fails 'a bad value' 2 'out of range' backup src --option backup.workers=1000
runs 'help works all the same' 0 help --config bad.conf
HOLDFAST_PRUNE_GRACE=soon hf list
check 'a bad variable' exits 1
check 'is named' said 'environment HOLDFAST_PRUNE_GRACE'

# plan
runs 'plan' 0 plan src --json
check 'direct, and why' json '.[0] | .provider == "direct" and .consistency == "none" and (.why | length > 10)'
fails 'plan of nothing' 2 'give one PATH' plan
fails 'plan of what is not there' 1 '/absent' plan "$t/absent"
fails 'a writer that is not there' 1 'holdfast-writer-nosuch' backup --writer nosuch
fails 'a writer that cannot be' 2 'cannot be the name of a writer' backup --writer ../x

# Errors as JSON, output that cannot be written
hf list -r nowhere --json
check 'an error is an object' json 'last | .type == "error" and .code == "NO_REPOSITORY" and .number == 15 and (.retryable | not) and .exit_code == 1'
check 'on standard output only' test ! -s err
hf --json
check 'usage errors, too' json 'last.code == "USAGE"'
check 'with hresult' json 'last.hresult == "0x80070057"'
"$holdfast" list >/dev/full 2>err
check 'a full output is an error' test $? -eq 1
check 'that is named' said 'write to standard output'

# A signal: a clean end, and what was stored is used by the next backup.
mkdir -p many
i=0
while [ $i -lt 40 ]; do
	head -c 4000000 /dev/urandom >many/$i
	i=$((i + 1))
done
"$holdfast" backup many --option backup.workers=1 --option backup.pack_size=1MiB --json >out 2>err &
pid=$!
# As soon as something is stored.
while kill -0 $pid 2>/dev/null && [ -z "$(find repo/packs -type f -newer err 2>/dev/null | head -n 3 | tail -n 1)" ]; do :; done
kill -TERM $pid 2>/dev/null
wait $pid
code=$?
if [ "$code" -eq 0 ]; then
	skip 'SIGTERM' 'the backup was faster'
else
	check 'SIGTERM ends it with exit code 1' exits 1
	check 'says it was stopped' json 'last.code == "CANCELLED"'
	runs 'the repository is whole' 0 verify
fi
runs 'and the next backup works' 0 backup many

# --- completion
"$holdfast" help --completion bash >completion
completes() { # ERE WORD...: the candidates for the last word, in a line
	want=$1
	shift
	# shellcheck disable=SC2016 # for that shell
	bash -c '. ./completion && shift && compopt() { :; } && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) &&
		_holdfast && echo "${COMPREPLY[*]}"' - - "$@" >out 2>err
	printed "$want"
}
check 'completion: commands' completes '^init backup .* help$' holdfast ''
check '... their second words' completes '^status truncate$' holdfast group ''
check '... flags' completes '^--target-time .*--target-timeline$' holdfast restore --target
check '... flags of a command that has second words, too' completes '^--listen' holdfast agent --
check '... values, where there are only some' completes '^application$' holdfast backup --require ap
check '... commands to be helped with' completes '^errors settings init backup ' holdfast help ''
check '... files, where paths are taken' completes '(^| )completion( |$)' holdfast backup compl
check '... and no files where none are' completes '^$' holdfast explain ''

done_testing
