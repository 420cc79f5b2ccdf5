"""Intents on their way through `sign.fifo`: made from a mint's record, grouped, and told from duplicates."""

from __future__ import annotations

from mintline.eth import redeem_calldata
from mintline.messages import (
    AnyIntent,
    IssueVoucher,
    KeyRef,
    SignBatch,
    SignBurn,
    SignMint,
    SignNoop,
    SignTopUp,
    SignTransfer,
    Voucher,
)
from mintline.records import Mint


def sign_mint(mint: Mint, authorization: bytes = b"") -> SignMint:
    """Return the intent that a built mint's record stands for: always the same one.

    Attempts are counted through: those under an earlier nonce of the mint's come first. No enclave signs it
    without the mint's `authorization`, which is beside the record (`mintline.authorizations`).
    """
    assert mint.nonce is not None
    assert mint.gas is not None
    assert mint.fees is not None
    assert mint.sender is not None
    return SignMint(
        trace=mint.trace,
        signer=mint.sender,
        chain_id=mint.chain_id,
        nonce=mint.nonce,
        gas=mint.gas,
        fees=mint.fees,
        attempt=len(mint.attempts),
        mint_id=mint.mint_id,
        contract=mint.contract,
        voucher=voucher_of(mint),
        authorization=authorization or mint.authorization or b"",
        built_at=mint.built_at,
    )


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


def calldata(mint: Mint) -> bytes:
    """Return the call that redeems a mint's voucher, once that is issued and on record."""
    assert mint.voucher_signature is not None
    return redeem_calldata(**voucher_of(mint).model_dump(), signature=mint.voucher_signature)


def group_of(intent: AnyIntent) -> str:
    """Return the message group of an intent and of its answer: the sender, or one of its nonces.

    First attempts keep the order of the sender's nonces. A later one must not wait behind them: it may be
    what they wait for.
    """
    address = intent.signer.address
    return f"{address}#{intent.nonce}" if intent.attempt else address


def dedup_id(intent: AnyIntent) -> str:
    """Return the id by which the queue knows a second copy of an intent."""
    match intent:
        case SignMint():
            return f"sign:{intent.mint_id}:{intent.nonce}:{intent.attempt}"
        case SignNoop():
            return f"noop:{intent.signer.address}:{intent.nonce}:{intent.attempt}"
        case SignTopUp():
            return f"topup:{intent.recipient}:{intent.nonce}:{intent.attempt}"
        case SignBatch():
            return f"batch:{intent.signer.address}:{intent.nonce}:{intent.attempt}"
        case SignTransfer() | SignBurn():
            return f"{intent.type}:{intent.request_id}:{intent.nonce}:{intent.attempt}"
