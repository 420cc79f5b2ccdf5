"""Tells whether a document is genuine, of its time, and of an enclave that measures as it should."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from mintline.attestation import cose, document
from mintline.attestation.chain import Path
from mintline.attestation.document import Document
from mintline.attestation.refusals import NotAttested, Reason
from mintline.attestation.registers import UNTOUCHED

_MEASURED_ALWAYS = (0, 1, 2)
"""Image, kernel, application: a genuine enclave has all three, and one in debug mode has zeros."""
_SKEW = timedelta(minutes=1)
"""By how much the clocks of the one who attests and the one who verifies may differ."""


def verify(
    attestation: bytes,
    *,
    root: bytes,
    at: datetime,
    pcrs: Mapping[int, Collection[bytes]] | None = None,
    max_age: timedelta | None = None,
) -> Document:
    """Return what an attestation document says, once it is proven; raises NotAttested.

    `root` is the SHA-256 of the trusted root's DER, `at` the time (with its zone) for which validity is
    asked, `pcrs` the values that a register may have, `max_age` how old the document may be at that time;
    without it the leaf's validity is the bound, three hours for AWS's.

    The order is by cost: a forged document is refused before a signature is computed where that is possible.
    """
    signed = cose.read(attestation)
    attested = document.read(signed.payload)
    path = Path(attested.cabundle, attested.certificate, root=root, at=at)
    _check_age(attested, at, max_age)
    _check_registers(attested, pcrs or {})
    signed.check(path.key)
    path.check_signatures()
    return attested


def _check_age(attested: Document, at: datetime, max_age: timedelta | None) -> None:
    made_at = datetime.fromtimestamp(attested.timestamp / 1000, UTC)
    if made_at - _SKEW > at:
        raise NotAttested(
            Reason.FROM_THE_FUTURE, f"The document was made at {made_at.isoformat()}, later than that."
        )
    if max_age is not None and at - made_at > max_age:
        raise NotAttested(Reason.STALE, f"The document was made at {made_at.isoformat()}, too long ago.")


def _check_registers(attested: Document, wanted: Mapping[int, Collection[bytes]]) -> None:
    if any(attested.pcrs.get(index, UNTOUCHED) == UNTOUCHED for index in _MEASURED_ALWAYS):
        raise NotAttested(Reason.DEBUG_MODE, "The enclave runs in debug mode: it is measured as zeros.")
    for index, allowed in wanted.items():
        if attested.pcrs.get(index) not in allowed:
            raise NotAttested(Reason.MEASUREMENT, f"PCR{index} of the enclave is not an expected one.")
