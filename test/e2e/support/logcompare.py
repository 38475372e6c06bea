#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare restored points of logs with what the servers archived.

logcompare.py RESTORED ARCHIVE LAST

RESTORED has a folder for each restore point, ARCHIVE the log files as the servers gave them away. Every
archived file of a timeline that was copied, from the first stored one up to LAST, has to be in one of the
points whole; and no point may have anything in a file that differs from it before its zeros begin.
"""
import os
import re
import sys

SEGMENT = re.compile(r'^[0-9A-F]{24}$')


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def main(restored, archive, last):
    stored = {}
    for point in sorted(os.listdir(restored)):
        for name in os.listdir(os.path.join(restored, point)):
            if SEGMENT.match(name):
                stored.setdefault(name, []).append(read(os.path.join(restored, point, name)))
    first = {}
    for name in stored:
        first[name[:8]] = min(name, first.get(name[:8], name))
    bad = compared = 0
    for name in sorted(os.listdir(archive)):
        if not SEGMENT.match(name) or name[:8] not in first or name < first[name[:8]] or name > last:
            continue
        want = read(os.path.join(archive, name))
        compared += 1
        if not any(have == want for have in stored.get(name, [])):
            print(f'{name} is not there whole: {len(stored.get(name, []))} stored')
            bad += 1
        for have in stored.get(name, []):
            end = len(have.rstrip(b'\0'))
            if len(have) != len(want) or have[:end] != want[:end]:
                print(f'{name} differs')
                bad += 1
    print(f'{compared} files compared')
    if compared == 0 or not any(name == last for name in stored):
        print(f'{last} is not there')
        bad += 1
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
