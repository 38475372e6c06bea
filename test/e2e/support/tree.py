#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tree.py make DIR | list DIR: files of every kind, and everything that can be told of a tree.

make builds, in a new folder, what file systems allow and backups get wrong: odd names, deep paths, every
kind of file, mode, time, owner, attribute and hole. What the user or the file system does not permit is
left out and named on standard error.

list prints one line for each file, sorted, with all that a restore must bring back: kind, mode, owner,
mtime to the nanosecond, extended attributes (ACLs among them), content by hash, where data and holes lie,
link targets, device numbers, and which names are one file. Two trees are equal if their lists are. It
knows nothing of Holdfast, goes through descriptors only, and so minds no length of a path.
"""
import hashlib
import os
import stat
import struct
import subprocess
import sys

MIB = 1 << 20
DAY_NS = 86400 * 10**9
BLOCK = 4096  # granularity in which extents are compared


# ---- list --------------------------------------------------------------------------------------

def shown(raw):
    """Bytes as printable text without blanks, one to one."""
    return "".join(chr(b) if 33 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in raw)


def xattrs_of(path):
    """Path: short, by way of /proc/self/fd; a link is not followed."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return "?"
    return ",".join(f"{shown(os.fsencode(n))}="
                    f"{hashlib.sha256(os.getxattr(path, n, follow_symlinks=False)).hexdigest()[:16]}"
                    for n in sorted(names))


def extents_of(fd, size):
    """Data as (from, to), in whole blocks, neighbours joined."""
    found, at = [], 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        start, end = start // BLOCK, -(-min(at, size) // BLOCK)
        if found and found[-1][1] >= start:
            found[-1][1] = end
        else:
            found.append([start, end])
    return found


def content_of(fd, size):
    """Hash over data and where it lies; reading a hole of a terabyte would take a while."""
    h, extents = hashlib.sha256(), extents_of(fd, size)
    for start, end in extents:
        at, end = start * BLOCK, min(end * BLOCK, size)
        h.update(struct.pack("<Q", at))
        while at < end:
            piece = os.pread(fd, min(MIB, end - at), at)
            if not piece:
                raise OSError("became shorter while it was listed")
            h.update(piece)
            at += len(piece)
    return h.hexdigest()[:32], ",".join(f"{a}-{b}" for a, b in extents)


def describe(dirfd, name, st, links, path):
    kind = stat.S_IFMT(st.st_mode)
    fields = [path, f"{st.st_mode:o}", f"{st.st_uid}:{st.st_gid}", f"{st.st_mtime_ns}",
              f"[{xattrs_of(b'/proc/self/fd/%d/%s' % (dirfd, name))}]"]
    if kind == stat.S_IFREG:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=dirfd)
        try:
            fields += [f"size={st.st_size}", "content=%s data=%s" % content_of(fd, st.st_size)]
        finally:
            os.close(fd)
    elif kind == stat.S_IFLNK:
        fields.append(f"target={shown(os.readlink(name, dir_fd=dirfd))}")
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        fields.append(f"device={os.major(st.st_rdev)}:{os.minor(st.st_rdev)}")
    if kind != stat.S_IFDIR and st.st_nlink > 1:
        fields.append(f"links={st.st_nlink} with={links.setdefault((st.st_dev, st.st_ino), path)}")
    return " ".join(fields)


def list_folder(fd, path, links):
    for entry in sorted(os.listdir(b"/proc/self/fd/%d" % fd)):
        st = os.stat(entry, dir_fd=fd, follow_symlinks=False)
        here = f"{path}/{shown(entry)}" if path else shown(entry)
        print(describe(fd, entry, st, links, here))
        if stat.S_ISDIR(st.st_mode):
            sub = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            try:
                list_folder(sub, here, links)
            finally:
                os.close(sub)


def list_tree(top):
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    print(describe(fd, b".", os.stat(b".", dir_fd=fd), {}, "."))
    list_folder(fd, "", {})


# ---- make --------------------------------------------------------------------------------------

