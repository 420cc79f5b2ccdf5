"""What host and enclave say to each other.

::

    host ──▶ enclave   {"id": n, "request":  Sign | Rewrap | Reassign | HandedPolicy | Begin | Credentials
                                             | AuthorizationKeys | Stored | Revocations | Ping | Stats}
    host ◀── enclave   {"id": n, "response": Signed | Issued | Rewrapped | Refusal | Failure
                                             | Accepted | Pong | Statistics}
    host ◀── enclave   {"audit": batch}      before the answers that it is about

Requests are pipelined: answers come in any order and carry the request's id. Integers beyond 64 bits are
decimal strings, as in the messages' JSON.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr

from mintline.acceptance import STATEMENT_BYTES
from mintline.audit.records import HASH_BYTES
from mintline.errors import Unavailable
from mintline.fields import Address, KmsKeyArn
from mintline.frozen import Frozen
from mintline.messages.intents import AnyRequest
from mintline.messages.parts import MAX_ENVELOPE, MintId
from mintline.p256 import KEY_ID_BYTES
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode

MAX_ID = 2**63 - 1
MAX_POLICY = 512 * 1024
"""Bytes of a policy document that a host hands over: half of what a frame may have."""
MAX_REVOCATIONS = 200
"""Revocations in one request: the enclave verifies them in one turn of its loop."""


class WrappedKey(Frozen):
    """A private key as KMS wrapped it, and whose it claims to be."""

    address: Address
    subject: str = Field(min_length=1, max_length=128)
    chain_id: int = Field(gt=0)
    wrapped: bytes = Field(min_length=1, max_length=6144, repr=False)
    kms_key: KmsKeyArn | None = None
    """The KMS key that wrapped it, if that is on record."""


class LinesProof(Frozen):
    """What proves the lines of a chunk of a request for many mints (`mintline.lines`)."""

    request_id: MintId
    chunk: int = Field(ge=0, lt=2**31)
    chunks: int = Field(gt=0, le=2**31)
    """How many chunks the request has."""
    count: int = Field(gt=0, le=MAX_ID)
    """How many lines all chunks have."""
    envelope: bytes = Field(max_length=MAX_ENVELOPE, repr=False)
    leaves: bytes = Field(min_length=32, max_length=500 * 32, repr=False)
    """32 bytes for each line of the chunk."""
    path: bytes = Field(max_length=32 * 32, repr=False)
    """From the chunk's root to the request's: 32 bytes a node."""


class Sign(Frozen):
    """Sign what the intent means, with exactly the keys that it takes."""

    type: Literal["sign"] = "sign"
    intent: AnyRequest
    keys: list[WrappedKey] = Field(min_length=1, max_length=2)
    authorizations: list[Annotated[bytes, Field(max_length=MAX_ENVELOPE)]] = Field(
        default=[], max_length=500, repr=False
    )
    """Of a batch, one for each line, in order, empty where there is none; of anything else none."""
    proofs: list[LinesProof] = Field(default=[], max_length=500, repr=False)
    """Of a batch with lines of requests for many mints: one for each chunk that they are in."""


class Credentials(Frozen):
    """The AWS credentials by which the enclave calls KMS; they replace the ones before."""

    type: Literal["credentials"] = "credentials"
    access_key_id: str = Field(min_length=1, max_length=128, repr=False)
    secret_access_key: SecretStr = Field(min_length=1, max_length=256)
    session_token: SecretStr | None = Field(default=None, max_length=8192)
    region: str = Field(pattern=r"^[a-z0-9-]{1,32}$")


class WrappedAuthorizationKey(Frozen):
    """The private half of an authorization key as KMS wrapped it."""

    key_id: bytes = Field(min_length=KEY_ID_BYTES, max_length=KEY_ID_BYTES)
    """As envelopes name it: the beginning of the public point's SHA-256."""
    chain_id: int = Field(gt=0)
    wrapped: bytes = Field(min_length=1, max_length=6144, repr=False)
    kms_key: KmsKeyArn | None = None
    """The KMS key that wrapped it, if that is on record."""


class Rewrap(Frozen):
    """Wrap a key under the other KMS key that the policy names."""

    type: Literal["rewrap"] = "rewrap"
    key: WrappedKey | WrappedAuthorizationKey


class Reassign(Frozen):
    """Wrap a wallet's key for another user, as the policy document names the two."""

    type: Literal["reassign"] = "reassign"
    key: WrappedKey
    to: str = Field(min_length=1, max_length=128)
    """The `sub` that the key is to be bound to."""


