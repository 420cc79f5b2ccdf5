"""The sweep dies wherever it can: the next pass, in any copy, ends in the same state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mintline.eth import GWEI
from mintline.kinds.mint import sign_mint
from mintline.messages.work import ReviewMint
from mintline.records.problems import CANCELLED
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent, sign


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


async def lost_pool(harness: Harness) -> None:
    await sent(harness, mint_intent(0), mint_intent(1))
    harness.chain.pool.clear()


async def too_cheap(harness: Harness) -> None:
    await sent(harness, mint_intent(0), mint_intent(1))
    harness.chain.base_fee = 20 * GWEI


async def gap(harness: Harness) -> None:
    await sent(harness, mint_intent(1))


async def stopped(harness: Harness) -> None:
    await sent(harness, mint_intent(0))
    harness.stop(mint_intent(0))


async def stopped_before_it_was_sent(harness: Harness) -> None:
    harness.built(mint_intent(0), created_at=harness.now, updated_at=harness.now)
    mint, carried = harness.mint(mint_intent(0)), harness.transaction(mint_intent(0))
    await harness.store.reject(mint, CANCELLED, at=harness.now, carried=carried)


async def taken(harness: Harness) -> None:
    await sent(harness, mint_intent(0))
    harness.chain.pool.clear()
    harness.chain.use_nonce(mint_intent(0).signer.address)
    harness.finalize()


async def unbuilt(harness: Harness) -> None:
    harness.built(mint_intent(0), status=MintStatus.ACCEPTED, created_at=harness.now, updated_at=harness.now)


async def sent(harness: Harness, *intents: Any) -> None:
    for intent in intents:
        harness.built(intent, created_at=harness.now, updated_at=harness.now)
        await harness.broadcast(intent)


class Pipeline:
    """A signer, a builder and an indexer that never fail, and a sweep that dies at a call."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.calls = 0
        self.dies_at = 0

    def fate(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise Crash

    async def sweep(self) -> None:
        harness = self.harness
        ports = {
            "store": Fragile(harness.store, self.fate),
            "chain": Fragile(harness.chain, self.fate),
            "outbox": Fragile(harness.queues, self.fate),
        }
        await harness.sweeper(**ports).sweep()

    async def turn(self) -> None:
        """Let half a minute pass for everybody."""
        harness = self.harness
        harness.now += 30_000
        try:
            await self.sweep()
        except Crash:
            await self.sweep()
        for intent in await harness.sent_to(SIGN):
            await harness.handle(sign(intent))
        for message in await harness.sent_to(BUILD):
            self.build(message)
        harness.chain.mine()
        for place, transaction in list(harness.store.transactions.items()):
            hashes = [attempt.tx_hash for attempt in transaction.own_attempts]
            mined = any(tx_hash in harness.chain.receipts for tx_hash in hashes)
            if transaction.state is TransactionState.SUBMITTED and transaction.operations and mined:
                ended = {"state": TransactionState.FINAL, "outcome": "succeeded"}
                harness.store.transactions[place] = transaction.evolve(**ended)
        harness.finalize()

    def build(self, message: Any) -> None:
        harness = self.harness
        mint = harness.store.mints[message.mint_id]
        if message.type == "build_mint" and mint.status is MintStatus.ACCEPTED:
            harness.built(mint_intent(0), created_at=harness.now, updated_at=harness.now)
        elif message.type == "renew_nonce" and mint.nonce == message.nonce:
            harness.renewed(
                mint_intent(message.nonce + 1).evolve(mint_id=mint.mint_id, voucher=mint_intent(0).voucher)
            )


SCENES: dict[str, Callable[[Harness], Awaitable[None]]] = {
    scene.__name__: scene
    for scene in (lost_pool, too_cheap, gap, stopped, stopped_before_it_was_sent, taken, unbuilt)
}


async def played(line: Pipeline, scene: str) -> dict[str, Any]:
    """Play a scene to its end, and return what came of it."""
    await SCENES[scene](line.harness)
    for _ in range(12):
        await line.turn()
        for mint_id in list(line.harness.store.mints):
            mint = line.harness.stands(mint_id)
            if mint.status is MintStatus.BUILT:
                await line.harness.broadcast(sign_mint(mint))
    harness = line.harness
    return {
        "statuses": {mint_id: harness.stands(mint_id).status for mint_id in harness.store.mints},
        "nonces": dict(harness.chain.counts),
        "pool": dict(harness.chain.pool),
        "open": harness.open(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
async def test_sweep__when_it_dies_at_any_call__then_the_end_is_the_same(
    harness: Harness, scene: str
) -> None:
    line = Pipeline(harness)
    expected = await played(line, scene)
    assert expected["pool"] == {}
    assert expected["open"] == []
    assert not {MintStatus.ACCEPTED, MintStatus.BUILT, MintStatus.SUBMITTED} & set(
        expected["statuses"].values()
    )
    for dies_at in range(1, min(line.calls, 120)):
        again = Pipeline(type(harness)())
        again.dies_at = dies_at
        assert await played(again, scene) == expected, dies_at


@pytest.mark.parametrize("scene", ["lost_pool", "stopped", "stopped_before_it_was_sent"])
async def test_review__when_it_dies_at_any_call__then_redelivery_does_it_all(
    harness: Harness, scene: str
) -> None:
    calls = 0
    dies_at = 0

    def fate() -> None:
        nonlocal calls
        calls += 1
        if calls == dies_at:
            raise Crash

    async def reviewed(around: Any) -> tuple[Any, ...]:
        await SCENES[scene](around)
        ports = {
            "store": Fragile(around.store, fate),
            "chain": Fragile(around.chain, fate),
            "outbox": Fragile(around.queues, fate),
        }
        try:
            await around.handle(ReviewMint(mint_id=mint_intent(0).mint_id), **ports)
        except Crash:
            await around.handle(ReviewMint(mint_id=mint_intent(0).mint_id), **ports)
        return await around.sent_to(SIGN), set(around.chain.pool)

    expected = await reviewed(harness)
    assert any(expected)
    for dies_at in range(1, calls):
        calls = 0
        assert await reviewed(type(harness)()) == expected, dies_at
