"""Signed EIP-1559 transactions, read strictly: one encoding of each is taken, every other refused."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.eth import SECP256K1_N, Transaction, keccak256, to_checksum_address, word
from mintline.recovery import recover
from mintline.rlp import Rlp, rlp_decode

TYPE = 2
_FIELDS = 12
_AMOUNT_BYTES = 32
_COUNT_BYTES = 8
"""EIP-2681 bounds a nonce; chain ids and gas limits stay below it as well."""
_NO_NONCE = b"\xff" * _COUNT_BYTES
"""2^64 - 1: no account ever uses it (EIP-2681)."""


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction with the address that signed it; `tx_hash` is its name on chain."""

    transaction: Transaction
    sender: str
    raw: bytes
    tx_hash: bytes


def decode(raw: bytes) -> SignedTransaction:
    """Read the bytes that `eth_sendRawTransaction` takes (EIP-2718, EIP-1559); raises ValueError.

    An access list must be empty: redeeming a voucher has no use for one.
    """
    if not raw or raw[0] != TYPE:
        raise ValueError("expected an EIP-1559 transaction, which begins with 0x02")
    fields = rlp_decode(raw[1:])
    if not isinstance(fields, list) or len(fields) != _FIELDS:
        raise ValueError(f"expected a list of {_FIELDS} fields")
    chain_id, nonce, tip, fee, gas, to, value, data, access_list, parity, r, s = fields
    if access_list != []:
        raise ValueError("expected an empty access list")
    if nonce == _NO_NONCE:
        raise ValueError("the nonce is too large")
    transaction = Transaction(
        chain_id=_integer(chain_id, "chain id", _COUNT_BYTES),
        nonce=_integer(nonce, "nonce", _COUNT_BYTES),
        max_priority_fee_per_gas=_integer(tip, "max priority fee", _AMOUNT_BYTES),
        max_fee_per_gas=_integer(fee, "max fee", _AMOUNT_BYTES),
        gas=_integer(gas, "gas limit", _COUNT_BYTES),
        to=_address(to),
        value=_integer(value, "value", _AMOUNT_BYTES),
        data=_octets(data, "data"),
    )
    signature = _signature(parity, r, s)
    sender = recover(transaction.signing_hash(), signature)
    if sender is None:
        raise ValueError("the signature is nobody's")
    return SignedTransaction(transaction, sender, raw, keccak256(raw))


def _octets(item: Rlp, name: str) -> bytes:
    if not isinstance(item, bytes):
        raise ValueError(f"the {name} is a list")  # noqa: TRY004 - it is no type that a caller chose
    return item


def _integer(item: Rlp, name: str, size: int) -> int:
    octets = _octets(item, name)
    if octets[:1] == b"\0":
        raise ValueError(f"the {name} has leading zeros")
    if len(octets) > size:
        raise ValueError(f"the {name} is too large")
    return int.from_bytes(octets, "big")


def _address(item: Rlp) -> str:
    octets = _octets(item, "recipient")
    if len(octets) != 20:
        raise ValueError("expected a recipient: the transaction deploys a contract or is malformed")
    return to_checksum_address(octets)


def _signature(parity: Rlp, r: Rlp, s: Rlp) -> bytes:
    values = [_integer(item, "signature", 32) for item in (parity, r, s)]
    if values[0] > 1 or not all(0 < value < SECP256K1_N for value in values[1:]):
        raise ValueError("the signature is out of range")
    return word(values[1]) + word(values[2]) + bytes([values[0]])
