#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writers for tests, by the name they are called by (installed as links to this file).

holdfast-writer-gate: its application is a folder with a lock, taken by whoever works there. It really
freezes: it holds the lock from freeze to thaw, and no longer. The settings `at` and `do` make it misbehave
at an event; `order` is its freeze order; `trace` a file in which it notes each event, to be shared.

holdfast-writer-postgresql: goes between the requester and the real one ($REAL_WRITER), and misbehaves as the
file $MISDEED says: "EVENT WHAT", or nothing.
"""
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

DONE = {"prepare-snapshot": 2, "freeze": 3, "post-snapshot": 5, "post-copy": 5}


def misbehave(what, seq):
    """True if the event is to be answered all the same."""
    if what == "hang":
        while True:
            time.sleep(60)
    if what == "stubborn":
        for number in range(1, signal.NSIG):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        misbehave("hang", seq)
    if what == "die":
        os._exit(7)
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "late":
        time.sleep(8)
    if what == "flood":
        while True:
            print(json.dumps({"state": 1, "error": None}), flush=True)
    if what == "wrong-seq":
        print(json.dumps({"seq": seq + 1, "state": 1, "error": None}), flush=True)
        return False
    if what == "wrong-state":
        print(json.dumps({"seq": seq, "state": 5, "error": None}), flush=True)
        return False
    if what == "fork":
        # The child keeps the output, and the lock.
        if os.fork() == 0:
            misbehave("hang", seq)
        os._exit(7)
    return True


class Gate:
    def __init__(self):
        self.settings, self.state, self.lock = {}, 1, None

    def trace(self, event):
        if "trace" in self.settings:
            with open(self.settings["trace"], "a", encoding="ascii") as f:
                f.write(f"{event} {os.path.basename(sys.argv[0])[len('holdfast-writer-'):]}\n")

    def serve(self, event, request):
        if event == "start":
            self.settings = request["settings"]
            return {"protocol": 1, "name": os.path.basename(sys.argv[0])[len("holdfast-writer-"):]}
        folder = self.settings["folder"]
        if event == "identify":
            name = os.path.basename(sys.argv[0])[len("holdfast-writer-"):]
            return {"metadata": {"name": name, "id": folder, "version": "1"}, "paths": [folder],
                    "freeze_order": int(self.settings.get("order", 2))}
        if event == "prepare-snapshot":
            return {"component": {"name": "main", "paths": [{"source": folder, "at": ""}],
                                  "exclude": ["lock"]}}
        if event == "freeze":
            self.lock = open(os.path.join(folder, "lock"), "a", encoding="ascii")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        if event in ("thaw", "abort") and self.lock:
            self.lock = self.lock.close()
        if event == "post-copy":
            return {"tail": {}}
        return {}

    def run(self):
        for line in sys.stdin:
            request = json.loads(line)
            event, seq = request["event"], request["seq"]
            is_now = event == self.settings.get("at")
            if is_now and event == "thaw" and not misbehave(self.settings["do"], seq):
                continue  # with the lock still held
            reply = self.serve(event, request)
            self.trace(event)
            if event == "thaw":
                self.state = 4 if self.state == 3 else self.state
            else:
                self.state = DONE.get(event, 1)
            if is_now and event != "thaw" and not misbehave(self.settings["do"], seq):
                continue
            reply.update(seq=seq, state=self.state, error=None)
            print(json.dumps(reply), flush=True)


def between():
    at, what = (open(os.environ["MISDEED"], encoding="ascii").read().split() + ["", ""])[:2]
    real = subprocess.Popen([os.environ["REAL_WRITER"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        real.stdin.write(line)
        real.stdin.flush()
        if request["event"] == at and what == "kill":
            real.kill()
        answer = real.stdout.readline()
        # What it does only after the real one has done its part is worst.
        if request["event"] == at and not misbehave(what, request["seq"]):
            continue
        if not answer:
            os._exit(8)
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
    real.stdin.close()
    real.wait()


if __name__ == "__main__":
    if os.path.basename(sys.argv[0]) == "holdfast-writer-postgresql":
        between()
    else:
        Gate().run()
