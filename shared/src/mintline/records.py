"""What the DynamoDB tables hold, as typed values.

A record is stored attribute by attribute under its field names, `None` as an absent attribute.
Amounts and token ids are strings there: DynamoDB's numbers end at 38 digits.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any, Literal, assert_never

from pydantic import Field

from mintline.fields import (
    Address,
    BoundedText,
    Bytes32,
    HexBytes,
    KnownAddress,
    Quantity,
    TokenId,
    Uint256,
    Wei,
)
from mintline.messages import Clone, CollectionChange, Fees, Frozen, KeyRef, LineRef, Sealed
from mintline.reveals import Reveal
from mintline.states import MintStatus

TOKEN_KEY_DIGITS = 78
MAX_OWN_TRANSACTIONS = 50
"""How many transactions of its user's own wallet one mint's record has room for."""
WALLET_CACHE_SECONDS = 60
"""How long the api may go on with a wallet as it was."""
OPEN_SHARDS = 8
"""Partitions of the index of open mints: enough for several thousand new mints a second."""
BLOCK_SHARDS = 8
"""Partitions of each block within an index of records by block: the same, in whichever block they are."""
LAYOUT = 3
"""The form of the index's tables: `mintline_ops.migrations` brings them from one to the next."""
ROW_SHARDS = 16
"""Partitions of a chain's undo records: one second's may be a few megabytes."""


class Problem(Frozen):
    """Why a mint ended badly, or what its owner has to do: a stable code, and one sentence for the user."""

    code: BoundedText
    reason: BoundedText


TOKEN_TAKEN = Problem(
    code="token_taken",
    reason="Another mint's token has the id that this mint was given. Send the request again, with another "
    "Idempotency-Key.",
)
TOKEN_ON_CHAIN = Problem(
    code="token_on_chain",
    reason="A token with the id of this mint is on chain already. The mint ends when its block is final: as "
    "finalized if the token is its own, and as rejected otherwise.",
)
"""What an accepted mint waits for: its record may be older than its token, from a restored backup."""
CANCELLED = Problem(code="cancelled", reason="The mint was cancelled before it reached the chain.")
TOKEN_OPERATION_CANCELLED = Problem(
    code="cancelled", reason="It was cancelled before it reached the chain. The token stays where it is."
)
"""Of a transfer or a burn."""


class Attempt(Frozen):
    """One signed transaction for a nonce: any attempt can be the one that is mined."""

    tx_hash: Bytes32
    max_fee_per_gas: Wei
    max_priority_fee_per_gas: Wei
    at: int
    """Unix milliseconds of the write-ahead."""
    nonce: int | None = None
    """Whose turn it was: a mint gets another nonce when a stranger's transaction took its own."""
    fills: Literal[True] | None = None
    """Set on a no-op: it uses the nonce, and does nothing of what the transaction was for."""


