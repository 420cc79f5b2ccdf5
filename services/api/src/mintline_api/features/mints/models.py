"""What clients send and get of mints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from mintline.fields import Address, Bytes32, HexBytes, TokenId
from mintline.records import Mint
from mintline.states import MintStatus
from mintline_api.features.metadata.models import metadata_url
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
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.features.users.models import EmailText, Sub
from mintline_api.http.models import Input, PageQuery, TextLine, Time, View, rfc3339, rfc3339_or_none

ExternalId = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")
]
Tag = Annotated[TextLine, Field(max_length=64)]


def each_once(tags: list[str]) -> list[str]:
    """Return tags of which none is there twice; raises ValueError otherwise."""
    if len(set(tags)) < len(tags):
        raise ValueError("expected each tag once")
    return tags


class RecipientRequest(Input):
    """Who is to have the token: exactly one of the members."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    address: Address | None = Field(default=None, description="An address on the chain; the same as `to`.")
    user: Sub | None = Field(
        default=None, description="The `sub` of a user of the pool, whose wallet in custody it goes to."
    )
    email: EmailText | None = Field(
        default=None,
        description="An e-mail address. If nobody in the pool has it, a user and their wallet are made: "
        "their token is there at their first sign-in. The same address is always the same user. Takes the "
        "scope `users:write` too.",
    )


class MintRequest(Input):
    """What to mint, where, and to whom."""

    contract: Address | None = Field(
        default=None, description="The collection; this deployment's default if absent."
    )
    custody: Literal["custodial", "self", "sponsored"] | None = Field(
        default=None,
        description="Who sends the transaction: your wallet in custody (`custodial`, also if absent), a "
        "linked wallet of your own (`self`), which pays the gas and receives the token, or the platform "
        "(`sponsored`), if the collection is. A machine client's mints are sponsored.",
    )
    to: Address | None = Field(
        default=None,
        description="Who receives the token; your wallet in custody if absent. With self-custody a wallet "
        "that you have linked; the only one if absent.",
    )
    recipient: RecipientRequest | None = Field(
        default=None,
        description="Who receives the token, instead of `to`. A machine client names one; only it may name "
        "`user` or `email`.",
    )
    external_id: ExternalId | None = Field(
        default=None,
        description="What you call this mint: 1 to 128 printable ASCII characters, no other mint of yours.",
    )
    tags: Annotated[list[Tag], Field(max_length=10), AfterValidator(each_once)] | None = Field(
        default=None, description="Up to 10 words by which you find the mint again, each once."
    )
    metadata: MetadataRequest

    @property
    def destination(self) -> str | None:
        """The address that the request names, None if it names none."""
        return self.to or (self.recipient.address if self.recipient else None)


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
    tag: Tag | None = Field(default=None, description="Only mints with this tag.")
    external_id: ExternalId | None = Field(
        default=None, description="Only the mint that you gave this `external_id`."
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
    token_id: TokenId | None
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
    known = mint.token_id is not None
    asked = mint.asked_by == reader
    return MintView(
        mint_id=mint.mint_id,
        status=mint.status,
        chain_id=mint.chain_id,
        contract=mint.contract,
        token_id=mint.token_id,
        to=mint.to,
        recipient=RecipientView(
            address=mint.to,
            user=mint.sub if mint.client_id is not None and mint.sub != mint.client_id else None,
        ),
        custody=mint.custody,
        wallet=mint.wallet,
        client_id=mint.client_id,
        external_id=mint.external_id if asked else None,
        tags=list(mint.tags or ()) if asked else [],
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
    """Mints of the caller's, newest first."""

    items: list[MintView]
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short or empty page may have one, too."
    )
