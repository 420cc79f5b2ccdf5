"""The contracts between the services: one union, discriminated by `type`, each with a `version`.

::

    api ─BuildMint▶ builder ─SignMint│SignTopUp▶ signer ─Broadcast│SigningRefused▶ broadcaster
                    builder ─IssueVoucher──────▶ signer ─VoucherIssued───────────▶ broadcaster
                    builder ◀──────FundWallet│RenewNonce│FinishBatch──────────────  broadcaster
                                     signer ◀──────────SignNoop│SignMint (a bump)─  broadcaster
    api ─BuildLines─▶ builder (of many mints at once)
    api ───────────────────────────────────────────────────────SelfRedeem──────────▶ broadcaster
    api, indexer ──────────────────────────────────────────────ReviewMint──────────▶ broadcaster

Every message is JSON on a FIFO queue. Its message group is the sender's address; one of the sender's nonces
for what must not wait behind the others (`mintline.kinds.group_of`); the mint's id where the order does
not matter, or the sender is no key of ours.

The releases before and after this one read these messages too (docs/upgrades.md):
a field may be added if it has a default and may be lost on the way, since a service of the release before
does not pass it on. What must not be ignored gets a new type or a higher `version`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, from_json

from mintline.clones import MAX_ROYALTY_BPS, CloneArgs
from mintline.errors import Unsupported
from mintline.fields import Address, BoundedText, Bytes32, HexBytes, KnownAddress, Quantity, TokenId, Wei

VERSION = 1
"""The highest `version` of a message that this release knows."""

UINT64_MAX = 2**64 - 1
"""What the enclave's protocol carries as an integer; an account's nonce stays below it (EIP-2681)."""

MintId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
"""Fit to be a key: DynamoDB fails a whole batch of reads for an empty or overlong one."""

MAX_SEALED = 8192
"""Bytes of an authorization envelope, at most."""

Sealed: TypeAlias = Annotated[HexBytes, Field(max_length=MAX_SEALED)]
"""What the api sealed for the enclaves: the proof that the user asked for this. Empty where there is none."""


class Frozen(BaseModel):
    """A value: immutable, and strict about what it does not know.

    What other releases write too (messages, records) is read with `extra="ignore"` instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def evolve(self, **changes: Any) -> Self:
        """Return the value with `changes`, validated as a whole, unlike `model_copy(update=…)`.

        Raises pydantic's ValidationError.
        """
        given = self.model_fields_set
        kept = {name: value for name, value in self.__dict__.items() if name in given}
        return self.model_validate(kept | changes, by_name=True)


class Message(Frozen):
    """What every message carries."""

    version: Literal[1] = 1
    trace: BoundedText = ""
    """W3C `traceparent` of the request that began this work, or empty."""


class KeyRef(Frozen):
    """Names a key in custody without holding it."""

    address: Address
    subject: str = Field(min_length=1, max_length=128)
    """`sub` of the key's KMS encryption context: the Cognito user, or `platform:NAME`."""
    chain_id: int = Field(gt=0, le=UINT64_MAX)
    """`chain` of the key's KMS encryption context."""
    secret_id: str = Field(min_length=1, max_length=512)
    """Where the wrapped key is stored."""


class Clone(Frozen):
    """What a collection of a factory was made of, from which its address follows (`mintline.clones`)."""

    factory: Address
    implementation: Address
    principal: str = Field(min_length=1, max_length=128)
    """`sub` of the user, or the machine client, whose collection it is; with `operation_id` its salt."""
    operation_id: MintId
    """The deployment that made it."""
    args: CloneArgs


def _is_none(value: object) -> bool:
    return value is None