class Operation(Frozen):
    """What somebody asked for, once. Times are Unix milliseconds; fields are None until their stage.

    Its public status is read off the transaction that carries it (`mintline.transaction_records.as_far_as`).
    """

    kind: Literal["mint", "transfer", "burn", "relayed_transfer", "relayed_burn", "deploy", "administer"]
    mint_id: str
    """The id of an operation of any kind: the key of their table is older than the others."""
    status: MintStatus
    chain_id: int
    contract: Address
    sender: KeyRef | None = None
    """The key in custody that sends its transaction; None with self-custody, and until a relayer has it."""
    request_digest: str
    """SHA-256 (hex) of the caller's canonical request: tells a retry from a reuse of its key."""
    trace: BoundedText = ""
    created_at: int
    updated_at: int
    token_id: TokenId | None = None
    """Of a mint: given when it is accepted, and its own for life; None in records of before that was so."""
    nonce: int | None = None
    gas: int | None = None
    fees: Fees | None = None
    attempts: tuple[Attempt, ...] = ()
    built_at: int | None = None
    submitted_at: int | None = None
    tx_hash: Bytes32 | None = None
    """The mined transaction's hash, once there is one."""
    block_number: int | None = None
    block_hash: Bytes32 | None = None
    mined_at: int | None = None
    """When the indexer saw it, not the block's timestamp."""
    finalized_at: int | None = None
    cancel_requested_at: int | None = None
    """When its user asked to stop it; what was mined decides whether that came in time."""
    swept_at: int | None = None
    """When the sweep last sent it on: see `sweeps`."""
    waiting: Problem | None = None
    """What it waits for before it can be built, once there is something that somebody has to act on."""
    sweeps: int = 0
    """How often it was sent on in vain; each time doubles the patience until the next."""
    problem: Problem | None = None

    @property
    def operation_id(self) -> str:
        """Its id, by which its transaction names it."""
        return self.mint_id

    @property
    def asked_by(self) -> str:
        """`sub` of the token that authorizes it."""
        raise NotImplementedError

    @property
    def request_type(self) -> str:
        """The type of the request by which the enclave is asked for it (`mintline.kinds`)."""
        return f"sign_{self.kind}"

    def log_context(self) -> dict[str, Any]:
        """Return the fields that identify the operation in a log line."""
        return {f"{self.kind}_id": self.operation_id, "status": self.status.value}


class Mint(Operation):
    """One mint."""

    kind: Literal["mint"] = "mint"
    sub: str
    """The user whose mint it is; of a client's mint to a bare address, the client."""
    to: KnownAddress
    custody: Literal["custodial", "self", "sponsored"] = "custodial"
    """Who sends its transaction: `sender` from custody, which redeems the voucher; `to`, which is the user's
    own wallet; or a relayer, which is the `sender` from the moment that it has the mint in a batch."""
    metadata: str | None = None
    """The canonical JSON to store, in records of before `mintline.authorizations`, until it is in S3."""
    metadata_digest: Bytes32
    authorization: Sealed | None = Field(default=None, repr=False)
    """The caller's token, sealed for the enclaves, in records of before `mintline.authorizations`."""
    deadline: int | None = None
    voucher_signature: HexBytes | None = None
    """The issuer's, r‖s‖v in 65 bytes; on record with self-custody alone."""
    issued_at: int | None = None
    client_id: str | None = None
    """The machine client that asked for it; None if its user did."""
    external_id: str | None = None
    """What it is called by who asked for it: unique among their mints (`ExternalId`)."""
    tags: tuple[str, ...] | None = None
    """What it is found by, likewise."""
    request: LineRef | None = None
    """The line of a request for many mints that it is, if it is one: its authorization is the request's."""
    item_id: TokenId | None = None
    """In an ERC-1155 collection the token's id, which its caller chose; there `token_id` is a serial."""
    quantity: Quantity | None = None
    """How many tokens of the item; None in an ERC-721 collection, as `item_id`."""

    @property
    def asked_by(self) -> str:
        """`sub` of the token that authorizes it: the user's, or the machine client's."""
        return self.client_id or self.sub

    @property
    def request_type(self) -> str:
        """By who sends its transaction."""
        return {"custodial": "sign_mint", "self": "issue_voucher", "sponsored": "sign_batch"}[self.custody]

    @property
    def wallet(self) -> str:
        """The address that redeems the voucher."""
        return self.to if self.sender is None else self.sender.address


class ExternalId(Frozen):
    """What a mint is called by who asked for it: the lock, so that no other mint of theirs is called that."""

    external_ref: str
    """`{asked_by}#{external_id}`."""
    mint_id: str


class TokenOperation(Operation):
    """What a user asked for to be done with a token that the wallet in custody holds."""

    token_id: TokenId

    @property
    def holder(self) -> KeyRef:
        """The user's wallet in custody, which holds the token."""
        raise NotImplementedError

    @property
    def noun(self) -> str:
        """What its user calls it: a transfer or a burn, whoever sends it."""
        return self.kind.removeprefix("relayed_")

    @property
    def recipient(self) -> str | None:
        """The address that gets the token; None if it is burned."""
        return None

    @property
    def asked_by(self) -> str:
        """`sub` of the user who asked for it."""
        return self.holder.subject


