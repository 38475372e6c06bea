#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""torture.py KIND ROUNDS MOUNT IMAGE: whole backups whose processes are killed or stopped at random moments.

KIND is local-PROVIDER or agent-PROVIDER. MOUNT is a file system on IMAGE (a loop device) that holds app/, the
folder of the writer 'gate' (support/gate.py), and data/; the environment names the programs, the repository and
the state folder as support/run.sh does it, CONF the configuration. After every fault: in time nothing is frozen,
mounted, held, locked or running any more; now and then the repository verifies, and a backup succeeds.

Prints what was done and what was wrong; exit code 1 if anything was. A process of its own thaws MOUNT if this
one does not speak to it for long enough, and that is wrong, too.
"""
import fcntl
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time

TTL, CAP = 3.0, 2.0  # as in CONF
LIMIT = 20.0  # for everything to be over, on a machine that is busy
NET = 90.0
FITHAW = 0xC0045878
LOCAL = ("agent", "guard", "writer")
REMOTE = ("requester", "agent", "guard", "writer")


class Wrong(Exception):
    pass


def net(mount, silence):
    """The way out below every freeze: a process that thaws if nothing is written to the pipe; (pid, pipe)."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(write_end)
        os.set_blocking(read_end, False)
        fd, heard, speaks = os.open(mount, os.O_RDONLY), time.monotonic(), True
        while speaks or time.monotonic() < heard + 5:
            time.sleep(0.2)
            try:
                data = os.read(read_end, 4096)
                if data:
                    heard = time.monotonic()
                elif speaks:  # its end: once more, and go
                    speaks, heard = False, time.monotonic()
            except BlockingIOError:
                pass
            if not speaks or time.monotonic() > heard + silence:
                try:
                    fcntl.ioctl(fd, FITHAW, 0)
                    if speaks:
                        print("# WRONG: the way out had to thaw", flush=True)
                except OSError:
                    pass
        os._exit(0)
    os.close(read_end)
    return pid, write_end


