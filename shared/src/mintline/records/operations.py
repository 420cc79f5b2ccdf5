"""The record of each kind of operation: one request of a user or client.

Transfers and burns are of tokens that wallets in custody hold: the wallet sends them itself, or it signs them
(EIP-712) and a relayer sends and pays for them. Operations on collections are of those that a factory makes.
A relayer that sends an operation becomes its `sender` with the nonce.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mintline.fields import Address, BoundedText, Bytes32, HexBytes, KnownAddress, Quantity, TokenId, Wei
from mintline.frozen import Frozen
from mintline.messages.parts import Clone, CollectionChange, EnvelopeBytes, Fees, KeyRef, LineRef
from mintline.records.problems import Problem
from mintline.states import MintStatus

MAX_OWN_TRANSACTIONS = 50
"""How many transactions of its user's own wallet one mint's record has room for."""


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
    """One request of a user or client. Times are Unix milliseconds; fields are None until their stage.

    Its public status is read off the transaction that carries it (`mintline.records.transactions.as_far_as`).
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
    """SHA-256 (hex) of the caller's canonical request: distinguishes a retry from a reuse of its key."""
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
        """The type of its request to the enclave (`mintline.kinds`)."""
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
    authorization: EnvelopeBytes | None = Field(default=None, repr=False)
    """The caller's token, sealed for the enclaves, in records of before `mintline.authorizations`."""
    deadline: int | None = None
    voucher_signature: HexBytes | None = None
    """The issuer's, r‖s‖v in 65 bytes; on record with self-custody alone."""
    issued_at: int | None = None
    client_id: str | None = None
    """The machine client that requested it; None if its user did."""
    external_id: str | None = None
    """The id that its principal gave it: unique among that principal's mints (`ExternalId`)."""
    tags: tuple[str, ...] | None = None
    """Tags that its principal gave it, by which it is found."""
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


class TokenOperation(Operation):
    """A user's request about a token that the wallet in custody holds."""

    token_id: TokenId

    @property
    def holder(self) -> KeyRef:
        """The user's wallet in custody, which holds the token."""
        raise NotImplementedError

    @property
    def noun(self) -> str:
        """What its user calls it: a transfer or a burn, by whichever sender."""
        return self.kind.removeprefix("relayed_")

    @property
    def recipient(self) -> str | None:
        """The address that gets the token; None if it is burned."""
        return None

    @property
    def asked_by(self) -> str:
        """`sub` of the user who requested it."""
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


class RelayedTokenOperation(TokenOperation):
    """One that the wallet signs (EIP-712) and a relayer sends, which is the `sender` from its nonce on.

    Of tokens of collections that a factory made: those contracts take their holders' signatures.
    """

    wallet: KeyRef
    """The user's wallet in custody."""
    counter: int | None = None
    """The wallet's `nonces` in the collection, which the signature names: it is good for one call."""
    deadline: int | None = None
    """Unix seconds; the contract refuses the signature after it."""
    quantity: Quantity | None = None
    """How many tokens of an ERC-1155 item, whose id is `token_id`; None for a token of ERC-721."""

    @property
    def holder(self) -> KeyRef:
        """The wallet that signs."""
        return self.wallet


class RelayedTransfer(RelayedTokenOperation):
    """A token is to be sent out of custody (`transferBySignature`)."""

    kind: Literal["relayed_transfer"] = "relayed_transfer"
    to: Address

    @property
    def recipient(self) -> str:
        """Who gets the token."""
        return self.to


class RelayedBurn(RelayedTokenOperation):
    """A token is to be burned (`burnBySignature`)."""

    kind: Literal["relayed_burn"] = "relayed_burn"


class CollectionOperation(Operation):
    """A principal's request about a collection of theirs."""

    principal: str
    """The machine client, or the `sub`, that asks for it."""
    clone: Clone
    """What the collection is made of, or was."""

    @property
    def asked_by(self) -> str:
        """`sub` of the token that authorizes it."""
        return self.principal


class CollectionDeployment(CollectionOperation):
    """A factory is to make a collection; `contract` is the address that it will have."""

    kind: Literal["deploy"] = "deploy"


class CollectionCall(CollectionOperation):
    """A collection is to be changed."""

    kind: Literal["administer"] = "administer"
    change: CollectionChange


OPERATIONS: tuple[type[Operation], ...] = (
    Mint,
    TokenTransfer,
    TokenBurn,
    RelayedTransfer,
    RelayedBurn,
    CollectionDeployment,
    CollectionCall,
)
"""The records of all kinds."""
