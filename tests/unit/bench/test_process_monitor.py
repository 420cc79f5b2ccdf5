"""Counters are sampled: a restart of a process must not lose what its predecessor spent."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from mintline_bench.process_monitor import ProcessMonitor


class Answer:
    def __init__(self, body: str) -> None:
        self.body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    async def text(self) -> str:
        return self.body


class Session:
    def __init__(self, *bodies: str) -> None:
        self.bodies = list(bodies)

    def get(self, _url: str, **_options: object) -> Answer:
        return Answer(self.bodies.pop(0))


def line(count: float) -> str:
    return f'# HELP x\nmintline_aws_requests_total{{operation="PutItem",service="dynamodb"}} {count}\n'


async def watched(*bodies: str) -> int:
    monitor = ProcessMonitor(Session(*bodies), lambda: ({}, {"api": "http://api"}))  # type: ignore[arg-type] # a stand-in
    for _ in bodies:
        await monitor.sample()
    return monitor.costs().aws_requests["api", "dynamodb.PutItem"]


async def test_aws_requests__when_sampled__then_they_count_from_the_first_sample() -> None:
    assert await watched(line(10), line(15.0)) == 5


async def test_aws_requests__when_the_process_restarts__keep_both_lives() -> None:
    assert await watched(line(10), line(15), line(2), line(4)) == 9


async def test_aws_requests__when_an_operation_appears_later__count_all_of_it() -> None:
    assert await watched("", line(3)) == 3


async def test_sample__when_counters_are_not_due__then_no_service_is_asked() -> None:
    session = Session(line(10))
    monitor = ProcessMonitor(session, lambda: ({}, {"api": "http://api"}))  # type: ignore[arg-type] # a stand-in
    await monitor.sample(metrics=False)
    assert session.bodies == [line(10)]