class CollectionChange(Frozen):
    """A change of a clone that may be asked for."""

    action: Literal[
        "pause",
        "unpause",
        "set_royalty",
        "refresh_contract_uri",
        "refresh_metadata",
        "freeze",
        "cap_item",
    ]
    receiver: Address | None = None
    """Who is owed the new royalty (ERC-2981); of `set_royalty` alone, as `bps`."""
    bps: int = Field(default=0, ge=0, le=MAX_ROYALTY_BPS)
    """Hundredths of a percent of a sale's price."""
    first_token: TokenId | None = Field(default=None, exclude_if=_is_none)
    """Of `refresh_metadata` alone, as `last_token`: the range that it announces (ERC-4906)."""
    last_token: TokenId | None = Field(default=None, exclude_if=_is_none)
    item_id: TokenId | None = Field(default=None, exclude_if=_is_none)
    """Of `cap_item` alone, as `cap`: the ERC-1155 item of which no more tokens are ever minted than that."""
    cap: Quantity | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _royalty_has_a_receiver(self) -> Self:
        if (self.receiver is None) is (self.action == "set_royalty") or (self.receiver is None and self.bps):
            raise ValueError("receiver and bps are for set_royalty, which needs a receiver")
        return self

    @model_validator(mode="after")
    def _cap_has_an_item(self) -> Self:
        if (self.item_id is not None, self.cap is not None) != (self.action == "cap_item",) * 2:
            raise ValueError("item_id and cap are for cap_item, which needs both")
        return self

    @model_validator(mode="after")
    def _announcement_has_a_range(self) -> Self:
        given = (self.first_token is not None, self.last_token is not None)
        if given != (self.action == "refresh_metadata",) * 2:
            raise ValueError("first_token and last_token are for refresh_metadata, which needs both")
        if (
            self.first_token is not None
            and self.last_token is not None
            and self.last_token < self.first_token
        ):
            raise ValueError("last_token comes before first_token")
        return self


class Fees(Frozen):
    """EIP-1559 fee caps, in wei per gas."""

    max_fee_per_gas: Wei
    max_priority_fee_per_gas: Wei


class Voucher(Frozen):
    """The EIP-712 voucher: may be redeemed once, by anyone, and always lands at `to`."""

    token_id: TokenId
    to: Address
    metadata_digest: Bytes32
    deadline: int = Field(gt=0, le=UINT64_MAX)
    """Unix seconds; the contract refuses the voucher after it."""


class Intent(Message):
    """What the enclave is asked to sign: never raw bytes, always what they mean."""

    signer: KeyRef
    chain_id: int = Field(gt=0, le=UINT64_MAX)
    nonce: int = Field(ge=0, lt=UINT64_MAX)
    gas: int = Field(gt=0, le=UINT64_MAX)
    fees: Fees
    attempt: int = Field(default=0, ge=0, le=10_000)
    """Counts replacements: same nonce, same meaning, higher fees."""


class SignMint(Intent):
    """Issue the voucher, and redeem it with the user's own key."""

    type: Literal["sign_mint"] = "sign_mint"
    mint_id: MintId
    contract: Address
    voucher: Voucher
    authorization: Sealed = Field(default=b"", repr=False)
    built_at: int | None = Field(default=None, ge=0)
    """Unix milliseconds of the nonce's reservation: for the metrics alone, so the enclave is not told."""


class SignTopUp(Intent):
    """Send gas money from the treasury to a wallet in custody."""

    type: Literal["sign_top_up"] = "sign_top_up"
    recipient: Address
    value: Wei


class SignNoop(Intent):
    """Fill a reserved nonce whose mint or top-up died: zero wei from the sender to itself."""

    type: Literal["sign_noop"] = "sign_noop"
    mint_id: MintId | None = None
    """The mint whose nonce it was; None if it was a top-up's."""


class LineRef(Frozen):
    """Names a line of a request that asks for many mints at once (`mintline.lines`)."""

    request_id: MintId
    chunk: int = Field(ge=0, lt=2**31)
    """Which part of the request it is in; each is on record by itself."""
    line: int = Field(ge=0, lt=500)
    """Its place in the chunk, from 0."""