class OwnTokenOperation(TokenOperation):
    """One that the wallet itself sends, as a transaction of its own."""

    sender: KeyRef
    """The user's wallet in custody."""

    @property
    def holder(self) -> KeyRef:
        """The sender."""
        return self.sender


class TokenTransfer(OwnTokenOperation):
    """A token is to be sent out of custody (`safeTransferFrom`)."""

    kind: Literal["transfer"] = "transfer"
    to: Address

    @property
    def recipient(self) -> str:
        """Who gets the token."""
        return self.to


class TokenBurn(OwnTokenOperation):
    """A token is to be burned."""

    kind: Literal["burn"] = "burn"


class Wallet(Frozen):
    """A user's key in custody: its address, and where its wrapped private half lies."""

    wallet_id: str
    sub: str
    chain_id: int
    address: Address
    secret_id: str
    ready: bool
    """False until the wrapped key is in its store; `wrapped` holds it meanwhile."""
    wrapped: HexBytes | None = Field(default=None, repr=False)
    kms_key: str | None = None
    """The ARN of the KMS key that wrapped it, likewise."""
    created_at: int
    previous_secret_id: str | None = None
    """Where the wrapped key was before it was moved to another store: that copy is still there."""
    moved_at: int | None = None
    deletes_at: int | None = None
    """When the key is destroyed: from the moment that this is set, nothing is minted with it."""
    reassigned_to: str | None = None
    """The `sub` that has the address now, or is being given it: nothing is minted with this record's key."""
    reassigned_from: str | None = None
    """The `sub` that had the address before."""

    def key(self) -> KeyRef:
        """Return the reference by which the line names this key."""
        return KeyRef(
            address=self.address, subject=self.sub, chain_id=self.chain_id, secret_id=self.secret_id
        )


class Link(Frozen):
    """A user's own wallet, which proved itself; one address has one user at a time."""

    link_id: str
    """`{chain_id}#{address}`: the key, so the lock too."""
    sub: str
    chain_id: int
    address: Address
    kind: Literal["account", "contract"]
    """A contract proves itself by EIP-1271, and sends no transaction of its own."""
    nonce: str
    """The challenge that it answered."""
    linked_at: int


class Challenge(Frozen):
    """What a wallet has to sign to be linked; good for one link."""

    nonce: str
    sub: str
    expires: int
    """Unix seconds. The table drops it some time later, so the write looks at it."""


class CloneState(Frozen):
    """What of a clone can be changed, as it is on chain."""

    paused: bool = False
    frozen: bool = False
    """Its metadata is for good."""
    royalty_receiver: Address | None = None
    royalty_bps: int | None = None
    """None while the royalty is the one of its arguments."""

    def after(self, change: CollectionChange) -> CloneState:
        """Return the state that a change leaves."""
        match change.action:
            case "pause" | "unpause":
                return self.evolve(paused=change.action == "pause")
            case "freeze":
                return self.evolve(frozen=True)
            case "set_royalty":
                return self.evolve(royalty_receiver=change.receiver, royalty_bps=change.bps)
            case "refresh_contract_uri" | "refresh_metadata" | "cap_item":
                return self
            case _:
                assert_never(change.action)


class PendingChange(Frozen):
    """A change of a clone that has not ended: another one has to wait for it."""

    operation_id: str
    change: CollectionChange
    mined: bool = False
    """Whether it is in a block: a reorg takes that back."""


