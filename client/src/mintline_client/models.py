"""The API's requests and responses, made from its OpenAPI document by `make clients`.

A response may have members that are not listed here: later releases add some.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class AttemptList(TypedDict):
    """Attempts to deliver, newest first."""

    items: list[DeliveryAttemptView]
    next_cursor: str | None
    """Continues the list; null at its end."""


class AttemptView(TypedDict):
    """One signed transaction; any attempt can be the one that is mined."""

    tx_hash: str
    max_fee_per_gas: str
    max_priority_fee_per_gas: str
    at: str


class Attribute(TypedDict):
    """One trait, as OpenSea's metadata standard has it."""

    trait_type: NotRequired[str | None]
    value: str | float | bool
    display_type: NotRequired[Literal["number", "boost_number", "boost_percentage", "date"] | None]
    """How to show a numeric value; `date` is in Unix seconds."""
    max_value: NotRequired[float | None]
    """The scale's end, for a numeric value."""


class BalanceView(TypedDict):
    """How many tokens of a collection an address owns."""

    chain_id: int
    address: str
    contract: str
    token_id: str | None
    balance: int
    """The number of tokens, in an ERC-1155 collection of different ones; if `more`, at least this many."""
    more: bool
    """Counting ends at 10,000 tokens: true if there may be more."""
    quantity: str | None
    """How many the address has of `token_id`; of an ERC-721 token 0 or 1. Null without it."""
    index: IndexView


class BlocksView(TypedDict):
    """How far chain and index have come, by block numbers; null: not known."""

    head: int | None
    """The chain's latest block."""
    indexed: int | None
    """The newest block in the index."""
    finalized: int | None
    """The newest block that is final, as the index has it."""
    behind: int | None
    """Blocks that the index is behind the chain."""
    indexed_at: str | None
    """When the index last changed."""


class BudgetRequest(TypedDict):
    """What a client may have minted."""

    mints_per_hour: NotRequired[int | None]
    """Mints that are accepted in an hour; null: no limit but the signing policy's."""
    wei_per_day: NotRequired[str | None]
    """Wei that its mints' gas may cost in a UTC day, at the price when each is accepted; null likewise."""
    collections: NotRequired[list[str] | None]
    """Contracts that it may mint in; null: all."""


class BudgetView(TypedDict):
    """What a client may have minted; null: no limit but the signing policy's."""

    mints_per_hour: int | None
    """Mints that are accepted in an hour; null: no limit but the signing policy's."""
    wei_per_day: str | None
    """Wei that its mints' gas may cost in a UTC day, at the price when each is accepted; null likewise."""
    collections: list[str] | None
    """Contracts that it may mint in; null: all."""


class BulkLinks(TypedDict):
    """Where to look next."""

    self: str


class BulkRequest(TypedDict):
    """What to mint, and to whom; all in one collection."""

    contract: NotRequired[str | None]
    """The collection; this deployment's default if absent."""
    mints: list[LineRequest]


class BulkView(TypedDict):
    """A request for many mints."""

    request_id: str
    contract: str
    count: int
    """How many mints it is for."""
    accepted_at: str
    statuses: dict[str, int]
    """How many of its mints have which status; a status that none has is left out."""
    mint_ids: list[str]
    """The mints' ids, in the order of the request."""
    links: BulkLinks


class BurnOperationView(TypedDict):
    """A token that is being burned."""

    status: MintStatus
    """`accepted` → `built` → `submitted` → `mined` → `finalized`; `rejected` (never reached the chain)
    and `reverted` (mined, but failed) are the bad ends.
    """
    chain_id: int
    contract: str
    token_id: str
    quantity: str | None
    """How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721."""
    wallet: str
    """Your wallet in custody, which holds the token."""
    paid_by: Literal["wallet", "relayer"]
    """Who sends the transaction and pays its gas. `relayer`: a key of the platform's, by your wallet's
    signature, in collections that were made by `POST /v1/collections`; your wallet needs no ether, and
    its nonce stays. `wallet`: your wallet itself, which the platform gives the gas.
    """
    nonce: int | None
    """Of the transaction's sender."""
    tx_hash: str | None
    """The mined transaction; before that, the latest one that was sent."""
    block_number: int | None
    block_hash: str | None
    timeline: TokenOperationTimeline
    attempts: list[AttemptView]
    waiting: ProblemView | None
    """What it waits for while `accepted`, if somebody has to act before it can continue."""
    problem: ProblemView | None
    """Why it ended badly."""
    links: TokenOperationLinks
    burn_id: str


class BurnRequest(TypedDict):
    """Which token of the wallet in custody to burn."""

    contract: NotRequired[str | None]
    """The collection; this deployment's default if absent."""
    token_id: str
    """Decimal. A token that your wallet in custody holds; in an ERC-1155 collection, the item."""
    quantity: NotRequired[str | None]
    """In an ERC-1155 collection, how many tokens of the item; 1 if absent."""


class ChallengeRequest(TypedDict):
    """Which wallet to link, and where its user is asked to sign."""

    address: str
    domain: NotRequired[str | None]
    """The site that asks, as the browser names it; this API's own if absent."""


class ChallengeView(TypedDict):
    """What a wallet has to sign to be linked."""

    message: str
    """The text to sign, as it is (EIP-4361)."""
    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: str
    expires_at: str


class ClientChange(TypedDict):
    """What is to change of a client; what is left out stays."""

    budget: NotRequired[BudgetRequest | None]
    """Replaces the whole budget."""
    disabled: NotRequired[bool | None]
    """Whether its tokens are refused."""


class ClientList(TypedDict):
    """All machine clients, by name."""

    items: list[ClientView]


class ClientRequest(TypedDict):
    """A client to be made."""

    name: str
    """What people call it."""
    scopes: NotRequired[list[str]]
    """What its tokens may do: some of mints:create, mints:read, tokens:read, users:read, users:write,
    collections:write, webhooks:write, admin.
    """
    budget: NotRequired[BudgetRequest]


class ClientUseView(TypedDict):
    """A machine client, and what it has used."""

    client_id: str
    """The app client's id: `client_id` at the token endpoint."""
    name: str
    scopes: list[str]
    budget: BudgetView
    created_at: str
    disabled_at: str | None
    """Since when its tokens are refused."""
    used: UseView


class ClientView(TypedDict):
    """A machine client."""

    client_id: str
    """The app client's id: `client_id` at the token endpoint."""
    name: str
    scopes: list[str]
    budget: BudgetView
    created_at: str
    disabled_at: str | None
    """Since when its tokens are refused."""


