import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from mintline.aws.queues import Queues
from mintline.aws.session import AwsCalls, open_client
from mintline.consumer import Consumer
from mintline.errors import Deferred, Rejected
from mintline.messages.codec import AnyMessage
from mintline.messages.work import BuildMint
from mintline.resources import BUILD
from mintline.settings import ServiceSettings


@pytest.fixture
def calls() -> AwsCalls:
    return AwsCalls()


@pytest.fixture
async def queues(aws_settings: ServiceSettings, aws_prefix: str, calls: AwsCalls) -> AsyncIterator[Queues]:
    async with AsyncExitStack() as stack:
        queues = Queues(await open_client(stack, "sqs", aws_settings, calls=calls), aws_prefix)
        stack.push_async_callback(queues.aclose)
        yield queues


async def empty(queues: Queues) -> bool:
    depth = await queues.depth(BUILD)
    return depth.visible + depth.in_flight == 0


async def send(queues: Queues, *mint_ids: str) -> None:
    messages = [BuildMint(mint_id=mint_id) for mint_id in mint_ids]
    await asyncio.gather(
        *(queues.send(BUILD, m, group=f"g{n % 7}", dedup=m.mint_id) for n, m in enumerate(messages))
    )


async def test_consumer__when_messages_come_in_bulk__needs_a_fraction_of_a_request_for_each(
    queues: Queues, calls: AwsCalls
) -> None:
    await send(queues, *(f"m{n}" for n in range(200)))
    handled: list[str] = []
    stop, enough = asyncio.Event(), asyncio.Event()

    async def handle(message: AnyMessage) -> None:
        assert isinstance(message, BuildMint)
        handled.append(message.mint_id)
        if len(handled) == 200:
            enough.set()

    before = calls.counts()
    consumer = Consumer(queues=queues, queue=BUILD, handle=handle, wait=1)
    running = asyncio.create_task(consumer.run(stop))
    await asyncio.wait_for(enough.wait(), 20)
    stop.set()
    await running
    assert sorted(handled) == sorted(f"m{n}" for n in range(200))
    assert await empty(queues)
    requests = {
        operation: n - before.get(("sqs", operation), 0) for (_, operation), n in calls.counts().items()
    }
    assert requests["ReceiveMessage"] <= 60
    assert requests["DeleteMessageBatch"] <= 60


async def test_consumer__when_messages_end_in_every_way__settles_each(queues: Queues) -> None:
    await send(queues, "good", "deferred", "rejected")
    handled: list[str] = []
    stop, enough = asyncio.Event(), asyncio.Event()

    async def handle(message: AnyMessage) -> None:
        assert isinstance(message, BuildMint)
        handled.append(message.mint_id)
        if message.mint_id == "rejected":
            raise Rejected("no_such_mint", "There is no such mint.")
        if message.mint_id == "deferred" and handled.count("deferred") == 1:
            raise Deferred("wait", retry_after=1)
        if message.mint_id == "deferred":
            enough.set()

    running = asyncio.create_task(Consumer(queues=queues, queue=BUILD, handle=handle, wait=1).run(stop))
    await asyncio.wait_for(enough.wait(), 20)
    stop.set()
    await running
    assert await empty(queues)
    assert (await queues.depth(BUILD, dead_letters=True)).visible == 1
    assert (handled.count("good"), handled.count("rejected")) == (1, 1)


async def test_consumer__when_cut_off__hands_its_message_to_the_next(queues: Queues) -> None:
    await send(queues, "m")
    stop = asyncio.Event()
    started = asyncio.Event()

    async def stuck(_: AnyMessage) -> None:
        started.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(
        Consumer(queues=queues, queue=BUILD, handle=stuck, grace=0.1, wait=1).run(stop)
    )
    await asyncio.wait_for(started.wait(), 10)
    stop.set()
    await asyncio.wait_for(running, 10)
    received = await queues.receive(BUILD, wait=3)
    assert [received.receive_count for received in received] == [2]