class BatchMint(Frozen):
    """One mint of a relayer's batch."""

    mint_id: MintId
    token_id: TokenId
    to: KnownAddress
    metadata_digest: Bytes32
    subject: str = Field(default="", max_length=128)
    """`sub` of the user who asked for the mint."""
    request: LineRef | None = None
    """Set on a line of a request for many: the authorization is the request's, not the mint's own."""
    item_id: TokenId | None = Field(default=None, exclude_if=_is_none)
    """In an ERC-1155 collection the token's id; `token_id` is the mint's serial there."""
    quantity: Quantity | None = Field(default=None, exclude_if=_is_none)
    """How many tokens of the item, given with `item_id` alone; without both, the line is not authorized."""

    @model_validator(mode="after")
    def _has_an_item_with_its_quantity(self) -> Self:
        if (self.item_id is None) is not (self.quantity is None):
            raise ValueError("item_id and quantity go together")
        return self


def _as_tuple(value: Any) -> Any:
    """Return a list as a tuple, which CBOR does not have and a strict parser misses."""
    return tuple(value) if isinstance(value, list) else value


class SignBatch(Intent):
    """Mint many tokens at once, all or none, by a relayer that the contract trusts.

    The authorization of each mint is not in the message, which has no room for hundreds: the signer's host
    reads them, and hands them over with the intent.
    """

    type: Literal["sign_batch"] = "sign_batch"
    contract: Address
    mints: Annotated[tuple[BatchMint, ...], BeforeValidator(_as_tuple)] = Field(min_length=1, max_length=500)
    clone: Clone | None = None
    """What the contract was made of, where the signing policy has its factory and not itself."""

    @model_validator(mode="after")
    def _is_of_one_standard(self) -> Self:
        if len({line.item_id is None for line in self.mints}) > 1:
            raise ValueError("a batch is of one collection: all lines have an item, or none has")
        return self


class SignTransfer(Intent):
    """Send a token out of a user's wallet in custody (`safeTransferFrom`)."""

    type: Literal["sign_transfer"] = "sign_transfer"
    request_id: MintId
    """What the user asked for, once."""
    contract: Address
    token_id: TokenId
    to: Address
    authorization: Sealed = Field(default=b"", repr=False)
    clone: Clone | None = None
    """What the contract was made of, where the signing policy has its factory and not itself."""


class SignBurn(Intent):
    """Burn a token of a user's wallet in custody."""

    type: Literal["sign_burn"] = "sign_burn"
    request_id: MintId
    """What the user asked for, once."""
    contract: Address
    token_id: TokenId
    authorization: Sealed = Field(default=b"", repr=False)
    clone: Clone | None = None
    """What the contract was made of, where the signing policy has its factory and not itself."""


class SignRelayed(Intent):
    """What two intents have in common: the wallet signs typed data (EIP-712), and a relayer sends it.

    `signer` is the relayer.
    """

    request_id: MintId
    """What the user asked for, once."""
    holder: KeyRef
    """The user's wallet in custody, which signs."""
    contract: Address
    token_id: TokenId
    counter: TokenId
    """The holder's `nonces` in the collection: the signature is good for one call."""
    deadline: int = Field(gt=0, le=UINT64_MAX)
    """Unix seconds; the contract refuses the signature after it."""
    clone: Clone
    """What the contract was made of: those of factories alone take their holders' signatures."""
    quantity: Quantity | None = Field(default=None, exclude_if=_is_none)
    """How many tokens of an ERC-1155 item, `token_id`; None for a token of ERC-721."""
    authorization: Sealed = Field(default=b"", repr=False)


class SignRelayedTransfer(SignRelayed):
    """Send a token out of a user's wallet in custody, by a relayer (`transferBySignature`)."""

    type: Literal["sign_relayed_transfer"] = "sign_relayed_transfer"
    to: Address


class SignRelayedBurn(SignRelayed):
    """Burn a token of a user's wallet in custody, by a relayer (`burnBySignature`)."""

    type: Literal["sign_relayed_burn"] = "sign_relayed_burn"


class SignDeploy(Intent):
    """Have a factory make a collection (`createCollection`), by a relayer."""

    type: Literal["sign_deploy"] = "sign_deploy"
    request_id: MintId
    """What its principal asked for, once."""
    contract: Address
    """The collection's address, which follows from `clone`."""
    clone: Clone
    authorization: Sealed = Field(default=b"", repr=False)