class CollectionLinks(TypedDict):
    """Where to look next."""

    self: str
    tokens: str


class CollectionList(TypedDict):
    """A page of collections, newest first."""

    items: list[CollectionSummary]
    next_cursor: str | None


class CollectionMetadata(TypedDict):
    """What marketplaces show of a collection (ERC-7572), in addition to its name and symbol."""

    description: NotRequired[str | None]
    image: NotRequired[str | None]
    banner_image: NotRequired[str | None]
    featured_image: NotRequired[str | None]
    external_link: NotRequired[str | None]
    """The collection's page; http(s)."""
    collaborators: NotRequired[list[str] | None]
    """Addresses that marketplaces may let edit the collection's page."""


class CollectionOperationView(TypedDict):
    """A deployment or a change, which a relayer of the platform sends."""

    operation_id: str
    kind: Literal[
        "deploy",
        "pause",
        "unpause",
        "set_royalty",
        "refresh_contract_uri",
        "refresh_metadata",
        "freeze",
        "cap_item",
    ]
    status: MintStatus | None
    """As a mint's; null if its record cannot be read now."""
    tx_hash: str | None
    waiting: ProblemView | None
    problem: ProblemView | None
    """Why it ended badly."""


class CollectionPatch(TypedDict):
    """What is to change of a collection: one of the members."""

    paused: NotRequired[bool]
    """Whether the contract refuses mints."""
    royalties: NotRequired[RoyaltiesRequest]
    """For all tokens of the collection."""
    metadata: NotRequired[CollectionMetadata]
    """Replaces all of it."""
    item_cap: NotRequired[ItemCapRequest]
    """Bounds the tokens of an item, in an ERC-1155 collection."""


class CollectionRequest(TypedDict):
    """A collection to be deployed."""

    standard: NotRequired[Literal["erc721", "erc1155"] | None]
    """`erc721`, also if absent: each token is one of its kind, numbered by the platform. `erc1155`:
    items of your numbering, of which any quantity is minted. It never changes.
    """
    name: str
    """At most 64 bytes in UTF-8. It never changes, as symbol, cap, window and `soulbound`."""
    symbol: str
    """At most 16 bytes in UTF-8."""
    owner: NotRequired[str | None]
    """Who marketplaces let edit the collection's page (ERC-5313). The contract gives it no rights. The
    receiver of the royalties if absent.
    """
    royalties: NotRequired[RoyaltiesRequest | None]
    """None if absent."""
    supply_cap: NotRequired[int | None]
    """How many tokens are ever minted, of all items together; no cap if absent."""
    mint_window: NotRequired[MintWindowRequest | None]
    """No window if absent."""
    soulbound: NotRequired[bool]
    """Whether tokens stay with their first holder (ERC-5192)."""
    open_to_users: NotRequired[bool]
    """Whether any user of this API may mint in it too, at the platform's expense."""
    metadata: NotRequired[CollectionMetadata]
    reveal: NotRequired[RevealRequest | None]
    """To what the tokens' metadata will be once it is revealed; none if absent."""


class CollectionSummary(TypedDict):
    """A collection in a list."""

    contract: str
    chain_id: int
    name: str
    symbol: str
    status: Literal["deploying", "ready", "failed"]
    paused: bool
    frozen: bool
    links: CollectionLinks


class CollectionTokenList(TypedDict):
    """A collection's tokens, by token id."""

    items: list[TokenSummary | TokenWithMetadata]
    """With `include=metadata` each has `metadata` and `metadata_verified` as well."""
    next_cursor: str | None
    """Continues the list; null at its end. A short or empty page may have one, too."""
    index: IndexView


class CollectionView(TypedDict):
    """A collection: an ERC-721 or ERC-1155 contract."""

    contract: str
    chain_id: int
    standard: Literal["erc721", "erc1155"]
    name: str
    symbol: str
    status: Literal["deploying", "ready", "failed"]
    """`deploying` → `ready`; `failed` if its deployment came to nothing, and nothing can be minted in
    it. The address is the same from the first answer on.
    """
    client_id: str | None
    """The machine client that made it; null for one that operators registered or imported."""
    mintable: bool
    """False for an imported contract, which is indexed alone."""
    open_to_users: bool
    """Whether users may mint in it at the platform's expense."""
    supply_cap: int | None
    minted: str | None
    """How many tokens were ever minted in it, burned ones included, by the chain within the last two
    seconds. Null before it is deployed, for a contract that no client made, and if no node responds.
    """
    mint_window: MintWindowView | None
    soulbound: bool
    owner: str | None
    royalties: RoyaltiesView | None
    """Null for none; also of a contract that this API did not deploy."""
    paused: bool
    frozen: bool
    """Whether its metadata is permanent."""
    metadata_url: str
    """What `contractURI` gives."""
    metadata_digest: str | None
    """SHA-256 of what `metadata_url` serves."""
    reveal: RevealView | None
    """Null without a commitment."""
    deployed_block: int | None
    deployment: CollectionOperationView | None
    """Null for other readers than its client."""
    change: CollectionOperationView | None
    """The latest change of `paused`, `royalties`, `metadata`, `frozen` or a token's metadata, until it
    is final.
    """
    links: CollectionLinks


class CostEstimate(TypedDict):
    """What the gas costs at one price."""

    level: Literal["low", "expected", "high"]
    """At the next block's base fee; at one and a half times it; at twice it."""
    wei_per_gas: str
    wei: str


class CreatedClientView(TypedDict):
    """A new client."""

    client_id: str
    """The app client's id: `client_id` at the token endpoint."""
    name: str
    scopes: list[str]
    budget: BudgetView
    created_at: str
    disabled_at: str | None
    """Since when its tokens are refused."""
    client_secret: str
    """Shown this once."""


class CreatedWebhookView(TypedDict):
    """A webhook with its secret."""

    webhook_id: str
    url: str
    """Where events are posted to."""
    types: list[str] | None
    """Types of the events that are delivered; null: all."""
    description: str
    status: Literal["enabled", "disabled"]
    disabled_reason: str | None
    """Why the deliveries were stopped; null if they were not, or if you disabled the webhook."""
    public_key: str
    """Verifies signatures of the kind `v1a` (Ed25519); it changes with the secret."""
    failing: int
    """Events that were sent, and not acknowledged yet."""
    next_attempt_at: str | None
    """When these are sent again; null if there are none."""
    created_at: str
    updated_at: str
    secret: str
    """Verifies signatures of the kind `v1` (HMAC-SHA256). Shown this once."""


