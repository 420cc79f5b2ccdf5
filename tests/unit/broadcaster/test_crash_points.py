"""The broadcaster dies wherever it can, and its messages return: nothing is lost, doubled or unrecorded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from mintline.errors import Conflict, Deferred, Rejected, Retryable, Unavailable
from mintline.eth import GWEI, keccak256
from mintline.messages.codec import decode
from mintline.messages.intents import SignMint, SignNoop, SignTopUp
from mintline.messages.signed import Broadcast
from mintline.messages.work import FundWallet
from mintline.queue_port import Received
from mintline.records.transactions import TransactionKey
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline.states import MintStatus
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent, sign

SENDERS, NONCES = 3, 6


class Crash(BaseException):
    """The process is gone: nothing after this line happens."""


class Fragile:
    """A port that fails before doing what it was asked, or after (its answer is lost), as `fate` says."""

    def __init__(self, port: Any, fate: Callable[[str], None]) -> None:
        self._port = port
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*arguments: Any, **keywords: Any) -> Any:
            self._fate(f"before {name}")
            result = await method(*arguments, **keywords)
            self._fate(f"after {name}")
            return result

        return call


@pytest.mark.parametrize(
    "point",
    ["before record", "after record", "before enter", "after enter", "before send_raw", "after send_raw"],
)
async def test_broadcast__when_it_dies_at_a_point__then_redelivery_ends_in_the_same_state(
    harness: Harness, point: str
) -> None:
    def fate(where: str) -> None:
        if where == point:
            raise Crash

    intent = mint_intent()
    harness.built(intent)
    message = sign(intent)
    with pytest.raises(Crash):
        await harness.handle(message, store=Fragile(harness.store, fate), chain=Fragile(harness.chain, fate))
    if harness.chain.sends:
        assert harness.mint(intent).attempts[0].tx_hash == message.tx_hash
        assert message.tx_hash in harness.store.signed
    await harness.handle(message)
    await harness.handle(message)
    assert [attempt.tx_hash for attempt in harness.mint(intent).attempts] == [message.tx_hash]
    harness.chain.mine()
    assert set(harness.chain.receipts) == {message.tx_hash}


class Pipeline:
    """The broadcaster between a signer and a chain, all in memory, with faults drawn from a seed."""

    def __init__(self, harness: Harness, seed: int) -> None:
        self.harness = harness
        self.rng = random.Random(seed)
        self.faults = 0.0
        self.dead_letters: list[Rejected] = []
        self.intents = [
            mint_intent(nonce, sender=sender, fees=10 * GWEI, gas=self.rng.choice([120_000] * 5 + [100]))
            for sender in range(SENDERS)
            for nonce in range(NONCES)
        ]
        harness.chain.pool_size = self.rng.choice([8, 1000])
        harness.chain.balances[self.intents[0].signer.address] = 0
        send_raw = harness.chain.send_raw

        async def recorded_first(raw: bytes) -> Any:
            self.check_on_record(raw)
            return await send_raw(raw)

        harness.chain.send_raw = recorded_first  # type: ignore[method-assign]

    def check_on_record(self, raw: bytes) -> None:
        """The invariant of the write-ahead."""
        tx_hash = keccak256(raw)
        recorded = self.harness.store.signed[tx_hash]
        assert recorded.raw == raw
        place = TransactionKey(f"{recorded.chain_id}#{recorded.sender}", recorded.nonce)
        transaction = self.harness.store.transactions[place]
        assert tx_hash in [attempt.tx_hash for attempt in transaction.attempts]

    def fate(self, _: str) -> None:
        drawn = self.rng.random()
        if drawn < self.faults:
            raise Crash
        if drawn < 2 * self.faults:
            raise Unavailable("no answer")

    async def start(self) -> None:
        messages = [sign(intent) for intent in self.intents]
        messages += self.rng.sample(messages, 5)
        self.rng.shuffle(messages)
        for number, message in enumerate(messages):
            assert isinstance(message.intent, SignMint)
            self.harness.built(message.intent)
            await self._send(BROADCAST, message, dedup=str(number))

    async def _send(self, queue: Any, message: Any, dedup: str) -> None:
        await self.harness.queues.send(queue, message, group=str(self.rng.random()), dedup=dedup)

    async def turn(self) -> None:
        """Let a second pass for everybody."""
        self.harness.now += 1000
        batch = await self.harness.queues.receive(BROADCAST, wait=0)
        await asyncio.gather(*(self._handle(received) for received in batch))
        for received in await self.harness.queues.receive(SIGN, wait=0):
            intent = decode(received.body)
            assert isinstance(intent, SignMint | SignNoop | SignTopUp)
            await self._send(BROADCAST, sign(intent), dedup=received.message_id)
            await self.harness.queues.delete(received)
        for received in await self.harness.queues.receive(BUILD, wait=0):
            fund = decode(received.body)
            assert isinstance(fund, FundWallet)
            balance = await self.harness.chain.balance(fund.wallet)
            self.harness.chain.balances[fund.wallet] = balance + fund.required
            await self.harness.queues.delete(received)
        self.harness.chain.minimum_tip = self.rng.choice([0, 0, 2 * GWEI])
        if self.rng.random() < 0.5:
            self.harness.chain.mine()
            self.harness.finalize()

    async def _handle(self, received: Received) -> None:
        queues = self.harness.queues
        ports = {
            "store": Fragile(self.harness.store, self.fate),
            "chain": Fragile(self.harness.chain, self.fate),
            "outbox": Fragile(queues, self.fate),
        }
        try:
            message = decode(received.body)
            assert isinstance(message, Broadcast)
            await self.harness.handle(message, **ports)
        except Crash:
            return
        except Deferred as error:
            await queues.change_visibility(received, int(error.retry_after or 1))
            return
        except Retryable:
            await queues.change_visibility(received, 1)
            return
        except Rejected as error:
            self.dead_letters.append(error)
        except Conflict:
            pass
        if self.rng.random() >= self.faults:  # else it dies before the message is deleted
            await queues.delete(received)

    @property
    def idle(self) -> bool:
        return not any(self.harness.queues.waiting(queue) for queue in (BROADCAST, SIGN, BUILD))


@pytest.mark.parametrize("seed", range(60))
async def test_line__when_processes_die_anywhere__then_every_nonce_is_used_once_and_every_send_was_on_record(
    harness: Harness, seed: int
) -> None:
    line = Pipeline(harness, seed)
    await line.start()
    for turn in range(2000):
        line.faults = 0.1 if turn < 500 else 0.0
        await line.turn()
        if line.idle:
            break
    assert line.idle
    assert line.dead_letters == []
    for _ in range(2 * NONCES):
        harness.chain.mine()
    assert not harness.chain.pool
    for intent in line.intents:
        assert harness.chain.counts[intent.signer.address] == NONCES
        mint = harness.mint(intent)
        hashes = [attempt.tx_hash for attempt in mint.attempts]
        assert len(hashes) == len(set(hashes)) > 0
        mined = [tx_hash for tx_hash in hashes if tx_hash in harness.chain.receipts]
        expected = MintStatus.REJECTED if intent.gas == 100 else MintStatus.SUBMITTED
        assert mint.status is expected
        assert len(mined) == (0 if expected is MintStatus.REJECTED else 1)
    assert len(harness.chain.receipts) == SENDERS * NONCES
