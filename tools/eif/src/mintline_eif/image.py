"""The enclave image format (EIF), version 4, and what an image measures as.

Sources: aws/aws-nitro-enclaves-image-format, `src/defs/mod.rs` (layout), `src/utils/mod.rs` (measurements);
Nitro Enclaves user guide, "Cryptographic attestation". All integers are big-endian.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from mintline.errors import Misconfigured

MAGIC = b".eif"
VERSION = 4
ARM64 = 1
"""The flag of an image for aarch64; x86-64 has none."""
_MOST_SECTIONS = 32
_DEFAULT_MEMORY = 1 << 30
_DEFAULT_CPUS = 2
_HEADER = struct.Struct(f">4sHHQQHH{_MOST_SECTIONS}Q{_MOST_SECTIONS}QI")
"""Up to the checksum, which covers it and all that comes after the checksum."""
_CHECKSUM = struct.Struct(">I")
_SECTION = struct.Struct(">HHQ")
HEADER_SIZE = _HEADER.size + _CHECKSUM.size


class SectionType(IntEnum):
    """What a section holds."""

    KERNEL = 1
    CMDLINE = 2
    RAMDISK = 3
    SIGNATURE = 4
    METADATA = 5


@dataclass(frozen=True, slots=True)
class Section:
    """One section of an image."""

    type: SectionType
    content: bytes


@dataclass(frozen=True, slots=True)
class Measurements:
    """What the Nitro hypervisor puts into an enclave's first three PCRs, in hex."""

    pcr0: str
    """The image: kernel, command line, every ramdisk."""
    pcr1: str
    """Kernel, command line and first ramdisk, which boots."""
    pcr2: str
    """The ramdisks after the first: the application."""


def build(*, kernel: bytes, cmdline: str, ramdisks: tuple[bytes, ...], metadata: bytes, arm64: bool) -> bytes:
    """Return an unsigned image, with its sections in the order in which nitro-cli writes them.

    `metadata` (JSON) is not measured.
    """
    sections = (
        Section(SectionType.KERNEL, kernel),
        Section(SectionType.CMDLINE, cmdline.encode()),
        Section(SectionType.METADATA, metadata),
        *(Section(SectionType.RAMDISK, ramdisk) for ramdisk in ramdisks),
    )
    offsets, offset = [], HEADER_SIZE
    for section in sections:
        offsets.append(offset)
        offset += _SECTION.size + len(section.content)
    unused = [0] * (_MOST_SECTIONS - len(sections))
    header = _HEADER.pack(
        *(MAGIC, VERSION, ARM64 if arm64 else 0, _DEFAULT_MEMORY, _DEFAULT_CPUS, 0, len(sections)),
        *(*offsets, *unused),
        *(*(len(section.content) for section in sections), *unused),
        0,
    )
    body = b"".join(_SECTION.pack(s.type, 0, len(s.content)) + s.content for s in sections)
    return header + _CHECKSUM.pack(zlib.crc32(body, zlib.crc32(header))) + body


def read(image: bytes) -> list[Section]:
    """Return the sections of an image; raises Misconfigured, saying why, when it is damaged or none."""
    if len(image) < HEADER_SIZE or not image.startswith(MAGIC):
        raise Misconfigured("not an enclave image: its first bytes are not `.eif`")
    _, version, _, _, _, _, count, *rest = _HEADER.unpack_from(image)
    if version != VERSION:
        raise Misconfigured(f"an enclave image of version {version}; only {VERSION} is read here")
    (checksum,) = _CHECKSUM.unpack_from(image, _HEADER.size)
    if zlib.crc32(image[HEADER_SIZE:], zlib.crc32(image[: _HEADER.size])) != checksum:
        raise Misconfigured("the enclave image is damaged: its checksum is of other bytes")
    sections, at = [], HEADER_SIZE
    for index in range(min(count, _MOST_SECTIONS)):
        if at + _SECTION.size > len(image) or rest[index] != at:
            raise Misconfigured(f"the enclave image has no section {index} where its header says")
        kind, _, size = _SECTION.unpack_from(image, at)
        at += _SECTION.size
        if size != rest[_MOST_SECTIONS + index] or at + size > len(image):
            raise Misconfigured(f"section {index} of the enclave image is not of the size in the header")
        try:
            sections.append(Section(SectionType(kind), image[at : at + size]))
        except ValueError:
            raise Misconfigured(f"section {index} of the enclave image is of unknown type {kind}") from None
        at += size
    if at != len(image) or count > _MOST_SECTIONS:
        raise Misconfigured("the enclave image has more in it than its header says")
    return sections


def measure(sections: list[Section]) -> Measurements:
    """Return what sections measure as, in whatever order they are: only that of the ramdisks counts."""
    by_type = {kind: [s.content for s in sections if s.type is kind] for kind in SectionType}
    ramdisks = by_type[SectionType.RAMDISK]
    if len(by_type[SectionType.KERNEL]) != 1 or len(by_type[SectionType.CMDLINE]) != 1 or not ramdisks:
        raise Misconfigured("an enclave image has one kernel, one command line, and a ramdisk")
    booting = (*by_type[SectionType.KERNEL], *by_type[SectionType.CMDLINE], ramdisks[0])
    return Measurements(
        pcr0=_extended(*booting, *ramdisks[1:]), pcr1=_extended(*booting), pcr2=_extended(*ramdisks[1:])
    )


def _extended(*parts: bytes) -> str:
    """Return a PCR that was zero and is extended once: SHA384(0^48 || SHA384(parts))."""
    digest = hashlib.sha384()
    for part in parts:
        digest.update(part)
    return hashlib.sha384(bytes(48) + digest.digest()).hexdigest()
