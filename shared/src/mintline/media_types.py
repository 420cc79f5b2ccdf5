"""The media that metadata may show, recognized by their first bytes and not by their declared type.

Sources: PNG (W3C), section 5.2; JPEG (ITU-T T.81), B.1.1; GIF89a, section 17; WebP (RFC 9649);
AVIF 1.1 and ISO/IEC 14496-12 (`ftyp`); the EBML header (RFC 8794); glTF 2.0, section 4.4.2 (GLB).
"""

from __future__ import annotations

import re

HEAD = 4096
"""How many of a file's first bytes tell its type."""

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif")
MEDIA_TYPES = (*IMAGES, "video/mp4", "video/webm", "model/gltf-binary")
"""What may be uploaded. SVG is not: it is a document that runs scripts, wherever it is opened."""

_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    **dict.fromkeys(
        (b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash"),
        "video/mp4",
    ),
}
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_WEBM = re.compile(rb"\x42\x82[\x80-\xff]webm")
"""The EBML element DocType with the value of WebM."""


def sniffed(head: bytes, size: int) -> str | None:
    """Return the type of a file of `size` bytes from its first ones; None for one that is not accepted."""
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head.startswith(b"\x1a\x45\xdf\xa3") and _WEBM.search(head[:64]):
        return "video/webm"
    if head.startswith(b"glTF\x02\0\0\0") and int.from_bytes(head[8:12], "little") == size:
        return "model/gltf-binary"
    return None


def _by_brand(head: bytes) -> str | None:
    """Return what an ISO media file is: by its major brand, or the first compatible one that is known."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