class Maker:
    def __init__(self, top):
        os.mkdir(top)
        os.chdir(top)
        self.seed = 0

    def noise(self, n):
        """Repeatable, and not to be compressed."""
        self.seed += 1
        return hashlib.shake_128(b"%d" % self.seed).digest(n)

    @staticmethod
    def attempt(what, action, *args, **kwargs):
        try:
            action(*args, **kwargs)
        except (OSError, subprocess.CalledProcessError) as e:
            print(f"left out: {what}: {e}", file=sys.stderr)

    def write(self, name, content=None, at=0):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644)
        with open(fd, "wb") as f:
            f.seek(at)
            f.write(self.noise(100) if content is None else content)

    def names(self):
        os.mkdir("names")
        for name in (b"new\nline", b"tab\tand\rreturn", b"\x01\x1b[31m\x7f", b"bad\xff\xfe\x80utf8",
                     b"\xc3", "\u00fc\u0301\u4e2d\U0001f512".encode(), b"x" * 255, b"\xff" * 255,
                     b" blank ", b"-rf", b"--", b"*?[a]", b"back\\slash", b"quo'te\"s", b"...", b".a",
                     b"a:b", b"%s%n", b"$HOME", b"#", b"~", b"{\"bytes\":\"\"}"):
            self.write(b"names/" + name, name)
        os.mkdir(b"names/dir\n\xff")
        self.write(b"names/dir\n\xff/in it")

    def deep(self):
        """A path of some 9 KB, in pieces, since no call takes it whole."""
        os.mkdir("deep")
        fd = os.open("deep", os.O_RDONLY)
        for n in range(45):
            name = b"%02d" % n + b"d" * 200
            os.mkdir(name, dir_fd=fd)
            sub = os.open(name, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = sub
        for name in (b"at the bottom", b"linked"):
            with open(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=fd), "wb") as f:
                f.write(self.noise(5000))
        os.link("linked", "linked too", src_dir_fd=fd, dst_dir_fd=fd)
        os.symlink("at the bottom", "a link", dir_fd=fd)
        os.mkfifo("a fifo", dir_fd=fd)
        os.close(fd)

    def sizes(self):
        os.mkdir("sizes")
        for n in (0, 1, 4095, 4096, 4097, 65536, MIB - 1, MIB, MIB + 1, 3 * MIB + 17):
            self.write(f"sizes/{n}", self.noise(n))
        # Beyond one 64 MiB segment, by a bit; compresses well.
        self.write("sizes/segments", self.noise(MIB) * 64 + self.noise(100))
        self.write("sizes/zeros", bytes(300000))
        self.write("sizes/pages.db", self.noise(5 * MIB + 100))
        os.makedirs("sizes/empty folder/and another")
        os.mkdir("sizes/many")
        for n in range(3000):
            self.write(f"sizes/many/{n}", b"%d" % n)

    def holes(self):
        os.mkdir("holes")

        def sparse(name, size, *data):
            with open(name, "wb") as f:
                for at in data:
                    f.seek(at)
                    f.write(self.noise(20000))
                f.truncate(size)

        for kind in ("", ".img"):  # in chunks, in pages
            sparse(f"holes/start{kind}", 3 * MIB + 20000, 3 * MIB)
            sparse(f"holes/middle{kind}", 4 * MIB + 20000, 0, 4 * MIB)
            sparse(f"holes/end{kind}", 5 * MIB, 0)
            sparse(f"holes/all{kind}", 9 * MIB + 1)
            sparse(f"holes/many{kind}", 8 * MIB, *range(MIB // 4, 8 * MIB, MIB // 2))
            sparse(f"holes/gigabyte{kind}", 1 << 30, 0, 1 << 29, (1 << 30) - 20000)
        self.attempt("a file of a terabyte", sparse, "holes/terabyte", 1 << 40, 1 << 39)

    def kinds(self):
        os.mkdir("kinds")
        for mode in (0o644, 0o200):
            os.mkfifo(f"kinds/fifo-{mode:o}")
            os.chmod(f"kinds/fifo-{mode:o}", mode)
        for name, target in ((b"dangling", b"no/such/file"), (b"absolute", b"/etc/passwd"),
                             (b"to itself", b"to itself"), (b"up", b"../../.."), (b"slash", b"/"),
                             (b"odd", b"\xff\n \\"), (b"long", b"t/" * 2047 + b"t")):
            os.symlink(target, b"kinds/" + name)
        for name, kind, number in (("null", stat.S_IFCHR, os.makedev(1, 3)),
                                   ("whiteout", stat.S_IFCHR, os.makedev(0, 0)),
                                   ("large", stat.S_IFCHR, os.makedev(4095, 1048575)),
                                   ("loop", stat.S_IFBLK, os.makedev(7, 300))):
            self.attempt(f"device {name}", os.mknod, f"kinds/{name}", kind | 0o620, number)

    def links(self):
        os.makedirs("links/a/b")
        self.write("links/one")
        os.link("links/one", "links/a/two")
        os.link("links/one", "links/a/b/three")
        self.write("links/big", self.noise(2 * MIB))
        os.link("links/big", "links/a/big")
        self.write("links/empty", b"")
        os.link("links/empty", "links/a/empty")
        os.symlink("one", "links/symlink")
        os.link("links/symlink", "links/a/symlink", follow_symlinks=False)
        os.mkfifo("links/fifo")
        os.link("links/fifo", "links/a/fifo")

    def modes(self):
        os.mkdir("modes")
        for mode in (0, 0o444, 0o1777, 0o2755, 0o4755, 0o6755, 0o7777, 0o2644):
            self.write(f"modes/{mode:o}")
            os.mkdir(f"modes/dir-{mode:o}")
            for name, own in ((f"modes/{mode:o}", True), (f"modes/dir-{mode:o}", False)):
                if os.geteuid() == 0 and own:
                    os.chown(name, 12345, 4294967294)
                # A folder that its owner cannot read cannot be backed up by him.
                if os.geteuid() == 0 or mode & 0o500 == 0o500 or not mode & 0o777:
                    os.chmod(name, mode if os.geteuid() == 0 or mode & 0o400 else mode | 0o700)
        if os.geteuid() == 0:
            os.symlink("x", "modes/link of another")
            os.lchown("modes/link of another", 54321, 0)
            os.mkfifo("modes/fifo of another")
            os.chown("modes/fifo of another", 54321, 7)

    def attributes(self):
        os.makedirs("attributes/dir")
        self.write("attributes/file")
        os.mkdir("attributes/inheriting")
        for name in ("attributes/file", "attributes/dir"):
            for key, value in (("user.empty", b""), ("user.binary", bytes(range(256))),
                               ("user.long", self.noise(1500)), ("user.\u00fc", b"x"),
                               ("user." + "n" * 200, b"y")):
                self.attempt(f"{key} of {name}", os.setxattr, name, key, value)
            self.attempt(f"trusted of {name}", os.setxattr, name, "trusted.t", b"t")
        self.write("attributes/capable")
        # cap_net_raw,cap_net_bind_service=ep, as setcap writes it.
        self.attempt("security.capability", os.setxattr, "attributes/capable", "security.capability",
                     struct.pack("<5I", 0x02000001, 0x2400, 0, 0, 0))
        os.symlink("nowhere", "attributes/link")
        self.attempt("trusted of a link", os.setxattr, "attributes/link", "trusted.t", b"on a link",
                     follow_symlinks=False)
        for args in (("-m", "u:12345:r--,g:54321:rwx,m::rw-", "attributes/file"),
                     ("-m", "u:12345:---", "attributes/dir"),
                     ("-d", "-m", "u:12345:rwx,g::r--", "attributes/inheriting")):
            self.attempt(f"ACL {args}", subprocess.run, ("setfacl",) + args, check=True)
        self.write("attributes/inheriting/heir")

    def times(self):
        """Last: everything gets its own, folders after what is in them."""
        os.mkdir("times")
        for n, ns in enumerate((0, 1, 999999999, -1, -1500000000, 10**9 * 2**31 + 7,
                                150 * 365 * DAY_NS + 123456789)):
            self.write(f"times/{n}")
            self.attempt(f"time {ns}", os.utime, f"times/{n}", ns=(ns, ns))
        at = 10**18 + 123456789
        for folder, dirs, files, fd in os.fwalk(".", topdown=False, follow_symlinks=False):
            for name in dirs + (files if not folder.startswith("./times") else []):
                at += 1234567891
                self.attempt(f"time of {name}", os.utime, name, ns=(at, at), dir_fd=fd,
                             follow_symlinks=False)
        os.utime(".", ns=(at, at))

    def all(self):
        for part in (self.names, self.deep, self.sizes, self.holes, self.kinds, self.links, self.modes,
                     self.attributes, self.times):
            part()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "list"):
        sys.exit("usage: tree.py make|list DIR")
    os.umask(0o022)
    if sys.argv[1] == "make":
        Maker(sys.argv[2]).all()
    else:
        list_tree(os.fsencode(sys.argv[2]))
