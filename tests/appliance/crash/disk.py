"""A disk whose writes and flushes are logged, and what would be on it had the power gone at some moment.

qemu-storage-daemon keeps the log (its driver `blklogwrites`) and shows the disk as a file, by FUSE; a loop device makes
a disk of that. Of this daemon's FUSE one request is done after the other, so the order of the log is the order in
which writes were done, and a flush is one of all that stand before it. The host's own kernel mounts the disk: it takes
no virtual machine.

The format of the log is that of Linux' dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst).
"""

import json
import mmap
import os
import random
import struct
import subprocess
import threading
import time
from pathlib import Path

SIZE = 330 << 20
#: What file systems don't get: here is noted what has been acknowledged.
TAIL = SIZE - (1 << 20)
LOG_SIZE = 4 << 30
BLOCK = 4096
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
MKFS = {
    # Nothing that a kernel thread does later on by itself.
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-J", "size=8", "DISK", str(TAIL >> 10) + "k"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-d", f"size={TAIL}", "DISK"],
    "btrfs": ["mkfs.btrfs", "-q", "-f", "-b", str(TAIL), "DISK"],
}


def run(*command, **options):
    """A command that has to succeed; gives what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def make(path, kind):
    """An empty file system in a file, with room behind it."""
    path.unlink(missing_ok=True)
    with open(path, "wb") as image:
        image.truncate(SIZE)
    run(*(str(path) if word == "DISK" else word for word in MKFS[kind]))


class LoggedDisk:
    """Mounted at `directory/mounted`; the log is `directory/log`."""

    def __init__(self, directory, kind):
        self.directory, self.lock, self.number = directory, threading.Lock(), 0
        make(directory / "disk", kind)
        run("cp", "--sparse=always", directory / "disk", directory / "base")
        with open(directory / "log", "wb") as log:
            log.truncate(LOG_SIZE)
        (directory / "shown").touch()
        (directory / "mounted").mkdir(exist_ok=True)
        blocks = [f"driver=file,filename={directory}/{name},node-name={name}" for name in ("disk", "log")]
        blocks.append("driver=blklogwrites,file=disk,log=log,node-name=logged")
        arguments = [word for block in blocks for word in ("--blockdev", block)]
        export = f"type=fuse,id=shown,node-name=logged,mountpoint={directory}/shown,writable=on"
        self.daemon = subprocess.Popen(["qemu-storage-daemon", *arguments, "--export", export], stdin=subprocess.DEVNULL)
        # The file that is there is hidden by that of the daemon, which is as large as the disk.
        while os.stat(directory / "shown").st_size != SIZE:
            if self.daemon.poll() is not None:
                raise RuntimeError("qemu-storage-daemon shows no disk")
            time.sleep(0.02)
        self.loop = run("losetup", "--show", "--find", directory / "shown").strip()
        self.tail = os.open(directory / "shown", os.O_WRONLY | os.O_DIRECT)
        self.block = mmap.mmap(-1, BLOCK)
        run("mount", self.loop, directory / "mounted")

    def note(self, what):
        """Puts a note into the log, behind everything that has been written so far."""
        with self.lock:
            self.number += 1
            text = json.dumps(what).encode()
            self.block.seek(0)
            self.block.write(text.ljust(BLOCK, b"\0"))
            os.pwrite(self.tail, self.block, TAIL)

    def close(self):
        """The log is whole afterwards."""
        os.close(self.tail)
        run("umount", self.directory / "mounted")
        run("losetup", "--detach", self.loop)
        # It lets go of its file when the last process has ended in whose name space it was mounted.
        until = time.monotonic() + 60
        while os.path.exists(f"/sys/block/{os.path.basename(self.loop)}/loop/backing_file"):
            if time.monotonic() > until:
                raise RuntimeError(f"{self.loop} is still in use")
            time.sleep(0.02)
        self.daemon.terminate()
        self.daemon.wait()


class Entry:
    __slots__ = ("offset", "flags", "data")

    def __init__(self, offset, flags, data):
        self.offset, self.flags, self.data = offset, flags, data

    def note(self):
        return json.loads(self.data.rstrip(b"\0")) if self.offset == TAIL and self.data else None

    def pieces(self):
        """What a disk writes whole."""
        return [(self.offset + at, self.data[at : at + BLOCK]) for at in range(0, len(self.data), BLOCK)]


def read_log(path):
    with open(path, "rb") as log:
        magic, _version, number, sector = struct.unpack("<QQQI", log.read(28))
        if magic != MAGIC:
            raise RuntimeError(f"{path} is no log of writes")
        log.seek(sector)
        for _ in range(number):
            at, sectors, flags, _length = struct.unpack("<QQQQ", log.read(sector)[:32])
            yield Entry(at * sector, flags, b"" if flags & DISCARD else log.read(sectors * sector))


#: How much of what was not flushed has reached the disk.
KINDS = ("flushed only", "all", "a random half")


class Replay:
    """The disk at one point of the log after the other."""

    def __init__(self, directory, entries):
        self.entries, self.at, self.unflushed, self.notes = entries, 0, [], []
        self.image = directory / "replayed"
        run("cp", "--sparse=always", directory / "base", self.image)
        self.file = os.open(self.image, os.O_RDWR)

    def go_to(self, point):
        """To the moment when that many entries had been done."""
        for entry in self.entries[self.at : point]:
            if entry.flags & FLUSH:
                self.write(self.unflushed)
                self.unflushed = []
            if entry.flags & FUA:
                self.write(entry.pieces())
            elif entry.data and entry.offset < TAIL:
                self.unflushed.extend(entry.pieces())
            if (note := entry.note()) is not None:
                self.notes.append(note)
        self.at = point

    def write(self, pieces, file=None):
        for offset, data in pieces:
            os.pwrite(self.file if file is None else file, data, offset)

    def leave(self, kind, seed, path):
        """Writes what has reached the disk, of such a kind, to `path`."""
        run("cp", "--sparse=always", self.image, path)
        if kind == "flushed only":
            return
        pieces = self.unflushed
        if kind == "a random half":
            coin = random.Random(f"{seed} {self.at}")
            pieces = [piece for piece in pieces if coin.random() < 0.5]
        file = os.open(path, os.O_RDWR)
        self.write(pieces, file)
        os.close(file)
