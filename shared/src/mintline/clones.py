"""Collections that a factory makes: their arguments, their addresses, and calls of factory and collection.

A collection is a minimal proxy (ERC-1167) of an implementation with its arguments behind the code, created by
CREATE2 (EIP-1014), so that its address follows from the factory, the implementation, the salt and the
arguments. The enclave relies on that; hence no client and no network here. The contracts are
`contracts/src/MintlineFactory.sol` and `MintlineClone.sol`.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mintline.eth import address_word, keccak256, selector, to_checksum_address, word
from mintline.fields import Address, Bytes32

MAX_NAME_BYTES = 64
MAX_SYMBOL_BYTES = 16
MAX_ROYALTY_BPS = 10_000
UINT64_MAX = 2**64 - 1

CREATE_SELECTOR = selector("createCollection(address,bytes32,bytes)")
PAUSE_SELECTOR = selector("pause()")
UNPAUSE_SELECTOR = selector("unpause()")
SET_ROYALTY_SELECTOR = selector("setDefaultRoyalty(address,uint96)")
REFRESH_CONTRACT_URI_SELECTOR = selector("refreshContractURI()")
REFRESH_METADATA_SELECTOR = selector("refreshMetadata(uint256,uint256)")
COMMITMENT_SELECTOR = selector("metadataCommitment()")
FREEZE_SELECTOR = selector("freezeMetadata()")
CAP_ITEM_SELECTOR = selector("capItem(uint256,uint128)")

_NO_ADDRESS = bytes(32)
_HEAD_WORDS = 9
"""The members of CollectionArgs, each a word in its head: a value, or where a string begins."""

# OpenZeppelin's Clones: a constructor that returns the rest, and ERC-1167's proxy around an address.
_CONSTRUCTOR = bytes.fromhex("3d81600a3d39f3")
_PROXY_START = bytes.fromhex("363d3d373d3d3d363d73")
_PROXY_END = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
_PROXY_BYTES = len(_PROXY_START) + 20 + len(_PROXY_END)


def _at_most(length: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value.encode()) > length:
            raise ValueError(f"expected {length} bytes of UTF-8 at most, not {len(value.encode())}")
        return value

    return AfterValidator(check)


class CloneArgs(BaseModel):
    """A collection's immutable arguments (`MintlineClone.CollectionArgs`).

    An unknown member is refused, in messages and records too: it would belong to another address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1), _at_most(MAX_NAME_BYTES)]
    symbol: Annotated[str, Field(min_length=1), _at_most(MAX_SYMBOL_BYTES)]
    owner: Address | None = None
    """Named to marketplaces (ERC-5313); has no rights in the contract. None for nobody."""
    royalty_receiver: Address | None = None
    royalty_bps: Annotated[int, Field(ge=0, le=MAX_ROYALTY_BPS)] = 0
    """ERC-2981, in 1/10,000 of a sale's price; receiver and share can be changed later."""
    supply_cap: Annotated[int, Field(ge=0, le=UINT64_MAX)] = 0
    """How many tokens may ever be minted, burned ones included; 0 for no bound."""
    mint_start: Annotated[int, Field(ge=0, le=UINT64_MAX)] = 0
    """The first second, in Unix time, at which tokens may be minted; 0 for no bound."""
    mint_end: Annotated[int, Field(ge=0, le=UINT64_MAX)] = 0
    """The first second, in Unix time, at which no token may be minted any more; 0 for no bound."""
    soulbound: bool = False
    """Whether tokens cannot be transferred (ERC-5192). Their holders may burn them."""
    metadata_commitment: Bytes32 | None = Field(default=None, exclude_if=lambda value: value is None)
    """To what the tokens' metadata will be once it is revealed (`mintline.reveals`)."""

    @model_validator(mode="after")
    def _as_the_contract_checks(self) -> Self:
        if self.royalty_bps and self.royalty_receiver is None:
            raise ValueError("a royalty needs a receiver")
        if self.mint_end and self.mint_end <= self.mint_start:
            raise ValueError("the mint window ends before it starts")
        if self.metadata_commitment is not None and not any(self.metadata_commitment):
            raise ValueError("a commitment is not zero")
        return self


