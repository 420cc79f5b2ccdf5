"""What a signature is for: the part of a request that two attempts at the same thing share."""

from __future__ import annotations

import hashlib
import json
from typing import Any, assert_never

from mintline.messages import (
    AnyRequest,
    IssueVoucher,
    SignBatch,
    SignBurn,
    SignMint,
    SignNoop,
    SignTopUp,
    SignTransfer,
)


def meaning_of(intent: AnyRequest) -> bytes:
    """Return the SHA-256 of what an intent does: everything but fees, attempt, trace and authorization."""
    fields = [intent.type, intent.chain_id, intent.signer.address, *_meaning(intent)]
    return hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).digest()


def _meaning(intent: AnyRequest) -> list[Any]:
    match intent:
        case SignMint() | IssueVoucher():
            voucher = intent.voucher
            issued = [intent.mint_id, intent.contract, str(voucher.token_id), voucher.to]
            issued += [voucher.metadata_digest.hex(), str(voucher.deadline)]
            return issued if isinstance(intent, IssueVoucher) else [intent.nonce, *issued]
        case SignTopUp():
            return [intent.nonce, intent.recipient, str(intent.value)]
        case SignNoop():
            return [intent.nonce]
        case SignBatch():
            mints = [[m.mint_id, str(m.token_id), m.to, m.metadata_digest.hex()] for m in intent.mints]
            return [intent.nonce, intent.contract, mints]
        case SignTransfer():
            return [intent.nonce, intent.request_id, intent.contract, str(intent.token_id), intent.to]
        case SignBurn():
            return [intent.nonce, intent.request_id, intent.contract, str(intent.token_id)]
        case _:
            assert_never(intent)
