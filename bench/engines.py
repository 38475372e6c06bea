# SPDX-License-Identifier: Apache-2.0
"""The programs `bench/run` compares, each as the shell commands of the operations it has.

An engine's folder (self.dir) holds its repository (`repo`, whose bytes count) and its caches. Commands
run in it. What does not sync by itself what it restored or stored gets `sync -f` added, so that all are
timed to the same point: data on the disk. All encrypt but tar.
"""
import os
import shlex
import shutil
import subprocess

Q = shlex.quote
CORES = os.cpu_count() or 1


class Engine:
    name = ""
    program = ""  # that must be there
    data = ("cluster", "tree")
    ops = ("first", "unchanged", "changed", "restore", "verify-stored", "verify-data")
    peer = True  # counts for "best peer"
    ok_status = {}  # operation: exit statuses beside 0 that mean it worked

    def __init__(self, folder, live, build):
        self.dir = folder
        self.live = live  # the folder to back up
        self.target = os.path.join(folder, "restored")  # and where it is restored to
        self.build = build
        self.env = {"HOME": folder, "XDG_CACHE_HOME": os.path.join(folder, "cache")}

    @property
    def repo(self):
        return os.path.join(self.dir, "repo")

    def available(self):
        return shutil.which(self.program) is not None

    def version(self):
        return first_line(self.program, "--version")

    def prepare(self):
        """Shell command that makes an empty repository; not timed."""
        return "mkdir repo"

    def command(self, op):
        return getattr(self, op.replace("-", "_"))()

    def unchanged(self):
        return self.first()

    def changed(self):
        return self.first()

    def restored(self):
        """Where below the target the live folder's content is after `restore`."""
        return self.target


def first_line(*argv):
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = (run.stdout or run.stderr).splitlines()
    return lines[0] if lines else ""


class Holdfast(Engine):
    name = "holdfast"
    peer = False

    def available(self):
        return os.access(os.path.join(self.build, "holdfast"), os.X_OK)

    def version(self):
        return first_line(os.path.join(self.build, "holdfast"), "version")

    def run(self, verb, *arguments):
        return " ".join([Q(os.path.join(self.build, "holdfast")), verb, "-r", Q(self.repo), "--key-file", "key",
                         "--option", Q("repository.cache_dir=" + os.path.join(self.dir, "cache")),
                         *map(Q, arguments)])

    def prepare(self):
        return "mkdir -p cache && head -c 64 /dev/urandom > key && chmod 600 key && " + self.run("init")

    def first(self):
        return self.run("backup", self.live)

    def restore(self):
        return self.run("restore", "latest:" + self.live, "--to", self.target)

    def verify_stored(self):
        return self.run("verify", "--stored")

    def verify_data(self):
        return self.run("verify", "--read-data")


class PgBackRest(Engine):
    program = "pgbackrest"
    data = ("cluster",)
    ops = ("first", "unchanged", "changed", "restore", "verify-stored")
    ok_status = {"unchanged": (55,)}  # "no files have changed since the last backup"

    def version(self):
        return first_line(self.program, "version")

    def run(self, command, *options):
        return " ".join(["pgbackrest", "--config=" + Q(os.path.join(self.dir, "pgbackrest.conf")), "--stanza=bench",
                         *options, command])

    def prepare(self):
        config = "\n".join([
            "[global]", f"repo1-path={self.repo}", "repo1-cipher-type=aes-256-cbc", "repo1-cipher-pass=bench",
            "repo1-bundle=y", "repo1-retention-full=9", "start-fast=y", f"process-max={CORES}",
            *(f"compress-{k}={v}" for k, v in self.compress.items()), "log-level-console=warn",
            "log-level-file=off", f"lock-path={self.dir}/lock", f"spool-path={self.dir}/spool",
            "[bench]", f"pg1-path={self.live}", ""])
        return f"printf %s {Q(config)} > pgbackrest.conf && mkdir repo && " + self.run(
            "stanza-create", "--no-online")

    def first(self):
        return self.run("backup", "--type=full", "--no-online")

    def unchanged(self):
        return self.run("backup", "--type=incr", "--no-online")

    changed = unchanged

    def restore(self):
        return f"mkdir -m 700 {Q(self.target)} && " + self.run("restore", f"--pg1-path={Q(self.target)}",
                                                              "--type=none")

    def verify_stored(self):
        return self.run("verify")


class PgBackRestZst(PgBackRest):
    name = "pgbackrest-zst"
    compress = {"type": "zst", "level": 3}


class PgBackRestLz4(PgBackRest):
    name = "pgbackrest-lz4"
    compress = {"type": "lz4", "level": 1}


class Restic(Engine):
    name = "restic"
    program = "restic"

    def version(self):
        return first_line(self.program, "version")

    def prepare(self):
        self.env |= {"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": self.repo,
                     "RESTIC_CACHE_DIR": os.path.join(self.dir, "cache")}
        return "restic init --quiet"

    def first(self):
        return f"restic backup --quiet {Q(self.live)}"

    def restore(self):
        return f"restic restore --quiet latest --target {Q(self.target)} && sync -f {Q(self.target)}"

    def restored(self):
        return self.target + self.live

    def verify_stored(self):
        return "restic check --quiet"

    def verify_data(self):
        return "restic check --quiet --read-data"


class Borg(Engine):
    name = "borg"
    program = "borg"

    def prepare(self):
        self.env |= {"BORG_PASSPHRASE": "bench", "BORG_REPO": self.repo, "BORG_BASE_DIR": self.dir}
        return "borg init --encryption=repokey-blake2"

    def first(self):
        return f"borg create --compression zstd,3 ::$(date +%s.%N) {Q(self.live)}"

    def restore(self):
        return (f"mkdir {Q(self.target)} && last=$(borg list --last 1 --short) && cd {Q(self.target)} && "
                f"borg extract ::$last && sync -f .")

    def restored(self):
        return self.target + self.live

    def verify_stored(self):
        return "borg check --repository-only"

    def verify_data(self):
        return "borg check --verify-data"


class TarZstd(Engine):
    name = "tar-zstd"
    program = "zstd"
    ops = ("first", "restore", "verify-data")

    def first(self):
        return (f"tar --xattrs -C {Q(os.path.dirname(self.live))} -cf - {Q(os.path.basename(self.live))} | "
                f"zstd -q -3 -T0 -f -o repo/tar.zst && sync -f repo/tar.zst")

    def restore(self):
        return (f"mkdir {Q(self.target)} && zstd -q -dc repo/tar.zst | tar --xattrs -C {Q(self.target)} -xpf - && "
                f"sync -f {Q(self.target)}")

    def restored(self):
        return os.path.join(self.target, os.path.basename(self.live))

    def verify_data(self):
        return "zstd -q -t repo/tar.zst"


class Floor(Engine):
    """The bare loop (floor.c) on all cores at zstd level 1: a bound, not an engine."""
    name = "floor"
    peer = False
    ops = ("first",)

    def available(self):
        return subprocess.run(["ninja", "-C", self.build, "--quiet", "bench/floor"], check=False,
                              stdout=subprocess.DEVNULL).returncode == 0

    def version(self):
        return "zstd level 1"

    def first(self):
        return f"{Q(os.path.join(self.build, 'bench/floor'))} {Q(self.live)} repo/out 1 {CORES}"


ENGINES = (Holdfast, PgBackRestZst, PgBackRestLz4, Restic, Borg, TarZstd, Floor)