class Torture:
    def __init__(self, kind, mount, image):
        self.where, self.provider = kind.split("-", 1)
        self.mount, self.image, self.kind = mount, image, kind
        self.holdfast, self.state = os.environ["HOLDFAST"], os.environ["HOLDFAST_AGENT_STATE_DIR"]
        self.dying = []  # pidfds of those who were killed
        self.mark = f"HF_TORTURE={os.getpid()}-{kind}"
        self.env = dict(os.environ, HF_TORTURE=self.mark.split("=", 1)[1])
        self.conf, self.work = os.environ["CONF"], os.path.dirname(os.environ["CONF"])
        self.socket, self.trace = os.path.join(self.work, "socket"), os.path.join(self.work, "trace")
        self.agent, self.done, self.struck = None, {}, {}
        self.loops = self.loop_devices()
        self.whole = self.to_freeze = 1.0
        self.renew_net()

    def renew_net(self):
        self.net_pid, self.net = net(self.mount, NET)

    # ---- running

    def command(self, *args):
        return [self.holdfast, args[0], "--config", self.conf, *args[1:]]

    def run(self, *args, limit=120):
        with open(os.path.join(self.work, "said"), "w+b") as out:
            p = subprocess.run(self.command(*args), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env,
                               timeout=limit, check=False)
            out.seek(0)
            return p.returncode, out.read().decode(errors="replace")

    def backup_args(self):
        args = ["backup", "--json", "--writer", "gate", os.path.join(self.mount, "data")]
        return args if self.where == "local" else [*args, "--agent", f"unix:{self.socket}"]

    def start_agent(self):
        if self.where == "local" or (self.agent and self.agent.poll() is None):
            return
        log = os.path.join(self.work, "agent.log")
        with open(log, "ab") as f:
            begin = f.tell()
            self.agent = subprocess.Popen(self.command("agent", "--listen", f"unix:{self.socket}"), stdout=f, stderr=f,
                                          stdin=subprocess.DEVNULL, env=self.env)
        end = time.monotonic() + LIMIT
        while True:
            with open(log, "rb") as f:
                f.seek(begin)
                if b"Listening on" in f.read():
                    return
            if time.monotonic() > end or self.agent.poll() is not None:
                raise Wrong("the agent does not listen")
            time.sleep(0.01)

    def good_backup(self):
        # One that is being let go of may be in the way for a moment: 75 says so.
        end = time.monotonic() + LIMIT
        while True:
            code, said = self.run(*self.backup_args())
            if code != 75 or time.monotonic() > end:
                break
            time.sleep(0.2)
        if code != 0:
            raise Wrong(f"a backup after it: exit code {code}: {said[-1500:]}")

    # ---- looking

    def ours(self):
        """pid -> (ppid, name) of everything that this run has started."""
        found, mark = {}, self.mark.encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mark not in f.read().split(b"\0"):
                        continue
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                    name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
                state, ppid = rest.split()[:2]
                if state not in "ZX":
                    found[int(pid)] = (int(ppid), name)
            except (OSError, IndexError, ValueError):
                pass
        return found

    def find(self, what, requester):
        if what == "requester" or (what == "agent" and self.where == "local"):
            return requester.pid
        if what == "agent":
            return self.agent.pid
        name = {"guard": "holdfast-guard", "writer": "holdfast-writer"}[what]
        # exec of a script has the name cut to 15 characters
        return next((p for p, (_, n) in self.ours().items() if n.startswith(name)), None)

    def loop_devices(self):
        out = subprocess.run(["losetup", "-n", "-O", "BACK-FILE"], capture_output=True, text=True, check=False)
        base = os.path.dirname(self.image)
        return sorted(line for line in out.stdout.splitlines() if base in line and "(deleted)" not in line)

    def writable(self):
        """Does a write come back at once?"""
        done = threading.Event()

        def write():
            with open(os.path.join(self.mount, "probe"), "w", encoding="ascii") as f:
                f.write(str(time.time()))
                f.flush()
                os.fsync(f.fileno())
            done.set()

        threading.Thread(target=write, daemon=True).start()
        return done.wait(1.0)

    def unlocked(self):
        try:
            with open(os.path.join(self.mount, "app", "lock"), "a", encoding="ascii") as f:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        except BlockingIOError:
            return False

    def running(self):
        """What runs that should have ended."""
        mine = {self.agent.pid} if self.agent else set()
        return [f"{n}({p})" for p, (_, n) in self.ours().items() if p not in mine and n != "python3"]

    def left(self, undone=True):
        """What is wrong now; '' if nothing."""
        if not self.writable():
            return "frozen: a write does not come back"
        if not self.unlocked():
            return "the writer's lock is held"
        running = self.running()
        if running:
            return f"still running: {' '.join(running)}"
        if not undone:
            return ""
        if os.path.lexists(os.path.join(self.mount, ".holdfast")):
            return f"{self.mount}/.holdfast: {os.listdir(os.path.join(self.mount, '.holdfast'))}"
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            mounts = [line.split()[4] for line in f]
        if any(m.startswith(self.state + "/") for m in mounts):
            return "mounted: " + " ".join(m for m in mounts if m.startswith(self.state + "/"))
        rest = os.listdir(os.path.join(self.state, "mnt")) if os.path.isdir(os.path.join(self.state, "mnt")) else []
        if rest:
            return f"in {self.state}/mnt: {rest}"
        images = [n for n in os.listdir(os.path.dirname(self.image)) if n.startswith(os.path.basename(self.image) + ".")]
        if images:
            return f"images: {images}"
        if self.loop_devices() != self.loops:
            return f"loop devices: {self.loop_devices()}, not {self.loops}"
        code, said = self.run("snapshots", "--json")
        held = [line for line in said.splitlines() if '"set"' in line]
        if code != 0 or held:
            return f"snapshots: {code} {said}"
        return ""

    def settle(self, undone=True):
        end = time.monotonic() + LIMIT
        while True:
            os.write(self.net, b".")
            wrong = self.left(undone)
            if not wrong:
                return
            if time.monotonic() > end:
                raise Wrong(wrong)
            time.sleep(0.02)

    # ---- faults

    def plan(self):
        names = LOCAL if self.where == "local" else REMOTE
        targets = random.sample(names, 2 if random.random() < 0.35 else 1)
        stop = random.random() < float(os.environ.get("STOPS", "0.1"))
        return sorted(targets), signal.SIGSTOP if stop else signal.SIGKILL

    def wait_moment(self):
        """Half of them around the freeze, where most is at stake."""
        if random.random() < 0.5:
            time.sleep(random.random() * self.whole * 1.05)
            return
        end = time.monotonic() + self.to_freeze * random.choice((1.0, 5.0))
        while time.monotonic() < end:
            try:
                if os.path.getsize(self.trace) > 0:
                    with open(self.trace, encoding="ascii") as f:
                        if "prepare-snapshot" in f.read():
                            break
            except OSError:
                pass
            time.sleep(0.001)
        time.sleep(random.random() ** 2 * 0.4)

    def strike(self, targets, sig, requester):
        fds = []
        for what in targets:
            pid = self.find(what, requester)
            try:
                if pid and (pid != requester.pid or requester.poll() is None):
                    fds.append((what, os.pidfd_open(pid)))
            except ProcessLookupError:
                pass
        for what, fd in fds:
            try:
                signal.pidfd_send_signal(fd, sig)
                self.struck[what] = self.struck.get(what, 0) + 1
                if sig == signal.SIGKILL:
                    self.dying.append(os.dup(fd))
            except ProcessLookupError:
                pass
        return fds

    def wait_stopped(self, hit):
        """While they stand still, whoever is left lets go."""
        time.sleep(TTL + 1)
        if "guard" not in hit:
            end = time.monotonic() + CAP + 3
            while not self.writable() or not self.unlocked():
                if time.monotonic() > end:
                    raise Wrong("frozen, though a guard is there")

    def round(self, number):
        targets, sig = self.plan()
        self.start_agent()
        open(self.trace, "w", encoding="ascii").close()
        log = open(os.path.join(self.work, "requester.log"), "wb")
        requester = subprocess.Popen(self.command(*self.backup_args()), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     env=self.env)
        self.now = f"round {number}: {'+'.join(targets)} {sig.name}"
        os.write(self.net, b".")
        self.wait_moment()
        fds = self.strike(targets, sig, requester)
        hit = [what for what, _ in fds]
        try:
            if sig == signal.SIGSTOP and hit:
                self.wait_stopped(hit)
        finally:
            for _, fd in fds:
                try:
                    signal.pidfd_send_signal(fd, signal.SIGCONT)
                except ProcessLookupError:
                    pass
        dead = [fd for _, fd in fds] if sig == signal.SIGKILL else []
        for fd in [fd for _, fd in fds if fd not in dead]:
            os.close(fd)
        key = f"{'+'.join(hit) or 'none'} {sig.name[3:]}"
        self.done[key] = self.done.get(key, 0) + 1
        try:
            requester.wait(60)
        except subprocess.TimeoutExpired:
            raise Wrong("the requester does not end") from None
        if self.agent:
            self.agent.poll()
        for fd in dead:
            # One that is still dying holds its journal: nobody takes that over.
            if not select.select([fd], [], [], LIMIT)[0]:
                raise Wrong("cannot be killed")
            os.close(fd)
        # Nobody is left who knows: the next one that comes cleans up.
        if {"agent", "guard"} <= set(hit) and sig == signal.SIGKILL:
            if number % 2:
                code, said = self.run("release", "--leftovers")
                if code != 0:
                    raise Wrong(f"release --leftovers: {code} {said}")
            else:
                self.start_agent()
                self.good_backup()
        self.settle()
        if number % 5 == 0:
            code, said = self.run("verify", "--stored")
            if code != 0:
                raise Wrong(f"verify: {code} {said[-1500:]}")
        if number % 4 == 0:
            self.start_agent()
            self.good_backup()
            self.settle()

    def measure(self):
        self.start_agent()
        open(self.trace, "w", encoding="ascii").close()
        begin = time.monotonic()
        self.good_backup()
        self.whole = time.monotonic() - begin
        self.to_freeze = self.whole
        self.settle()

    def keep_evidence(self, why):
        text = f"WRONG: {self.kind} {self.now}: {why}".rstrip()
        print("\n".join(f"# {line}" for line in text.splitlines()), flush=True)
        for name in ("requester.log", "agent.log"):
            try:
                with open(os.path.join(self.work, name), encoding="utf-8", errors="replace") as f:
                    lines = f.read().splitlines()[-16:]
                print("".join(f"#   {name}: {line[:300]}\n" for line in lines), end="", flush=True)
            except OSError:
                pass
        for n, (p, name) in self.ours().items():
            print(f"#   runs: {n} {name}, child of {p}", flush=True)

    def end(self):
        if self.agent and self.agent.poll() is None:
            self.agent.terminate()
            try:
                self.agent.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.agent.kill()
        self.kill_all()
        if not self.net_pid:
            return
        # Whoever was killed within his freeze has frozen it all the same, and is gone only after that.
        self.thaw()
        os.kill(self.net_pid, signal.SIGKILL)
        os.close(self.net)
        os.waitpid(self.net_pid, 0)
        self.net_pid = 0

    def kill_all(self):
        end = time.monotonic() + 20
        while True:
            left = [p for p in self.ours() if p != os.getpid()]
            for pid in left:
                try:
                    self.dying.append(os.pidfd_open(pid))
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not left:
                break
            if time.monotonic() > end:
                raise Wrong(f"cannot be killed: {left}")
            time.sleep(0.01)
        self.await_dead(time.monotonic() + 5)

    def await_dead(self, end):
        """Nothing in /proc shows of a process whose first thread is dead that another one is still in the kernel, and
        freezes a file system there. One that waits there for a thaw is let be: it ends with that."""
        while self.dying:
            fd = self.dying.pop()
            select.select([fd], [], [], max(0, end - time.monotonic()))
            os.close(fd)

    def thaw(self):
        fd = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FITHAW, 0)
        except OSError:
            pass  # it is not frozen
        finally:
            os.close(fd)


