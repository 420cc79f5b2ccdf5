"""What is done about dead letters when requests for it end before it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.aws.dead_letters import DeadLetter
from mintline.errors import Unavailable
from mintline.resource_types import Queue
from mintline.resources import BUILD
from mintline_api.features.pipeline.dead_letters import DeadLetterDesk


def letter(name: str) -> DeadLetter:
    return DeadLetter(name, "build", "g", "{}", "reverted", "No.", "", "", 0.0, "")


class Slow:
    """Queues whose second batch comes when `go_on` is set, and may fail."""

    def __init__(self) -> None:
        self.began, self.go_on = asyncio.Event(), asyncio.Event()
        self.calls = 0
        self.failure: Exception | None = None

    async def peek(self, _: Queue, *, limit: int) -> list[DeadLetter]:
        assert limit > 0
        return [letter("a"), *await self._second()]

    async def redrive(
        self,
        _: Queue,
        ids: Collection[str] | None = None,
        *,
        limit: int,
        sent: Callable[[Sequence[DeadLetter]], None],
    ) -> list[DeadLetter]:
        assert limit >= len(ids or ())
        sent([letter("a")])
        second = await self._second()
        sent(second)
        return [letter("a"), *second]

    async def _second(self) -> list[DeadLetter]:
        self.calls += 1
        self.began.set()
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        return [letter("b")]


@pytest.fixture
def queues() -> Slow:
    return Slow()


@pytest.fixture
def desk(queues: Slow) -> DeadLetterDesk:
    return DeadLetterDesk(queues=queues, clock=lambda: 0.0, sleep=asyncio.sleep)


async def cancelled(queues: Slow, task: asyncio.Task[Any]) -> None:
    await queues.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_redrive__when_a_later_batch_fails__then_the_log_says_who_sent_the_one_before(
    queues: Slow, desk: DeadLetterDesk
) -> None:
    queues.failure = Unavailable("away")
    queues.go_on.set()

    with capture_logs() as logs, pytest.raises(Unavailable):
        await desk.redrive(BUILD, None, by="ann")

    assert [(log["event"], log["message_id"], log["by"]) for log in logs] == [
        ("dead_letter_redriven", "a", "ann")
    ]


async def test_redrive__when_the_request_is_cancelled__then_it_ends_and_a_look_waits_for_its_end(
    queues: Slow, desk: DeadLetterDesk
) -> None:
    with capture_logs() as logs:
        await cancelled(queues, asyncio.create_task(desk.redrive(BUILD, None, by="ann")))
        assert await desk.letters({BUILD: 2}) == []
        assert queues.calls == 1
        queues.go_on.set()
        assert len(await desk.redrive(BUILD, ["a", "b"], by="bob")) == 2

    sent = [(log["message_id"], log["by"]) for log in logs]
    assert sent == [("a", "ann"), ("b", "ann"), ("a", "bob"), ("b", "bob")]


@pytest.mark.parametrize("ids", [None, ["a", "b"]])
async def test_redrive__when_it_is_repeated_while_it_is_under_way__then_nothing_more_is_sent(
    queues: Slow, desk: DeadLetterDesk, ids: list[str] | None
) -> None:
    await cancelled(queues, asyncio.create_task(desk.redrive(BUILD, ids, by="ann")))
    again = asyncio.create_task(desk.redrive(BUILD, ids, by="ann"))
    await asyncio.sleep(0)
    queues.go_on.set()

    assert [letter.message_id for letter in await again] == ["a", "b"]
    assert queues.calls == 1


async def test_letters__when_the_look_outlasts_who_asked__then_it_ends_and_the_next_gets_what_it_found(
    queues: Slow, desk: DeadLetterDesk
) -> None:
    await cancelled(queues, asyncio.create_task(desk.letters({BUILD: 2})))
    queues.go_on.set()

    assert [letter.message_id for _, letter in await desk.letters({BUILD: 2})] == ["a", "b"]
    assert queues.calls == 1


async def test_redrive__when_a_look_outlasts_who_asked__then_waits_for_its_end(
    queues: Slow, desk: DeadLetterDesk
) -> None:
    await cancelled(queues, asyncio.create_task(desk.letters({BUILD: 2})))
    redrive = asyncio.create_task(desk.redrive(BUILD, ["a", "b"], by="ann"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert queues.calls == 1
    queues.go_on.set()

    assert len(await redrive) == 2
    assert queues.calls == 2
