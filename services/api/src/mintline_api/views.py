"""What clients get: the public JSON of every resource, made from the records.

Every field is always present, null until it is known. Times are RFC 3339 in UTC with milliseconds; token ids
and wei are decimal strings; links are relative to the API's address.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from mintline.fields import Address, Bytes32, TokenId, Wei
from mintline.records import Checkpoint, Mint, Token, Transfer, Wallet
from mintline.states import MintStatus
from mintline_api.features.mints.self_custody_models import (
    SelfCustodyView,
    UnsignedTransaction,
    self_custody_view,
)
from mintline_api.http.models import Time, View, rfc3339

Finality = Annotated[
    Literal["pending", "finalized"],
    Field(description="`finalized` once no reorg can undo it; `pending` until then."),
]
MintId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^mint_[0-9A-HJKMNP-TV-Z]{26}$",
            "examples": ["mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
        }
    ),
]


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds)


def metadata_url(public_url: str, contract: str, token_id: int) -> str:
    """Return the address of a token's metadata: what `tokenURI` gives."""
    return f"{public_url}/v1/metadata/{contract}/{token_id}"


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


class AttemptView(View):
    """One signed transaction; any attempt can be the one that is mined."""

    tx_hash: Bytes32
    max_fee_per_gas: Wei
    max_priority_fee_per_gas: Wei
    at: Time


class ProblemView(View):
    """What went wrong: a stable code, and a sentence to show."""

    code: str
    reason: str


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
        tx_hash=mint.tx_hash or (mint.attempts[-1].tx_hash if mint.attempts else None),
        block_number=mint.block_number,
        block_hash=mint.block_hash,
        timeline=Timeline(
            accepted_at=rfc3339(mint.created_at),
            built_at=_time(mint.built_at),
            issued_at=_time(mint.issued_at),
            submitted_at=_time(mint.submitted_at),
            mined_at=_time(mint.mined_at),
            finalized_at=_time(mint.finalized_at),
            cancel_requested_at=_time(mint.cancel_requested_at),
        ),
        attempts=[
            AttemptView(
                tx_hash=attempt.tx_hash,
                max_fee_per_gas=attempt.max_fee_per_gas,
                max_priority_fee_per_gas=attempt.max_priority_fee_per_gas,
                at=rfc3339(attempt.at),
            )
            for attempt in mint.attempts
        ],
        waiting=_waiting(mint),
        problem=ProblemView(code=mint.problem.code, reason=mint.problem.reason) if mint.problem else None,
        self_custody=self_custody_view(mint, transaction),
        links=MintLinks(
            self=f"/v1/mints/{mint.mint_id}",
            token=f"/v1/tokens/{mint.contract}/{mint.token_id}" if known else None,
        ),
    )


def _waiting(mint: Mint) -> ProblemView | None:
    if mint.waiting is None or mint.status is not MintStatus.ACCEPTED:
        return None
    return ProblemView(code=mint.waiting.code, reason=mint.waiting.reason)


class MintList(View):
    """The caller's mints, newest first."""

    items: list[MintView]
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short or empty page may have one, too."
    )


class WalletView(View):
    """The caller's wallet in custody."""

    address: Address
    chain_id: int
    created_at: Time
    deletes_at: Time | None = Field(
        description="When the wallet's key is destroyed, if it is to be: nothing is minted with it any more."
    )


def wallet_view(wallet: Wallet) -> WalletView:
    """Return the public form of a wallet."""
    return WalletView(
        address=wallet.address,
        chain_id=wallet.chain_id,
        created_at=rfc3339(wallet.created_at),
        deletes_at=_time(wallet.deletes_at),
    )


class IndexView(View):
    """How fresh the answer is."""

    head_block: int | None = Field(description="The latest block in the index; null before its first.")
    head_timestamp: Time | None
    finalized_block: int | None
    lag_seconds: float | None = Field(description="Seconds since the head block's timestamp.")


def index_view(checkpoint: Checkpoint | None, *, now: int) -> IndexView:
    """Return the index's freshness; `now` is in Unix milliseconds."""
    if checkpoint is None:
        return IndexView(head_block=None, head_timestamp=None, finalized_block=None, lag_seconds=None)
    return IndexView(
        head_block=checkpoint.head_number,
        head_timestamp=rfc3339(checkpoint.head_timestamp * 1000),
        finalized_block=checkpoint.finalized_number,
        lag_seconds=max(0, now - checkpoint.head_timestamp * 1000) / 1000,
    )


def finality(block_number: int, checkpoint: Checkpoint | None) -> Literal["pending", "finalized"]:
    """Tell whether a block is beyond any reorg."""
    final = checkpoint is not None and block_number <= checkpoint.finalized_number
    return "finalized" if final else "pending"


class TokenMint(View):
    """The mint of ours that made a token."""

    mint_id: MintId | None = Field(description="Shown to the user who minted it; null to others.")
    status: MintStatus


class TokenSummary(View):
    """A token as the index knows it."""

    chain_id: int
    contract: Address
    token_id: TokenId
    owner: Address | None = Field(description="Null once the token is burned.")
    burned: bool
    metadata_digest: Bytes32 | None = Field(description="From the mint's event on chain.")
    metadata_url: str
    minted_block: int
    block_number: int = Field(description="The block of the token's latest transfer.")
    tx_hash: Bytes32 = Field(description="The transaction of the token's latest transfer.")
    finality: Finality


class TokenView(TokenSummary):
    """A token with its metadata, the mint that made it, and the index's freshness."""

    metadata: dict[str, Any] | None
    metadata_verified: bool | None = Field(
        description="Whether the stored metadata has the digest that the chain vouches for; "
        "null if either is unknown."
    )
    mint: TokenMint | None
    index: IndexView


def token_summary(token: Token, checkpoint: Checkpoint | None, *, public_url: str) -> dict[str, Any]:
    """Return the members of a token's summary."""
    return {
        "chain_id": token.chain_id,
        "contract": token.contract,
        "token_id": token.token_id,
        "owner": token.owner,
        "burned": token.owner is None,
        "metadata_digest": token.metadata_digest,
        "metadata_url": metadata_url(public_url, token.contract, token.token_id),
        "minted_block": token.minted_block,
        "block_number": token.block_number,
        "tx_hash": token.tx_hash,
        "finality": finality(token.block_number, checkpoint),
    }


class TokenList(View):
    """An owner's tokens, by contract and token id."""

    items: list[TokenSummary]
    next_cursor: str | None
    index: IndexView


class TransferView(View):
    """One transfer on chain, in the words of ERC-721's event."""

    from_: Address | None = Field(serialization_alias="from", description="Null for a mint.")
    to: Address | None = Field(description="Null for a burn.")
    block_number: int
    block_hash: Bytes32
    log_index: int
    tx_hash: Bytes32
    timestamp: Time = Field(description="The block's.")
    finality: Finality


def transfer_view(transfer: Transfer, checkpoint: Checkpoint | None) -> TransferView:
    """Return the public form of a transfer."""
    return TransferView(
        from_=transfer.sender,
        to=transfer.recipient,
        block_number=transfer.block_number,
        block_hash=transfer.block_hash,
        log_index=transfer.log_index,
        tx_hash=transfer.tx_hash,
        timestamp=rfc3339(transfer.timestamp * 1000),
        finality=finality(transfer.block_number, checkpoint),
    )


class TransferList(View):
    """A token's transfers, newest first."""

    items: list[TransferView]
    next_cursor: str | None
    index: IndexView


class Health(View):
    """Liveness."""

    status: Literal["ok"]


class Readiness(View):
    """Each dependency, `ok` or what is wrong with it."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]