class SignAdminister(Intent):
    """Change a collection that a factory made, by a relayer."""

    type: Literal["sign_administer"] = "sign_administer"
    request_id: MintId
    """What its principal asked for, once."""
    contract: Address
    change: CollectionChange
    clone: Clone
    """Names whose collection it is: nobody else may change it."""
    authorization: Sealed = Field(default=b"", repr=False)


AnyIntent: TypeAlias = Annotated[
    SignMint
    | SignTopUp
    | SignNoop
    | SignBatch
    | SignTransfer
    | SignBurn
    | SignRelayedTransfer
    | SignRelayedBurn
    | SignDeploy
    | SignAdminister,
    Field(discriminator="type"),
]
"""What becomes a transaction."""

TransactionKind: TypeAlias = Literal[
    "mint",
    "batch",
    "transfer",
    "burn",
    "relayed_transfer",
    "relayed_burn",
    "deploy",
    "administer",
    "top_up",
    "noop",
]
"""What a transaction's record says that it is, signed by the intent of that name: `sign_mint`, and so on.

`noop`: a nonce that nothing was reserved for, found unused below others."""


class IssueVoucher(Message):
    """Issue the voucher of a mint that the user's own wallet redeems: a signature, no transaction."""

    type: Literal["issue_voucher"] = "issue_voucher"
    signer: KeyRef
    """The issuer."""
    chain_id: int = Field(gt=0, le=UINT64_MAX)
    mint_id: MintId
    contract: Address
    voucher: Voucher
    subject: str = Field(default="", max_length=128)
    """`sub` of the user who asked for the mint; empty in messages of before it was said."""
    authorization: Sealed = Field(default=b"", repr=False)


AnyRequest: TypeAlias = Annotated[
    SignMint
    | SignTopUp
    | SignNoop
    | SignBatch
    | SignTransfer
    | SignBurn
    | SignRelayedTransfer
    | SignRelayedBurn
    | SignDeploy
    | SignAdminister
    | IssueVoucher,
    Field(discriminator="type"),
]
"""What the enclave can be asked to sign."""


class BuildMint(Message):
    """A mint was accepted; its record holds everything else."""

    type: Literal["build_mint"] = "build_mint"
    mint_id: MintId


class BuildLines(Message):
    """A part of a request for many mints was accepted; the mints' records hold everything else."""

    type: Literal["build_lines"] = "build_lines"
    request_id: MintId
    chunk: int = Field(ge=0, lt=2**31)


class FundWallet(Message):
    """A node refused a wallet's transaction for lack of funds: top it up."""

    type: Literal["fund_wallet"] = "fund_wallet"
    wallet: Address
    required: Wei
    """What the refused transaction takes at most, in wei; the builder adds the others in flight."""
    balance: Wei = 0
    """What the wallet held when it was refused, in wei: too little, whatever the builder knows of."""


class RenewNonce(Message):
    """Another transaction has used a mint's nonce: give the mint another one."""

    type: Literal["renew_nonce"] = "renew_nonce"
    mint_id: MintId
    nonce: int = Field(ge=0, lt=UINT64_MAX)
    """The nonce that is spent; a mint that has another by now is left as it is."""


class FinishBatch(Message):
    """A batch's nonce is reserved, but not all of its operations are claimed: claim them, have it signed."""

    type: Literal["finish_batch"] = "finish_batch"
    sender: Address
    nonce: int = Field(ge=0, lt=UINT64_MAX)


class ReviewMint(Message):
    """Something happened to a mint on its way to the chain: look at its record, and do what that asks for."""

    type: Literal["review_mint"] = "review_mint"
    mint_id: MintId


class Broadcast(Message):
    """A signed transaction, with the intent that it carries out."""

    type: Literal["broadcast"] = "broadcast"
    intent: AnyIntent
    raw: HexBytes
    tx_hash: Bytes32


class VoucherIssued(Message):
    """A voucher's signature by the issuer, r‖s‖v in 65 bytes: what the contract's `redeem` takes."""

    type: Literal["voucher_issued"] = "voucher_issued"
    intent: IssueVoucher
    signature: HexBytes = Field(min_length=65, max_length=65)


