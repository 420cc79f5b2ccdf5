"""Does a message say what its mint's record says? The record decides, never the message that came.

What a mint is was fixed when it was accepted (token id, recipient, metadata digest, contract, chain, wallet),
and how it is carried out when it was built (deadline, nonce, gas). A message that differs changes nothing:
the mint goes on by what is on record.
"""

from __future__ import annotations

from mintline.errors import Rejected
from mintline.kinds.mint import sign_mint
from mintline.kinds.voucher import issue_voucher
from mintline.messages import IssueVoucher, SelfRedeem, SigningRefused, SignMint
from mintline.raw_transactions import decode
from mintline.records import Mint
from mintline.vouchers import calldata


class OutcomeRefused(Rejected):
    """A message names a mint whose record says otherwise; `field` is the first difference."""

    def __init__(self, code: str, mint_id: str, field: str) -> None:
        super().__init__(code, f"The message is not about the mint on record: {field} differs.")
        self.mint_id = mint_id
        self.field = field


def check_identity(intent: SignMint, mint: Mint) -> None:
    """Raise OutcomeRefused unless the intent is for the mint's own token, by its own wallet."""
    voucher = intent.voucher
    _require_same(
        intent.mint_id,
        chain_id=(intent.chain_id, mint.chain_id),
        contract=(intent.contract, mint.contract),
        sender=(intent.signer, mint.sender),
        token_id=(voucher.token_id, mint.token_id),
        to=(voucher.to, mint.to),
        metadata_digest=(voucher.metadata_digest, mint.metadata_digest),
    )


def check_intent(intent: SignMint, mint: Mint) -> None:
    """Raise OutcomeRefused unless the intent is the mint's own as it is built now, at whatever fees."""
    check_identity(intent, mint)
    _require_same(
        intent.mint_id,
        nonce=(intent.nonce, mint.nonce),
        deadline=(intent.voucher.deadline, mint.deadline),
        gas=(intent.gas, mint.gas),
    )


def check_refused(message: SigningRefused, mint: Mint, envelope: bytes) -> None:
    """Raise OutcomeRefused unless the enclave refused the very request that the record stands for.

    `envelope` is the mint's authorization as it is on record. Of a request that somebody else made up, with
    another authorization or fees beyond the policy, a refusal says nothing about the mint.
    """
    intent = message.intent
    assert isinstance(intent, SignMint | IssueVoucher)
    if mint.deadline is None or mint.token_id is None:
        raise OutcomeRefused("unknown_mint", mint.mint_id, "deadline")
    if isinstance(intent, IssueVoucher):
        own: SignMint | IssueVoucher = issue_voucher(mint, intent.signer, envelope)
    elif mint.sender is None or mint.nonce is None:
        raise OutcomeRefused("unknown_mint", mint.mint_id, "sender")
    else:
        own = sign_mint(mint, envelope)
    for name in type(own).model_fields:
        if name not in ("trace", "built_at") and getattr(own, name) != getattr(intent, name, None):
            raise OutcomeRefused("unknown_mint", mint.mint_id, name)


def check_redemption(message: SelfRedeem, mint: Mint) -> None:
    """Raise OutcomeRefused unless the bytes redeem the mint's voucher, signed by its own wallet."""
    try:
        signed = decode(message.raw)
    except ValueError:
        raise OutcomeRefused("raw_mismatch", mint.mint_id, "raw") from None
    found = signed.transaction
    _require_same(
        mint.mint_id,
        code="raw_mismatch",
        sender=(signed.sender, mint.to),
        chain_id=(found.chain_id, mint.chain_id),
        contract=(found.to, mint.contract),
        data=(found.data, calldata(mint)),
        value=(found.value, 0),
        nonce=(found.nonce, message.nonce),
        max_fee_per_gas=(found.max_fee_per_gas, message.fees.max_fee_per_gas),
        max_priority_fee_per_gas=(found.max_priority_fee_per_gas, message.fees.max_priority_fee_per_gas),
    )


def _require_same(mint_id: str, *, code: str = "unknown_mint", **pairs: tuple[object, object]) -> None:
    for field, (said, recorded) in pairs.items():
        if said != recorded:
            raise OutcomeRefused(code, mint_id, field)
