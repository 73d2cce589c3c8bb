# SPDX-License-Identifier: Apache-2.0
"""What a disk may hold when the power goes, made from the journal of shim.c.

The model is the contract of fsync(2), and nothing kinder. What was written to a file is safe once a sync of that file
that began later has ended; a name (made, renamed, unlinked) is safe once its folder was synced so. Of all else any part
may be there: in sectors of 512 octets, one of them torn in the middle, lengths without the data (zeros), one file's
but not another's. Names that are not safe may be lost in any combination (`scattered`), also where most file systems
would keep their order (`ordered`).
"""
import os
import random
import shutil
import struct
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
HEAD = struct.Struct("<IB3xIIQQQ")
O_CREAT, O_TRUNC = os.O_CREAT, os.O_TRUNC
WAYS = ("nothing", "everything", "ordered", "scattered")


class Entry(NamedTuple):
    kind: str
    thread: int
    a: int
    b: int
    c: int
    octets: bytes

    def path(self):
        return self.octets.decode()


def read_journal(path):
    octets, at, entries = Path(path).read_bytes(), 0, []
    while at + HEAD.size <= len(octets):
        length, kind, thread, _, a, b, c = HEAD.unpack_from(octets, at)
        at += HEAD.size
        entries.append(Entry(chr(kind), thread, a, b, c, octets[at:at + length]))
        at += length
    assert at == len(octets), "the journal ends within an entry"
    return entries


class File:
    """What is safe of it, and what was done since: (index, kind, offset or length, octets or length)."""

    def __init__(self, data=b"", size=0, source=None):
        self.data, self.size = bytearray(data), size
        self.source = source  # a whole safe file elsewhere, not looked into until it is written to
        self.pending = []

    def load(self):
        if self.source:
            self.data, self.source = bytearray(Path(self.source).read_bytes()), None
            self.size = len(self.data)

    def settle(self, until):
        """A sync that began at `until` has ended."""
        keep = [op for op in self.pending if op[0] > until]
        for op in self.pending:
            if op[0] < until:
                self.data, self.size = apply(self.data, self.size, op)
        self.pending = keep


def apply(data, size, op):
    _, kind, at, what = op
    if kind == "W":
        if len(data) < at:
            data.extend(bytes(at - len(data)))
        data[at:at + len(what)] = what
        return data, max(size, at + len(what))
    if kind == "A":
        return data, max(size, at + what)
    del data[at:]  # T
    return data, at


