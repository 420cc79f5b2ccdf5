"""The ERC-1155 collection on the simulated chain: what it is called with, refuses, and what comes of it.

Errors and their order are those of `MintlineMultiToken.sol` and of Solady's ERC-1155 under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol

from coincurve import PublicKey

from mintline.chain.collection import RELAYER_ROLE
from mintline.eth import address_of_public_key, address_word, word
from mintline.holder_calls import HolderCall
from mintline.item_calls import ItemMint
from mintline_harness.simulation.contract import Collection, Revert

ITEM_BATCH_GAS = 40_000
"""What a batch takes, without its lines."""
ITEM_LINE_GAS = 60_000
ITEM_CALL_GAS = 75_000
"""What a transfer or burn by signature takes."""
TO_NOBODY = Revert("TransferToZeroAddress()")
TOO_FEW = Revert("InsufficientBalance()")
RECIPIENT_REFUSES = Revert("TransferToNonERC1155ReceiverImplementer()")


@dataclass(frozen=True, slots=True)
class ItemEffect:
    """What becomes of some tokens of an item: `sender` is None if they are minted, `recipient` if burned."""

    item_id: int
    quantity: int
    sender: str | None
    recipient: str | None
    serial: int | None = None
    """Of the mint, if they are minted."""
    digest: bytes | None = None
    """Of the item's metadata, if they are minted."""


@dataclass(slots=True)
class Items:
    """The items after a block."""

    used: dict[int, ItemEffect] = field(default_factory=dict)
    """What was minted under each serial."""
    balances: dict[tuple[str, int], int] = field(default_factory=dict)
    """By holder and item."""
    counters: dict[str, int] = field(default_factory=dict)
    """How many signatures of each holder were carried out (`nonces`)."""

    def copy(self) -> Items:
        """Return what the next block begins with."""
        return Items(dict(self.used), dict(self.balances), dict(self.counters))

    def apply(self, effects: tuple[ItemEffect, ...]) -> None:
        """Do what a call that succeeded does."""
        for effect in effects:
            if effect.serial is not None:
                self.used[effect.serial] = effect
            if effect.sender is not None:
                self.balances[effect.sender, effect.item_id] -= effect.quantity
            if effect.recipient is not None:
                key = effect.recipient, effect.item_id
                self.balances[key] = self.balances.get(key, 0) + effect.quantity


class ItemMoment(NamedTuple):
    """What a call finds. `issued` takes a holder's signature to be good, as simulations do."""

    collection: Collection
    items: Items
    caller: str
    timestamp: int
    issued: bool = False


class ItemCall(Protocol):
    """A call of the collection."""

    @property
    def gas(self) -> int:
        """What it takes."""

    def recipients(self) -> Iterator[str]:
        """Yield who gets tokens by it."""

    def refusal(self, moment: ItemMoment) -> Revert | None:
        """Return why the contract refuses it, None if it does not."""

    def effects(self) -> tuple[ItemEffect, ...]:
        """Return what it does if it is not refused."""


@dataclass(frozen=True, slots=True)
class ItemBatch:
    """The argument of `mintBatch`."""

    lines: tuple[ItemMint, ...]

    @property
    def gas(self) -> int:
        return ITEM_BATCH_GAS + ITEM_LINE_GAS * len(self.lines)

    def recipients(self) -> Iterator[str]:
        """Yield the recipients of all lines."""
        yield from (line.to for line in self.lines)

    def refusal(self, moment: ItemMoment) -> Revert | None:
        """Return why the contract refuses it: recipients with code are asked."""
        collection, seen = moment.collection, set[int]()
        if moment.caller not in collection.relayers:
            arguments = (address_word(moment.caller), RELAYER_ROLE)
            return Revert("AccessControlUnauthorizedAccount(address,bytes32)", arguments)
        if collection.paused:
            return Revert("EnforcedPause()")
        for line in self.lines:
            if line.serial in moment.items.used or line.serial in seen:
                return Revert("AlreadyMinted(uint256)", (word(line.serial),))
            if not line.quantity:
                return Revert("NothingToMint(uint256)", (word(line.serial),))
            if (refusal := recipient_refusal(line.to, collection)) is not None:
                return refusal
            seen.add(line.serial)
        return None

    def effects(self) -> tuple[ItemEffect, ...]:
        """Return the mints."""
        return tuple(
            ItemEffect(line.item_id, line.quantity, None, line.to, line.serial, line.metadata_digest)
            for line in self.lines
        )


@dataclass(frozen=True, slots=True)
class SignedItemCall:
    """`transferBySignature`, or `burnBySignature`, with a holder's signature."""

    call: HolderCall
    signature: bytes

    @property
    def gas(self) -> int:
        return ITEM_CALL_GAS

    def recipients(self) -> Iterator[str]:
        """Yield the recipient of a transfer."""
        if self.call.to is not None:
            yield self.call.to

    def refusal(self, moment: ItemMoment) -> Revert | None:  # noqa: PLR0911 - one return for each error
        """Return why the contract refuses it, in the order of its checks."""
        call, collection, paused = self.call, moment.collection, Revert("EnforcedPause()")
        if call.to is None and collection.paused:
            return paused
        if moment.timestamp > call.deadline:
            return Revert("SignatureExpired(uint256)", (word(call.deadline),))
        current = moment.items.counters.get(call.holder, 0)
        if current != call.counter:
            used = (address_word(call.holder), word(current))
            return Revert("InvalidAccountNonce(address,uint256)", used)
        if not moment.issued and item_signer(self, collection.chain_id, collection.address) != call.holder:
            return Revert("InvalidSignature(address)", (address_word(call.holder),))
        if collection.paused:
            return paused
        if call.to is not None and not int(call.to, 16):
            return TO_NOBODY
        if moment.items.balances.get((call.holder, call.token_id), 0) < (call.quantity or 0):
            return TOO_FEW
        return None if call.to is None else recipient_refusal(call.to, collection)

    def effects(self) -> tuple[ItemEffect, ...]:
        """Return the transfer, or the burn."""
        call = self.call
        return (ItemEffect(call.token_id, call.quantity or 0, call.holder, call.to),)


def recipient_refusal(to: str, collection: Collection) -> Revert | None:
    """Return why a recipient does not get tokens, None if it does."""
    if not int(to, 16):
        return TO_NOBODY
    return RECIPIENT_REFUSES if to in collection.refusing else None


@lru_cache(maxsize=4096)
def item_signer(signed: SignedItemCall, chain_id: int, contract: str) -> str:
    """Return the address whose key made the signature in a call."""
    digest = signed.call.typed_data(chain_id=chain_id, contract=contract)
    signature = signed.signature[:64] + bytes([signed.signature[64] - 27])
    key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return address_of_public_key(key.format(compressed=False))