class DeadLetterView(TypedDict):
    """A message that is not tried again, and why."""

    queue: str
    """The queue that it comes from."""
    message_id: str
    type: str | None
    """The type that it names, such as `build_mint`."""
    operation_id: str | None
    """The operation that it is about, if it is about one."""
    code: str
    """Why it is here, as `docs/codes.md` lists it."""
    reason: str
    """The same in words; of a long text the beginning."""
    digest: str | None
    """Of the traceback: errors of one kind from one place share it. The service's log has it."""
    dead_lettered_at: str


class DeliveryAttemptView(TypedDict):
    """One attempt to deliver an event."""

    event_id: str
    """The event, and `webhook-id` of the request."""
    type: str
    at: str
    attempt: int
    """Which attempt it was, from 1; again from 1 after a replay."""
    delivered: bool
    """Whether the receiver acknowledged it, by a status from 200 to 299."""
    status_code: int | None
    """The status of the response; null if there was none."""
    error: str | None
    """Why there was no response."""
    latency_ms: int
    """Milliseconds until the response or the time-out."""
    response: str
    """What the response begins with, control characters escaped."""
    next_attempt_at: str | None
    """When it is sent again; null if it is not."""


class Document(TypedDict):
    """The metadata of one token, as it was committed to."""

    text: str
    """The exact text, a JSON object of at most 16384 bytes."""
    path: list[str]
    """The hashes that lead from the token's leaf to the root (RFC 9162, section 2.1.3)."""


class DocumentsRequest(TypedDict):
    """Texts of tokens with consecutive ids."""

    salt: str
    first_token_id: str
    """Of the first text: 1, 51, 101 …"""
    documents: list[Document]
    """50 of them; fewer in the last request alone."""


class DocumentsView(TypedDict):
    """The texts of tokens with consecutive ids."""

    contract: str
    first_token_id: str
    texts: list[str] | None
    """Null where they were just handed over."""
    tokens: int
    """How many there are."""


class DropCostView(TypedDict):
    """What the drop's mints cost on chain so far: each its share of the transaction that made …"""

    lines: int
    """Mined lines that this covers; fewer than those that are mined while receipts are read."""
    gas: int
    wei: str


class DropList(TypedDict):
    """Drops of the caller's, newest first."""

    items: list[DropView]
    next_cursor: str | None
    """Continues the list; null at its end."""


class DropMintList(TypedDict):
    """Mints of a drop, in the order of its lines."""

    items: list[MintView]
    next_cursor: str | None
    """Continues the list; null at its end. A short or empty page may have one, too."""


class DropRequest(TypedDict):
    """A drop to be made."""

    contract: NotRequired[str | None]
    """The collection; this deployment's default if absent."""
    name: str
    """What people call the drop."""


DropStatus = Literal["draft", "preparing", "prepared", "running", "paused", "completed", "cancelled"]
"""The status of a drop."""


class DropView(TypedDict):
    """A drop."""

    drop_id: str
    name: str
    contract: str
    status: DropStatus
    """`draft` → `preparing` → `prepared` → `running` → `completed`; `paused` and `cancelled`."""
    lines: LinesView
    preparation: PreparationView
    minting: MintingView
    cost: DropCostView
    root: str | None
    """The Merkle root over the lines that you authorize by `start`."""
    authorized_until: str | None
    """When the token of `start` or `resume` expires."""
    paused: ProblemView | None
    """Why it is paused."""
    resumes_at: str | None
    """When it goes on by itself."""
    created_at: str
    started_at: str | None
    ended_at: str | None


class DryRunView(TypedDict):
    """What a drop would do, before anything is made or spent."""

    lines: int
    """Lines that would be minted."""
    tokens: str
    """Tokens of those lines: in an ERC-1155 collection a line has any number of them."""
    refused: int
    over_cap: int | None
    """Accepted lines for which the collection's supply cap, or the cap of their item, leaves too few
    tokens now: `prepare` refuses them. Null if no node says, and for lines of more than 1,000 ERC-1155
    items: `lines` and `tokens` are those of all accepted lines then.
    """
    items_refused: int | None
    """Accepted lines whose ERC-1155 item has no metadata, or other metadata: `prepare` refuses them.
    Null for lines of more than 1,000 items.
    """
    wallets: WalletsEstimate
    gas: int
    gas_per_line: int
    gas_from: Literal["collection", "chain", "setting"]
    """`collection`: measured on your newest mints in it; `chain`: on those in another one; `setting`:
    this deployment's own figure, since none of yours is mined.
    """
    costs: list[CostEstimate]
    """Empty if no node says what gas costs."""
    seconds_at_least: TimeEstimate


class EventList(TypedDict):
    """Part of a log, oldest event first."""

    events: list[EventView]
    next: str
    """Continues the log, as `after`."""
    more: bool
    """Whether there are further events by now."""


class EventResource(TypedDict):
    """What an event is about."""

    type: str
    id: str


class EventView(TypedDict):
    """Something that happened."""

    id: str
    """The same for the same fact, however often it is delivered."""
    type: str
    """One of: `client.budget_reached`, `collection.deployed`, `collection.frozen`, `collection.paused`,
    `collection.revealed`, `drop.cancelled`, `drop.completed`, `drop.lines_refused`, `drop.paused`,
    `drop.progressed`, `drop.resumed`, `drop.started`, `mint.accepted`, `mint.cancelled`,
    `mint.finalized`, `mint.mined`, `mint.rejected`, `mint.reorged`, `mint.reverted`, `mint.submitted`,
    `relayer.low`, `token.burned`, `token.metadata_updated`, `token.transferred`, `treasury.low`,
    `wallet.created`, `wallet.linked`, `webhook.disabled`, `webhook.test`.
    """
    created_at: str
    """When it happened, by the record."""
    sequence: int
    """Of two events of one resource the later has the higher."""
    resource: EventResource
    data: dict[str, Any]
    """The resource as its `GET` had it at that moment."""


class FaultView(TypedDict):
    """One fault, and where it lies."""

    detail: str
    pointer: NotRequired[str | None]
    """JSON pointer into the body, as a URI fragment."""
    parameter: NotRequired[str | None]
    """A path or query parameter."""
    header: NotRequired[str | None]
    """A request header."""


class Health(TypedDict):
    """Liveness."""

    status: Literal["ok"]


class HolderList(TypedDict):
    """A collection's holders, in a fixed order of their addresses."""

    chain_id: int
    contract: str
    items: list[HolderView]
    next_cursor: str | None
    """Continues the list; null at its end. A short page may have one, too."""
    index: IndexView


