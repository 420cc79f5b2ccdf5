"""What clients send and get of transfers and burns of tokens in custody."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from mintline.fields import Address, Bytes32, Quantity, TokenId
from mintline.records.operations import (
    RelayedBurn,
    RelayedTokenOperation,
    RelayedTransfer,
    TokenBurn,
    TokenOperation,
    TokenTransfer,
)
from mintline.states import MintStatus
from mintline_api.features.operations.models import (
    AttemptView,
    ProblemView,
    attempt_views,
    latest_tx_hash,
    problem_view,
    waiting_view,
)
from mintline_api.http.models import Input, Time, View, rfc3339, rfc3339_or_none

TransferId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^transfer_[0-9A-HJKMNP-TV-Z]{26}$",
            "examples": ["transfer_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
        }
    ),
]
BurnId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^burn_[0-9A-HJKMNP-TV-Z]{26}$",
            "examples": ["burn_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
        }
    ),
]


class BurnRequest(Input):
    """Which token of the wallet in custody to burn."""

    contract: Address | None = Field(
        default=None, description="The collection; this deployment's default if absent."
    )
    token_id: TokenId = Field(
        description="Decimal. A token that your wallet in custody holds; in an ERC-1155 collection, the item."
    )
    quantity: Quantity | None = Field(
        default=None, description="In an ERC-1155 collection, how many tokens of the item; 1 if absent."
    )


class TransferRequest(BurnRequest):
    """Which token of the wallet in custody to send, and where to."""

    to: Address = Field(
        description="Who receives the token; a contract must accept tokens of the collection's standard."
    )


class TransferPath(Input):
    """Names a transfer."""

    transfer_id: str = Field(
        max_length=64,
        description="The transfer's id, as its creation gave it.",
        examples=["transfer_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
    )


class BurnPath(Input):
    """Names a burn."""

    burn_id: str = Field(
        max_length=64,
        description="The burn's id, as its creation gave it.",
        examples=["burn_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
    )


class TokenOperationTimeline(View):
    """When it reached each stage, by our clocks."""

    accepted_at: Time
    built_at: Time | None
    submitted_at: Time | None
    mined_at: Time | None
    finalized_at: Time | None
    cancel_requested_at: Time | None = Field(
        description="When you asked to stop it. Until the status is `rejected`, it may still be mined."
    )


class TokenOperationLinks(View):
    """Where to look next."""

    self: str
    token: str


class TokenOperationView(View):
    """What a transfer and a burn have in common."""

    status: MintStatus = Field(
        description="`accepted` → `built` → `submitted` → `mined` → `finalized`; `rejected` (never reached "
        "the chain) and `reverted` (mined, but failed) are the bad ends."
    )
    chain_id: int
    contract: Address
    token_id: TokenId
    quantity: TokenId | None = Field(
        description="How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721."
    )
    wallet: Address = Field(description="Your wallet in custody, which holds the token.")
    paid_by: Literal["wallet", "relayer"] = Field(
        description="Who sends the transaction and pays its gas. `relayer`: a key of the platform's, by your "
        "wallet's signature, in collections that were made by `POST /v1/collections`; your wallet needs no "
        "ether, and its nonce stays. `wallet`: your wallet itself, which the platform gives the gas."
    )
    nonce: int | None = Field(description="Of the transaction's sender.")
    tx_hash: Bytes32 | None = Field(
        description="The mined transaction; before that, the latest one that was sent."
    )
    block_number: int | None
    block_hash: Bytes32 | None
    timeline: TokenOperationTimeline
    attempts: list[AttemptView]
    waiting: ProblemView | None = Field(
        description="What it waits for while `accepted`, if somebody has to act before it can continue.",
    )
    problem: ProblemView | None = Field(description="Why it ended badly.")
    links: TokenOperationLinks


class TransferOperationView(TokenOperationView):
    """A token on its way out of custody."""

    transfer_id: TransferId
    to: Address = Field(description="Who receives the token.")


class BurnOperationView(TokenOperationView):
    """A token that is being burned."""

    burn_id: BurnId


def transfer_operation_view(transfer: TokenTransfer | RelayedTransfer) -> TransferOperationView:
    """Return the public form of a transfer."""
    common = _common(transfer, f"/v1/transfers/{transfer.operation_id}")
    return TransferOperationView(**common.model_dump(), transfer_id=transfer.operation_id, to=transfer.to)


def burn_operation_view(burn: TokenBurn | RelayedBurn) -> BurnOperationView:
    """Return the public form of a burn."""
    common = _common(burn, f"/v1/burns/{burn.operation_id}")
    return BurnOperationView(**common.model_dump(), burn_id=burn.operation_id)


def _common(operation: TokenOperation, path: str) -> TokenOperationView:
    return TokenOperationView(
        status=operation.status,
        chain_id=operation.chain_id,
        contract=operation.contract,
        token_id=operation.token_id,
        quantity=operation.quantity if isinstance(operation, RelayedTokenOperation) else None,
        wallet=operation.holder.address,
        paid_by="relayer" if isinstance(operation, RelayedTokenOperation) else "wallet",
        nonce=operation.nonce,
        tx_hash=latest_tx_hash(operation),
        block_number=operation.block_number,
        block_hash=operation.block_hash,
        timeline=TokenOperationTimeline(
            accepted_at=rfc3339(operation.created_at),
            built_at=rfc3339_or_none(operation.built_at),
            submitted_at=rfc3339_or_none(operation.submitted_at),
            mined_at=rfc3339_or_none(operation.mined_at),
            finalized_at=rfc3339_or_none(operation.finalized_at),
            cancel_requested_at=rfc3339_or_none(operation.cancel_requested_at),
        ),
        attempts=attempt_views(operation),
        waiting=waiting_view(operation),
        problem=problem_view(operation),
        links=TokenOperationLinks(self=path, token=f"/v1/tokens/{operation.contract}/{operation.token_id}"),
    )
