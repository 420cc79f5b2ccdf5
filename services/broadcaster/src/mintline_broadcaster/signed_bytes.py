"""Checks that signed bytes are those of their intent: a queue writer could swap or forge either."""

from __future__ import annotations

from coincurve import PublicKey

from mintline.errors import Rejected
from mintline.eth import SECP256K1_N, address_of_public_key, voucher_hash, word
from mintline.kinds import transaction_of
from mintline.messages import AnyIntent, Broadcast, VoucherIssued

_TYPE = b"\x02"
_FIELDS = 12
_DATA = 7
_ISSUED = slice(4 + 6 * 32, 4 + 6 * 32 + 65)
"""The voucher's signature in the calldata of `redeem`: behind the selector, the voucher's four words, the
signature's offset and its length."""
_EMPTY_LIST = 0xC0
_V = 27


def verify_signed_bytes(message: Broadcast) -> None:
    """Raise Rejected unless the bytes are the intent's own transaction, signed by its signer.

    The voucher's signature alone is not checked: the contract does that.
    """
    if _sender_of(message.intent, message.raw) != message.intent.signer.address:
        raise Rejected("raw_mismatch", "The signed bytes are not the transaction that the intent means.")


def verify_voucher_signature(message: VoucherIssued, *, issuer: str) -> None:
    """Raise Rejected unless `issuer` signed the voucher, in the one form that the contract accepts (EIP-2).

    Otherwise its user could not redeem it, and would learn that only from the chain.
    """
    intent, signature = message.intent, message.signature
    digest = voucher_hash(chain_id=intent.chain_id, contract=intent.contract, **intent.voucher.model_dump())
    s, parity = int.from_bytes(signature[32:64], "big"), signature[64] - _V
    fits = s <= SECP256K1_N // 2 and parity in (0, 1)
    if not fits or _recovered(digest, signature[:64] + bytes((parity,))) != issuer:
        raise Rejected("not_the_issuers", "The voucher's signature is not the issuer's.")


def _sender_of(intent: AnyIntent, raw: bytes) -> str | None:
    """Return who signed the intent's transaction, or None if the bytes are another one."""
    fields = _fields(raw)
    if raw[:1] != _TYPE or len(fields) != _FIELDS:
        return None
    data, *signature = fields[_DATA], *fields[-3:]
    parity, r, s = (int.from_bytes(part, "big") for part in signature)
    transaction = transaction_of(intent, issued=data[_ISSUED])
    # Encoded again, so that every field is compared at once, and in its one encoding.
    if max(r, s) >= 2**256 or parity > 1 or transaction.signed(parity, r, s) != raw:
        return None
    return _recovered(transaction.signing_hash(), word(r) + word(s) + bytes((parity,)))


def _fields(raw: bytes) -> list[bytes]:
    """Return the fields of a transaction without an access list, which is given as an empty field.

    It does not validate: invalid RLP gives other fields, which do not encode to the same bytes.
    """
    body = raw[1:]
    at = 1 if body[:1] <= b"\xf7" else 1 + body[0] - 0xF7
    fields: list[bytes] = []
    while at < len(body) and len(fields) <= _FIELDS:
        head = body[at]
        if head < 0x80:
            start, length = at, 1
        elif head < 0xB8 or head == _EMPTY_LIST:
            start, length = at + 1, head & 0x3F
        else:
            size = head - 0xB7
            start, length = at + 1 + size, int.from_bytes(body[at + 1 : at + 1 + size], "big")
        fields.append(body[start : start + length])
        at = start + length
    return fields


def _recovered(digest: bytes, signature: bytes) -> str | None:
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:
        return None
    return address_of_public_key(key.format(compressed=False))
