"""What clients send and get of mints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mintline.fields import Address, Bytes32, HexBytes, TokenId
from mintline.records import Mint
from mintline.states import MintStatus
from mintline_api.features.metadata.models import Metadata, metadata_url
from mintline_api.features.mints.self_custody_models import (
    SelfCustodyView,
    UnsignedTransaction,
    self_custody_view,
)
from mintline_api.features.operations.models import (
    AttemptView,
    MintId,
    ProblemView,
    attempt_views,
    latest_tx_hash,
    problem_view,
    waiting_view,
)
from mintline_api.http.models import Input, PageQuery, Time, View, rfc3339, rfc3339_or_none


class MintRequest(Input):
    """What to mint, where, and to whom."""

    contract: Address | None = Field(
        default=None, description="The collection; this deployment's default if absent."
    )
    custody: Literal["custodial", "self"] | None = Field(
        default=None,
        description="Who sends the transaction: your wallet in custody (`custodial`, also if absent), or a "
        "linked wallet of your own (`self`), which pays the gas and receives the token.",
    )
    to: Address | None = Field(
        default=None,
        description="Who receives the token; your wallet in custody if absent. With self-custody a wallet "
        "that you have linked; the only one if absent.",
    )
    metadata: Metadata


class TransactionRequest(Input):
    """A transaction, signed by the user's own wallet."""

    raw: Annotated[HexBytes, Field(min_length=1, max_length=8192)] = Field(
        description="The signed transaction, as `eth_sendRawTransaction` takes it."
    )


class MintsQuery(PageQuery):
    """Which of the caller's mints."""

    status: Annotated[MintStatus, Field(strict=False)] | None = Field(
        default=None, description="Only mints that are at this stage."
    )


class MintPath(Input):
    """Names a mint."""

    mint_id: str = Field(max_length=64, examples=["mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"])


class Timeline(View):
    """When the mint reached each stage, by our clocks."""

    accepted_at: Time
    built_at: Time | None
    issued_at: Time | None = Field(description="Self-custody only: when the voucher was signed.")
    submitted_at: Time | None
    mined_at: Time | None
    finalized_at: Time | None
    cancel_requested_at: Time | None = Field(
        description="When you asked to stop it. Until the status is `rejected`, it may still be mined."
    )


class MintLinks(View):
    """Where to look next."""

    self: str
    token: str | None


class MintView(View):
    """A mint: one NFT on its way to its owner."""

    mint_id: MintId
    status: MintStatus = Field(
        description="`accepted` → `built` → `submitted` → `mined` → `finalized`; "
        "`rejected` (never reached the chain) and `reverted` (mined, but failed) are the bad ends. "
        "With self-custody `issued` follows `built`: the voucher waits for your own wallet's transaction."
    )
    chain_id: int
    contract: Address
    token_id: TokenId | None
    to: Address = Field(description="Who receives the token.")
    custody: Literal["custodial", "self", "sponsored"] = Field(
        description="Who sends the transaction: the caller's wallet in custody, their own, or the platform."
    )
    wallet: Address = Field(
        description="The wallet that sends the transaction: the one in custody, or the linked one."
    )
    metadata_digest: Bytes32 = Field(description="SHA-256 of the stored metadata; also in the mint's event.")
    metadata_url: str | None
    nonce: int | None
    tx_hash: Bytes32 | None = Field(
        description="The mined transaction; before that, the latest one that was sent."
    )
    block_number: int | None
    block_hash: Bytes32 | None
    timeline: Timeline
    attempts: list[AttemptView]
    waiting: ProblemView | None = Field(
        description="What an accepted mint waits for, if somebody has to act before it can continue.",
    )
    problem: ProblemView | None = Field(
        description="Why it ended badly; with self-custody also why a transaction of yours was not taken."
    )
    self_custody: SelfCustodyView | None = Field(
        description="Self-custody only, once the voucher is issued: all that your wallet needs."
    )
    links: MintLinks


def mint_view(mint: Mint, *, public_url: str, transaction: UnsignedTransaction | None = None) -> MintView:
    """Return the public form of a mint; `transaction` is what its user's own wallet may sign now."""
    known = mint.token_id is not None
    return MintView(
        mint_id=mint.mint_id,
        status=mint.status,
        chain_id=mint.chain_id,
        contract=mint.contract,
        token_id=mint.token_id,
        to=mint.to,
        custody=mint.custody,
        wallet=mint.wallet,
        metadata_digest=mint.metadata_digest,
        metadata_url=metadata_url(public_url, mint.contract, mint.token_id)
        if mint.token_id is not None
        else None,
        nonce=mint.nonce,
        tx_hash=latest_tx_hash(mint),
        block_number=mint.block_number,
        block_hash=mint.block_hash,
        timeline=Timeline(
            accepted_at=rfc3339(mint.created_at),
            built_at=rfc3339_or_none(mint.built_at),
            issued_at=rfc3339_or_none(mint.issued_at),
            submitted_at=rfc3339_or_none(mint.submitted_at),
            mined_at=rfc3339_or_none(mint.mined_at),
            finalized_at=rfc3339_or_none(mint.finalized_at),
            cancel_requested_at=rfc3339_or_none(mint.cancel_requested_at),
        ),
        attempts=attempt_views(mint),
        waiting=waiting_view(mint),
        problem=problem_view(mint),
        self_custody=self_custody_view(mint, transaction),
        links=MintLinks(
            self=f"/v1/mints/{mint.mint_id}",
            token=f"/v1/tokens/{mint.contract}/{mint.token_id}" if known else None,
        ),
    )


class MintList(View):
    """The caller's mints, newest first."""

    items: list[MintView]
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short or empty page may have one, too."
    )
