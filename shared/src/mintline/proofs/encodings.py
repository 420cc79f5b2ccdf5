"""Headers, transactions and receipts as they are hashed, from the JSON in which nodes give them.

Everything malformed is Unavailable, as in `mintline.chain.answers`: another node may do better.

Sources: EIP-2718 (typed transactions and receipts), EIP-2930, EIP-1559, EIP-4844, EIP-7702; for headers the
Yellow Paper, section 4.4, EIP-1559, EIP-4895, EIP-4844, EIP-4788, EIP-7685 and, for Amsterdam, EIP-7928 and
EIP-7843.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from mintline.chain.answers import octets, quantity
from mintline.errors import Unavailable
from mintline.rlp import RlpItem, rlp_encode, to_big_endian

Json: TypeAlias = Mapping[str, Any]
_Field: TypeAlias = tuple[str, bool]
"""A member's name, and whether it is a number."""

_HEADER: tuple[_Field, ...] = (
    ("parentHash", False),
    ("sha3Uncles", False),
    ("miner", False),
    ("stateRoot", False),
    ("transactionsRoot", False),
    ("receiptsRoot", False),
    ("logsBloom", False),
    ("difficulty", True),
    ("number", True),
    ("gasLimit", True),
    ("gasUsed", True),
    ("timestamp", True),
    ("extraData", False),
    ("mixHash", False),
    ("nonce", False),
)
_HEADER_SINCE: tuple[_Field, ...] = (
    ("baseFeePerGas", True),
    ("withdrawalsRoot", False),
    ("blobGasUsed", True),
    ("excessBlobGas", True),
    ("parentBeaconBlockRoot", False),
    ("requestsHash", False),
    ("blockAccessListHash", False),
    ("slotNumber", True),
)
"""What forks have added, each behind the one before."""
TRANSACTIONS_ROOT, RECEIPTS_ROOT, NUMBER = 4, 5, 8
"""Where a header has them."""


def header(block: Json) -> bytes:
    """Return a block's header in RLP, whose Keccak-256 is the block's hash."""
    fields = [_encoded(block, field) for field in _HEADER]
    for field in _HEADER_SINCE:
        if block.get(field[0]) is None:
            break
        fields.append(_encoded(block, field))
    return rlp_encode(fields)


def receipt(value: Json) -> bytes:
    """Return a receipt as the receipts' trie holds it: its type, unless that is 0, and its RLP."""
    kind = _kind(value)
    outcome = (
        to_big_endian(quantity(value["status"], "status"))
        if value.get("status") is not None
        else octets(value.get("root"), "root", 32)
    )
    logs = [_log(_object(log, "a log")) for log in _array(value.get("logs"), "logs")]
    fields: list[RlpItem] = [
        outcome,
        _encoded(value, ("cumulativeGasUsed", True)),
        octets(value.get("logsBloom"), "logsBloom", 256),
        logs,
    ]
    return _typed(kind, fields)


def transaction(value: Json) -> bytes:
    """Return a signed transaction as the transactions' trie holds it; a blob transaction has no blobs there.

    Its Keccak-256 is the transaction's hash.
    """
    kind = _kind(value)
    if kind not in _TRANSACTIONS:
        raise Unavailable(f"transactions of type {kind} cannot be proven: 0 to 4 are known")
    return _typed(kind, _TRANSACTIONS[kind](value))


def _legacy(value: Json) -> list[RlpItem]:
    return [
        *_numbers(value, "nonce", "gasPrice", "gas"),
        *_action(value),
        *_numbers(value, "v", "r", "s"),
    ]


def _with_access_list(value: Json) -> list[RlpItem]:
    return [
        *_numbers(value, "chainId", "nonce", "gasPrice", "gas"),
        *_action(value),
        _access_list(value),
        *_signature(value),
    ]


def _dynamic_fee(value: Json) -> list[RlpItem]:
    return [*_dynamic_fee_fields(value), *_signature(value)]


def _blobs(value: Json) -> list[RlpItem]:
    hashes = _array(value.get("blobVersionedHashes"), "blobVersionedHashes")
    return [
        *_dynamic_fee_fields(value),
        *_numbers(value, "maxFeePerBlobGas"),
        [octets(item, "a versioned hash", 32) for item in hashes],
        *_signature(value),
    ]


def _set_code(value: Json) -> list[RlpItem]:
    authorizations: list[RlpItem] = []
    for item in _array(value.get("authorizationList"), "authorizationList"):
        authorization = _object(item, "an authorization")
        address = octets(authorization.get("address"), "address", 20)
        authorizations.append(
            [
                *_numbers(authorization, "chainId"),
                address,
                *_numbers(authorization, "nonce"),
                *_signature(authorization),
            ]
        )
    return [*_dynamic_fee_fields(value), authorizations, *_signature(value)]


_TRANSACTIONS: Mapping[int, Callable[[Json], list[RlpItem]]] = {
    0: _legacy,
    1: _with_access_list,
    2: _dynamic_fee,
    3: _blobs,
    4: _set_code,
}


def _dynamic_fee_fields(value: Json) -> list[RlpItem]:
    fees = ("maxPriorityFeePerGas", "maxFeePerGas")
    return [
        *_numbers(value, "chainId", "nonce", *fees, "gas"),
        *_action(value),
        _access_list(value),
    ]


def _action(value: Json) -> list[RlpItem]:
    """Return recipient, value and data: no recipient when a contract is made."""
    to = value.get("to")
    recipient = b"" if to is None else octets(to, "to", 20)
    return [recipient, *_numbers(value, "value"), octets(value.get("input"), "input")]


def _access_list(value: Json) -> RlpItem:
    entries: list[RlpItem] = []
    for item in _array(value.get("accessList"), "accessList"):
        entry = _object(item, "an entry of an access list")
        keys = _array(entry.get("storageKeys"), "storageKeys")
        entries.append(
            [octets(entry.get("address"), "address", 20), [octets(key, "a storage key", 32) for key in keys]]
        )
    return entries


def _signature(value: Json) -> list[RlpItem]:
    parity = "v" if value.get("yParity") is None else "yParity"
    return _numbers(value, parity, "r", "s")


def _log(value: Json) -> RlpItem:
    topics = [octets(topic, "a topic", 32) for topic in _array(value.get("topics"), "topics")]
    return [octets(value.get("address"), "address", 20), topics, octets(value.get("data"), "data")]


def _typed(kind: int, fields: Sequence[RlpItem]) -> bytes:
    return (bytes([kind]) if kind else b"") + rlp_encode(fields)


def _kind(value: Json) -> int:
    kind = quantity(value.get("type", "0x0"), "type")
    if kind > 0x7F:
        raise Unavailable(f"the node answered a type of {kind}, beyond EIP-2718's 127")
    return kind


def _numbers(value: Json, *names: str) -> list[RlpItem]:
    return [_encoded(value, (name, True)) for name in names]


def _encoded(value: Json, field: _Field) -> bytes:
    name, is_number = field
    member = value.get(name)
    return to_big_endian(quantity(member, name)) if is_number else octets(member, name)


def _object(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise Unavailable(f"the node answered something else for {name}")
    return value


def _array(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unavailable(f"the node answered no list of {name}")
    return value
