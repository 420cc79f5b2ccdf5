"""Shipping the trail while things break: the next pass comes, and a host that ends tries until it may not."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mintline.audit.trail import SUFFIX
from mintline.errors import Throttled
from mintline_signer.host import audit_shipping
from mintline_signer.host.audit_files import SHIPPED, AuditFiles
from mintline_signer.host.audit_shipping import AuditShipping


class Bucket:
    """A bucket whose first answers are given: errors, or None to store."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.stored: list[bytes] = []

    async def put(self, _name: str, content: bytes) -> None:
        response = self.answers.pop(0) if self.answers else None
        if response is not None:
            raise response
        self.stored.append(content)


class Files:
    """Files of a trail; closing them may fail."""

    def __init__(self, *, fault: Exception | None = None) -> None:
        self._fault = fault

    async def close_file(self) -> None:
        if self._fault is not None:
            raise self._fault


class Pauses:
    """Pauses that take no time, and what happens in each; the one after the last does not end."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        self.requested: list[float] = []
        self.over = asyncio.Event()
        self._happens = list(happens)

    async def sleep(self, seconds: float) -> None:
        self.requested.append(seconds)
        if not self._happens:
            self.over.set()
            await asyncio.Event().wait()
        self._happens.pop(0)()


def nothing() -> None:
    pass


def patience_ends() -> None:
    raise TimeoutError


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    for name in (b"1", b"2", b"3"):
        (tmp_path / f"{name.decode()}{SUFFIX}").write_bytes(name)
    return tmp_path


def left(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))


def events(logs: Iterable[Mapping[str, object]]) -> list[tuple[object, object]]:
    return [(line["event"], line["error"]) for line in logs]


async def test_finish__when_the_bucket_asks_for_less_at_first__then_it_tries_again_until_nothing_is_left(
    trail: Path,
) -> None:
    bucket, pauses = Bucket(None, Throttled("SlowDown"), Throttled("SlowDown")), Pauses(nothing, nothing)

    with capture_logs() as logs:
        await AuditShipping(trail, bucket.put).finish(sleep=pauses.sleep)

    assert (bucket.stored, left(trail)) == ([b"1", b"2", b"3"], [])
    assert pauses.requested == [audit_shipping.PAUSE] * 2
    # Fewer than the three lines that make `audit-not-shipped` fire, and none that makes `audit-left-behind`.
    assert events(logs) == [("audit_trail_not_shipped", "SlowDown")] * 2


async def test_finish__when_the_bucket_stays_away__then_what_is_left_behind_is_told_by_an_event_of_its_own(
    trail: Path,
) -> None:
    bucket, pauses = Bucket(None, Throttled("SlowDown")), Pauses(patience_ends)

    with capture_logs() as logs:
        await AuditShipping(trail, bucket.put).finish(sleep=pauses.sleep)

    assert events(logs) == [("audit_trail_not_shipped", "SlowDown"), ("audit_trail_left_behind", "SlowDown")]
    assert left(trail) == ["2", "3"]


async def test_finish__when_the_bucket_does_not_answer__then_it_ends_and_tells_what_is_left_behind(
    trail: Path,
) -> None:
    async def hangs(_name: str, _content: bytes) -> None:
        await asyncio.Event().wait()

    with capture_logs() as logs:
        await asyncio.wait_for(AuditShipping(trail, hangs).finish(patience=0.05), 10)

    assert events(logs) == [("audit_trail_left_behind", "timeout")]
    assert left(trail) == ["1", "2", "3"]


async def test_finish__when_a_file_is_put_away_meanwhile__then_the_others_are_shipped_and_nothing_failed(
    trail: Path,
) -> None:
    """By the thread of a shipment that was cut off, at any point of the shipment here."""
    bucket = Bucket()

    async def put(name: str, content: bytes) -> None:
        await bucket.put(name, content)
        if content == b"1":
            # This file before it is moved, and the next before it is read.
            for stem in ("1", "2"):
                (trail / f"{stem}{SUFFIX}").unlink()

    with capture_logs() as logs:
        await AuditShipping(trail, put).finish()

    assert (bucket.stored, left(trail), logs) == ([b"1", b"3"], [], [])


async def test_finish__when_a_file_was_being_written_until_then__then_it_is_shipped_too(trail: Path) -> None:
    bucket, pauses = Bucket(), Pauses(nothing)
    shipping = AuditShipping(trail, bucket.put)
    written = os.open(trail / f"3{SUFFIX}", os.O_WRONLY)
    fcntl.flock(written, fcntl.LOCK_EX)
    kept = asyncio.create_task(shipping.keep(Files(), every=60, sleep=pauses.sleep))
    await pauses.over.wait()
    assert left(trail) == ["3"]
    kept.cancel()
    os.close(written)

    await shipping.finish()

    assert (bucket.stored, left(trail)) == ([b"1", b"2", b"3"], [])


async def test_finish__when_another_process_writes_until_the_end__then_what_is_left_behind_is_told(
    trail: Path,
) -> None:
    bucket, pauses = Bucket(), Pauses(patience_ends)

    with capture_logs() as logs:
        async with AuditFiles(trail):
            await AuditShipping(trail, bucket.put).finish(sleep=pauses.sleep)

    assert bucket.stored == [b"1", b"2", b"3"]
    assert events(logs) == [("audit_trail_left_behind", "a file is still being written")]


async def test_ship__when_a_file_cannot_be_moved__then_the_others_are_shipped_and_it_is_told(
    trail: Path,
) -> None:
    broken = trail / f"1{SUFFIX}"
    broken.unlink()
    broken.mkdir()
    bucket = Bucket()

    with capture_logs() as logs:
        failed = await AuditShipping(trail, bucket.put).ship()

    assert (bucket.stored, left(trail), failed) == ([b"2", b"3"], ["1"], "Is a directory")
    assert events(logs) == [("audit_trail_not_shipped", failed)]
    assert left(trail / SHIPPED) == ["3"]


def broken_put(trail: Path) -> tuple[Awaitable[None], Pauses, Bucket]:
    bucket, pauses = Bucket(KeyError("quoted")), Pauses(nothing, nothing)
    return AuditShipping(trail, bucket.put).keep(Files(), every=60, sleep=pauses.sleep), pauses, bucket


def broken_close(trail: Path) -> tuple[Awaitable[None], Pauses, Bucket]:
    bucket, pauses = Bucket(), Pauses(nothing)
    files = Files(fault=KeyError("quoted"))
    return AuditShipping(trail, bucket.put).keep(files, every=60, sleep=pauses.sleep), pauses, bucket


@pytest.mark.parametrize("broken", [broken_put, broken_close])
async def test_keep__when_something_unforeseen_breaks__then_the_alarms_event_tells_it_and_shipping_goes_on(
    trail: Path, broken: Callable[[Path], tuple[Awaitable[None], Pauses, Bucket]]
) -> None:
    keeping, pauses, bucket = broken(trail)

    with capture_logs() as logs:
        kept = asyncio.ensure_future(keeping)
        await asyncio.wait_for(pauses.over.wait(), 10)

    assert (kept.done(), bucket.stored, left(trail)) == (False, [b"1", b"2", b"3"], [])
    (line,) = logs
    # Where it broke, and not what it quotes.
    assert (line["event"], line["error"]) == ("audit_trail_not_shipped", "KeyError")
    assert line["frames"]
    assert "quoted" not in str(line)
    kept.cancel()