class SelfRedeem(Message):
    """A user's own wallet has signed the transaction that redeems a mint's voucher.

    The api has checked that it does just that. No key of ours is in it: it is sent as it is, and nothing is
    ever sent in its place.
    """

    type: Literal["self_redeem"] = "self_redeem"
    mint_id: MintId
    chain_id: int = Field(gt=0, le=UINT64_MAX)
    sender: Address
    nonce: int = Field(ge=0, lt=UINT64_MAX)
    fees: Fees
    raw: HexBytes
    tx_hash: Bytes32


class SigningRefused(Message):
    """The enclave refused what it was asked for."""

    type: Literal["signing_refused"] = "signing_refused"
    intent: AnyRequest
    code: str = Field(pattern=r"^[a-z0-9_]{1,64}$")
    """Looked up in `mintline.refusals`, which has the text for the user."""
    reason: str = ""
    """Not read: the sender of the message could choose it. Still sent, for broadcasters that ask for it."""
    operation_id: str = Field(default="", max_length=64)
    """The operation that is to blame, where the intent is for several; empty if all are."""


AnyMessage: TypeAlias = Annotated[
    BuildMint
    | BuildLines
    | FundWallet
    | RenewNonce
    | FinishBatch
    | SignMint
    | SignTopUp
    | SignNoop
    | SignBatch
    | SignTransfer
    | SignBurn
    | SignRelayedTransfer
    | SignRelayedBurn
    | SignDeploy
    | SignAdminister
    | IssueVoucher
    | Broadcast
    | ReviewMint
    | VoucherIssued
    | SelfRedeem
    | SigningRefused,
    Field(discriminator="type"),
]

_ADAPTER: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def encode(message: Message) -> str:
    """Return the message as compact JSON."""
    return message.model_dump_json()


def decode(body: str | bytes) -> AnyMessage:
    """Parse and validate one message, at any depth without the fields that this release does not know.

    Raises Unsupported for a message, or one inside it, whose type or version this release does not know, and
    pydantic's ValidationError for anything else that is not valid.
    """
    try:
        return _ADAPTER.validate_json(body, extra="ignore")
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            if (unknown := _unknown(fault)) is not None:
                raise Unsupported(f"this release does not know messages of {unknown}") from None
        raise


def _unknown(fault: ErrorDetails) -> str | None:
    """Return the type or version that a fault is about, if it is one that another release may know."""
    match fault:
        case {"type": "union_tag_invalid", "ctx": {"tag": str(name)}} if _TYPE.fullmatch(name):
            return f"type {name}"
        case {"type": "literal_error", "loc": (*_, "type"), "input": str(name)} if _TYPE.fullmatch(name):
            return f"type {name}"
        case {"type": "literal_error", "loc": (*_, "version"), "input": int(version)} if version > VERSION:
            return f"version {version}"
    return None


def faults_of(error: ValidationError) -> str:
    """Return what is wrong with a value, by the places within it, without quoting it."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['type']}" for fault in faults
    )


def members_of(body: str) -> dict[str, Any]:
    """Return the JSON object in a body that may be no message; an empty one if it is no object."""
    try:
        # It bounds nesting by itself, where `json` goes on to the interpreter's limit, or the stack's end.
        found = from_json(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def mint_id_of(message: AnyMessage) -> str | None:
    """Return the one mint that a message is about, or None: it is about a wallet, a token, or many mints."""
    match message:
        case (
            BuildMint()
            | RenewNonce()
            | ReviewMint()
            | SignMint()
            | SignNoop()
            | IssueVoucher()
            | SelfRedeem()
        ):
            return message.mint_id
        case Broadcast() | VoucherIssued() | SigningRefused():
            return mint_id_of(message.intent)
        case BuildLines() | FundWallet() | FinishBatch() | SignTopUp() | SignBatch():
            return None
        case SignTransfer() | SignBurn() | SignRelayed() | SignDeploy() | SignAdminister():
            return None
