"""A voucher alone, for a mint that the user's own wallet redeems: a signature, no transaction."""

from __future__ import annotations

from typing import Any

from mintline.kinds.base import Kind, asked_mint
from mintline.messages.intents import IssueVoucher
from mintline.messages.parts import KeyRef
from mintline.records.operations import Mint, Operation
from mintline.request_digests import voucher_digest
from mintline.vouchers import voucher_meaning, voucher_of


class VoucherKind(Kind[IssueVoucher]):
    """`issue_voucher`."""

    def meaning(self, request: IssueVoucher) -> list[Any]:
        """Return the voucher."""
        return voucher_meaning(request.mint_id, request.contract, request.voucher)

    def dedup_id(self, request: IssueVoucher) -> str:
        """Return an id for each mint."""
        return f"issue:{request.mint_id}"

    def operation_ids(self, request: IssueVoucher) -> tuple[str, ...]:
        """Return the mint's id."""
        return (request.mint_id,)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the voucher alone."""
        return voucher_digest(**asked_mint(operation))


def issue_voucher(mint: Mint, issuer: KeyRef, authorization: bytes) -> IssueVoucher:
    """Return what a built self-custody mint's record stands for: its voucher, to be issued."""
    return IssueVoucher(
        trace=mint.trace,
        signer=issuer,
        chain_id=mint.chain_id,
        mint_id=mint.mint_id,
        contract=mint.contract,
        voucher=voucher_of(mint),
        subject=mint.sub,
        authorization=authorization,
    )


KIND = VoucherKind()
