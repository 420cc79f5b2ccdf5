"""From an intent to the transaction that it means: what the enclave signs, and the broadcaster expects."""

from __future__ import annotations

from typing import assert_never

from mintline.eth import (
    Transaction,
    burn_calldata,
    mint_batch_calldata,
    redeem_calldata,
    transfer_calldata,
)
from mintline.messages import (
    AnyIntent,
    SignBatch,
    SignBurn,
    SignMint,
    SignNoop,
    SignTopUp,
    SignTransfer,
)


def transaction_of(intent: AnyIntent, *, issued: bytes = b"") -> Transaction:
    """Return the transaction of an intent; `issued` is a mint's voucher signature, r‖s‖v in 65 bytes."""
    match intent:
        case SignMint():
            voucher = intent.voucher
            data = redeem_calldata(
                token_id=voucher.token_id,
                to=voucher.to,
                metadata_digest=voucher.metadata_digest,
                deadline=voucher.deadline,
                signature=issued,
            )
            return _of(intent, to=intent.contract, data=data)
        case SignTopUp():
            return _of(intent, to=intent.recipient, value=intent.value)
        case SignNoop():
            return _of(intent, to=intent.signer.address)
        case SignBatch():
            mints = [(mint.token_id, mint.to, mint.metadata_digest) for mint in intent.mints]
            return _of(intent, to=intent.contract, data=mint_batch_calldata(mints))
        case SignTransfer():
            data = transfer_calldata(sender=intent.signer.address, to=intent.to, token_id=intent.token_id)
            return _of(intent, to=intent.contract, data=data)
        case SignBurn():
            return _of(intent, to=intent.contract, data=burn_calldata(intent.token_id))
        case _:
            assert_never(intent)


def _of(intent: AnyIntent, *, to: str, value: int = 0, data: bytes = b"") -> Transaction:
    return Transaction(
        chain_id=intent.chain_id,
        nonce=intent.nonce,
        max_priority_fee_per_gas=intent.fees.max_priority_fee_per_gas,
        max_fee_per_gas=intent.fees.max_fee_per_gas,
        gas=intent.gas,
        to=to,
        value=value,
        data=data,
    )
