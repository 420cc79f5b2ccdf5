"""What comes of signing: a transaction, a voucher, or a refusal."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mintline.fields import Address, Bytes32, HexBytes
from mintline.messages.intents import AnyIntent, AnyRequest, IssueVoucher
from mintline.messages.parts import UINT64_MAX, Fees, Message, MintId


class Broadcast(Message):
    """A signed transaction, with the intent that it carries out."""

    type: Literal["broadcast"] = "broadcast"
    intent: AnyIntent
    raw: HexBytes
    tx_hash: Bytes32


class VoucherIssued(Message):
    """A voucher's signature by the issuer, r‖s‖v in 65 bytes: what the contract's `redeem` takes."""

    type: Literal["voucher_issued"] = "voucher_issued"
    intent: IssueVoucher
    signature: HexBytes = Field(min_length=65, max_length=65)


class SelfRedeem(Message):
    """A user's own wallet has signed the transaction that redeems a mint's voucher.

    The api has checked that it does just that. No key of ours is in it: it is sent as it is, and nothing is
    ever sent in its place.
    """

    type: Literal["self_redeem"] = "self_redeem"
    mint_id: MintId
    chain_id: int = Field(gt=0, le=UINT64_MAX)
    sender: Address
    nonce: int = Field(ge=0, lt=UINT64_MAX)
    fees: Fees
    raw: HexBytes
    tx_hash: Bytes32


class SigningRefused(Message):
    """The enclave refused to sign."""

    type: Literal["signing_refused"] = "signing_refused"
    intent: AnyRequest
    code: str = Field(pattern=r"^[a-z0-9_]{1,64}$")
    """Looked up in `mintline.refusals`, which has the text for the user."""
    reason: str = ""
    """Not read: the sender of the message could choose it. Still sent, for broadcasters that ask for it."""
    operation_id: str = Field(default="", max_length=64)
    """The operation that is to blame, where the intent is for several; empty if all are."""