class Disk:
    """Follows the journal; `put()` writes what may be there when the power goes now."""

    def __init__(self, root, base=None):
        self.root = Path(root)
        self.index = 0
        self.files, self.names, self.safe = {}, {}, {}  # by id; now; after a loss of all that is not safe
        self.inodes, self.next_id = {}, 1
        self.folders, self.begun, self.pending = {}, {}, []
        for path in sorted(Path(base).rglob("*")) if base else ():
            name = str(path.relative_to(base))
            identity = self.add(name, None if path.is_dir() else File(source=path))
            self.safe[name] = identity

    def add(self, name, file):
        """`file` None: a folder."""
        identity, self.next_id = self.next_id, self.next_id + 1
        self.files[identity] = file
        self.names[name] = identity
        return identity

    def name_of(self, path):
        return os.path.relpath(path, self.root)

    def name_op(self, *op):
        self.pending.append((self.index, *op))

    def step(self, entry):
        getattr(self, "on_" + entry.kind, lambda _: None)(entry)
        self.index += 1

    def on_O(self, entry):
        name = self.name_of(entry.path())
        if name == ".":
            self.folders[entry.a] = "."
            return
        if name not in self.names:
            if not entry.b & O_CREAT:
                return  # its making is entered behind this, by another thread
            self.name_op("link", name, self.add(name, File()))
        identity = self.names[name]
        self.inodes[entry.a] = identity
        if self.files[identity] is None:
            self.folders[entry.a] = name
        elif entry.b & O_TRUNC:
            self.change(entry.a, "T", 0, 0)

    def change(self, inode, kind, at, what):
        file = self.files[self.inodes[inode]]
        file.load()
        file.pending.append((self.index, kind, at, what))

    def on_W(self, entry):
        self.change(entry.a, "W", entry.b, entry.octets)

    def on_A(self, entry):
        self.change(entry.a, "A", entry.b, entry.c)

    def on_T(self, entry):
        self.change(entry.a, "T", entry.b, 0)

    def on_S(self, entry):
        self.begun[entry.thread] = self.index

    def on_E(self, entry):
        until = self.begun.pop(entry.thread)
        if entry.a in self.folders:
            folder = self.folders[entry.a]
            mine = [op for op in self.pending if op[0] < until and folder_of(op[2]) == folder]
            self.pending = [op for op in self.pending if op not in mine]
            for op in mine:
                link(self.safe, op)
        elif entry.a in self.inodes:
            self.files[self.inodes[entry.a]].settle(until)

    def on_M(self, entry):
        name = self.name_of(entry.path())
        self.name_op("link", name, self.add(name, None))

    def on_R(self, entry):
        old, new = (self.name_of(part.decode()) for part in entry.octets.split(b"\0"))
        identity = self.names.pop(old)
        self.names[new] = identity
        self.name_op("rename", old, identity, new)

    def on_U(self, entry):
        name = self.name_of(entry.path())
        self.name_op("unlink", name, self.names.pop(name))

    # --- what may be left

    def left_names(self, way, rng, until):
        names = dict(self.safe)
        for op in self.pending:
            if way == "everything" or way == "ordered" and op[0] < until or way == "scattered" and rng.random() < 0.5:
                link(names, op)
        return names

    def left_of(self, file, way, rng, until):
        if way == "nothing" or not file.pending:
            return file.data, file.size
        data, size = bytearray(file.data), file.size
        for op in file.pending:
            if way == "everything" or way == "ordered" and op[0] < until:
                data, size = apply(data, size, op)
            elif way == "ordered" and op[1] == "W":
                torn = op[3][:rng.randrange(len(op[3]) + 1)]  # the last write, in the middle of a sector
                return apply(data, size, (*op[:3], torn))
            elif way == "scattered" and op[1] == "W":
                for at, piece in pieces(op, rng):
                    data, size = apply(data, size, (op[0], "W", at, piece))
            elif way == "scattered" and rng.random() < 0.5:
                data, size = apply(data, size, op)
        return data, size

    def put(self, folder, way, seed):
        """Writes one of the disks that may be left, by `way` and `seed`, into the new folder."""
        rng = random.Random(seed)
        until = rng.randrange(max(0, self.index - 40), self.index + 1)
        folder.mkdir(mode=0o700)
        names = self.left_names(way, rng, until)
        for name in sorted(names):
            file, target = self.files[names[name]], folder / name
            if not target.parent.is_dir():
                continue  # its folder was lost
            if file is None:
                target.mkdir(mode=0o700)
            elif file.source:
                shutil.copyfile(file.source, target)
                target.chmod(0o600)
            else:
                write(target, *self.left_of(file, way, rng, until))


def write(target, data, size):
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, data[:size]) if data else None
    os.ftruncate(fd, size)
    os.close(fd)


def pieces(op, rng):
    """Of a write, the sectors that reached the disk; now and then a torn one."""
    _, _, start, octets = op
    share = rng.choice((0.2, 0.5, 0.9))
    at = start
    while at < start + len(octets):
        end = min((at // SECTOR + 1) * SECTOR, start + len(octets))
        piece = octets[at - start:end - start]
        if rng.random() < share:
            yield at, piece[:rng.randrange(len(piece) + 1)] if rng.random() < 0.1 else piece
        at = end


def folder_of(name):
    return os.path.dirname(name) or "."


def link(names, op):
    _, how, name, identity, *new = op
    if how == "link":
        names[name] = identity
    elif names.get(name) == identity:
        del names[name]
    if how == "rename":
        names[new[0]] = identity
