"""Write cpio archives that the kernel unpacks as a ramdisk, the same for the same entries.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (newc, without checksums).
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"
_ALIGNED = 4


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
    return part + bytes(-len(part) % _ALIGNED)
