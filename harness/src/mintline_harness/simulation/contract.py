"""The collection on the simulated chain: what it is called with, what it refuses, and what comes of it.

Errors and their order are those of `MintlineCollection.sol` and of OpenZeppelin's ERC-721 under it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple, Protocol

from coincurve import PublicKey

from mintline.chain.collection import RELAYER_ROLE
from mintline.eth import (
    address_of_public_key,
    address_word,
    selector,
    voucher_hash,
    word,
)

REDEEM_GAS = 90_000
BATCH_GAS = 40_000
"""What a batch takes, without its lines."""
LINE_GAS = 51_000
TRANSFER_TOKEN_GAS = 60_000
BURN_GAS = 40_000


class Revert(NamedTuple):
    """A custom error, and its arguments as words."""

    error: str
    arguments: tuple[bytes, ...] = ()

    @property
    def data(self) -> bytes:
        """What the call returns."""
        return selector(self.error) + b"".join(self.arguments)


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of one token: `sender` is None if it is minted, `recipient` if it is burned."""

    token_id: int
    sender: str | None
    recipient: str | None
    digest: bytes | None = None
    """Of its metadata, if it is minted."""


@dataclass(slots=True)
class Tokens:
    """The tokens after a block."""

    minted: dict[int, bytes] = field(default_factory=dict)
    """The metadata digest of every token id ever minted."""
    owners: dict[int, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    """How many signatures of each holder were carried out (`nonces`)."""

    def copy(self) -> Tokens:
        """Return what the next block begins with."""
        return Tokens(dict(self.minted), dict(self.owners), dict(self.counters))

    def apply(self, effects: tuple[Effect, ...]) -> None:
        """Do what a call that succeeded does."""
        for effect in effects:
            if effect.digest is not None:
                self.minted[effect.token_id] = effect.digest
            if effect.recipient is None:
                del self.owners[effect.token_id]
            else:
                self.owners[effect.token_id] = effect.recipient


@dataclass(slots=True)
class Collection:
    """The contract's own settings, which an administrator changes."""

    chain_id: int
    address: str
    issuer: str
    relayers: frozenset[str] = frozenset()
    refusing: set[str] = field(default_factory=set)
    """Contracts that accept no token."""
    issuing: bool = True
    """Whether the issuer has its role."""
    paused: bool = False

    def copy(self) -> Collection:
        """Return the same as it is on a branch of its own; recipients are the same on all."""
        return replace(self)


class Moment(NamedTuple):
    """What a call finds. `issued` takes a voucher's signature to be good, as simulations do."""

    collection: Collection
    tokens: Tokens
    caller: str
    timestamp: int
    issued: bool = False


class Call(Protocol):
    """A call of the collection."""

    @property
    def gas(self) -> int:
        """What it takes."""

    def refusal(self, moment: Moment) -> Revert | None:
        """Return why the contract refuses it, None if it does not."""

    def effects(self, moment: Moment) -> tuple[Effect, ...]:
        """Return what it does if it is not refused."""


@dataclass(frozen=True, slots=True)
class Redemption:
    """The arguments of `redeem`."""

    token_id: int
    to: str
    digest: bytes
    deadline: int
    signature: bytes

    @property
    def gas(self) -> int:
        return REDEEM_GAS

    def refusal(self, moment: Moment) -> Revert | None:
        collection = moment.collection
        if moment.timestamp > self.deadline:
            return Revert("VoucherExpired(uint256)", (word(self.deadline),))
        if not moment.issued:
            signer = issuer_of(self, collection.chain_id, collection.address)
            if not collection.issuing or signer != collection.issuer:
                return Revert("InvalidIssuer(address)", (address_word(signer),))
        if collection.paused:
            return Revert("EnforcedPause()")
        if self.token_id in moment.tokens.minted:
            return Revert("AlreadyMinted(uint256)", (word(self.token_id),))
        return receiver_refusal(self.to, collection)

    def effects(self, moment: Moment) -> tuple[Effect, ...]:  # noqa: ARG002 - it gains the caller nothing
        """Return the mint."""
        return (Effect(self.token_id, None, self.to, self.digest),)


@dataclass(frozen=True, slots=True)
class Batch:
    """The argument of `mintBatch`: token id, recipient and metadata digest of each line."""

    lines: tuple[tuple[int, str, bytes], ...]

    @property
    def gas(self) -> int:
        return BATCH_GAS + LINE_GAS * len(self.lines)

    def refusal(self, moment: Moment) -> Revert | None:
        """Return why the contract refuses it: recipients are not asked."""
        if moment.caller not in moment.collection.relayers:
            arguments = (address_word(moment.caller), RELAYER_ROLE)
            return Revert("AccessControlUnauthorizedAccount(address,bytes32)", arguments)
        seen: set[int] = set()
        for token_id, to, _ in self.lines:
            if token_id in moment.tokens.minted or token_id in seen:
                return Revert("AlreadyMinted(uint256)", (word(token_id),))
            if not int(to, 16):
                return Revert("ERC721InvalidReceiver(address)", (address_word(to),))
            if moment.collection.paused:
                return Revert("EnforcedPause()")
            seen.add(token_id)
        return None

    def effects(self, moment: Moment) -> tuple[Effect, ...]:  # noqa: ARG002 - who relays it does not matter
        """Return the mints."""
        return tuple(Effect(token_id, None, to, digest) for token_id, to, digest in self.lines)


@dataclass(frozen=True, slots=True)
class TransferCall:
    """The arguments of `safeTransferFrom`."""

    sender: str
    to: str
    token_id: int

    @property
    def gas(self) -> int:
        return TRANSFER_TOKEN_GAS

    def refusal(self, moment: Moment) -> Revert | None:
        if not int(self.to, 16):
            return Revert("ERC721InvalidReceiver(address)", (address_word(self.to),))
        if (refusal := _holder(self.token_id, moment)) is not None:
            return refusal
        owner = moment.tokens.owners[self.token_id]
        if owner != self.sender:
            arguments = (address_word(self.sender), word(self.token_id), address_word(owner))
            return Revert("ERC721IncorrectOwner(address,uint256,address)", arguments)
        return receiver_refusal(self.to, moment.collection)

    def effects(self, moment: Moment) -> tuple[Effect, ...]:
        """Return the transfer."""
        return (Effect(self.token_id, moment.caller, self.to),)


@dataclass(frozen=True, slots=True)
class BurnCall:
    """The argument of `burn`."""

    token_id: int

    @property
    def gas(self) -> int:
        return BURN_GAS

    def refusal(self, moment: Moment) -> Revert | None:
        return _holder(self.token_id, moment)

    def effects(self, moment: Moment) -> tuple[Effect, ...]:
        """Return the burn."""
        return (Effect(self.token_id, moment.caller, None),)


def _holder(token_id: int, moment: Moment) -> Revert | None:
    """Return why a caller may not move a token: nobody but its owner may, as nothing is approved."""
    if moment.collection.paused:
        return Revert("EnforcedPause()")
    owner = moment.tokens.owners.get(token_id)
    if owner is None:
        return Revert("ERC721NonexistentToken(uint256)", (word(token_id),))
    if owner != moment.caller:
        arguments = (address_word(moment.caller), word(token_id))
        return Revert("ERC721InsufficientApproval(address,uint256)", arguments)
    return None


def receiver_refusal(to: str, collection: Collection) -> Revert | None:
    """Return why a recipient does not get a token, None if it does."""
    if to in collection.refusing or not int(to, 16):
        return Revert("ERC721InvalidReceiver(address)", (address_word(to),))
    return None


@lru_cache(maxsize=4096)
def issuer_of(voucher: Redemption, chain_id: int, contract: str) -> str:
    """Return the address whose key signed the voucher in a call of `redeem`."""
    digest = voucher_hash(
        chain_id=chain_id,
        contract=contract,
        token_id=voucher.token_id,
        to=voucher.to,
        metadata_digest=voucher.digest,
        deadline=voucher.deadline,
    )
    signature = voucher.signature[:64] + bytes([voucher.signature[64] - 27])
    key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return address_of_public_key(key.format(compressed=False))
