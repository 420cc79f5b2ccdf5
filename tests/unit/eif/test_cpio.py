from __future__ import annotations

import gzip
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline_eif.cpio import Entry, archive, content_of, file, folder

HEX = st.integers(0, 2**32 - 1)
NAMES = st.text("abc/.", min_size=1, max_size=12)


def unpacked(data: bytes) -> dict[str, tuple[Entry, int]]:
    """Read an archive by the kernel's own description of it; gives each entry with its inode."""
    entries: dict[str, tuple[Entry, int]] = {}
    at = 0
    while True:
        assert at % 4 == 0
        assert data[at : at + 6] == b"070701"
        inode, mode, uid, gid, links, mtime, size, *devices, named, check = (
            int(data[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in range(13)
        )
        assert devices == [0, 0, 0, 0]
        assert check == 0
        name = data[at + 110 : at + 110 + named]
        assert name.endswith(b"\0")
        at += -(-(110 + named) // 4) * 4
        if name == b"TRAILER!!!\0":
            assert at == len(data)
            return entries
        assert links == (2 if stat.S_ISDIR(mode) else 1)
        entries[name[:-1].decode()] = (Entry(mode, data[at : at + size], uid, gid, mtime), inode)
        at += -(-size // 4) * 4


@given(st.dictionaries(NAMES, st.builds(Entry, HEX, st.binary(max_size=9), HEX, HEX, HEX)))
def test_archive__when_unpacked__gives_every_entry_back(entries: dict[str, Entry]) -> None:
    unpacked_entries = unpacked(archive(entries))

    assert {path: entry for path, (entry, _) in unpacked_entries.items()} == entries
    assert {path: content_of(path, archive(entries)) for path in entries} == {
        path: entry.content for path, entry in entries.items()
    }
    assert sorted(inode for _, inode in unpacked_entries.values()) == list(range(1, len(entries) + 1))


def test_archive__when_entries_come_in_another_order__is_the_same_and_folders_come_first() -> None:
    entries = {"a/b": file(b"x"), "a-b": file(b"y"), "a": folder(), "a/b.c": file(b"z")}
    turned = dict(reversed(entries.items()))

    assert archive(entries) == archive(turned)
    assert list(unpacked(archive(turned))) == ["a", "a-b", "a/b", "a/b.c"]


@pytest.mark.parametrize(
    "archived",
    [b"", gzip.compress(archive({"a": file(b"x")}), mtime=0), b"070701" + b"z" * 200],
    ids=["empty", "compressed", "damaged"],
)
def test_content__when_it_is_no_archive_or_not_in_it__is_none(archived: bytes) -> None:
    assert content_of("a", archived) is None
    assert content_of("b", archive({"a": file(b"x")})) is None