class AuthorizationKeys(Frozen):
    """The keys that users' authorizations are sealed with; they replace the ones before."""

    type: Literal["sealing_keys"] = "sealing_keys"
    keys: list[WrappedAuthorizationKey] = Field(min_length=1, max_length=8)


class Revocation(Frozen):
    """A user's tokens that count no more, as the api stated it (`mintline.revocation`)."""

    subject: str = Field(min_length=1, max_length=128)
    revoked_before: int = Field(gt=0, le=MAX_ID)
    """Unix seconds: tokens issued before it count no more."""
    statement: bytes = Field(min_length=STATEMENT_BYTES, max_length=STATEMENT_BYTES)


class Revocations(Frozen):
    """Revocations that are new to the enclave, or may be; they are added to the ones before."""

    type: Literal["revocations"] = "revocations"
    revocations: list[Revocation] = Field(min_length=1, max_length=MAX_REVOCATIONS)


class HandedPolicy(Frozen):
    """The policy document, byte for byte. The first one counts, for as long as the enclave lives."""

    type: Literal["policy"] = "policy"
    document: bytes = Field(min_length=1, max_length=MAX_POLICY, repr=False)


class Begin(Frozen):
    """Begin the audit trail of this life of the enclave; where it has begun nothing happens."""

    type: Literal["begin"] = "begin"
    follows: bytes = Field(min_length=HASH_BYTES, max_length=HASH_BYTES)
    """The hash of the last record that the host has of an earlier life; zeros if it has none."""


class Stored(Frozen):
    """So many more batches of the audit trail are stored, of those that came over this connection."""

    type: Literal["stored"] = "stored"
    batches: int = Field(gt=0, le=MAX_ID)


class Ping(Frozen):
    """Ask whether anyone is there."""

    type: Literal["ping"] = "ping"


class Stats(Frozen):
    """Ask what has been done since the start."""

    type: Literal["stats"] = "stats"


Request: TypeAlias = Annotated[
    Sign
    | Rewrap
    | Reassign
    | HandedPolicy
    | Begin
    | Credentials
    | AuthorizationKeys
    | Revocations
    | Stored
    | Ping
    | Stats,
    Field(discriminator="type"),
]


class Signed(Frozen):
    """A signed transaction, ready for `eth_sendRawTransaction`, and its hash."""

    type: Literal["signed"] = "signed"
    raw: bytes
    tx_hash: bytes = Field(min_length=32, max_length=32)


class Issued(Frozen):
    """A voucher's signature: r‖s‖v, v being 27 or 28."""

    type: Literal["issued"] = "issued"
    signature: bytes = Field(min_length=65, max_length=65)


class Rewrapped(Frozen):
    """A key as it is wrapped now, and the KMS key that did it."""

    type: Literal["rewrapped"] = "rewrapped"
    wrapped: bytes = Field(min_length=1, max_length=6144, repr=False)
    kms_key: KmsKeyArn


def _refusal_code(value: str) -> RefusalCode:
    """Return the code of that value. A function, as pydantic takes no Enum class here from Python 3.12 on."""
    return RefusalCode(value)


def _failure_code(value: str) -> FailureCode:
    return FailureCode(value)


class Refusal(Frozen):
    """It will never be signed."""

    type: Literal["refused"] = "refused"
    code: Annotated[RefusalCode, BeforeValidator(_refusal_code)]
    operation_id: str = Field(default="", max_length=64)
    """The operation that is to blame, where the request is for several; empty if all are."""


class Failure(Frozen):
    """It was not done; it may be, later."""

    type: Literal["failed"] = "failed"
    code: Annotated[FailureCode, BeforeValidator(_failure_code)]


class Accepted(Frozen):
    """What the host handed over is in use."""

    type: Literal["accepted"] = "accepted"


class Pong(Frozen):
    """Somebody is there."""

    type: Literal["pong"] = "pong"
    credentials: bool
    """Whether the enclave holds credentials for KMS."""


class Statistics(Frozen):
    """Counts since the enclave's start, and what it holds now."""

    type: Literal["statistics"] = "statistics"
    signed: int = 0
    refused: int = 0
    failed: int = 0
    keys_unwrapped: int = 0
    keys_held: int = 0


Response: TypeAlias = Annotated[
    Signed | Issued | Rewrapped | Refusal | Failure | Accepted | Pong | Statistics,
    Field(discriminator="type"),
]


def declined(response: Response) -> EnclaveRefusal | Unavailable:
    """Return the error for an unexpected response: EnclaveRefusal, EnclaveFailure or Unavailable."""
    match response:
        case Refusal():
            return EnclaveRefusal(response.code, response.operation_id)
        case Failure():
            return EnclaveFailure(response.code)
        case _:
            return Unavailable("the enclave answered something else")
