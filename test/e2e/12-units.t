#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The units for systemd: what systemd itself says of them, and that every command in them is one that the program
# knows. (That the log copier works under its unit's restrictions: 45-log-copier-unit.t.)
set -u
cd "$(dirname "$0")/support" || exit 1
. ./tap.sh
. ./run.sh
scratch units

units=${BUILD_ROOT:?}/packaging
# As installed, but with the program where it is.
for unit in "$units"/*.service; do
	sed "s|=\(-\{0,1\}\)[^ =]*/bin/holdfast |=\1$holdfast |" "$unit" >"$T/$(basename "$unit")"
done
mv "$T/holdfast-log-copier@.service" "$T/holdfast-log-copier@orders.service"

silent() { # systemd-analyze prints what it does not like, and ends well all the same
	systemd-analyze verify --man=no "$1" >"$T/said" 2>&1 && [ ! -s "$T/said" ] && return 0
	sed 's/^/# /' "$T/said"
	return 1
}
# The command lines, without prefixes.
commands() { sed -n 's/^Exec[A-Za-z]*=[-@:+!]*//p' "$1"; }
known() { # every command, with every flag
	local line word words path
	while read -r line; do
		line=${line//%i/orders}
		read -ra words <<<"$line"
		path=${words[0]}
		[ -x "$path" ] || { echo "# $path is no program" && return 1; }
		"$path" "${words[1]}" --help >"$T/help" 2>&1 || { echo "# $line: no such command" && return 1; }
		for word in "${words[@]:2}"; do
			case $word in -*) grep -qF -- "$word" "$T/help" || { echo "# $line: no $word" && return 1; } ;; esac
		done
	done < <(commands "$1")
	[ -n "$(commands "$1")" ]
}
for unit in "$T"/*.service; do
	name=$(basename "$unit")
	if command -v systemd-analyze >/dev/null; then
		check "$name: systemd finds nothing wrong" silent "$unit"
	else
		skip "$name: systemd finds nothing wrong" 'no systemd-analyze'
	fi
	check "$name: its commands are known" known "$unit"
	check "$name: the manual it names is there" test -f "${SOURCE_ROOT:?}/doc/man/$(sed -n 's/^Documentation=man:\(.*\)(\(.\))$/\1.\2/p' "$unit")"
done
sed 's/^Restart=/Restrat=/' "$T/holdfast-log-copier@orders.service" >"$T/bad.service"
not_silent() { ! silent "$T/bad.service"; }
if command -v systemd-analyze >/dev/null; then
	check 'what is wrong is found' not_silent
else
	skip 'what is wrong is found' 'no systemd-analyze'
fi
done_testing