class HolderView(TypedDict):
    """An owner of a collection's tokens."""

    owner: str
    balance: int
    """The number of tokens, in an ERC-1155 collection of different ones; if `more`, at least this many."""
    more: bool
    """Counting ends at 10,000 tokens: true if there may be more."""


class HoldsView(TypedDict):
    """Whether an address owns a token."""

    chain_id: int
    address: str
    contract: str
    token_id: str | None
    holds: bool
    index: IndexView


class ImportRequest(TypedDict):
    """A contract that others deployed."""

    contract: str
    from_block: int
    """Where the index begins to read it: the block that deployed it. Balances of ERC-1155 tokens are
    summed up from there.
    """


class Included(TypedDict):
    """A value with the nodes that prove it to be in a block's trie."""

    raw: str
    proof: list[str]


class IndexView(TypedDict):
    """How fresh the answer is."""

    head_block: int | None
    """The latest block in the index; null before its first."""
    head_timestamp: str | None
    finalized_block: int | None
    lag_seconds: float | None
    """Seconds since the head block's timestamp."""
    behind: bool
    """Whether the head block is older than a minute, or there is none: newer blocks may be missing from
    the answer.
    """


class ItemCapRequest(TypedDict):
    """How many tokens of an item may ever be minted."""

    token_id: str
    """The item."""
    cap: str
    """Burned tokens count. Not below what was minted, and an item's cap is only ever lowered."""


class ItemHolderList(TypedDict):
    """A token's holders, by their addresses."""

    chain_id: int
    contract: str
    token_id: str
    items: list[ItemHolderView]
    next_cursor: str | None
    """Continues the list; null at its end."""
    index: IndexView


class ItemHolderView(TypedDict):
    """A holder of a token."""

    owner: str
    quantity: str
    """How many it has; 1 of an ERC-721 token."""


class LineRequest(TypedDict):
    """One of the mints."""

    recipient: RecipientRequest
    """Who receives the token."""
    token_id: NotRequired[str | None]
    """In an ERC-1155 collection, the item to mint, as in `POST /v1/mints`."""
    quantity: NotRequired[str | None]
    """In an ERC-1155 collection, how many tokens of the item; 1 if absent."""
    external_id: NotRequired[str | None]
    """What you call this mint: 1 to 128 printable ASCII characters, no other mint of yours."""
    tags: NotRequired[list[str] | None]
    """Up to 10 words by which you find the mint again, each once."""
    metadata: MetadataRequest


class LinesView(TypedDict):
    """What was taken of the lines so far."""

    format: Literal["ndjson", "csv"] | None
    """Null before the first upload."""
    offset: int
    """Bytes taken: where the upload goes on."""
    lines: int
    """The number of the last line, blank lines and CSV header rows included."""
    accepted: int
    tokens: str
    """Tokens of the accepted lines: in an ERC-1155 collection a line has any number of them."""
    refused: int
    recipients: RecipientsView
    repeated_lines: RepetitionsView
    """The same recipient and the same metadata again."""
    repeated_recipients: RepetitionsView
    """The same recipient again; in an ERC-1155 collection the same one for the same item."""


class LinkList(TypedDict):
    """The caller's own wallets, oldest first."""

    items: list[LinkView]


class LinkRequest(TypedDict):
    """A challenge, signed."""

    message: str
    """The text that was signed: EIP-4361."""
    signature: str
    """By `personal_sign`: 65 bytes of an account, up to 16 KB of a contract wallet."""


class LinkView(TypedDict):
    """A wallet of the caller's own."""

    address: str
    chain_id: int
    kind: Literal["account", "contract"]
    """`contract` for one that signs by EIP-1271."""
    linked_at: str


ListedTransfer = TypedDict(
    "ListedTransfer",
    {
        "from": "str | None",
        "to": "str | None",
        "quantity": "str | None",
        "block_number": "int",
        "block_hash": "str",
        "log_index": "int",
        "tx_hash": "str",
        "timestamp": "str",
        "finality": "Literal['pending', 'finalized']",
        "chain_id": "int",
        "contract": "str",
        "token_id": "str",
    },
)
"""A transfer, and the token that it is of."""


class ListedTransferList(TypedDict):
    """Transfers, mints and burns, newest first."""

    items: list[ListedTransfer]
    next_cursor: str | None
    """Continues the list; null at its end. A short or empty page may have one, too."""
    index: IndexView


class MetadataRequest(TypedDict):
    """A token's metadata by ERC-721 and OpenSea's standard, stored in canonical JSON."""

    name: str
    description: NotRequired[str | None]
    image: str
    """An http(s), ipfs or ar URL of at most 2,048 characters, an image's data URL, or `upload:` and the
    id of a complete upload of yours, an image.
    """
    external_url: NotRequired[str | None]
    """A page about the token; http(s)."""
    animation_url: NotRequired[str | None]
    background_color: NotRequired[str | None]
    """Six hex digits, without `#`."""
    attributes: NotRequired[list[Attribute] | None]


class MetadataVersionList(TypedDict):
    """All versions of a token's metadata, newest first."""

    items: list[MetadataVersionView]


class MetadataVersionView(TypedDict):
    """A version of a token's metadata, with the transaction that announces it."""

    contract: str
    chain_id: int
    token_id: str
    version: int
    """1 as minted."""
    digest: str
    """SHA-256 of the text. That of version 1 is in the mint's event."""
    created_at: str | None
    """Null for version 1, which the mint made."""
    client_id: str | None
    """The machine client that made it; null for version 1."""
    url: str
    """The exact text of the version."""
    announcement: CollectionOperationView | None
    """The transaction by which the contract says that the metadata changed (ERC-4906)."""


class MintLinks(TypedDict):
    """Where to look next."""

    self: str
    token: str | None


class MintList(TypedDict):
    """Mints of the caller's, newest first."""

    items: list[MintView]
    next_cursor: str | None
    """Continues the list; null at its end. A short or empty page may have one, too."""


class MintReceipt(TypedDict):
    """Everything that proves a mint, for a reader who has a node of the chain."""

    type: NotRequired[Literal["mintline-mint-receipt"]]
    version: NotRequired[Literal[1, 2]]
    chain_id: int
    contract: str
    token_id: str
    serial: NotRequired[str | None]
    quantity: NotRequired[str | None]
    to: str
    metadata: str
    metadata_digest: str
    block_number: int
    block_hash: str
    header: str
    transaction_hash: str
    transaction_index: int
    transaction: Included
    receipt: Included
    log_index: int


