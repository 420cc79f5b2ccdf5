"""Passes of the reconciler: what counts as a finding, what a pass covers, and what a failed one leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.clock import Monotonic, UnixSeconds
from mintline.errors import Misconfigured, Unavailable
from mintline_indexer.chain_port import Ref, TransferEvent
from mintline_indexer.reconciler import service
from mintline_indexer.reconciler.books import Books
from mintline_indexer.reconciler.findings import Finding, Kind
from mintline_indexer.reconciler.metrics import Metrics
from mintline_indexer.reconciler.passes import PAUSE, Reconciler
from mintline_indexer.reconciler.reading import Range
from mintline_indexer.store_port import Progress
from mintline_testkit.constants import CONTRACT

ALICE = "0x" + "2" * 40


@dataclass
class Reader:
    """Gives, look by look, the foreign tokens of `looks`, and the last look's again and again."""

    final: int = 500
    looks: list[list[int]] = field(default_factory=lambda: [[]])
    unreadable: list[Finding] = field(default_factory=list)
    down: bool = False
    ranges: list[Range] = field(default_factory=list)

    async def progress(self) -> Progress:
        if self.down:
            raise Unavailable("no node answers")
        block = Ref(self.final, bytes(32), 0)
        return Progress(revision=1, writer="", head=block, finalized=block)

    async def books(self, _progress: Progress, blocks: Range, *, now: float) -> AsyncIterator[Books]:
        self.ranges.append(blocks)
        tokens = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        yield books(blocks, tokens, now, self.unreadable)


def books(blocks: Range, tokens: Sequence[int], now: float, unreadable: Sequence[Finding]) -> Books:
    events = [
        TransferEvent(blocks.last, bytes(32), bytes([token]) * 32, 0, CONTRACT, token, None, ALICE)
        for token in tokens
    ]
    return Books(
        first=blocks.first,
        last=blocks.last,
        head=blocks.last,
        mints=(),
        tokens=(),
        events=events,
        now=UnixSeconds(now),
        patience=9,
        unreadable=unreadable,
    )


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def reconciler(reader: Any, clock: Clock, registry: CollectorRegistry, *, blocks: int = 100) -> Reconciler:
    metrics = Metrics(registry)
    return Reconciler(
        reader,
        blocks=blocks,
        metrics=metrics,
        now=lambda: UnixSeconds(clock()),
        clock=lambda: Monotonic(clock()),
        sleep=clock.sleep,
    )


def shown(registry: CollectorRegistry, kind: Kind) -> float | None:
    return registry.get_sample_value("mintline_reconcile_findings", {"kind": kind.value})


async def test_finding__when_it_is_there_twice__then_it_is_counted_shown_and_logged(
    clock: Clock, registry: CollectorRegistry
) -> None:
    reader = Reader(looks=[[7]])

    with capture_logs() as logs:
        done = await reconciler(reader, clock, registry).newest()

    # Minted by nobody we know, and in no index.
    assert done.counts == {Kind.FOREIGN: 1, Kind.NOT_INDEXED: 1}
    assert (shown(registry, Kind.FOREIGN), shown(registry, Kind.LOST)) == (1, 0)
    entries = [line for line in logs if line["event"] == "reconcile_finding"]
    assert [(line["kind"], line["token_id"], line["log_level"]) for line in entries] == [
        ("foreign", "7", "error"),
        ("not_indexed", "7", "error"),
    ]
    (summary,) = (line for line in logs if line["event"] == "reconciled")
    assert (summary["findings"], summary["first"], summary["last"]) == (2, 401, 500)


async def test_finding__when_it_is_gone_at_the_second_look__then_it_does_not_count(
    clock: Clock, registry: CollectorRegistry
) -> None:
    reader = Reader(looks=[[7], []])

    done = await reconciler(reader, clock, registry).newest()

    assert (done.alarming, done.findings) == (0, ())
    assert clock.now == 1_000 + PAUSE


async def test_finding__when_only_the_second_look_makes_it__then_the_next_pass_decides(
    clock: Clock, registry: CollectorRegistry
) -> None:
    reader = Reader(looks=[[7], [7, 8]])

    done = await reconciler(reader, clock, registry).newest()

    assert {finding.token_id for finding in done.findings} == {7}
    assert done.counts[Kind.FOREIGN] == 1


async def test_pass__when_a_record_cannot_be_read__then_that_is_a_finding_beside_the_others(
    clock: Clock, registry: CollectorRegistry
) -> None:
    damaged = Finding(Kind.UNREADABLE, "mints mint_a: status: wrong", mint_id="mint_a")

    done = await reconciler(Reader(looks=[[7]], unreadable=[damaged]), clock, registry).newest()

    assert damaged in done.findings
    assert (shown(registry, Kind.UNREADABLE), shown(registry, Kind.FOREIGN)) == (1, 1)


async def test_passes__when_more_blocks_became_final_than_one_covers__then_none_is_left_out(
    clock: Clock, registry: CollectorRegistry
) -> None:
    reader = Reader()
    passes = reconciler(reader, clock, registry)
    await passes.newest()
    reader.final = 1_200
    await passes.newest()
    reader.final = 1_210
    await passes.newest()

    assert reader.ranges == [Range(401, 500), Range(501, 1_200), Range(1_111, 1_210)]


async def test_pass__when_it_fails__then_the_last_findings_stay_and_the_next_pass_covers_its_blocks(
    clock: Clock, registry: CollectorRegistry
) -> None:
    reader = Reader(looks=[[7]])
    passes = reconciler(reader, clock, registry)
    await passes.newest()
    at = registry.get_sample_value("mintline_reconcile_last_success_timestamp_seconds")
    reader.down, clock.now = True, clock.now + 500

    with pytest.raises(Unavailable):
        await passes.newest()

    assert shown(registry, Kind.FOREIGN) == 1
    assert registry.get_sample_value("mintline_reconcile_last_success_timestamp_seconds") == at
    assert registry.get_sample_value("mintline_reconcile_passes_total", {"outcome": "failed"}) == 1
    await passes.check_age(500)
    with pytest.raises(Unavailable, match="500 s"):
        await passes.check_age(499)
    reader.down, reader.final = False, 800
    await passes.newest()
    assert reader.ranges[-1] == Range(501, 800)


@pytest.mark.parametrize(("first", "last"), [(None, 501), (450, 449), (501, None)])
async def test_range__when_it_is_none_of_final_blocks__then_the_command_says_so(
    clock: Clock, registry: CollectorRegistry, first: int | None, last: int | None
) -> None:
    with pytest.raises(Misconfigured, match="block"):
        await reconciler(Reader(), clock, registry).check(first, last)


async def test_schedule__when_passes_fail__then_they_go_on_until_it_is_stopped(
    clock: Clock, registry: CollectorRegistry
) -> None:
    stop = asyncio.Event()

    class Recovering(Reader):
        tries = 0

        async def progress(self) -> Progress:
            self.tries += 1
            if self.tries < 3:
                raise Unavailable("not yet")
            stop.set()
            return await super().progress()

    reader = Recovering()
    with capture_logs() as logs:
        await service.repeat(reconciler(reader, clock, registry), stop, every=0.001)

    assert [line["event"] for line in logs] == ["reconcile_failed", "reconcile_failed", "reconciled"]


def test_kinds__when_they_alarm__then_they_are_all_but_those_on_their_way() -> None:
    quiet = {kind for kind in Kind if not kind.is_alarming}

    assert quiet == {Kind.IN_FLIGHT, Kind.WAITING, Kind.AWAITS_WALLET, Kind.NOT_INDEXED_YET}
