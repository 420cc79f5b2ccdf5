"""The kinds of request to the enclave, each in a module of its own, found by its type.

What a kind means, which transaction it becomes and how it is made from the records is here; what the builder,
the enclave and the indexer do with it is in a module of the same name in their own `kinds`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mintline import eth
from mintline.kinds.base import Kind, NotCarried, TransactionKind
from mintline.kinds.registry import VOUCHER, find_kinds, request_type
from mintline.messages.intents import AnyIntent, AnyRequest
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction

__all__ = [
    "KINDS",
    "TRANSACTION_KINDS",
    "NotCarried",
    "dedup_id",
    "first_intent",
    "group_of",
    "kind_of",
    "meaning_of",
    "operation_ids",
    "transaction_kind",
    "transaction_of",
]

TRANSACTION_KINDS: Mapping[str, TransactionKind[Any]] = MappingProxyType(
    {request_type(name): kind for name, kind in find_kinds(__name__).items()}
)
"""Those that become transactions, by the type of their intent."""
KINDS: Mapping[str, Kind[Any]] = MappingProxyType(
    {**TRANSACTION_KINDS, request_type(VOUCHER): find_kinds(__name__, (VOUCHER,))[VOUCHER]}
)
"""All, by the type of the request."""


def kind_of(request: AnyRequest) -> Kind[Any]:
    """Return a request's kind."""
    return KINDS[request.type]


def meaning_of(request: AnyRequest) -> bytes:
    """Return the SHA-256 of what a request is for: the part that two attempts at the same thing share."""
    fields = [request.type, request.chain_id, request.signer.address, *kind_of(request).meaning(request)]
    return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).digest()


def dedup_id(request: AnyRequest) -> str:
    """Return a request's deduplication id for the queue to the signer."""
    return kind_of(request).dedup_id(request)


def group_of(intent: AnyIntent) -> str:
    """Return the message group of an intent and of its answer: the sender, or one of its nonces.

    First attempts keep the order of the sender's nonces. A later one must not wait behind them: it may be
    what they wait for.
    """
    address = intent.signer.address
    return f"{address}#{intent.nonce}" if intent.attempt else address


def operation_ids(request: AnyRequest) -> tuple[str, ...]:
    """Return the ids of the operations that a request is for."""
    return kind_of(request).operation_ids(request)


def transaction_of(intent: AnyIntent, *, issued: bytes = b"") -> eth.Transaction:
    """Return the transaction of an intent: what the enclave signs, and the broadcaster expects.

    `issued` is the signature that it carries, r‖s‖v in 65 bytes: of a mint's voucher, or of a token's holder.
    """
    call = TRANSACTION_KINDS[intent.type].call(intent, issued)
    return eth.Transaction(
        chain_id=intent.chain_id,
        nonce=intent.nonce,
        max_priority_fee_per_gas=intent.fees.max_priority_fee_per_gas,
        max_fee_per_gas=intent.fees.max_fee_per_gas,
        gas=intent.gas,
        to=call.to,
        value=call.value,
        data=call.data,
    )


def transaction_kind(transaction: Transaction) -> TransactionKind[Any]:
    """Return a transaction's kind."""
    return TRANSACTION_KINDS[request_type(transaction.kind)]


def first_intent(
    transaction: Transaction, operations: Sequence[Operation] = (), authorization: bytes = b""
) -> AnyIntent:
    """Return the intent of the first attempt at a transaction: always the same one.

    `operations` are the records of those that it names, in its order; `authorization` is that of the one, if
    its kind is `authorized`. Raises NotCarried for one that it does not carry.
    """
    intent: AnyIntent = transaction_kind(transaction).intent(transaction, operations, authorization)
    return intent