class MintRequest(TypedDict):
    """What to mint, where, and to whom."""

    contract: NotRequired[str | None]
    """The collection; this deployment's default if absent."""
    custody: NotRequired[Literal["custodial", "self", "sponsored"] | None]
    """Who sends the transaction: your wallet in custody (`custodial`, also if absent), a linked wallet
    of your own (`self`), which pays the gas and receives the token, or the platform (`sponsored`), if
    the collection is. A machine client's mints are sponsored.
    """
    to: NotRequired[str | None]
    """Who receives the token; your wallet in custody if absent. With self-custody a wallet that you
    have linked; the only one if absent.
    """
    recipient: NotRequired[RecipientRequest | None]
    """Who receives the token, instead of `to`. A machine client names one; only it may name `user` or
    `email`.
    """
    external_id: NotRequired[str | None]
    """What you call this mint: 1 to 128 printable ASCII characters, no other mint of yours."""
    tags: NotRequired[list[str] | None]
    """Up to 10 words by which you find the mint again, each once."""
    token_id: NotRequired[str | None]
    """In an ERC-1155 collection, the item to mint: a number of your choice, decimal. Its first mint
    fixes its metadata. In an ERC-721 collection the platform numbers the tokens.
    """
    quantity: NotRequired[str | None]
    """In an ERC-1155 collection, how many tokens of the item; 1 if absent."""
    metadata: MetadataRequest


MintStatus = Literal["accepted", "built", "issued", "submitted", "mined", "finalized", "rejected", "reverted"]
"""The status of a mint."""


class MintView(TypedDict):
    """A mint: one NFT on its way to its owner."""

    mint_id: str
    status: MintStatus
    """`accepted` → `built` → `submitted` → `mined` → `finalized`; `rejected` (never reached the chain)
    and `reverted` (mined, but failed) are the bad ends. With self-custody `issued` follows `built`: the
    voucher waits for your own wallet's transaction.
    """
    chain_id: int
    contract: str
    token_id: str | None
    """In an ERC-1155 collection, the item's."""
    quantity: str | None
    """How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721."""
    serial: str | None
    """In an ERC-1155 collection, the mint's own number, which its contract takes once and its event
    `ItemMinted` names; null in one of ERC-721.
    """
    to: str
    """Who receives the token."""
    recipient: RecipientView
    custody: Literal["custodial", "self", "sponsored"]
    """Who sends the transaction: the caller's wallet in custody, their own, or the platform."""
    wallet: str
    """The wallet that sends the transaction: the one in custody, the linked one, or the relayer; `to`
    until a relayer has it.
    """
    client_id: str | None
    """The machine client that asked for it; null if a user did."""
    external_id: str | None
    """What it is called by who asked for it; null for other readers."""
    tags: list[str]
    """Likewise; empty for other readers."""
    metadata_digest: str
    """SHA-256 of the stored metadata; also in the mint's event."""
    metadata_url: str | None
    nonce: int | None
    tx_hash: str | None
    """The mined transaction; before that, the latest one that was sent."""
    block_number: int | None
    block_hash: str | None
    timeline: Timeline
    attempts: list[AttemptView]
    waiting: ProblemView | None
    """What an accepted mint waits for, if somebody has to act before it can continue."""
    problem: ProblemView | None
    """Why it ended badly; with self-custody also why a transaction of yours was not taken."""
    self_custody: SelfCustodyView | None
    """Self-custody only, once the voucher is issued: all that your wallet needs."""
    links: MintLinks


class MintWindowRequest(TypedDict):
    """When the contract mints; it never changes."""

    start: NotRequired[str | None]
    """From then on; at once if absent."""
    end: NotRequired[str | None]
    """Until then; without end if absent."""


class MintWindowView(TypedDict):
    """When the contract mints; null: without a bound."""

    start: str | None
    end: str | None


class MintingView(TypedDict):
    """How far the minting has come."""

    lines: int
    """Lines to be minted."""
    tokens: str
    """Tokens that those are."""
    handed_on: int
    """Lines whose mints were accepted."""
    tokens_handed_on: str
    """Tokens that those are."""
    by_status: dict[str, int]
    """Mints of the drop by their status, a few seconds old."""
    per_second: float | None
    """Lines mined a second since it was started or resumed."""
    seconds_left: int | None
    """At that rate, until the last line is mined."""


class OpenTransactionView(TypedDict):
    """A transaction whose nonce is not used for good."""

    sender: str
    nonce: int
    kind: str
    """What it does: `batch`, `mint`, `top_up` and so on."""
    operations: int
    """How many operations it carries."""
    state: str
    """`reserved`, `submitted` or `mined`."""
    filling: bool
    """Whether its nonce is filled by a transaction that does nothing."""
    attempts: int
    """How many were signed; each pays more than the one before."""
    tx_hash: str | None
    """The mined attempt's, else the latest's."""
    reserved_at: str
    submitted_at: str | None


class PipelineView(TypedDict):
    """The pipeline. A part that did not respond within seconds is null, and named in `missing`."""

    read_at: str
    missing: list[
        Literal["queues", "dead_letters", "chain", "index", "operations", "transactions", "senders"]
    ]
    queues: list[QueueView] | None
    dead_letters: list[DeadLetterView] | None
    """The first 20 dead letters of each queue, at most ten of each sender, up to 15 seconds old; null
    as well if the queues are.
    """
    blocks: BlocksView
    operations: list[WaitingOperationView] | None
    """Operations that no transaction carries yet, the 20 oldest. Mints whose voucher waits for their
    user's own wallet are left out.
    """
    transactions: list[OpenTransactionView] | None
    """Transactions whose nonce is not used for good, the 20 oldest."""
    senders: list[SenderView] | None
    """The treasury and the relayers; null as well if the API knows no node."""


class PreparationView(TypedDict):
    """How far the drop's preparation has come."""

    parts: int
    """The drop's lines are prepared and minted in parts of at most 250."""
    prepared: int
    users_made: int
    """Users who were made for e-mail addresses, each with a wallet."""
    unresolved: int
    """Lines that the preparation refused: their recipient is no user of the pool, or has no usable
    wallet, they are over a cap, or their ERC-1155 item has no metadata, or other metadata. `…/refused`
    returns them too.
    """
    over_cap: int
    """How many of those are beyond the collection's supply cap (`collection-full`), or the cap of their
    item (`item_full`).
    """


class ProblemDocument(TypedDict):
    """Why a request was not answered as asked (RFC 9457)."""

    type: str
    """URI of the problem type; explained there."""
    title: str
    status: int
    detail: str
    """What is wrong this time, and what to do."""
    instance: str
    """The path of the request."""
    code: str
    """The problem type's slug: the same on every deployment."""
    trace: str
    """Names the request in our logs; quote it to support."""
    errors: NotRequired[list[FaultView] | None]
    """Each fault of an invalid request."""