class RegisteredContract(Frozen):
    """A contract that Mintline mints into, as all know it who need no token id of it.

    `status`, `deployed_block`, `state`, `pending` and `pausing` of a clone follow, by the indexer, from the
    operations of its deployment and its changes (`mintline.collection_records`).
    """

    collection_id: str
    chain_id: int
    contract: Address
    name: str
    symbol: str
    deployed_block: int
    standard: Literal["erc721", "erc1155"] = "erc721"
    sponsored: bool = False
    """Whether users may have a relayer pay for their mints; a machine client's are always paid for by one."""
    clone: Clone | None = None
    """What it was made of by a factory, if one made it; its `operation_id` is the deployment."""
    status: Literal["deploying", "ready", "failed"] = "ready"
    """Nothing is minted in one that is not `ready`; until then `deployed_block` is one before its own."""
    deployment_final: bool = False
    """Whether a clone's deployment is in a final block, or failed for good: nothing moves `status` again."""
    state: CloneState = CloneState()
    """By the changes that are final."""
    pending: PendingChange | None = None
    """The one change under way: written by the api with its operation, if there is no other."""
    pausing: PendingChange | None = None
    """A pause that did not wait for `pending`, a change of another member: likewise."""
    metadata_digest: Bytes32 | None = None
    """SHA-256 of its own metadata, part of its key in S3; None in records of operators' making."""
    metadata_versions: bool = False
    """Whether the metadata of any of its tokens was replaced (`mintline.metadata_versions`)."""
    reveal: Reveal | None = None
    """What it reveals later, if it was created with a commitment."""
    read_only: bool = False
    """Whether it is indexed alone: others deployed it, and nothing is minted in it."""
    created_at: int | None = None
    """Unix milliseconds; None in records of operators' making."""

    @property
    def standing(self) -> CloneState:
        """The state with the changes that are mined, and not final yet."""
        state = self.state
        for change in self.changes:
            state = state.after(change.change) if change.mined else state
        return state

    @property
    def changes(self) -> tuple[PendingChange, ...]:
        """Those that have not ended: `pending` and `pausing`, which change different members."""
        return tuple(change for change in (self.pending, self.pausing) if change is not None)


class Collection(RegisteredContract):
    """The whole record of a contract: with its counter, whose damage must not stop what does not count."""

    next_token_id: int = Field(ge=0)
    """A number in DynamoDB, unlike other token ids: the api leases ids by adding to it."""


class ClientBudget(Frozen):
    """What a machine client may have minted; None: as the signing policy has it."""

    mints_per_hour: int | None = Field(default=None, ge=0)
    wei_per_day: Wei | None = None
    collections: tuple[Address, ...] | None = None
    """Where it may mint; None: in all collections."""


class Client(Frozen):
    """A machine client: a company's backend with an app client of its own. Times are Unix milliseconds."""

    client_id: str
    """The app client's id in the user pool."""
    name: str
    scopes: tuple[str, ...]
    budget: ClientBudget = ClientBudget()
    created_at: int
    disabled_at: int | None = None
    """Since when its tokens are refused."""


class Token(Frozen):
    """A token as the index knows it; `owner` is None once it is burned.

    An item of ERC-1155 has no one owner, and no one mint: its holders are in `Balance`. Its row is written
    when the item is first seen, and with the digest of its first mint.
    """

    chain_id: int
    contract: Address
    token_id: TokenId
    owner: Address | None
    metadata_digest: Bytes32 | None
    mint_id: str | None
    """The mint of ours that made it, if one did."""
    minted_block: int
    block_number: int
    """The block of its latest transfer; of an item, of its first."""
    tx_hash: Bytes32
    standard: Literal["erc1155"] | None = None
    """Set on an item of ERC-1155; None for ERC-721."""

    @property
    def is_burned(self) -> bool:
        """Whether nobody has it any more; of an item its supply tells."""
        return self.standard is None and self.owner is None


class Balance(Frozen):
    """How much of an item of ERC-1155 an address holds; `holder` None: of how much is in circulation.

    Blocks up to `block_number` are in it, and no event of theirs changes it again.
    """

    chain_id: int
    contract: Address
    token_id: TokenId
    holder: Address | None
    quantity: Uint256
    block_number: int
    """The block of its latest change."""
    tx_hash: Bytes32


