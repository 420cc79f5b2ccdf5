"""Records of the audit trail, and the batches in which an enclave gives them away.

::

    record  [seq, previous, at, what, outcome, key, intent, result, count?]   SHA-256 of its CBOR is its hash
    batch   {key, records, signature}                                    over the hash of the last record
    file    4-byte big-endian length ‖ batch, again and again

Each record holds the hash of the one before, so one signature vouches for all up to it. The first record of
a chain is the enclave's start: its `result` is an attestation document whose `user_data` is the key. A key
that is replaced signs, as its last record, which key comes next. The chain of that one follows from there,
and begins with an attestation document too.

::

    boot ◀─ record ◀─ … ◀─ hand_over │ take_over ◀─ record ◀─ …       one enclave's life, two keys

Lives are linked too: the `intent` of a `boot` is the hash of the last record that the host has of an earlier
life, zeros if it has none. Before they were linked it was empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mintline.strict_cbor import MalformedCbor, dumps, loads

BOOT = "boot"
"""`what` of the first record of an enclave's life."""
HAND_OVER = "hand_over"
"""`what` of a key's last record: its `intent` is the next key."""
TAKE_OVER = "take_over"
"""`what` of the next key's first record: its `previous` is the hash of the hand-over."""
SIGNED = "signed"
"""`outcome` of a signature; that of a refusal is its code."""
HASH_BYTES = 32
NO_HASH = bytes(HASH_BYTES)
MAX_BATCH = 1 << 20
"""Bytes of a batch at most."""
_DOMAIN = b"mintline/audit/1"
_KEY = 32
_SIGNATURE = 64
_TYPES = (int, bytes, int, str, str, str, bytes, bytes)
_COUNTED = (*_TYPES, int)


class BrokenRecord(ValueError):  # noqa: N818 - named for what was found
    """Something is no record or no batch of the trail."""


@dataclass(frozen=True, slots=True)
class Record:
    """One signature, one refusal, or several refusals alike."""

    seq: int
    """Counts through the chain, from 0."""
    previous: bytes
    """The hash of the record before; zeros for an enclave's first."""
    at: int
    """The enclave's time, Unix milliseconds."""
    what: str
    """The type of the request; `boot`, `hand_over` or `take_over`."""
    outcome: str
    """`signed`, or the code of the refusal; `rate_limited` for what may come again later."""
    key: str
    """The address of the key that was asked to sign; empty where none was."""
    intent: bytes
    """SHA-256 of the request without fees and attempt; of a `boot`, what the life follows."""
    result: bytes
    """The transaction's hash, or the SHA-256 of a voucher's signature; empty for a refusal."""
    count: int = 1
    """How many refusals it stands for, since one like it was put on record; written only if it is not 1."""

    def encode(self) -> bytes:
        """Return the record's CBOR."""
        fields = [
            self.seq,
            self.previous,
            self.at,
            self.what,
            self.outcome,
            self.key,
            self.intent,
            self.result,
        ]
        return dumps(fields if self.count == 1 else [*fields, self.count])


def hash_of(encoded: bytes) -> bytes:
    """Return a record's hash: what the next one holds."""
    return hashlib.sha256(encoded).digest()


def decode_record(encoded: bytes) -> Record:
    """Read a record; raises BrokenRecord."""
    try:
        fields = loads(encoded, max_depth=1)
    except MalformedCbor as fault:
        raise BrokenRecord(f"a record is {fault}") from None
    types = tuple(type(field) for field in fields) if isinstance(fields, list) else ()
    if types not in (_TYPES, _COUNTED):
        raise BrokenRecord("a record has other fields than it should")
    record = Record(*fields)
    sound = record.seq >= 0 and len(record.previous) == HASH_BYTES
    if not sound or (types == _COUNTED and not _is_counted(record)):
        raise BrokenRecord("a record has a field that cannot be")
    return record


def _is_counted(record: Record) -> bool:
    return record.count > 1 and record.outcome != SIGNED and not record.result


def signed_bytes(head: bytes) -> bytes:
    """Return what the audit key signs for a chain whose last record has the hash `head`."""
    return _DOMAIN + head


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of one chain, in their order though others may come between them."""

    key: bytes
    """The audit key that signs the chain: Ed25519, 32 bytes."""
    records: tuple[bytes, ...]
    signature: bytes

    def plain(self) -> dict[str, Any]:
        """Return the batch as CBOR has it."""
        return {"key": self.key, "records": list(self.records), "signature": self.signature}

    def last(self) -> int:
        """Return the number of its last record."""
        return decode_record(self.records[-1]).seq

    def genuine(self) -> bool:
        """Tell whether the signature over its last record is the key's."""
        try:
            key = Ed25519PublicKey.from_public_bytes(self.key)
            key.verify(self.signature, signed_bytes(hash_of(self.records[-1])))
        except InvalidSignature:
            return False
        return True


def read_batch(plain: Any) -> Batch:
    """Read a batch from what CBOR gives; raises BrokenRecord."""
    if not isinstance(plain, dict) or plain.keys() != {"key", "records", "signature"}:
        raise BrokenRecord("a batch is no map of key, records and signature")
    key, records, signature = plain["key"], plain["records"], plain["signature"]
    sound = isinstance(key, bytes) and len(key) == _KEY
    sound = sound and isinstance(signature, bytes) and len(signature) == _SIGNATURE
    sound = sound and isinstance(records, list) and bool(records)
    if not sound or not all(isinstance(record, bytes) for record in records):
        raise BrokenRecord("a batch has a field that cannot be")
    return Batch(key, tuple(records), signature)


def write_batches(batches: Sequence[Batch]) -> bytes:
    """Return batches as a file has them."""
    encoded = [dumps(batch.plain()) for batch in batches]
    return b"".join(len(record).to_bytes(4, "big") + record for record in encoded)
