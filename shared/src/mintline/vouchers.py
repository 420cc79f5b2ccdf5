"""The vouchers of mints: what the issuer signs, and the contract redeems once."""

from __future__ import annotations

from typing import Any

from mintline.eth import redeem_calldata
from mintline.messages.parts import Voucher
from mintline.records.operations import Mint


def voucher_of(mint: Mint) -> Voucher:
    """Return the voucher of a mint that was built."""
    assert mint.token_id is not None
    assert mint.deadline is not None
    return Voucher(
        token_id=mint.token_id,
        to=mint.to,
        metadata_digest=mint.metadata_digest,
        deadline=mint.deadline,
    )


def voucher_meaning(mint_id: str, contract: str, voucher: Voucher) -> list[Any]:
    """Return what a voucher is for, in JSON values."""
    issued = [mint_id, contract, str(voucher.token_id), voucher.to, voucher.metadata_digest.hex()]
    return [*issued, str(voucher.deadline)]


def calldata(mint: Mint) -> bytes:
    """Return the call that redeems a mint's voucher, once that is issued and on record."""
    assert mint.voucher_signature is not None
    return redeem_calldata(**voucher_of(mint).model_dump(), signature=mint.voucher_signature)
