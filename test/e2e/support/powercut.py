#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""powercut.py PROVIDER ROUNDS MOUNT IMAGE SYSTEM SYSTEM_IMAGE: backups cut off at random moments.

MOUNT holds the data, SYSTEM (ext4) the state folder. In the midst of a backup both file systems are shut down
(EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN; with and without their logs flushed; btrfs knows no such thing), then every
process is killed, both are unmounted and mounted again. Some rounds go on in another boot (another boot_id), some
without the journals. Then `holdfast release --leftovers` removes what is ours and nothing else, the file systems
are clean, and a backup succeeds. Output and environment as in torture.py.
"""
import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import time

from torture import Torture, Wrong, run, seed

SHUTDOWN = 0x8004587D
DECOY = "00112233445566778899aabbccddeeff-0"


def sh(*argv):
    p = subprocess.run(argv, capture_output=True, text=True, check=False)
    return p.returncode, p.stdout + p.stderr


class PowerCut(Torture):
    def __init__(self, provider, mount, image, system, system_image):
        super().__init__(f"local-{provider}", mount, image)
        self.kind = f"power cut, {provider}"
        self.system, self.system_image = system, system_image
        with open(os.path.join(self.work, "other"), "wb") as f:
            f.truncate(1 << 20)
        # Beside ours, but without a mark.
        if provider != "external":
            os.mkdir(os.path.join(mount, ".holdfast"), 0o700)
            os.mkdir(os.path.join(mount, ".holdfast", DECOY))

    def left(self, undone=True):
        folder = os.path.join(self.mount, ".holdfast")
        if self.provider == "external":
            return super().left(undone)
        if not self.writable():
            return "frozen"
        if self.running():
            return f"still running: {self.running()}"
        if os.listdir(folder) != [DECOY]:
            return f"{folder}: {os.listdir(folder)}"
        return ""

    def shut_down(self, path, flag):
        fd = os.open(path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", flag))
        except OSError as e:
            if self.provider != "btrfs":
                raise Wrong(f"shutdown of {path}: {e}") from e
        finally:
            os.close(fd)

    def unmount(self, path):
        end = time.monotonic() + 20
        while True:
            code, said = sh("umount", path)
            if code == 0:
                return
            if time.monotonic() > end:
                raise Wrong(f"umount {path}: {said}")
            time.sleep(0.05)

    @staticmethod
    def wait_gone(image):
        """Another's mount namespace may hold on to what was unmounted here: mounted again, it would be the same
        file system, still shut down. A copy is none."""
        end = time.monotonic() + 3
        while sh("losetup", "-j", image)[1].strip():
            if time.monotonic() > end:
                sh("cp", "--sparse=always", image, image + "-copy")
                os.rename(image + "-copy", image)
                return
            time.sleep(0.02)

    def remount(self):
        # What is mounted within the state folder goes with the power, too.
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            inner = [line.split()[4] for line in f if line.split()[4].startswith(self.state + "/")]
        for path in [*reversed(inner), self.mount, self.system]:
            self.unmount(path)
        # Devices have other names after a start.
        other = sh("losetup", "-f", "--show", os.path.join(self.work, "other"))[1].strip()
        for image, path in ((self.image, self.mount), (self.system_image, self.system)):
            self.wait_gone(image)
            for again in (True, False):
                code, said = sh("mount", "-o", "loop", image, path)
                if code != 0:
                    raise Wrong(f"mount {path}: {said}")
                if again:  # its log is played back: now it can be looked at
                    self.unmount(path)
                    self.wait_gone(image)
                    self.check(image)
        sh("losetup", "-d", other)

    def check(self, image):
        kind = sh("blkid", "-o", "value", "-s", "TYPE", image)[1].strip()
        argv = {"ext4": ["e2fsck", "-fn"], "xfs": ["xfs_repair", "-n"], "btrfs": ["btrfs", "check", "--readonly"]}
        code, said = sh(*argv[kind], image)
        if code != 0:
            raise Wrong(f"{kind} is not clean: {said[-800:]}")

    def release(self, number):
        argv = self.command("release", "--leftovers")
        if number % 3 == 0:  # another boot
            fake = os.path.join(self.work, "boot_id")
            with open(fake, "w", encoding="ascii") as f:
                f.write("00000000-1111-2222-3333-444444444444\n")
            argv = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"', fake, *argv]
        if number % 4 == 0:
            sh("rm", "-rf", os.path.join(self.state, "guard"))
        p = subprocess.run(argv, capture_output=True, text=True, env=self.env, check=False, timeout=120)
        if p.returncode != 0:
            raise Wrong(f"release --leftovers: {p.returncode} {p.stdout}{p.stderr}")
        self.done[p.stdout.strip()[:40]] = self.done.get(p.stdout.strip()[:40], 0) + 1

    def round(self, number):
        with open(self.trace, "w", encoding="ascii"):
            pass
        with open(os.path.join(self.work, "requester.log"), "wb") as log:
            requester = subprocess.Popen(self.command(*self.backup_args()), stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=log, env=self.env)
        flags = [random.randrange(3) for _ in range(2)]
        self.now = f"round {number}: flags {flags}"
        os.write(self.net, b".")
        self.wait_moment()
        if random.random() < 0.5:
            self.kill_guard_and_agent(requester)
        # Not what is frozen: its shutdown would wait for a thaw, and the thaw is our business here.
        self.shut_down(self.system, flags[0])
        if self.provider not in ("btrfs", "external"):
            self.shut_down(self.mount, flags[1])
        self.kill_all()
        requester.wait(20)
        if self.provider == "external":
            sh("fsfreeze", "-u", self.mount)  # a machine that starts has nothing frozen
        os.kill(self.net_pid, signal.SIGKILL)  # it holds the file system open
        os.waitpid(self.net_pid, 0)
        os.close(self.net)
        self.net_pid = 0
        self.remount()
        self.renew_net()
        self.release(number)
        self.settle()
        if number % 3 == 1:
            self.good_backup()
            self.settle()

    def kill_guard_and_agent(self, requester):
        self.strike(["agent", "guard"], signal.SIGKILL, requester)


def main():
    provider, rounds = sys.argv[1], int(sys.argv[2])
    number, t = seed(), PowerCut(provider, *sys.argv[3:7])
    n, took, wrong = run(t, rounds, 1)
    print(f"# {t.kind}: {n} rounds in {took:.0f} s (seed {number}); leftovers: {t.done}; wrong: {wrong}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
