#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line on a terminal: passwords are asked for without echo, progress is one line that is
redrawn and taken away, signals end it with the terminal as it was. Prints TAP.

The terminal is a pseudo-terminal of our own; nothing here waits without a limit.
"""
import os
import pty
import select
import shutil
import signal
import sys
import tempfile
import termios
import time

LIMIT = 60  # seconds for anything

holdfast = os.environ["HOLDFAST"]
count = failed = 0


def check(name, good, why=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good and why:
        for line in str(why).splitlines():
            print(f"# {line!r}", flush=True)


class Terminal:
    """A run of holdfast on a terminal; `seen` is everything it wrote there."""

    def __init__(self, *argv):
        self.seen = b""
        self.deadline = time.monotonic() + LIMIT
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(holdfast, [holdfast, *argv])
        self.before = termios.tcgetattr(self.fd)

    def read(self):
        """Some more output; False at its end."""
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            raise TimeoutError(self.seen)
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # the other side is closed
            return False
        self.seen += data
        return bool(data)

    def until(self, text):
        while text not in self.seen:
            if not self.read():
                return False
        return True

    def echo(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def until_silent(self):
        while self.echo():
            if time.monotonic() > self.deadline:
                raise TimeoutError(self.seen)
            select.select([], [], [], 0.01)

    def type(self, text):
        os.write(self.fd, text)

    def end(self):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def ask(terminal, prompt, password):
    """Answer one prompt, once the echo is off."""
    seen = len(terminal.seen)
    found = terminal.until(prompt)
    terminal.until_silent()
    terminal.type(password + b"\n")
    return found and len(terminal.seen) >= seen


folder = tempfile.mkdtemp(prefix="hf-terminal-")
try:
    os.chdir(folder)
    for name in list(os.environ):
        if name.startswith("HOLDFAST_"):
            del os.environ[name]
    os.environ["HOLDFAST_CACHE_DIR"] = folder + "/cache"

    t = Terminal("init", "-r", "repo")
    ask(t, b"new password for the repository: ", b"hunter2")
    check("a new password is asked for twice", ask(t, b"once more: ", b"hunter2"))
    code = t.end()
    check("and init succeeds", code == 0, t.seen)
    check("the password was not echoed", b"hunter" not in t.seen, t.seen)

    t = Terminal("init", "-r", "repo2")
    ask(t, b"new password for the repository: ", b"hunter2")
    ask(t, b"once more: ", b"hunter3")
    code = t.end()
    check("two different ones are refused", code == 2 and b"not the same" in t.seen, t.seen)
    check("and nothing was made", not os.path.exists("repo2/holdfast.json"))

    t = Terminal("list", "-r", "repo")
    ask(t, b"password of the repository: ", b"wrong")
    check("a wrong password is refused", t.end() == 1 and b"no key slot opens" in t.seen, t.seen)

    t = Terminal("list", "-r", "repo")
    t.until(b"password of the repository: ")
    t.until_silent()
    os.kill(t.pid, signal.SIGINT)
    while not t.echo() and t.read():
        pass
    code = t.end()
    check("SIGINT at the prompt ends it", code == 1 and b"stopped on request" in t.seen, t.seen)
    check("after the echo came back", b"\r\n" in t.seen, t.seen)

    # Enough to be seen at five times a second.
    os.mkdir("data")
    for i in range(60):
        with open(f"data/{i}", "wb") as f:
            f.write(os.urandom(2000000))
    t = Terminal("backup", "-r", "repo", "data", "absent", "--option", "backup.workers=1")
    ask(t, b"password of the repository: ", b"hunter2")
    code = t.end()
    check("a missing path is code 3", code == 3, t.seen)
    check("progress is redrawn in place", b" files  " in t.seen and b"\r" in t.seen and
          b"\x1b[K" in t.seen, t.seen)
    lines = t.seen.decode().replace("\r\n", "\n").split("\n")
    check("a warning stands on a line of its own",
          any(line.split("\x1b[K")[-1].startswith("warning: ") for line in lines), t.seen)
    check("the line is gone at the end",
          any(line.split("\x1b[K")[-1].startswith("Restore point ") for line in lines), t.seen)
finally:
    shutil.rmtree(folder)
print(f"1..{count}")
sys.exit(1 if failed else 0)
