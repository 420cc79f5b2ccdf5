"""What a user authorized, beside the operation's record: written once, before the record, and never changed.

It is stored under the mint's id and the digest of what was asked for (`digest_of`), every field of which is
on the mint's record and fixed there. So the record leads to its own authorization and to no other, no matter
who used the same Idempotency-Key; one that became no mint's is dropped with time. The authorization of a
request for many mints is in the records of its chunks instead (`mintline.lines`), under the request's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import Field

from mintline.frozen import Frozen
from mintline.kinds import KINDS
from mintline.messages.parts import EnvelopeBytes
from mintline.records.operations import Mint, Operation

KEPT = 7 * 24 * 3600
"""Seconds from a mint's acceptance for which its authorization is kept.

Longer than the enclaves sign by it: until the access token expires (at most a day after it was issued, with
Cognito) and the policy's `grace` is over, which should be below three days (`mintline.revocation`)."""


class Authorization(Frozen):
    """The caller's token, sealed for the enclaves, and the metadata that it was sealed for."""

    envelope: EnvelopeBytes = Field(default=b"", repr=False)
    """See `mintline.authorization`; empty where there is none, and the enclave refuses that."""
    metadata: str | None = None
    """The canonical JSON to store in S3; None where there is none."""
    packed: bool = False
    """Whether it is stored in a pack already (`mintline.packs`)."""

    @property
    def unpublished(self) -> str | None:
        """The metadata that is still to be stored."""
        return None if self.packed else self.metadata


MISSING = Authorization()
"""What is on record of a mint whose authorization is not, or not any more."""
Key: TypeAlias = tuple[str, bytes]


def key_of(operation: Operation) -> Key | None:
    """Return the id and the digest under which an operation's authorization is stored.

    None for a mint that was accepted by an earlier version, without a token id. Of a line of a request for
    many it is the key of its chunk.
    """
    if isinstance(operation, Mint) and operation.request is not None:
        return operation.request.request_id, chunk_key(operation.request.chunk)
    if isinstance(operation, Mint) and operation.token_id is None:
        return None
    return operation.operation_id, digest_of(operation)


def chunk_key(number: int) -> bytes:
    """Return what stands for the digest in the key of a chunk's record: shorter than any digest."""
    return b"chunk" + number.to_bytes(4, "big")


def on_record(operation: Operation) -> Authorization | None:
    """Return the authorization that a mint's own record holds, as records of before 0058 do."""
    if not isinstance(operation, Mint) or (operation.authorization is None and operation.metadata is None):
        return None
    return Authorization(envelope=operation.authorization or b"", metadata=operation.metadata)


def lookup(operation: Operation, stored: Mapping[Key, Authorization]) -> Authorization:
    """Return an operation's authorization from all that are stored."""
    if (held := on_record(operation)) is not None:
        return held
    key = key_of(operation)
    return MISSING if key is None else stored.get(key, MISSING)


def digest_of(operation: Operation) -> bytes:
    """Return what the user authorized, 32 bytes (`mintline.request_digests`)."""
    return KINDS[operation.request_type].authorized_digest(operation)
