"""What a booted enclave proves: the registers that its machine reports are those that were computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mintline.attestation import cose, document
from mintline.attestation.document import Document
from mintline.attestation.registers import UNTOUCHED, extended
from mintline.audit.records import BOOT, decode_record, read_batch
from mintline.audit.trail import SUFFIX
from mintline.errors import Rejected
from mintline.strict_cbor import loads

_LENGTH = 4


class NotAsComputed(Rejected):
    """The machine reports another register than was computed."""


def boot_document(audit: Path) -> Document:
    """Return the attestation document that the enclave put on record when it started.

    It is not verified here, but by `mintline audit verify`. Raises Rejected if there is none in the folder.
    """
    for path in sorted(audit.rglob(f"*{SUFFIX}")):
        data = path.read_bytes()
        length = int.from_bytes(data[:_LENGTH], "big")
        first = read_batch(loads(data[_LENGTH : _LENGTH + length], max_depth=3)).records[0]
        record = decode_record(first)
        if record.what == BOOT:
            return document.read(cose.read(record.result).payload)
    raise Rejected("no_trail", f"no enclave's start is on record in {audit}")


def expected(computed: Mapping[str, str], *, role: str, instance: str) -> dict[int, str]:
    """Return what each register must hold (hex): those of the image, and the parent's role and id."""
    image = {int(name.removeprefix("pcr")): value for name, value in computed.items()}
    parents = {place: extended(UNTOUCHED, text.encode()).hex() for place, text in ((3, role), (4, instance))}
    return image | parents


def compare(attested: Document, wanted: Mapping[int, str]) -> dict[str, str]:
    """Return the registers that are as wanted; raises NotAsComputed for the first that is not."""
    for place, value in sorted(wanted.items()):
        reported = attested.pcrs.get(place, b"").hex()
        if reported != value:
            raise NotAsComputed("not_as_computed", f"PCR{place} is {reported or 'missing'}, computed {value}")
    return {f"pcr{place}": value for place, value in sorted(wanted.items())}