class ProblemView(TypedDict):
    """What went wrong: a stable code, and a sentence to show."""

    code: str
    reason: str


class PutView(TypedDict):
    """The request that puts the file's bytes, as its body. It needs no access token."""

    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    """To be sent exactly so."""
    expires_at: str
    """Until when it works, or less."""


class QueueView(TypedDict):
    """A queue; the numbers are approximate, as SQS has them."""

    name: str
    waiting: int
    """Messages that wait for a consumer."""
    in_flight: int
    """Messages that a consumer has, or that are hidden until the next try."""
    dead_letters: int
    """Dead letters."""


class Readiness(TypedDict):
    """Each dependency, `ok` or what is wrong with it; `missing` names those that are not `ok`."""

    status: Literal["ready", "not_ready"]
    missing: list[str]
    checks: dict[str, str]


class RecipientRequest(TypedDict):
    """Who is to have the token: exactly one of the members."""

    address: NotRequired[str]
    """An address on the chain; the same as `to`."""
    user: NotRequired[str]
    """The `sub` of a user of the pool, whose wallet in custody it goes to."""
    email: NotRequired[str]
    """An e-mail address. If nobody in the pool has it, a user and their wallet are made: their token is
    there at their first sign-in. The same address is always the same user. Takes the scope
    `users:write` too.
    """


class RecipientView(TypedDict):
    """Who receives the token."""

    address: str
    user: str | None
    """The `sub` of the user whom the request named, by `user` or `email`; null if it named an address.
    The e-mail address itself is not stored.
    """


class RecipientsView(TypedDict):
    """Distinct recipients of the accepted lines."""

    addresses: int
    users: int
    emails: int


class RedriveRequest(TypedDict):
    """Which dead letters go back to their queue."""

    queue: Literal["build", "sign", "broadcast"]
    """The queue that they come from."""
    message_ids: NotRequired[list[str] | None]
    """Ids of dead letters; null: the first 100 of the queue, in order, and the next 100 when it is
    repeated.
    """


class RedriveView(TypedDict):
    """What was sent back."""

    queue: str
    redriven: list[str]
    """Ids of the dead letters that are in their queue again."""
    missing: list[str]
    """Ids that were asked for and are not among the first 1,000 dead letters: they were sent back
    before, or somebody who looks at them holds them, for up to a minute.
    """


class RepetitionView(TypedDict):
    """A line that repeats something, and the first line that has it."""

    line: int
    first: int


class RepetitionsView(TypedDict):
    """Lines that repeat something of an earlier line; they are minted all the same."""

    count: int
    examples: list[RepetitionView]
    """The first 50."""


class ReplayRequest(TypedDict):
    """Where deliveries are to begin again."""

    after: NotRequired[str | None]
    """A position of the event log: `next` of `GET /v1/events`. All events after it are sent. One behind
    the log's end is refused. null: from the oldest event that is kept.
    """


class RevealPublication(TypedDict):
    """What the commitment was made with."""

    salt: str


class RevealRequest(TypedDict):
    """A commitment to metadata that is revealed later, for good."""

    commitment: str
    """`mintline collections commit` makes it."""
    tokens: int
    """How many texts it is to, for the token ids from 1 on."""


class RevealView(TypedDict):
    """Metadata that was committed to, and is revealed later."""

    commitment: str
    """What the contract's `metadataCommitment` gives."""
    tokens: int
    """How many texts it is to, for the token ids from 1 on."""
    salt: str | None
    """Null until it is revealed, like `revealed_at`."""
    revealed_at: str | None


class RoyaltiesRequest(TypedDict):
    """What marketplaces are asked to pay at a sale (ERC-2981)."""

    receiver: str
    """Who receives them."""
    bps: int
    """Hundredths of a percent of the price: 500 are 5 %."""


class RoyaltiesView(TypedDict):
    """What marketplaces are asked to pay at a sale (ERC-2981)."""

    receiver: str
    bps: int


class SecretView(TypedDict):
    """A client's new secret."""

    client_id: str
    client_secret: str
    """Shown this once."""


class SelfCustodyView(TypedDict):
    """All that the user's own wallet needs to redeem the voucher."""

    voucher: VoucherView
    typed_data: dict[str, Any]
    """The voucher as EIP-712 has it, with domain and types: what the signature is over."""
    transaction: UnsignedTransaction | None
    """What to sign and send, or to post; null in lists, and once there is nothing to sign."""


class SenderView(TypedDict):
    """A key that pays for gas."""

    address: str
    role: Literal["treasury", "relayer"]
    balance: str
    transactions: int
    """How many it sent in the last 24 hours."""
    per_day: str
    """What these would cost at the present price of gas, if each used its gas limit."""
    days_left: float | None
    """How long the balance lasts at that rate; null: it sent nothing."""


class SignInView(TypedDict):
    """Where access tokens are had: the protected resource metadata of RFC 9728, and what …"""

    resource: str
    """This API."""
    authorization_servers: list[str]
    """The user pool's issuer."""
    scopes_supported: list[str]
    bearer_methods_supported: list[Literal["header"]]
    resource_documentation: str
    authorization_endpoint: str
    """Where users sign in, by the authorization code flow with PKCE."""
    token_endpoint: str
    """Where codes and client credentials are exchanged for tokens."""
    client_id: str
    """The public client by which users sign in; it has no secret."""
    user_scopes: list[str]
    """What a user's token can be given for."""


class TestView(TypedDict):
    """A test event that will be sent."""

    event_id: str
    """The event's id, which `webhook-id` will be."""


class TimeEstimate(TypedDict):
    """How long it takes at least."""

    preparation: int
    """Seconds to make the wallets, at the pace that is set."""
    minting: int | None
    """Seconds of the chain's blocks, if the drop had half of each block; null if no node says."""


class Timeline(TypedDict):
    """When the mint reached each stage, by our clocks."""

    accepted_at: str
    built_at: str | None
    issued_at: str | None
    """Self-custody only: when the voucher was signed."""
    submitted_at: str | None
    mined_at: str | None
    finalized_at: str | None
    cancel_requested_at: str | None
    """When you asked to stop it. Until the status is `rejected`, it may still be mined."""


class TokenList(TypedDict):
    """An owner's tokens, by contract and token id."""

    items: list[TokenSummary | TokenWithMetadata]
    """With `include=metadata` each has `metadata` and `metadata_verified` as well."""
    next_cursor: str | None
    index: IndexView


