from __future__ import annotations

import hashlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.errors import Misconfigured
from mintline_eif.image import HEADER_SIZE, Section, SectionType, build, measure, read

PARTS = {"kernel": b"k" * 1000, "cmdline": "quiet", "ramdisks": (b"one", b"two", b"three"), "metadata": b"{}"}
IMAGE = build(**PARTS, arm64=False)  # type: ignore[arg-type]


def pcr(data: bytes) -> str:
    return hashlib.sha384(bytes(48) + hashlib.sha384(data).digest()).hexdigest()


def with_checksum(image: bytes) -> bytes:
    checksum = zlib.crc32(image[: HEADER_SIZE - 4] + image[HEADER_SIZE:])
    return image[: HEADER_SIZE - 4] + struct.pack(">I", checksum) + image[HEADER_SIZE:]


def patched(at: int, content: bytes) -> bytes:
    return with_checksum(IMAGE[:at] + content + IMAGE[at + len(content) :])


def test_image__when_its_header_is_read_by_the_published_layout__says_where_everything_is() -> None:
    assert HEADER_SIZE == 548
    assert IMAGE[:4] == b".eif"
    assert struct.unpack_from(">HHQQHH", IMAGE, 4) == (4, 0, 2**30, 2, 0, 6)
    offsets = struct.unpack_from(">32Q", IMAGE, 28)
    sizes = struct.unpack_from(">32Q", IMAGE, 28 + 256)
    assert sizes == (1000, 5, 2, 3, 3, 5, *(0,) * 26)
    assert offsets[:2] == (548, 548 + 12 + 1000)
    assert offsets[6:] == (0,) * 26
    kinds = [struct.unpack_from(">HHQ", IMAGE, offset) for offset in offsets[:6]]
    assert kinds == [(1, 0, 1000), (2, 0, 5), (5, 0, 2), (3, 0, 3), (3, 0, 3), (3, 0, 5)]
    assert struct.unpack_from(">I", IMAGE, 544) == (zlib.crc32(IMAGE[:544] + IMAGE[548:]),)
    assert with_checksum(IMAGE) == IMAGE


def test_image__when_for_aarch64__has_the_flag() -> None:
    arm64 = build(**PARTS, arm64=True)  # type: ignore[arg-type]

    assert struct.unpack_from(">H", arm64, 6) == (1,)
    assert measure(read(arm64)) == measure(read(IMAGE))


def test_measurements__when_sections_are_read_back__cover_what_aws_says() -> None:
    measured = measure(read(IMAGE))

    assert measured.pcr0 == pcr(b"k" * 1000 + b"quiet" + b"onetwothree")
    assert measured.pcr1 == pcr(b"k" * 1000 + b"quiet" + b"one")
    assert measured.pcr2 == pcr(b"twothree")


def test_measurements__when_only_metadata_differs__are_the_same() -> None:
    other = build(**{**PARTS, "metadata": b'{"BuildTime": "later"}'}, arm64=False)  # type: ignore[arg-type]

    assert other != IMAGE
    assert measure(read(other)) == measure(read(IMAGE))


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"", "not an enclave image"),
        (IMAGE[:547], "not an enclave image"),
        (b"MZ" + IMAGE[2:], "not an enclave image"),
        (patched(4, b"\0\3"), "version 3"),
        (IMAGE[:-1], "damaged"),
        (IMAGE[:600] + b"?" + IMAGE[601:], "damaged"),
        (with_checksum(IMAGE[:-1]), "not of the size"),
        (with_checksum(IMAGE + b"more"), "more in it"),
        (patched(26, b"\0\5"), "more in it"),
        (patched(26, b"\0\7"), "no section 6"),
        (patched(26, b"\xff\xff"), "no section 6"),
        (patched(28, struct.pack(">Q", 549)), "no section 0"),
        (patched(28 + 256, struct.pack(">Q", 999)), "section 0 .* size"),
        (patched(548, b"\0\7"), "unknown type 7"),
    ],
)
def test_image__when_damaged__is_refused_with_the_reason(image: bytes, why: str) -> None:
    with pytest.raises(Misconfigured, match=why):
        read(image)


@given(st.integers(0, len(IMAGE) - 1), st.integers(1, 255))
def test_image__when_any_byte_is_another__is_refused(at: int, change: int) -> None:
    with pytest.raises(Misconfigured):
        read(IMAGE[:at] + bytes([IMAGE[at] ^ change]) + IMAGE[at + 1 :])


@given(st.integers(0, HEADER_SIZE + 40), st.binary(min_size=1, max_size=10))
def test_image__when_forged_with_a_right_checksum__is_read_or_refused(at: int, content: bytes) -> None:
    try:
        sections = read(patched(at, content))
    except Misconfigured:
        return
    assert sum(len(section.content) for section in sections) == 1000 + 5 + 2 + 11


def test_measurements__when_there_is_nothing_to_boot__are_refused() -> None:
    with pytest.raises(Misconfigured, match="one kernel"):
        measure([Section(SectionType.KERNEL, b"k"), Section(SectionType.CMDLINE, b"c")])
