"""Cpio archives that the kernel unpacks as a ramdisk: written the same for the same entries, and read.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (newc, without checksums).
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"
_ALIGNED = 4
_HEAD = len(_MAGIC) + 13 * 8
"""Bytes of a record before its name: thirteen fields of eight hex digits."""
_SIZE, _NAMED = 6, 11
"""Which fields hold the sizes of content and name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or symbolic link; `mode` has the type's bits too, `mtime` is in Unix seconds."""

    mode: int
    content: bytes = b""
    """A file's bytes, or a link's target."""
    uid: int = 0
    gid: int = 0
    mtime: int = 0

    @property
    def is_folder(self) -> bool:
        """Tell whether entries may lie below this one."""
        return stat.S_ISDIR(self.mode)


def folder(permissions: int = 0o755) -> Entry:
    """Return a folder of root's."""
    return Entry(stat.S_IFDIR | permissions)


def file(content: bytes, permissions: int = 0o644) -> Entry:
    """Return a file of root's."""
    return Entry(stat.S_IFREG | permissions, content)


def archive(entries: Mapping[str, Entry]) -> bytes:
    """Return the archive of `entries` by path, in the order of their paths: a folder before what is in it.

    Inode numbers count up from 1; devices are 0 and every entry has one link, so that nothing of the
    building machine gets in.
    """
    written = bytearray()
    for inode, path in enumerate(sorted(entries), start=1):
        entry = entries[path]
        written += _record(path, entry, inode=inode, links=2 if entry.is_folder else 1)
    written += _record(_TRAILER, Entry(mode=0), inode=0, links=1)
    return bytes(written)


def content_of(path: str, archived: bytes) -> bytes | None:
    """Return a file out of an archive; None if it is not there, or if that is no plain archive."""
    wanted, at = path.encode() + b"\0", 0
    while archived.startswith(_MAGIC, at):
        fields = archived[at + len(_MAGIC) : at + _HEAD]
        try:
            size, named = (int(fields[8 * field : 8 * field + 8], 16) for field in (_SIZE, _NAMED))
        except ValueError:
            return None
        begins = at + _aligned(_HEAD + named)
        if archived[at + _HEAD : at + _HEAD + named] == wanted:
            return archived[begins : begins + size]
        at = begins + _aligned(size)
    return None


def _record(path: str, entry: Entry, *, inode: int, links: int) -> bytes:
    name = path.encode(errors="surrogateescape") + b"\0"
    fields = (
        *(inode, entry.mode, entry.uid, entry.gid, links, entry.mtime, len(entry.content)),
        *(0, 0, 0, 0),  # the file's device and its own, major and minor
        *(len(name), 0),
    )
    head = _MAGIC + b"".join(b"%08x" % value for value in fields) + name
    return _padded(head) + _padded(entry.content)


def _padded(part: bytes) -> bytes:
    return part.ljust(_aligned(len(part)), b"\0")


def _aligned(size: int) -> int:
    return size + -size % _ALIGNED