class TokenMint(TypedDict):
    """The mint of ours that made a token."""

    mint_id: str | None
    """Shown to the user who minted it; null to others."""
    status: MintStatus


class TokenOperationLinks(TypedDict):
    """Where to look next."""

    self: str
    token: str


class TokenOperationTimeline(TypedDict):
    """When it reached each stage, by our clocks."""

    accepted_at: str
    built_at: str | None
    submitted_at: str | None
    mined_at: str | None
    finalized_at: str | None
    cancel_requested_at: str | None
    """When you asked to stop it. Until the status is `rejected`, it may still be mined."""


class TokenPatch(TypedDict):
    """What is to change of a token."""

    metadata: MetadataRequest
    """Replaces all of it."""


class TokenSummary(TypedDict):
    """A token as the index knows it."""

    chain_id: int
    contract: str
    token_id: str
    standard: Literal["erc721", "erc1155"]
    owner: str | None
    """Null once the token is burned, and for an ERC-1155 token, which has holders."""
    burned: bool
    """False for an ERC-1155 token: `supply` tells how many there are."""
    supply: str | None
    """How many of an ERC-1155 token exist; null for ERC-721."""
    quantity: str | None
    """In an owner's list: how many of an ERC-1155 token the owner has. Null otherwise."""
    metadata_digest: str | None
    """From the mint's event on chain."""
    metadata_url: str
    minted_block: int
    block_number: int
    """The block of the token's latest transfer; of an ERC-1155 token, of its first."""
    tx_hash: str
    """The transaction of that transfer."""
    finality: Literal["pending", "finalized"]
    """`finalized` once no reorg can undo it; `pending` until then."""


class TokenView(TypedDict):
    """A token with its metadata, the mint that made it, and the index's freshness."""

    chain_id: int
    contract: str
    token_id: str
    standard: Literal["erc721", "erc1155"]
    owner: str | None
    """Null once the token is burned, and for an ERC-1155 token, which has holders."""
    burned: bool
    """False for an ERC-1155 token: `supply` tells how many there are."""
    supply: str | None
    """How many of an ERC-1155 token exist; null for ERC-721."""
    quantity: str | None
    """In an owner's list: how many of an ERC-1155 token the owner has. Null otherwise."""
    metadata_digest: str | None
    """From the mint's event on chain."""
    metadata_url: str
    minted_block: int
    block_number: int
    """The block of the token's latest transfer; of an ERC-1155 token, of its first."""
    tx_hash: str
    """The transaction of that transfer."""
    finality: Literal["pending", "finalized"]
    """`finalized` once no reorg can undo it; `pending` until then."""
    metadata: dict[str, Any] | None
    metadata_verified: bool | None
    """Whether the stored metadata has the digest that the chain vouches for; null if either is unknown,
    and for a version after the minted one.
    """
    metadata_version: int | None
    """1 as minted; higher once its collection's client has replaced it. Null without metadata."""
    minted: str | None
    """How many of an ERC-1155 token were ever minted, burned ones included, by its contract now. Null
    for ERC-721, for an imported contract, and if no node answers.
    """
    item_cap: str | None
    """How many of it may ever be minted. Null without a cap, and where `minted` is null."""
    mint: TokenMint | None
    index: IndexView


class TokenWithMetadata(TypedDict):
    """A token of a list, with its metadata."""

    chain_id: int
    contract: str
    token_id: str
    standard: Literal["erc721", "erc1155"]
    owner: str | None
    """Null once the token is burned, and for an ERC-1155 token, which has holders."""
    burned: bool
    """False for an ERC-1155 token: `supply` tells how many there are."""
    supply: str | None
    """How many of an ERC-1155 token exist; null for ERC-721."""
    quantity: str | None
    """In an owner's list: how many of an ERC-1155 token the owner has. Null otherwise."""
    metadata_digest: str | None
    """From the mint's event on chain."""
    metadata_url: str
    minted_block: int
    block_number: int
    """The block of the token's latest transfer; of an ERC-1155 token, of its first."""
    tx_hash: str
    """The transaction of that transfer."""
    finality: Literal["pending", "finalized"]
    """`finalized` once no reorg can undo it; `pending` until then."""
    metadata: dict[str, Any] | None
    metadata_verified: bool | None
    """Whether the stored metadata has the digest that the chain vouches for; null if either is unknown,
    and for a version after the minted one.
    """
    metadata_version: int | None
    """1 as minted; higher once its collection's client has replaced it. Null without metadata."""


class TransactionRequest(TypedDict):
    """A transaction, signed by the user's own wallet."""

    raw: str
    """The signed transaction, as `eth_sendRawTransaction` takes it."""


class TransferList(TypedDict):
    """A token's transfers, newest first."""

    items: list[TransferView]
    next_cursor: str | None
    index: IndexView


class TransferOperationView(TypedDict):
    """A token on its way out of custody."""

    status: MintStatus
    """`accepted` → `built` → `submitted` → `mined` → `finalized`; `rejected` (never reached the chain)
    and `reverted` (mined, but failed) are the bad ends.
    """
    chain_id: int
    contract: str
    token_id: str
    quantity: str | None
    """How many tokens of the item, in an ERC-1155 collection; null in one of ERC-721."""
    wallet: str
    """Your wallet in custody, which holds the token."""
    paid_by: Literal["wallet", "relayer"]
    """Who sends the transaction and pays its gas. `relayer`: a key of the platform's, by your wallet's
    signature, in collections that were made by `POST /v1/collections`; your wallet needs no ether, and
    its nonce stays. `wallet`: your wallet itself, which the platform gives the gas.
    """
    nonce: int | None
    """Of the transaction's sender."""
    tx_hash: str | None
    """The mined transaction; before that, the latest one that was sent."""
    block_number: int | None
    block_hash: str | None
    timeline: TokenOperationTimeline
    attempts: list[AttemptView]
    waiting: ProblemView | None
    """What it waits for while `accepted`, if somebody has to act before it can continue."""
    problem: ProblemView | None
    """Why it ended badly."""
    links: TokenOperationLinks
    transfer_id: str
    to: str
    """Who receives the token."""


class TransferRequest(TypedDict):
    """Which token of the wallet in custody to send, and where to."""

    contract: NotRequired[str | None]
    """The collection; this deployment's default if absent."""
    token_id: str
    """Decimal. A token that your wallet in custody holds; in an ERC-1155 collection, the item."""
    quantity: NotRequired[str | None]
    """In an ERC-1155 collection, how many tokens of the item; 1 if absent."""
    to: str
    """Who receives the token; a contract must accept tokens of the collection's standard."""


