"""Checks that signed bytes are those of their intent: a queue writer could swap or forge either."""

from __future__ import annotations

from mintline.errors import Rejected
from mintline.eth import voucher_hash
from mintline.holder_signatures import carried_signature
from mintline.kinds import transaction_of
from mintline.messages.intents import AnyIntent, SignRelayed
from mintline.messages.signed import Broadcast, VoucherIssued
from mintline.raw_transactions import decode
from mintline.recovery import recover

_ISSUED = slice(4 + 6 * 32, 4 + 6 * 32 + 65)
"""The voucher's signature in the calldata of `redeem`: behind the selector, the voucher's four words, the
signature's offset and its length."""
_V = (27, 28)
"""What the contract takes as the last byte of a signature."""


def verify_signed_bytes(message: Broadcast) -> None:
    """Raise Rejected unless the bytes are the intent's own transaction, signed by its signer.

    The signature of a voucher or a holder alone is not checked: the contract does that.
    """
    if _sender_of(message.intent, message.raw) != message.intent.signer.address:
        raise Rejected("raw_mismatch", "The signed bytes are not the transaction that the intent means.")


def verify_voucher_signature(message: VoucherIssued, *, issuer: str) -> None:
    """Raise Rejected unless `issuer` signed the voucher, in the one form that the contract accepts (EIP-2).

    Otherwise its user could not redeem it, and would learn that only from the chain.
    """
    intent, signature = message.intent, message.signature
    digest = voucher_hash(chain_id=intent.chain_id, contract=intent.contract, **intent.voucher.model_dump())
    if signature[64] not in _V or recover(digest, signature) != issuer:
        raise Rejected("not_the_issuers", "The voucher's signature is not the issuer's.")


def _sender_of(intent: AnyIntent, raw: bytes) -> str | None:
    """Return who signed the intent's transaction, or None if the bytes are another one."""
    try:
        signed = decode(raw)
    except ValueError:
        return None
    data = signed.transaction.data
    issued = carried_signature(data) if isinstance(intent, SignRelayed) else data[_ISSUED]
    expected = transaction_of(intent, issued=issued)
    return signed.sender if signed.transaction == expected else None
