"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.messages.parts import KeyRef
from mintline.records.operations import Attempt, TokenBurn, TokenTransfer
from mintline.records.problems import TOKEN_OPERATION_CANCELLED
from mintline.states import MintStatus
from mintline_api.features.examples import BLOCK_HASH, CONTRACT, RECIPIENT, TX_HASH, WALLET
from mintline_api.features.transfers.models import (
    BurnRequest,
    TransferRequest,
    burn_operation_view,
    transfer_operation_view,
)

TRANSFER_ID = "transfer_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
BURN_ID = "burn_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
TRANSFER_REQUEST_JSON = TransferRequest(token_id=1, to=RECIPIENT).model_dump(mode="json", exclude_none=True)
BURN_REQUEST_JSON = BurnRequest(token_id=1).model_dump(mode="json", exclude_none=True)

_AT = 1_795_398_654_123
_SENDER = KeyRef(address=WALLET, subject="-", chain_id=31337, secret_id="-")  # noqa: S106 - no secret
_TRANSFER = TokenTransfer(
    mint_id=TRANSFER_ID,
    status=MintStatus.ACCEPTED,
    chain_id=31337,
    contract=CONTRACT,
    sender=_SENDER,
    request_digest="",
    created_at=_AT,
    updated_at=_AT,
    token_id=1,
    to=RECIPIENT,
)
_BURN = TokenBurn(
    mint_id=BURN_ID,
    status=MintStatus.ACCEPTED,
    chain_id=31337,
    contract=CONTRACT,
    sender=_SENDER,
    request_digest="",
    created_at=_AT,
    updated_at=_AT,
    token_id=1,
)
_SUBMITTED = {
    "status": MintStatus.SUBMITTED,
    "nonce": 8,
    "attempts": (
        Attempt(
            tx_hash=TX_HASH, max_fee_per_gas=2_000_000_000, max_priority_fee_per_gas=100_000_000, at=_AT + 400
        ),
    ),
    "built_at": _AT + 200,
    "submitted_at": _AT + 400,
}
_MINED = {
    **_SUBMITTED,
    "status": MintStatus.MINED,
    "tx_hash": TX_HASH,
    "block_number": 44,
    "block_hash": BLOCK_HASH,
    "mined_at": _AT + 1_900,
}
_ENDED = {
    "status": MintStatus.REJECTED,
    "problem": TOKEN_OPERATION_CANCELLED,
    "cancel_requested_at": _AT + 100,
}
TRANSFER_ACCEPTED = transfer_operation_view(_TRANSFER)
TRANSFER_MINED = transfer_operation_view(_TRANSFER.evolve(**_MINED))
TRANSFER_CANCELLED = transfer_operation_view(_TRANSFER.evolve(**_ENDED))
TRANSFER_STOPPING = transfer_operation_view(_TRANSFER.evolve(**_SUBMITTED, cancel_requested_at=_AT + 900))
BURN_ACCEPTED = burn_operation_view(_BURN)
BURN_MINED = burn_operation_view(_BURN.evolve(**_MINED))
BURN_CANCELLED = burn_operation_view(_BURN.evolve(**_ENDED))
BURN_STOPPING = burn_operation_view(_BURN.evolve(**_SUBMITTED, cancel_requested_at=_AT + 900))