class Transfer(Frozen):
    """One transfer of a token on chain; `sender` is None for a mint, `recipient` None for a burn.

    An ERC-721 Transfer event, or what an event of ERC-1155 says of one item.
    """

    chain_id: int
    contract: Address
    token_id: TokenId
    sender: Address | None
    recipient: Address | None
    block_number: int
    block_hash: Bytes32
    log_index: int
    tx_hash: Bytes32
    timestamp: int
    """The block's, in Unix seconds."""
    quantity: Uint256 | None = None
    """How much of an item; None for ERC-721."""


class Checkpoint(Frozen):
    """How far the index has come on one chain."""

    chain: str
    head_number: int
    head_hash: Bytes32
    head_timestamp: int
    finalized_number: int
    updated_at: int


def scoped(chain_id: int, name: str) -> str:
    """Return the key of something that exists once per chain: `{chain_id}#{name}`."""
    return f"{chain_id}#{name}"


def token_key(token_id: int) -> str:
    """Return a token id in fixed width, so that keys sort as numbers do."""
    return f"{token_id:0{TOKEN_KEY_DIGITS}d}"


def token_ref(chain_id: int, contract: str, token_id: int) -> str:
    """Return the partition key of a token's transfers."""
    return f"{chain_id}#{contract}#{token_id}"


def token_of(ref: str) -> tuple[int, str, int]:
    """Return the chain id, the contract and the token id of a `token_ref`."""
    chain_id, contract, token_id = ref.split("#")
    return int(chain_id), contract, int(token_id)


def balance_ref(chain_id: int, contract: str, token_id: int, holder: str | None) -> str:
    """Return the key of a balance; `holder` None for an item's supply."""
    return f"{token_ref(chain_id, contract, token_id)}#{holder or 'supply'}"


def position(block_number: int, log_index: int) -> str:
    """Return the sort key of an event within its chain."""
    return f"{block_number:012d}#{log_index:06d}"


def created_key(created_at: int, mint_id: str) -> str:
    """Return the sort key of a mint among its user's mints."""
    return f"{created_at:015d}#{mint_id}"


def external_ref(asked_by: str, external_id: str) -> str:
    """Return the key of an external id: a client's id and a user's `sub` have no `#`."""
    return f"{asked_by}#{external_id}"


def open_shard(mint_id: str) -> str:
    """Return the partition of a mint within the index of open mints."""
    return str(zlib.crc32(mint_id.encode()) % OPEN_SHARDS)


def block_shard(block_number: int, record_id: str) -> str:
    """Return the key of a record within the index of its block."""
    return f"{block_number}#{zlib.crc32(record_id.encode()) % BLOCK_SHARDS}"


def block_shards(block_number: int) -> tuple[str, ...]:
    """Return all keys of a block within such an index."""
    return tuple(f"{block_number}#{shard}" for shard in range(BLOCK_SHARDS))


def row_shard(chain_id: int, row_position: str) -> str:
    """Return the partition of a block's undo record."""
    return scoped(chain_id, str(zlib.crc32(row_position.encode()) % ROW_SHARDS))


def row_shards(chain_id: int) -> tuple[str, ...]:
    """Return all partitions of a chain's undo records."""
    return tuple(scoped(chain_id, str(shard)) for shard in range(ROW_SHARDS))


def metadata_object_key(chain_id: int, contract: str, token_id: int) -> str:
    """Return the S3 key of a token's metadata."""
    return f"{chain_id}/{contract}/{token_id}.json"


def collection_object_key(chain_id: int, contract: str) -> str:
    """Return the S3 key of a collection's own metadata (ERC-7572)."""
    return f"{chain_id}/{contract}/contract.json"


def collection_version_key(chain_id: int, contract: str, digest: bytes) -> str:
    """Return the S3 key of a version of a collection's own metadata, by its SHA-256: written once."""
    return f"{chain_id}/{contract}/contract-{digest.hex()}.json"


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8, no NaN.

    Raises ValueError for numbers that JSON does not have.
    """
    return _CANONICAL.encode(value)


def digest_of(text: str) -> bytes:
    """Return the SHA-256 of a text's UTF-8 bytes: `metadataDigest`, and S3's own checksum of the object."""
    return hashlib.sha256(text.encode()).digest()
