"""Clients that mint, send and burn items of an ERC-1155 collection, and outsiders who meddle with these."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mintline.item_calls import ItemMint, mint_items_calldata
from mintline.records.operations import Mint
from mintline_api.features.items.problems import ITEM_METADATA_DIFFERS
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.operations.use_cases import Accepted
from mintline_api.features.transfers.models import BurnRequest, TransferRequest
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.problems import RequestRefused
from mintline_harness.simulation.accounts import ITEMS, own_address, signed_by
from mintline_harness.simulation.calls import item_call
from mintline_harness.simulation.chain import SimulatedChain
from mintline_harness.simulation.clients import ANYBODY, CANCELS, REFUSING, Clients
from mintline_harness.simulation.items import ITEM_BATCH_GAS, ITEM_CALL_GAS, ITEM_LINE_GAS, SignedItemCall
from mintline_harness.simulation.mining import TURNING
from mintline_harness.simulation.outsiders import RIVAL, STRANGER

KINDS = (1, 2, 3)
"""The items: few, so that batches have several mints of one."""
BURSTS = (1, 3, 8, 20, 60)
"""How many mints a schedule has, at most."""
QUANTITIES = (1, 1, 2, 5, 1000, 2**64 - 1)
OTHER_METADATA = 0.05
"""How often a mint comes with metadata that is not its item's."""
RIVALRY = 0.5
"""How often there is another relayer that uses serials."""
RENEWED = 10
"""Seconds after which a rival looks again for serials to take."""


