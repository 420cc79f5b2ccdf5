"""A mint that its user's wallet in custody pays for: it redeems a voucher that the issuer signs with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.eth import redeem_calldata
from mintline.kinds.base import CallFields, TransactionKind, asked_mint, first_attempt, only
from mintline.messages.intents import SignMint
from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction
from mintline.request_digests import mint_digest
from mintline.vouchers import voucher_meaning, voucher_of


class MintKind(TransactionKind[SignMint]):
    """`sign_mint`."""

    authorized = True

    def meaning(self, request: SignMint) -> list[Any]:
        """Return nonce and voucher."""
        return [request.nonce, *voucher_meaning(request.mint_id, request.contract, request.voucher)]

    def dedup_id(self, request: SignMint) -> str:
        """Return an id for each attempt of a mint."""
        return f"sign:{request.mint_id}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: SignMint) -> tuple[str, ...]:
        """Return the mint's id."""
        return (request.mint_id,)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the mint, which names its wallet in custody."""
        assert operation.sender is not None
        return mint_digest(**asked_mint(operation), sender=operation.sender.address)

    def call(self, intent: SignMint, issued: bytes) -> CallFields:
        """Return the redemption of the voucher."""
        voucher = intent.voucher
        data = redeem_calldata(
            token_id=voucher.token_id,
            to=voucher.to,
            metadata_digest=voucher.metadata_digest,
            deadline=voucher.deadline,
            signature=issued,
        )
        return CallFields(intent.contract, data=data)

    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> SignMint:
        """Return the intent; no enclave signs it without the mint's authorization."""
        return _redeeming(only(Mint, transaction, operations), first_attempt(transaction), authorization)


def sign_mint(mint: Mint, authorization: bytes = b"") -> SignMint:
    """Return the intent of the next attempt at a built mint, from its current record.

    Attempts are counted through: those under an earlier nonce of the mint's come first.
    """
    assert mint.sender is not None
    next_attempt = {
        "trace": mint.trace,
        "signer": mint.sender,
        "chain_id": mint.chain_id,
        "nonce": mint.nonce,
        "gas": mint.gas,
        "fees": mint.fees,
        "attempt": len(mint.attempts),
    }
    return _redeeming(mint, next_attempt, authorization)


def _redeeming(mint: Mint, attempt: dict[str, Any], authorization: bytes) -> SignMint:
    return SignMint(
        **attempt,
        mint_id=mint.mint_id,
        contract=mint.contract,
        voucher=voucher_of(mint),
        authorization=authorization or mint.authorization or b"",
        built_at=mint.built_at,
    )


KIND = MintKind()
