"""The queues in memory keep the promises that SQS FIFO queues make."""

import pytest

from mintline.errors import Conflict
from mintline.messages.codec import decode
from mintline.messages.work import BuildMint
from mintline.resource_types import Queue
from mintline_testkit.queues import MemoryQueues

QUEUE = Queue("test", senders=("a",), receiver="b", visibility_timeout=30, max_receives=3)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queues(clock: Clock) -> MemoryQueues:
    return MemoryQueues(clock=clock, sleep=clock.sleep)


async def send(queues: MemoryQueues, mint_id: str, group: str, dedup: str = "") -> None:
    await queues.send(QUEUE, BuildMint(mint_id=mint_id), group=group, dedup=dedup or mint_id)


async def ids(queues: MemoryQueues, *, limit: int = 10) -> list[str]:
    messages = [decode(received.body) for received in await queues.receive(QUEUE, limit=limit, wait=0)]
    return [message.mint_id for message in messages if isinstance(message, BuildMint)]


async def test_receive__when_a_group_is_in_flight__hands_out_the_others(
    queues: MemoryQueues,
) -> None:
    for mint_id, group in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("b2", "b")):
        await send(queues, mint_id, group)
    assert await ids(queues, limit=1) == ["a1"]
    assert await ids(queues) == ["b1", "b2"]
    assert await ids(queues) == []


async def test_receive__when_the_visibility_timeout_ends__counts_again_and_voids_the_receipt(
    queues: MemoryQueues, clock: Clock
) -> None:
    await send(queues, "m", "g")
    (first,) = await queues.receive(QUEUE, wait=0)
    clock.now += 29.9
    assert await ids(queues) == []
    clock.now += 0.2
    with pytest.raises(Conflict):
        await queues.delete(first)
    (second,) = await queues.receive(QUEUE, wait=0)
    assert (second.message_id, second.receive_count) == (first.message_id, 2)
    with pytest.raises(Conflict):
        await queues.change_visibility(first, 0)
    await queues.delete(second)
    assert queues.waiting(QUEUE) == 0


async def test_receive__when_nothing_comes__waits_as_long_as_told(queues: MemoryQueues, clock: Clock) -> None:
    assert await queues.receive(QUEUE, wait=2) == []
    assert clock.now == pytest.approx(1002, abs=0.1)


async def test_receive__when_received_too_often__dead_letters_by_itself(queues: MemoryQueues) -> None:
    await send(queues, "m", "g")
    for _ in range(QUEUE.max_receives):
        (received,) = await queues.receive(QUEUE, wait=0)
        await queues.change_visibility(received, 0)
    assert await ids(queues) == []
    assert [dead.code for dead in queues.dead_letters(QUEUE)] == ["max_receives"]


async def test_send__when_a_dedup_id_repeats__drops_it_for_a_while(
    queues: MemoryQueues, clock: Clock
) -> None:
    await send(queues, "m", "g", dedup="d")
    clock.now += 299
    await send(queues, "m", "g", dedup="d")
    assert queues.waiting(QUEUE) == 1
    clock.now += 2
    await send(queues, "m", "g", dedup="d")
    assert queues.waiting(QUEUE) == 2
