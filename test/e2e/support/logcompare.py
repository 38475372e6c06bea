#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare restored points of logs with what the servers archived.

logcompare.py RESTORED ARCHIVE POINTS LAST [GAPS]

RESTORED has a folder for each restore point, ARCHIVE the log files as the servers gave them away, POINTS is what
'holdfast list --json' printed. Every archived file of a timeline that was copied, from the first stored one up to
LAST, has to be in one of the points whole; no point may have anything in a file that differs from it before its
zeros begin; and each point has to begin no later than the one before ends, but for GAPS of them (0).
"""
import json
import os
import re
import sys

SEGMENT = re.compile(r'^[0-9A-F]{24}$')


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def position(text):
    high, low = text.split('/')
    return int(high, 16) << 32 | int(low, 16)


def chain(points, gaps):
    """What is wrong with how the points follow each other."""
    with open(points) as f:
        logs = [json.loads(line) for line in f]
    logs = sorted((p for p in logs if 'logs' in p), key=lambda p: p['end'])
    found, bad = 0, 0
    for before, after in zip(logs, logs[1:]):
        a, b = before['logs'], after['logs']
        if not a['closed']:
            print(f'{before["id"][:8]} is open and not the last')
            bad += 1
        if position(b['from']) > position(a['to']):
            found += 1
        if b['timeline'] < a['timeline'] or a['identity'] != b['identity']:
            print(f'{after["id"][:8]} goes back to timeline {b["timeline"]}')
            bad += 1
        if b['to_time'] and b['to_time'] < a['to_time'] and a['timeline'] == b['timeline']:
            print(f'{after["id"][:8]} goes back in time')
            bad += 1
    if found != gaps:
        print(f'{found} gaps, not {gaps}')
        bad += 1
    print(f'{len(logs)} points, {found} gaps')
    return bad


def main(restored, archive, points, last, gaps=0):
    stored = {}
    for point in sorted(os.listdir(restored)):
        for name in os.listdir(os.path.join(restored, point)):
            if SEGMENT.match(name):
                stored.setdefault(name, []).append(read(os.path.join(restored, point, name)))
    first = {}
    for name in stored:
        first[name[:8]] = min(name, first.get(name[:8], name))
    bad, compared = chain(points, int(gaps)), 0
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
