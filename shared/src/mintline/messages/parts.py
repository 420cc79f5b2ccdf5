"""What messages are made of. Records use the same values."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from mintline.clones import MAX_ROYALTY_BPS, CloneArgs
from mintline.fields import Address, BoundedText, Bytes32, HexBytes, Quantity, TokenId, Wei
from mintline.frozen import Frozen, is_none

VERSION = 1
"""The highest `version` of a message that this release knows."""
UINT64_MAX = 2**64 - 1
"""What the enclave's protocol carries as an integer; an account's nonce stays below it (EIP-2681)."""
MintId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
"""Fit to be a key: DynamoDB fails a whole batch of reads for an empty or overlong one."""
MAX_ENVELOPE = 8192
"""Bytes of an authorization envelope, at most."""
EnvelopeBytes: TypeAlias = Annotated[HexBytes, Field(max_length=MAX_ENVELOPE)]
"""What the api sealed for the enclaves: the proof that the user requested this. Empty where there is none."""


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
    first_token: TokenId | None = Field(default=None, exclude_if=is_none)
    """Of `refresh_metadata` alone, as `last_token`: the range that it announces (ERC-4906)."""
    last_token: TokenId | None = Field(default=None, exclude_if=is_none)
    item_id: TokenId | None = Field(default=None, exclude_if=is_none)
    """Of `cap_item` alone, as `cap`: the ERC-1155 item of which no more tokens are ever minted than that."""
    cap: Quantity | None = Field(default=None, exclude_if=is_none)

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


class LineRef(Frozen):
    """Names a line of a request that asks for many mints at once (`mintline.lines`)."""

    request_id: MintId
    chunk: int = Field(ge=0, lt=2**31)
    """Which part of the request it is in; each is on record by itself."""
    line: int = Field(ge=0, lt=500)
    """Its place in the chunk, from 0."""
