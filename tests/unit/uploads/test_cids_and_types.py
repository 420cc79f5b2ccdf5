"""Content ids against those of another implementation, and types told by a file's first bytes."""

from __future__ import annotations

import pytest

from mintline.cids import CHUNK, CidHasher, cid_of
from mintline.media_types import MEDIA_TYPES, sniffed


def content(size: int) -> bytes:
    """Return what the vectors were made of: byte i is 7 i + i / 8192, modulo 256."""
    rows = (bytes((i * 7 + row) & 255 for i in range(256)) * 32 for row in range((size >> 13) + 1))
    return b"".join(rows)[:size]


@pytest.mark.parametrize(
    ("size", "cid"),
    [
        # From ipfs-unixfs-importer 17.1.1: CIDv1, raw leaves, chunks of 262,144 bytes, balanced by 174.
        (1, "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu"),
        (CHUNK - 1, "bafkreid4gxqrbnieiepevvwqq2m6fqmij2yujanme65c2m43nr4zun6e6y"),
        (CHUNK, "bafkreif4nurtdtpovxwerkbyzj7ubntkv2mar3zz3hkgtmpmgettx6kzlu"),
        (CHUNK + 1, "bafybeihgf5mq3f2we7ulf5nf2ho346f3mkosj4i5622sq4puzkqjg7juue"),
        (2 * CHUNK, "bafybeibrb5illz5utkslf2mx6zcww5aqpeqibgc2xukei2fcszg3hb52me"),
        (174 * CHUNK, "bafybeic3zi2bdohrw6mvcyzpp7uq2z2x6v4g7pj4mzcfv3gjptah3xprmi"),
        (174 * CHUNK + 1, "bafybeib3kohdqiowxhmuxg53ijgapsemrfpcf6sy5yceue5to5jbwkf7ym"),
        (348 * CHUNK + 1, "bafybeiby4kmpb7jdzrw2us3c5zzr3wbl7gb24lwypsqmxidmx3btzduegy"),
    ],
)
def test_cid__when_another_importer_names_the_same_bytes__then_both_agree(size: int, cid: str) -> None:
    assert cid_of(content(size)) == cid


def test_cid__when_the_bytes_come_in_pieces__then_it_is_the_same() -> None:
    data = content(2 * CHUNK + 100)
    for piece in (1000, CHUNK, CHUNK + 1):
        hasher = CidHasher()
        for start in range(0, len(data), piece):
            hasher.update(data[start : start + piece])
        assert hasher.text() == hasher.text() == cid_of(data)


def box(*brands: bytes) -> bytes:
    """Return an ISO media file's first box: major brand, version, compatible brands."""
    body = brands[0] + bytes(4) + b"".join(brands[1:])
    return (8 + len(body)).to_bytes(4, "big") + b"ftyp" + body + bytes(100)


GLB = b"glTF" + (2).to_bytes(4, "little") + (100).to_bytes(4, "little") + bytes(88)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (b"GIF87a" + bytes(20), "image/gif"),
        (b"GIF89a" + bytes(20), "image/gif"),
        (b"RIFF" + bytes(4) + b"WEBPVP8 ", "image/webp"),
        (box(b"avif"), "image/avif"),
        (box(b"mif1", b"miaf", b"avif"), "image/avif"),
        (box(b"isom", b"iso2"), "video/mp4"),
        (box(b"mp42"), "video/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm" + bytes(9), "video/webm"),
        (GLB, "model/gltf-binary"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", None),
        (GLB + b"x", None),
        (box(b"heic"), None),
        (box(b"heic")[:10], None),
        (b"RIFF" + bytes(4) + b"WAVEfmt ", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<!doctype html>", None),
        (b"%PDF-1.7", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_type__when_a_file_begins_so__then_it_is_known_by_its_bytes(
    data: bytes, media_type: str | None
) -> None:
    assert sniffed(data, len(data)) == media_type
    assert media_type is None or media_type in MEDIA_TYPES
