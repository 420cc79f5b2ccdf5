"""What the enclave is asked to sign: intents become transactions; `IssueVoucher` becomes a signature."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from mintline.fields import Address, Bytes32, KnownAddress, Quantity, TokenId, Wei
from mintline.frozen import Frozen, is_none
from mintline.messages.parts import (
    UINT64_MAX,
    Clone,
    CollectionChange,
    EnvelopeBytes,
    Fees,
    KeyRef,
    LineRef,
    Message,
    MintId,
    Voucher,
)


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
    authorization: EnvelopeBytes = Field(default=b"", repr=False)
    built_at: int | None = Field(default=None, ge=0)
    """Unix milliseconds of the nonce's reservation: for the metrics alone, so the enclave does not get it."""


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


class BatchMint(Frozen):
    """One mint of a relayer's batch."""

    mint_id: MintId
    token_id: TokenId
    to: KnownAddress
    metadata_digest: Bytes32
    subject: str = Field(default="", max_length=128)
    """`sub` of the user who requested the mint."""
    request: LineRef | None = None
    """Set on a line of a request for many: the authorization is the request's, not the mint's own."""
    item_id: TokenId | None = Field(default=None, exclude_if=is_none)
    """In an ERC-1155 collection the token's id; `token_id` is the mint's serial there."""
    quantity: Quantity | None = Field(default=None, exclude_if=is_none)
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
    authorization: EnvelopeBytes = Field(default=b"", repr=False)
    clone: Clone | None = None
    """What the contract was made of, where the signing policy has its factory and not itself."""


class SignBurn(Intent):
    """Burn a token of a user's wallet in custody."""

    type: Literal["sign_burn"] = "sign_burn"
    request_id: MintId
    """What the user asked for, once."""
    contract: Address
    token_id: TokenId
    authorization: EnvelopeBytes = Field(default=b"", repr=False)
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
    quantity: Quantity | None = Field(default=None, exclude_if=is_none)
    """How many tokens of an ERC-1155 item, `token_id`; None for a token of ERC-721."""
    authorization: EnvelopeBytes = Field(default=b"", repr=False)


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
    authorization: EnvelopeBytes = Field(default=b"", repr=False)


class SignAdminister(Intent):
    """Change a collection that a factory made, by a relayer."""

    type: Literal["sign_administer"] = "sign_administer"
    request_id: MintId
    """What its principal asked for, once."""
    contract: Address
    change: CollectionChange
    clone: Clone
    """Names whose collection it is: nobody else may change it."""
    authorization: EnvelopeBytes = Field(default=b"", repr=False)


Intents: TypeAlias = (
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
)

AnyIntent: TypeAlias = Annotated[Intents, Field(discriminator="type")]
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
    authorization: EnvelopeBytes = Field(default=b"", repr=False)


AnyRequest: TypeAlias = Annotated[Intents | IssueVoucher, Field(discriminator="type")]
"""What the enclave can be asked to sign."""