TransferView = TypedDict(
    "TransferView",
    {
        "from": "str | None",
        "to": "str | None",
        "quantity": "str | None",
        "block_number": "int",
        "block_hash": "str",
        "log_index": "int",
        "tx_hash": "str",
        "timestamp": "str",
        "finality": "Literal['pending', 'finalized']",
    },
)
"""One transfer on chain, in the words of ERC-721's event, or of ERC-1155's for one token id."""


UnsignedTransaction = dict[str, Any]
"""UnsignedTransaction."""


class UploadRequest(TypedDict):
    """The file that is to be put."""

    content_type: Literal[
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "video/mp4",
        "video/webm",
        "model/gltf-binary",
    ]
    """Its type, which its bytes have to show."""
    size: int
    """Its bytes."""
    sha256: str
    """Of its bytes."""


class UploadView(TypedDict):
    """A file on its way to where everyone gets it."""

    upload_id: str
    status: Literal["waiting", "complete"]
    content_type: str
    size: int
    sha256: str
    url: str | None
    """Where everyone gets it, permanently; null until it is complete."""
    cid: str | None
    """The IPFS content id of the bytes, as `ipfs add --cid-version=1` gives it with chunks of 256 KiB.
    Nothing is put into IPFS; null until it is complete.
    """
    created_at: str
    completed_at: str | None
    put: PutView | None
    """How to put the bytes; only when the upload is created."""


class UseView(TypedDict):
    """What a client has used of its budget by now."""

    mints: int
    """Mints accepted in this hour."""
    mints_reset_at: str
    wei: str
    """Wei counted in this UTC day."""
    wei_reset_at: str


class UserRequest(TypedDict):
    """Whose user and wallet are to be there."""

    email: str
    """The user's e-mail address. Nothing is sent to it."""


class UserView(TypedDict):
    """A user of the pool. Their address is not shown: the caller knows it."""

    sub: str
    """Names the user permanently; `recipient.user` of a mint."""
    wallet: str | None
    """Their wallet in custody; null until something needs it."""
    created_at: str
    """When the user was made in the pool."""


class VoucherView(TypedDict):
    """What the contract takes, once, from anyone, for the recipient."""

    token_id: str
    to: str
    metadata_digest: str
    deadline: int
    """Unix seconds; the contract refuses the voucher after it."""
    expires_at: str
    """The same as a date."""
    signature: str
    """The issuer's, 65 bytes: the second argument of `redeem`."""


class WaitingOperationView(TypedDict):
    """An operation that no transaction carries yet."""

    operation_id: str
    kind: str
    """What it is: `mint`, `transfer`, `deploy` and so on."""
    status: str
    contract: str
    created_at: str
    waiting: ProblemView | None
    """What it waits for, if somebody has to act."""
    dead_letter: str | None
    """The `message_id` of the dead letter in `dead_letters` that is about it."""


class WalletView(TypedDict):
    """The caller's wallet in custody."""

    address: str
    chain_id: int
    created_at: str
    deletes_at: str | None
    """When the wallet's key is destroyed, if it is to be: nothing is minted with it any more."""


class WalletsEstimate(TypedDict):
    """How many wallets `prepare` will make."""

    to_make: int
    """Estimated from the recipients that were looked up."""
    at_most: int
    looked_up: int
    """Recipients that were looked up; all of them if the number is exact."""
    exact: bool


class WebhookChange(TypedDict):
    """What is to change of a webhook; what is left out stays."""

    url: NotRequired[str | None]
    """Where events are posted to: https, a host on the public Internet, port 443 or one from 1024 on."""
    types: NotRequired[
        list[
            Literal[
                "client.budget_reached",
                "collection.deployed",
                "collection.frozen",
                "collection.paused",
                "collection.revealed",
                "drop.cancelled",
                "drop.completed",
                "drop.lines_refused",
                "drop.paused",
                "drop.progressed",
                "drop.resumed",
                "drop.started",
                "mint.accepted",
                "mint.cancelled",
                "mint.finalized",
                "mint.mined",
                "mint.rejected",
                "mint.reorged",
                "mint.reverted",
                "mint.submitted",
                "relayer.low",
                "token.burned",
                "token.metadata_updated",
                "token.transferred",
                "treasury.low",
                "wallet.created",
                "wallet.linked",
                "webhook.disabled",
                "webhook.test",
            ]
        ]
        | None
    ]
    """Types of the events that are delivered; null: all, those of later releases too."""
    description: NotRequired[str | None]
    """What you call it."""
    status: NotRequired[Literal["enabled", "disabled"] | None]
    """`enabled`: what was not acknowledged is sent again. `disabled`: nothing is sent."""


class WebhookList(TypedDict):
    """Your webhooks, newest first."""

    items: list[WebhookView]


class WebhookRequest(TypedDict):
    """A webhook to be made."""

    url: str
    """Where events are posted to: https, a host on the public Internet, port 443 or one from 1024 on."""
    types: NotRequired[
        list[
            Literal[
                "client.budget_reached",
                "collection.deployed",
                "collection.frozen",
                "collection.paused",
                "collection.revealed",
                "drop.cancelled",
                "drop.completed",
                "drop.lines_refused",
                "drop.paused",
                "drop.progressed",
                "drop.resumed",
                "drop.started",
                "mint.accepted",
                "mint.cancelled",
                "mint.finalized",
                "mint.mined",
                "mint.rejected",
                "mint.reorged",
                "mint.reverted",
                "mint.submitted",
                "relayer.low",
                "token.burned",
                "token.metadata_updated",
                "token.transferred",
                "treasury.low",
                "wallet.created",
                "wallet.linked",
                "webhook.disabled",
                "webhook.test",
            ]
        ]
        | None
    ]
    """Types of the events that are delivered; null: all, those of later releases too."""
    description: NotRequired[str]
    """What you call it."""
    principal: NotRequired[Literal["operators"] | None]
    """Whose events it delivers: yours if you leave it out; `operators` needs the scope `admin`."""


class WebhookView(TypedDict):
    """A webhook."""

    webhook_id: str
    url: str
    """Where events are posted to."""
    types: list[str] | None
    """Types of the events that are delivered; null: all."""
    description: str
    status: Literal["enabled", "disabled"]
    disabled_reason: str | None
    """Why the deliveries were stopped; null if they were not, or if you disabled the webhook."""
    public_key: str
    """Verifies signatures of the kind `v1a` (Ed25519); it changes with the secret."""
    failing: int
    """Events that were sent, and not acknowledged yet."""
    next_attempt_at: str | None
    """When these are sent again; null if there are none."""
    created_at: str
    updated_at: str
