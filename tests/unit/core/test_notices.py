"""A notice is written once in its period, and again only if that failed."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from mintline import notices
from mintline.aws.items import Item
from mintline.aws.notices import notice_item, notice_of
from mintline.clock import DAY_MS
from mintline.errors import Unavailable, Unreadable
from mintline.events import RETENTION_SECONDS
from mintline.notices import BudgetReached, Notice, Notices, RelayerLow, TreasuryLow
from mintline_testkit.notices import MemoryNotices

NOON = 20_000 * DAY_MS + DAY_MS // 2
ADDRESS = "0x" + "3" * 40


def relayer(at: int = NOON, address: str = ADDRESS, left: int = 7) -> RelayerLow:
    return RelayerLow(chain_id=1, address=address, balance=10**17, batches_left=left, at=at)


def budget(client_id: str = "shop", resets_at: int = NOON + DAY_MS // 2) -> BudgetReached:
    return BudgetReached(client_id=client_id, budget="wei_per_day", limit=2**70, resets_at=resets_at, at=NOON)


async def test_notice__when_told_again_in_its_period__then_written_once() -> None:
    store = MemoryNotices()
    first, other = Notices(store), Notices(store)
    for notice in (relayer(), relayer(NOON + 1, left=3), budget(), budget()):
        await asyncio.gather(first.record(notice), first.record(notice), other.record(notice))
    assert list(store.by_id.values()) == [relayer(), budget()]
    # Once by each process.
    assert store.requested == 4


@pytest.mark.parametrize(
    "another",
    [
        relayer(NOON + DAY_MS),
        relayer(address="0x" + "5" * 40),
        TreasuryLow(chain_id=1, address=ADDRESS, balance=1, top_ups_left=7, at=NOON),
        relayer().evolve(chain_id=2),
        budget(),
    ],
)
async def test_notice__when_it_is_another_fact_or_period__then_written(another: Notice) -> None:
    store = MemoryNotices()
    notices = Notices(store)
    await notices.record(relayer())
    await notices.record(another)
    assert list(store.by_id.values()) == [relayer(), another]


async def test_budget__when_another_window_or_client_reaches_it__then_written() -> None:
    store = MemoryNotices()
    notices = Notices(store)
    for notice in (budget(), budget(resets_at=NOON + DAY_MS), budget("other")):
        await notices.record(notice)
    assert len(store.by_id) == 3


async def test_notice__when_its_write_fails__then_nothing_is_raised_and_the_next_time_writes_it() -> None:
    store = MemoryNotices()
    notices = Notices(store)
    store.failure = Unavailable("no answer")
    await notices.record(relayer())
    assert store.by_id == {}
    store.failure = None
    await notices.record(relayer())
    assert list(store.by_id.values()) == [relayer()]


async def test_notice__when_its_write_hangs_or_is_cut_off__then_the_next_time_writes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Hanging(MemoryNotices):
        hangs = True

        async def add(self, notice: Notice) -> bool:
            if self.hangs:
                await asyncio.Event().wait()
            return await super().add(notice)

    store = Hanging()
    reported = Notices(store)
    telling = asyncio.create_task(reported.record(relayer()))
    await asyncio.sleep(0)
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
    monkeypatch.setattr(notices, "WRITE_SECONDS", 0)
    await reported.record(relayer())
    monkeypatch.undo()
    store.hangs = False
    await reported.record(relayer())
    assert list(store.by_id.values()) == [relayer()]


@pytest.mark.parametrize(
    "notice", [relayer(), TreasuryLow(chain_id=1, address=ADDRESS, balance=1, top_ups_left=0, at=1), budget()]
)
def test_item__when_read_again__then_the_notice_with_its_end(notice: Notice) -> None:
    item = notice_item(notice)
    assert item["expires"] == notice.at // 1000 + RETENTION_SECONDS
    assert notice_of(item | {"later_releases_add": 1}) == notice


@pytest.mark.parametrize("damage", [{"type": "relayer.rich"}, {"address": "nobody"}, {"batches_left": -1}])
def test_item__when_it_is_damaged__then_unreadable(damage: Item) -> None:
    with pytest.raises(Unreadable):
        notice_of(notice_item(relayer()) | damage)


class Slow(MemoryNotices):
    """Writes once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def add(self, notice: Notice) -> bool:
        """Wait, and put a notice on record."""
        await self.let.wait()
        return await super().add(notice)


async def test_notice__when_it_is_noted__then_nobody_waits_for_its_write_but_the_end() -> None:
    store = Slow()
    noted = Notices(store)
    for _ in range(2):
        noted.note(relayer())
        await asyncio.sleep(0)
    assert store.by_id == {}
    closing = asyncio.create_task(noted.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    store.let.set()
    await closing
    assert (list(store.by_id.values()), store.requested) == ([relayer()], 1)


async def test_notice__when_too_many_are_being_written__then_the_next_ones_wait_for_another_occasion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notices, "AT_ONCE", 2)
    store = Slow()
    noted = Notices(store)
    for left in (1, 2, 3):
        noted.note(relayer(NOON + left * DAY_MS))
    store.let.set()
    await noted.aclose()
    assert len(store.by_id) == 2
    noted.note(relayer(NOON + 3 * DAY_MS))
    await noted.aclose()
    assert len(store.by_id) == 3


async def test_notice__when_its_write_breaks_in_the_background__then_the_next_time_writes_it() -> None:
    class Broken(MemoryNotices):
        broken = True

        async def add(self, notice: Notice) -> bool:
            if self.broken:
                raise RuntimeError("a defect")
            return await super().add(notice)

    store = Broken()
    noted = Notices(store)
    with capture_logs() as logs:
        noted.note(relayer())
        await noted.aclose()
    assert [entry["event"] for entry in logs] == ["notice_broke"]
    store.broken = False
    noted.note(relayer())
    await noted.aclose()
    assert list(store.by_id.values()) == [relayer()]
