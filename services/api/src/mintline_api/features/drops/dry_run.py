"""What a drop would do, before anything is made or spent: wallets, gas, wei, and the least time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mintline.drop_records import Drop
from mintline.errors import MintlineError, Unavailable
from mintline_api.chain import ChainReader
from mintline_api.features.collections.minting import Left, MintGate
from mintline_api.features.drops.gas import GasMeter
from mintline_api.features.drops.items import DropItems
from mintline_api.features.drops.lines import StoredLine, from_ndjson
from mintline_api.features.drops.models import (
    CostEstimate,
    DryRunView,
    TimeEstimate,
    WalletsEstimate,
)
from mintline_api.features.drops.placing import Placing
from mintline_api.features.drops.ports import DropStore, LineObjects
from mintline_api.features.drops.standards import check_standard
from mintline_api.features.items.supplies import ItemSupplies
from mintline_api.features.items.use_cases import Items
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory

LOOKED_UP = 100
"""Recipients that are looked up in the user pool, at most: Cognito allows few requests a second."""
ENOUGH = 4 * LOOKED_UP
"""Recipients from which those are picked, so that they are not all from one place."""
_PARTS = 40
"""Parts that are read for them, at most, spread over the drop."""
_AT_ONCE = 8
MOST_ITEMS = 1_000
"""Distinct ERC-1155 items of which a node and the metadata store are asked, at most."""
_BLOCKS = 20
"""Blocks from which the time of one is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitting:
    """How many lines of a drop would be minted, and how many tokens those are."""

    lines: int
    tokens: int
    over_cap: int | None
    """Lines for which a cap has no room; None if no node says, or they are of too many items."""
    misfits: int | None = 0
    """Lines that do not fit their item's metadata; None if they are of too many items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRuns:
    """What it takes to try a drop out. `users_per_second`: the pace at which wallets are made."""

    store: DropStore
    objects: LineObjects
    users: UserDirectory
    wallets: WalletDirectory
    gate: MintGate
    items: Items
    supplies: ItemSupplies
    chain: ChainReader | None
    gas: GasMeter
    users_per_second: float

    async def of(self, drop: Drop) -> DryRunView:
        """Return what a drop would do. Makes nothing.

        Raises RequestRefused for a drop that an older release wrote.
        """
        check_standard(drop, await self.gate.registry.known(drop.contract))
        fitting = await self._fitting(drop)
        lines = fitting.lines
        wallets, line = await asyncio.gather(self._wallets(drop), self.gas.of(drop))
        gas = lines * line.gas
        costs, minting = await asyncio.gather(self._costs(gas), self._minting(gas))
        return DryRunView(
            lines=lines,
            tokens=fitting.tokens,
            refused=drop.upload.refused,
            over_cap=fitting.over_cap,
            items_refused=fitting.misfits,
            wallets=wallets,
            gas=gas,
            gas_per_line=line.gas,
            gas_from=line.source,
            costs=costs,
            seconds_at_least=TimeEstimate(
                preparation=math.ceil(wallets.to_make / self.users_per_second), minting=minting
            ),
        )

    async def _fitting(self, drop: Drop) -> _Fitting:
        """Return how many accepted lines fit the caps, and their items' metadata."""
        accepted = drop.upload.accepted
        try:
            left = await self.gate.left_beside_drops(drop.contract, drop_id=drop.drop_id)
            if drop.items:
                return await self._items_fitting(drop, left, self.supplies)
        except Unavailable:
            if drop.items:
                fitting = await self._items_fitting(drop, None, ItemSupplies(chain=None))
                return replace(fitting, over_cap=None)
            return _Fitting(lines=accepted, tokens=accepted, over_cap=None)
        over_cap = 0 if left is None else max(0, accepted - left.tokens)
        return _Fitting(lines=accepted - over_cap, tokens=accepted - over_cap, over_cap=over_cap)

    async def _items_fitting(self, drop: Drop, left: Left | None, supplies: ItemSupplies) -> _Fitting:
        """Return what of a drop of items fits, line by line, as the lines are prepared.

        Each item is asked about once. Of more than MOST_ITEMS nothing is said.
        """
        collection = await self.gate.registry.known(drop.contract)
        items = DropItems(collection=collection, items=self.items, supplies=supplies, once=True)
        placing = Placing(left, items)
        lines = tokens = over_cap = misfits = 0
        async for part in self.store.parts(drop.drop_id):
            if part.lines_key is None:
                continue
            stored = list(from_ndjson(await self.objects.get(part.lines_key), StoredLine))
            await items.learn(stored)
            if items.learned > MOST_ITEMS:
                upload = drop.upload
                return _Fitting(lines=upload.accepted, tokens=upload.item_tokens, over_cap=None, misfits=None)
            fitting = [line for line in stored if items.misfit(line) is None]
            placed = placing.place(fitting)
            items.suppose(placed)
            misfits += len(stored) - len(fitting)
            over_cap += len(placing.refused)
            lines += len(placed)
            tokens += sum(line.tokens for line in placed)
        return _Fitting(lines=lines, tokens=tokens, over_cap=over_cap, misfits=misfits)

    async def _wallets(self, drop: Drop) -> WalletsEstimate:
        at_most = drop.upload.emails + drop.upload.users
        sample = await self._sample(drop) if at_most else []
        missing = 0
        for first in range(0, len(sample), _AT_ONCE):
            batch = sample[first : first + _AT_ONCE]
            missing += sum(await asyncio.gather(*map(self._lacks_wallet, batch)))
        exact = len(sample) >= at_most
        to_make = missing if exact or not sample else round(at_most * missing / len(sample))
        return WalletsEstimate(to_make=to_make, at_most=at_most, looked_up=len(sample), exact=exact)

    async def _sample(self, drop: Drop) -> list[StoredLine]:
        """Return lines of distinct recipients whose wallets are ours, from parts spread over the drop."""
        parts = drop.upload.parts
        numbers = sorted({round(step * (parts - 1) / (_PARTS - 1)) for step in range(_PARTS)})
        # From both ends and the middle first: the list may be in some order.
        numbers = [*numbers[::4], *(number for place, number in enumerate(numbers) if place % 4)]
        samples: dict[str, StoredLine] = {}
        for number in numbers:
            part = await self.store.part(drop.drop_id, number)
            if part is None or part.lines_key is None:
                continue
            for line in from_ndjson(await self.objects.get(part.lines_key), StoredLine):
                if line.address is None:
                    samples.setdefault(line.recipient, line)
            if len(samples) >= ENOUGH:
                break
        lines = list(samples.values())
        step = max(1, math.ceil(len(lines) / LOOKED_UP))
        return lines[::step]

    async def _lacks_wallet(self, line: StoredLine) -> bool:
        if line.email is not None:
            user = await self.users.find(self.users.email(line.email, pointer="#/recipient/email"))
        else:
            user = await self.users.known(line.user or "")
            if user is None:
                # It will be refused, and no wallet is made.
                return False
        return user is None or await self.wallets.existing(user.sub) is None

    async def _costs(self, gas: int) -> list[CostEstimate]:
        if self.chain is None:
            return []
        try:
            market = await self.chain.fees()
        except MintlineError:
            return []
        base, tip = market.base_fee, market.tip
        prices: Sequence[tuple[str, int]] = (
            ("low", base + tip),
            ("expected", base * 3 // 2 + tip),
            ("high", base * 2 + tip),
        )
        return [
            CostEstimate.model_validate({"level": level, "wei_per_gas": price, "wei": price * gas})
            for level, price in prices
        ]

    async def _minting(self, gas: int) -> int | None:
        """Return how many seconds of half-full blocks the gas fills; None if no node says."""
        if self.chain is None:
            return None
        try:
            limit, newest, older = await asyncio.gather(
                self.chain.block_gas_limit(), self.chain.timestamp(0), self.chain.timestamp(_BLOCKS)
            )
        except MintlineError:
            return None
        if not older:
            return None
        seconds = max(1, newest - older) / _BLOCKS
        return math.ceil(gas / (limit / 2) * seconds) if limit else None