def run(t, rounds, wrong_max):
    """All of it, and a look at the whole: (rounds, seconds, how often something was wrong). After that many the
    rest is let be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of the end
    budget = float(os.environ.get("SECONDS_MAX", "1e9"))
    wrong, begin, n = 0, time.monotonic(), 0
    t.now = "before"
    try:
        t.measure()
        while n < rounds and time.monotonic() - begin < budget:
            n += 1
            try:
                t.round(n)
            except Wrong as e:
                wrong += 1
                t.keep_evidence(e)
                if wrong >= wrong_max:
                    return n, time.monotonic() - begin, wrong
                t.run("release", "--leftovers")
                t.settle()
        t.now = "at the end"
        t.start_agent()
        t.good_backup()
        t.settle()
        code, said = t.run("verify", "--read-data", limit=600)
        if code != 0:
            raise Wrong(f"verify --read-data: {code} {said[-1500:]}")
    except (Wrong, subprocess.TimeoutExpired) as e:
        wrong += 1
        t.keep_evidence(e)
    finally:
        t.end()
    return n, time.monotonic() - begin, wrong


def seed():
    value = int(os.environ.get("SEED", str(time.time_ns() % 1000000)))
    random.seed(value)
    return value


def main():
    kind, rounds, mount, image = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    number, t = seed(), Torture(kind, mount, image)
    n, took, wrong = run(t, rounds, 5)
    print(f"# {kind}: {n} rounds in {took:.0f} s (seed {number}, a backup takes {t.whole * 1000:.0f} ms); "
          f"struck: {json.dumps(t.struck)}; {json.dumps(t.done)}; wrong: {wrong}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
