"""The public form of mints."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mintline.fields import Address, Bytes32, TokenId
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline.views.base import (
    Time,
    View,
    decimal_or_none,
    hex_or_none,
    rfc3339,
    rfc3339_or_none,
    view_json,
)
from mintline.views.metadata import metadata_url
from mintline.views.operations import (
    AttemptView,
    MintId,
    ProblemView,
    attempt_json,
    latest_tx_hash,
    problem_view,
    waiting_view,
)
from mintline.views.self_custody import SelfCustodyView, UnsignedTransaction, self_custody_view


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


class RecipientView(View):
    """Who receives the token."""

    address: Address
    user: str | None = Field(
        description="The `sub` of the user whom the request named, by `user` or `email`; null if it named an "
        "address. The e-mail address itself is not stored."
    )


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
    token_id: TokenId | None = Field(description="In an ERC-1155 collection, the item's.")
    quantity: TokenId | None = Field(
        description="How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721."
    )
    serial: TokenId | None = Field(
        description="In an ERC-1155 collection, the mint's own number, which its contract takes once and its "
        "event `ItemMinted` names; null in one of ERC-721."
    )
    to: Address = Field(description="Who receives the token.")
    recipient: RecipientView
    custody: Literal["custodial", "self", "sponsored"] = Field(
        description="Who sends the transaction: the caller's wallet in custody, their own, or the platform."
    )
    wallet: Address = Field(
        description="The wallet that sends the transaction: the one in custody, the linked one, or the "
        "relayer; `to` until a relayer has it."
    )
    client_id: str | None = Field(description="The machine client that asked for it; null if a user did.")
    external_id: str | None = Field(
        description="What it is called by who asked for it; null for other readers."
    )
    tags: list[str] = Field(description="Likewise; empty for other readers.")
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


def mint_view(
    mint: Mint, *, reader: str, public_url: str, transaction: UnsignedTransaction | None = None
) -> MintView:
    """Return the public form of a mint, as its `reader` may see it: `sub` of a user, or a client's id.

    `transaction` is what its user's own wallet may sign now.
    """
    fields = mint_json(mint, reader=reader, public_url=public_url)
    return MintView(**fields | {"self_custody": self_custody_view(mint, transaction)})


def mint_json(mint: Mint, *, reader: str, public_url: str) -> dict[str, Any]:
    """Return the same as JSON, without what a user's own wallet may sign now.

    It is made of a record that was validated, and is not validated again.
    """
    is_item = mint.item_id is not None
    token_id = mint.item_id if is_item else mint.token_id
    is_own = mint.asked_by == reader
    for_user = mint.client_id is not None and mint.sub != mint.client_id
    self_custody = self_custody_view(mint, None)
    return {
        "mint_id": mint.mint_id,
        "status": mint.status.value,
        "chain_id": mint.chain_id,
        "contract": mint.contract,
        "token_id": decimal_or_none(token_id),
        "quantity": decimal_or_none(mint.quantity),
        "serial": decimal_or_none(mint.token_id) if is_item else None,
        "to": mint.to,
        "recipient": {"address": mint.to, "user": mint.sub if for_user else None},
        "custody": mint.custody,
        "wallet": mint.wallet,
        "client_id": mint.client_id,
        "external_id": mint.external_id if is_own else None,
        "tags": list(mint.tags or ()) if is_own else [],
        "metadata_digest": hex_or_none(mint.metadata_digest),
        "metadata_url": None if token_id is None else metadata_url(public_url, mint.contract, token_id),
        "nonce": mint.nonce,
        "tx_hash": hex_or_none(latest_tx_hash(mint)),
        "block_number": mint.block_number,
        "block_hash": hex_or_none(mint.block_hash),
        "timeline": {
            "accepted_at": rfc3339(mint.created_at),
            "built_at": rfc3339_or_none(mint.built_at),
            "issued_at": rfc3339_or_none(mint.issued_at),
            "submitted_at": rfc3339_or_none(mint.submitted_at),
            "mined_at": rfc3339_or_none(mint.mined_at),
            "finalized_at": rfc3339_or_none(mint.finalized_at),
            "cancel_requested_at": rfc3339_or_none(mint.cancel_requested_at),
        },
        "attempts": [attempt_json(attempt) for attempt in mint.attempts],
        "waiting": view_json(waiting_view(mint)),
        "problem": view_json(problem_view(mint)),
        "self_custody": view_json(self_custody),
        "links": {
            "self": f"/v1/mints/{mint.mint_id}",
            "token": None if token_id is None else f"/v1/tokens/{mint.contract}/{token_id}",
        },
    }