def encode_args(args: CloneArgs) -> bytes:
    """Return the arguments in the one encoding that the contract accepts: `abi.encode` of the struct.

    A commitment follows it, so that collections without one have the addresses that they always had.
    """
    name, symbol = _string(args.name), _string(args.symbol)
    head = (
        word(_HEAD_WORDS * 32),
        word(_HEAD_WORDS * 32 + len(name)),
        _NO_ADDRESS if args.owner is None else address_word(args.owner),
        _NO_ADDRESS if args.royalty_receiver is None else address_word(args.royalty_receiver),
        word(args.royalty_bps),
        word(args.supply_cap),
        word(args.mint_start),
        word(args.mint_end),
        word(int(args.soulbound)),
    )
    return word(32) + b"".join(head) + name + symbol + (args.metadata_commitment or b"")


def clone_salt(principal: str, operation_id: str) -> bytes:
    """Return the salt of the collection that a principal's operation creates: 32 bytes.

    Keccak-256 of `abi.encode(string, string)`, so the preimage says whose collection it is.
    """
    first = _string(principal)
    return keccak256(word(64) + word(64 + len(first)) + first + _string(operation_id))


def clone_address(factory: str, implementation: str, salt: bytes, args: CloneArgs) -> str:
    """Return the checksummed address of a collection, created or not (EIP-1014); `salt` is 32 bytes."""
    creator, code_hash = bytes.fromhex(factory[2:]), keccak256(_init_code(implementation, encode_args(args)))
    return to_checksum_address(keccak256(b"\xff" + creator + salt + code_hash)[12:])


def _init_code(implementation: str, args: bytes) -> bytes:
    length = (_PROXY_BYTES + len(args)).to_bytes(2, "big")
    proxy = _PROXY_START + bytes.fromhex(implementation[2:]) + _PROXY_END
    return b"\x61" + length + _CONSTRUCTOR + proxy + args


def create_calldata(implementation: str, salt: bytes, args: CloneArgs) -> bytes:
    """Return the calldata of the factory's `createCollection(address,bytes32,bytes)`; `salt` is 32 bytes."""
    encoded = encode_args(args)
    return CREATE_SELECTOR + address_word(implementation) + salt + word(3 * 32) + word(len(encoded)) + encoded


def pause_calldata() -> bytes:
    """Return the calldata of a collection's `pause()`."""
    return PAUSE_SELECTOR


def unpause_calldata() -> bytes:
    """Return the calldata of a collection's `unpause()`."""
    return UNPAUSE_SELECTOR


def set_royalty_calldata(receiver: str, bps: int) -> bytes:
    """Return the calldata of `setDefaultRoyalty(address,uint96)`; `bps` in 1/10,000 of a price (ERC-2981)."""
    return SET_ROYALTY_SELECTOR + address_word(receiver) + word(bps)


def refresh_contract_uri_calldata() -> bytes:
    """Return the calldata of `refreshContractURI()`, which announces changed metadata (ERC-7572)."""
    return REFRESH_CONTRACT_URI_SELECTOR


def refresh_metadata_calldata(first_token: int, last_token: int) -> bytes:
    """Return the calldata of `refreshMetadata(uint256,uint256)`, which announces a range (ERC-4906)."""
    return REFRESH_METADATA_SELECTOR + word(first_token) + word(last_token)


def freeze_calldata() -> bytes:
    """Return the calldata of `freezeMetadata()`."""
    return FREEZE_SELECTOR


def cap_item_calldata(item_id: int, cap: int) -> bytes:
    """Return the calldata of an ERC-1155 collection's `capItem(uint256,uint128)`."""
    return CAP_ITEM_SELECTOR + word(item_id) + word(cap)


def _string(value: str) -> bytes:
    raw = value.encode()
    return word(len(raw)) + raw + bytes(-len(raw) % 32)
