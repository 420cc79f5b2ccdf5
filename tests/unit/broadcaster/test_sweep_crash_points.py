"""The sweep dies wherever it can: the next pass, in any copy, ends in the same state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mintline.kinds.mint import sign_mint
from mintline.messages import ReviewMint
from mintline.records import CANCELLED
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_testkit.constants import GWEI


class Crash(BaseException):
    """The process is gone: nothing after this line happens."""


class Fragile:
    """A port whose calls are counted, and before or after one of which the process dies."""

    def __init__(self, port: Any, fate: Callable[[], None]) -> None:
        self._port = port
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*arguments: Any, **keywords: Any) -> Any:
            self._fate()
            result = await method(*arguments, **keywords)
            self._fate()
            return result

        return call


async def lost_pool(world: Any, make: Any) -> None:
    await sent(world, make(0), make(1))
    world.chain.pool.clear()


async def too_cheap(world: Any, make: Any) -> None:
    await sent(world, make(0), make(1))
    world.chain.base_fee = 20 * GWEI


async def gap(world: Any, make: Any) -> None:
    await sent(world, make(1))


async def stopped(world: Any, make: Any) -> None:
    await sent(world, make(0))
    world.stop(make(0))


async def stopped_before_it_was_sent(world: Any, make: Any) -> None:
    world.built(make(0), created_at=world.now, updated_at=world.now)
    mint, carried = world.mint(make(0)), world.transaction(make(0))
    await world.store.reject(mint, CANCELLED, at=world.now, carried=carried)


async def taken(world: Any, make: Any) -> None:
    await sent(world, make(0))
    world.chain.pool.clear()
    world.chain.use_nonce(make(0).signer.address)
    world.finalize()


async def unbuilt(world: Any, make: Any) -> None:
    world.built(make(0), status=MintStatus.ACCEPTED, created_at=world.now, updated_at=world.now)


async def sent(world: Any, *intents: Any) -> None:
    for intent in intents:
        world.built(intent, created_at=world.now, updated_at=world.now)
        await world.broadcast(intent)


class Line:
    """A signer, a builder and an indexer that never fail, and a sweep that dies at a call."""

    def __init__(self, world: Any, sign: Any, make: Any) -> None:
        self.world = world
        self.sign = sign
        self.make = make
        self.calls = 0
        self.dies_at = 0

    def fate(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise Crash

    async def sweep(self) -> None:
        world = self.world
        ports = {
            "store": Fragile(world.store, self.fate),
            "chain": Fragile(world.chain, self.fate),
            "outbox": Fragile(world.queues, self.fate),
        }
        await world.sweeper(**ports).sweep()

    async def turn(self) -> None:
        """Let half a minute pass for everybody."""
        world = self.world
        world.now += 30_000
        try:
            await self.sweep()
        except Crash:
            await self.sweep()
        for intent in await world.sent_to(SIGN):
            await world.handle(self.sign(intent))
        for message in await world.sent_to(BUILD):
            self.build(message)
        world.chain.mine()
        for place, transaction in list(world.store.transactions.items()):
            hashes = [attempt.tx_hash for attempt in transaction.own_attempts]
            mined = any(one in world.chain.receipts for one in hashes)
            if transaction.state is TransactionState.SUBMITTED and transaction.operations and mined:
                ended = {"state": TransactionState.FINAL, "outcome": "succeeded"}
                world.store.transactions[place] = transaction.evolve(**ended)
        world.finalize()

    def build(self, message: Any) -> None:
        world = self.world
        mint = world.store.mints[message.mint_id]
        if message.type == "build_mint" and mint.status is MintStatus.ACCEPTED:
            world.built(self.make(0), created_at=world.now, updated_at=world.now)
        elif message.type == "renew_nonce" and mint.nonce == message.nonce:
            world.renewed(
                self.make(message.nonce + 1).evolve(mint_id=mint.mint_id, voucher=self.make(0).voucher)
            )


SCENES: dict[str, Callable[[Any, Any], Awaitable[None]]] = {
    scene.__name__: scene
    for scene in (lost_pool, too_cheap, gap, stopped, stopped_before_it_was_sent, taken, unbuilt)
}


async def played(line: Line, scene: str) -> dict[str, Any]:
    """Play a scene to its end, and return what came of it."""
    await SCENES[scene](line.world, line.make)
    for _ in range(12):
        await line.turn()
        for mint_id in list(line.world.store.mints):
            mint = line.world.store.standing(mint_id)
            if mint.status is MintStatus.BUILT:
                await line.world.broadcast(sign_mint(mint))
    world = line.world
    return {
        "statuses": {mint_id: world.store.standing(mint_id).status for mint_id in world.store.mints},
        "nonces": dict(world.chain.nonces),
        "pool": dict(world.chain.pool),
        "open": world.open(),
    }


@pytest.mark.parametrize("scene", SCENES)
async def test_sweep__when_it_dies_at_any_call__then_the_end_is_the_same(
    world: Any, make: Any, signed: Any, scene: str
) -> None:
    line = Line(world, signed, make)
    expected = await played(line, scene)
    assert expected["pool"] == {}
    assert expected["open"] == []
    assert not {MintStatus.ACCEPTED, MintStatus.BUILT, MintStatus.SUBMITTED} & set(
        expected["statuses"].values()
    )
    for dies_at in range(1, min(line.calls, 120)):
        again = Line(type(world)(), signed, make)
        again.dies_at = dies_at
        assert await played(again, scene) == expected, dies_at


@pytest.mark.parametrize("scene", ["lost_pool", "stopped", "stopped_before_it_was_sent"])
async def test_review__when_it_dies_at_any_call__then_redelivery_does_it_all(
    world: Any, make: Any, scene: str
) -> None:
    calls = 0
    dies_at = 0

    def fate() -> None:
        nonlocal calls
        calls += 1
        if calls == dies_at:
            raise Crash

    async def reviewed(around: Any) -> tuple[Any, ...]:
        await SCENES[scene](around, make)
        ports = {
            "store": Fragile(around.store, fate),
            "chain": Fragile(around.chain, fate),
            "outbox": Fragile(around.queues, fate),
        }
        try:
            await around.handle(ReviewMint(mint_id=make(0).mint_id), **ports)
        except Crash:
            await around.handle(ReviewMint(mint_id=make(0).mint_id), **ports)
        return await around.sent_to(SIGN), set(around.chain.pool)

    expected = await reviewed(world)
    assert any(expected)
    for dies_at in range(1, calls):
        calls = 0
        assert await reviewed(type(world)()) == expected, dies_at