@dataclass(slots=True)
class ItemClients:
    """Everyone who deals in items; `rng` is theirs alone."""

    clients: Clients
    chain: SimulatedChain
    rng: random.Random
    refusals: Callable[[str], None]
    """Hears of each request that the api refused."""

    def works(self, users: list[str], span: float, moving_until: float) -> list[Any]:
        """Return what they all do in a schedule whose faults last for `span` seconds."""
        rng = self.rng
        size, burst = rng.randint(1, rng.choice(BURSTS)), rng.choice([0.0, 0.5, rng.uniform(0, span)])
        starts = rng.uniform(0, span / 2)
        works = [
            self.mint(rng.choice(users), number, starts + rng.uniform(0, burst)) for number in range(size)
        ]
        works += [
            self.move(rng.choice(users), number, rng.uniform(0, span), moving_until)
            for number in range(rng.randint(0, 6))
        ]
        if rng.random() < RIVALRY:
            works.append(self.take_serials(span))
        if rng.random() < 0.5:
            works.append(self.prey(span))
        return works

    async def mint(self, user: str, number: int, at: float) -> None:
        """Post a mint of some tokens of an item, and now and then stop it again."""
        clients, rng, name = self.clients, self.rng, f"item mint {number}"
        item_id, quantity = rng.choice(KINDS), rng.choice(QUANTITIES)
        to = rng.choice([None, None, None, TURNING, REFUSING])
        wrong, stops, after = (
            rng.random() < OTHER_METADATA,
            rng.random() < CANCELS,
            rng.choice([0.0, 1.0, 5.0]),
        )
        await asyncio.sleep(at)
        request = MintRequest(
            contract=ITEMS,
            to=to,
            custody="sponsored",
            token_id=item_id,
            quantity=quantity,
            metadata=MetadataRequest(
                name=f"item {item_id}{' of another kind' if wrong else ''}",
                image="https://example.com/a.png",
            ),
        )
        try:
            accepted = await clients.ask(lambda api: api.mint(request, sub=user, key=name))
        except RequestRefused as refusal:
            if refusal.kind is not ITEM_METADATA_DIFFERS:
                raise
            self.refusals(f"{name}: {refusal.detail}")
            return
        if accepted is None:
            clients.note("client", f"gives up on {name}")
            return
        mint_id = accepted.operation.mint_id
        clients.accepted.add(mint_id)
        clients.faults.count("item mints asked for")
        clients.note("client", f"{mint_id} is accepted, {quantity} of item {item_id}")
        if not stops:
            return
        await asyncio.sleep(after)
        try:
            await clients.ask(lambda api: api.cancel(mint_id, sub=user))
        except RequestRefused as refusal:
            clients.note("client", f"cannot stop {mint_id}: {refusal.detail}")

    async def move(self, user: str, number: int, at: float, until: float) -> None:
        """Have some of a user's tokens of an item sent on or burned; or more than there are."""
        clients, rng = self.clients, self.rng
        await asyncio.sleep(at)
        while not (held := self._held_by(user)) and clients.clock() < until:  # noqa: ASYNC110 - as a client
            await asyncio.sleep(1)
        if not held:
            return
        item_id, most = rng.choice(held)
        quantity = min(2**64 - 1, rng.choice([1, max(1, most // 2), most, most, most + 1]))
        key = f"item move {number}"
        if rng.random() < 0.5:
            burning = BurnRequest(contract=ITEMS, token_id=item_id, quantity=quantity)
            accepted: Accepted[Any] | None = await clients.ask(
                lambda api: api.burn(burning, sub=user, key=key)
            )
        else:
            wallets = [wallet.address for wallet in clients.tables.wallets.items.values() if wallet.ready]
            to = rng.choice([ANYBODY, *wallets, TURNING, REFUSING])
            sending = TransferRequest(contract=ITEMS, token_id=item_id, quantity=quantity, to=to)
            accepted = await clients.ask(lambda api: api.transfer(sending, sub=user, key=key))
        if accepted is None:
            clients.note("client", f"gives up on {key}")
            return
        clients.accepted.add(accepted.operation.operation_id)
        clients.faults.count(f"{accepted.operation.noun}s of items asked for")
        clients.note("client", f"{accepted.operation.operation_id} is accepted, {quantity} of item {item_id}")

    async def take_serials(self, until: float) -> None:
        """Have another relayer use serials that mints wait for, now and then."""
        clients, rng = self.clients, self.rng
        while clients.clock() < until:
            await asyncio.sleep(rng.expovariate(1 / RENEWED))
            used = self.chain.head.state.items.used
            mints = [mint for _, mint in clients.tables.mints.items() if _waits(mint, used)]
            if not mints or clients.clock() >= until:
                continue
            taken = rng.sample(mints, min(len(mints), rng.choice([1, 1, 3])))
            lines = [
                ItemMint(mint.token_id or 0, rng.choice(KINDS), 1, own_address(RIVAL), rng.randbytes(32))
                for mint in taken
            ]
            gas = ITEM_BATCH_GAS + ITEM_LINE_GAS * len(lines)
            if self._usurp(RIVAL, mint_items_calldata(lines), gas):
                clients.faults.count("serials taken")
                clients.note("rival", f"uses the serials {[line.serial for line in lines]}")

    async def prey(self, until: float) -> None:
        """Have a stranger send holders' signatures that wait in the pool."""
        clients, rng = self.clients, self.rng
        while clients.clock() < until:
            await asyncio.sleep(rng.expovariate(1 / 4))
            pool = [sent.body.data for sent in self.chain.pool.values() if sent.body.to == ITEMS]
            seen = [data for data in pool if isinstance(item_call(data), SignedItemCall)]
            if (
                seen
                and clients.clock() < until
                and self._usurp(STRANGER, rng.choice(seen), ITEM_CALL_GAS * 2)
            ):
                clients.faults.count("front runs")
                clients.note("stranger", "sends a signature about items that it saw")

    def _usurp(self, user: str, data: bytes, gas: int) -> bool:
        nonce = self.chain.head.state.nonces.get(own_address(user), 0)
        fee = self.chain.base_fee * 40
        return self.chain.usurp(signed_by(user, ITEMS, nonce, fee=fee, gas=gas, data=data))

    def _held_by(self, user: str) -> list[tuple[int, int]]:
        """Return the items that a user's wallet in custody has by now, with how many, final or not."""
        tables = self.clients.tables
        wallets = {wallet.address for wallet in tables.wallets.items.values() if wallet.sub == user}
        return [
            (balance.token_id, balance.quantity)
            for _, balance in tables.store.balance_table.items()
            if balance.holder in wallets and balance.quantity
        ]


def _waits(mint: Mint, used: Any) -> bool:
    return mint.contract == ITEMS and mint.token_id is not None and mint.token_id not in used
