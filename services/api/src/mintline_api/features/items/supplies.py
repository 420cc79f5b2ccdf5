"""How many tokens of an item were minted, and may be: what its contract says, since only that counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mintline.chain.calls import Call
from mintline.errors import Rejected, Retryable
from mintline.eth import selector, word
from mintline.records.collections import RegisteredContract
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.chain import ChainReader

log = structlog.get_logger()

_CHAIN_SECONDS = 2.0
"""How long a request waits for a node."""
_RECENT_SECONDS = 2.0
"""For how long an answer serves, unless another block is indexed."""
_RECENT = 10_000
_MINTED = selector("minted(uint256)")
_ITEM_CAP = selector("itemCap(uint256)")


@dataclass(frozen=True, slots=True)
class ItemSupply:
    """Tokens of an item that were ever minted, burned ones too, and how many may be; None without a cap."""

    minted: int
    cap: int | None

    @property
    def left(self) -> int | None:
        """How many more its cap allows; None without one."""
        return None if self.cap is None else max(0, self.cap - self.minted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSupplies:
    """Asks collections about their items; without a `chain` nothing is known."""

    chain: ChainReader | None

    async def of(self, collection: RegisteredContract, item_id: int) -> ItemSupply | None:
        """Return where an item of a collection of ours stands, at the latest block.

        None for a token of ERC-721 or of a contract that others deployed, and if no node answers in time.
        """
        if self.chain is None or collection.clone is None or collection.standard != "erc1155":
            return None
        try:
            async with asyncio.timeout(_CHAIN_SECONDS):
                minted, cap = await asyncio.gather(
                    self._number(self.chain, collection.contract, _MINTED, item_id),
                    self._number(self.chain, collection.contract, _ITEM_CAP, item_id),
                )
        except (Retryable, Rejected, TimeoutError) as error:
            log.warning("item_supply_unread", contract=collection.contract, error=type(error).__name__)
            return None
        if minted is None or cap is None:
            return None
        return ItemSupply(minted, cap or None)

    @staticmethod
    async def _number(chain: ChainReader, contract: str, function: bytes, item_id: int) -> int | None:
        result = await chain.call(Call(sender=contract, to=contract, data=function + word(item_id)))
        return int.from_bytes(result, "big") if len(result) == 32 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSupplies:
    """Where items stand, asked of a node once for all who read within moments; `clock` is in seconds."""

    supplies: ItemSupplies
    clock: Callable[[], float]
    _known: BoundedCache[tuple[str, int, int | None], tuple[ItemSupply | None]] = field(init=False)
    _flights: SingleFlight[tuple[str, int, int | None], ItemSupply | None] = field(
        init=False, default_factory=SingleFlight
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", BoundedCache(max_weight=_RECENT, clock=self.clock))

    async def of(
        self, collection: RegisteredContract, item_id: int, *, indexed: int | None
    ) -> ItemSupply | None:
        """Return what `ItemSupplies.of` does, at the block `indexed` or a later one."""
        if collection.standard != "erc1155":
            return None
        key = (collection.contract, item_id, indexed)
        entry = self._known.get(key)
        if entry is None:
            entry = (await self._flights.run(key, lambda: self.supplies.of(collection, item_id)),)
            self._known.put(key, entry, ttl=_RECENT_SECONDS)
        return entry[0]
