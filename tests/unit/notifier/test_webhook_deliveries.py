"""Deliveries of webhooks in virtual time: what arrives, in which order, and when sending stops."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from standardwebhooks import Webhook as Verifier
from standardwebhooks import webhooks as verifier

from mintline.clock import DAY_MS, HOUR_MS
from mintline.errors import Conflict
from mintline.events import START, Event, Resource, event_id
from mintline.webhooks.records import (
    OVERLAP_MS,
    Attempt,
    PendingEvent,
    Rewind,
    Webhook,
    WebhookProgress,
)
from mintline.webhooks.signing import SigningSecret
from mintline_notifier.webhooks.delivery import Delivery
from mintline_notifier.webhooks.metrics import WebhookMetrics
from mintline_notifier.webhooks.worker import (
    IDLE_SECONDS,
    LEASE_MS,
    POLL_SECONDS,
    RENEW_MS,
    SHARDS,
    WebhookWorker,
)
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.webhooks import Delivered, MemorySecrets, MemoryWebhooks, Receivers

BEGIN = 1_795_398_654_000
URL = "https://shop.example/hooks"


class Killed(BaseException):
    """`kill -9`: nothing of the process runs any more."""


@dataclass(slots=True)
class Fuse:
    """Kills the process at the request, or before or after the write, at which it has burned down."""

    left: int | None = None
    """None: nothing kills it."""
    burned: bool = False

    def burn(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            self.burned = True
            raise Killed


class FusedWebhooks(MemoryWebhooks):
    """Storage, before or after whose writes processes die."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    async def advance(self, progress: WebhookProgress) -> None:
        self._fuse.burn()
        await super().advance(progress)
        self._fuse.burn()

    async def note(self, attempts: Sequence[Attempt]) -> None:
        self._fuse.burn()
        await super().note(attempts)


@dataclass(slots=True)
class Setting:
    """Everything around the notifier's processes, which come and go."""

    seed: int = 0
    now: int = BEGIN
    fuse: Fuse = field(default_factory=Fuse)
    store: MemoryWebhooks = field(init=False)
    log: MemoryEventLog = field(default_factory=MemoryEventLog)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    receivers: Receivers = field(default_factory=Receivers)
    rng: random.Random = field(default_factory=random.Random)
    known: dict[str, list[SigningSecret]] = field(default_factory=dict)
    """The secrets of each webhook, newest first."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.store = FusedWebhooks(self.fuse)

    async def webhook(self, number: int = 1, **fields: Any) -> Webhook:
        webhook_id = f"wh_{number:032x}"
        secret = SigningSecret.new(self.rng.randbytes)
        self.known[webhook_id] = [secret]
        defaults: dict[str, Any] = {
            "webhook_id": webhook_id,
            "principal": "shop",
            "url": URL,
            "secrets": (await self.secrets.encrypt(webhook_id, secret, at=self.now),),
            "created_at": self.now,
            "updated_at": self.now,
        }
        webhook = Webhook(**(defaults | fields))
        cursor = await self.log.tail(webhook.principal)
        await self.store.create(webhook, WebhookProgress(webhook_id=webhook_id, cursor=cursor))
        return webhook

    async def change(self, webhook: Webhook, **fields: Any) -> Webhook:
        stored = self.store.webhooks[webhook.webhook_id]
        changed = stored.evolve(**fields, version=stored.version + 1)
        await self.store.replace(changed)
        return changed

    async def rotate(self, webhook: Webhook) -> None:
        stored = self.store.webhooks[webhook.webhook_id]
        secret = SigningSecret.new(self.rng.randbytes)
        self.known[webhook.webhook_id].insert(0, secret)
        sealed = await self.secrets.encrypt(webhook.webhook_id, secret, at=self.now)
        before = stored.secrets[0].evolve(expires_at=self.now + OVERLAP_MS)
        await self.change(webhook, secrets=(sealed, before))

    async def happen(self, *mints: str, kind: str = "mint.finalized", principal: str = "shop") -> None:
        """Append one event for each mint."""
        events = [
            Event(
                id=event_id(kind, mint, self.now),
                type=kind,
                created_at=self.now,
                principal=principal,
                resource=Resource("mint", mint),
                data={"mint_id": mint},
            )
            for mint in mints
        ]
        await self.log.append(principal, events)

    def worker(self, owner: str = "one") -> WebhookWorker:
        delivery = Delivery(
            store=self.store,
            events=self.log,
            secrets=self.secrets,
            sender=self.receivers,
            metrics=WebhookMetrics(CollectorRegistry()),
            now=lambda: self.now,
            rng=self.rng,
        )
        return WebhookWorker(owner=owner, store=self.store, delivery=delivery, now=lambda: self.now)

    async def run(self, worker: WebhookWorker, *, milliseconds: int) -> None:
        """Let time pass, and the worker look again and again meanwhile."""
        end = self.now + milliseconds
        while True:
            await worker.poll()
            await worker.settle()
            if self.now >= end or self.fuse.burned:
                return
            self.now = min(end, self.now + self._step())

    def _step(self) -> int:
        """Return how long nothing happens: until a next attempt is due, or for ten minutes."""
        waits = [
            progress.next_attempt_at - self.now
            for progress in self.store.progresses.values()
            if progress.next_attempt_at is not None and progress.next_attempt_at > self.now
        ]
        return max(1_000, min([600_000, *waits]))

    async def started(self, owner: str = "one") -> WebhookWorker:
        """Return a worker that has every shard."""
        worker = self.worker(owner)
        for _ in SHARDS:
            await worker.poll()
        await worker.settle()
        return worker

    def verify(self, delivered: Delivered, secret: SigningSecret) -> Any:
        """Verify a request as its receiver does, at the time of the attempt."""
        return Verifier(secret.secret).verify(delivered.body, dict(delivered.headers))


def ids(requests: Sequence[Delivered]) -> list[str]:
    return [delivered.event_id for delivered in requests]


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    setting = Setting()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(setting.now / 1000, tz or UTC)

    monkeypatch.setattr(verifier, "datetime", Clock)
    return setting


async def test_event__when_it_happens__then_its_receiver_gets_it_once_and_can_verify_it(
    setting: Setting,
) -> None:
    await setting.happen("before")
    webhook = await setting.webhook()
    worker = await setting.started()
    await setting.happen("mint-1", "mint-2")
    await setting.run(worker, milliseconds=10_000)
    events = setting.log.all("shop")[1:]
    assert ids(setting.receivers.requests) == [event.id for event in events]
    for delivered, event in zip(setting.receivers.requests, events, strict=True):
        body = setting.verify(delivered, setting.known[webhook.webhook_id][0])
        assert body["type"] == "mint.finalized"
        assert body["data"] == event.data
        assert body["id"] == delivered.headers["webhook-id"]
    attempts = setting.store.attempts[webhook.webhook_id].values()
    assert [attempt.event_id for attempt in attempts] == [event.id for event in events]
    assert all(attempt.delivered and attempt.next_attempt_at is None for attempt in attempts)


async def test_types__when_a_webhook_names_some__then_it_gets_these_and_its_own_tests(
    setting: Setting,
) -> None:
    webhook = await setting.webhook(types=("mint.finalized",))
    other = await setting.webhook(2, url="https://other.example/", types=("mint.rejected",))
    worker = await setting.started()
    await setting.happen("m1", kind="mint.accepted")
    await setting.happen("m1")
    pending_event = PendingEvent(
        id=event_id("webhook.test", webhook.webhook_id, 1), type="webhook.test", at=setting.now
    )
    await setting.change(webhook, pending=(pending_event,))
    await setting.run(worker, milliseconds=5_000)
    got = [(delivered.url, json.loads(delivered.body)["type"]) for delivered in setting.receivers.accepted]
    assert got == [(URL, "mint.finalized"), (URL, "webhook.test")]
    assert setting.store.webhooks[webhook.webhook_id].pending == ()
    assert setting.store.progresses[other.webhook_id].cursor == await setting.log.tail("shop")


async def test_resource__when_one_of_its_events_is_refused__then_its_later_ones_wait_and_others_do_not(
    setting: Setting,
) -> None:
    refused = {"bad"}
    receivers = setting.receivers
    receivers.status = lambda delivered: (
        500 if json.loads(delivered.body)["data"]["mint_id"] in refused else 200
    )
    await setting.webhook()
    worker = await setting.started()
    await setting.happen("bad", "good-1", "good-2")
    await setting.run(worker, milliseconds=1_000)
    await setting.happen("bad", kind="mint.rejected")
    await setting.happen("good-1", kind="mint.rejected")
    await setting.run(worker, milliseconds=2 * HOUR_MS)
    expected = {event.id for event in setting.log.all("shop") if event.data["mint_id"] != "bad"}
    assert set(ids(receivers.accepted)) == expected
    assert len(receivers.accepted) == len(expected), "nothing that was acknowledged is sent again"
    assert len(receivers.requests) - len(expected) < 15, "what is refused is sent ever more seldom"
    refused.clear()
    await setting.run(worker, milliseconds=2 * HOUR_MS)
    of_bad = [mint_id for mint_id in ids(receivers.accepted) if mint_id not in expected]
    assert of_bad == [event.id for event in setting.log.all("shop") if event.data["mint_id"] == "bad"]


async def test_window__when_one_event_is_refused_for_long__then_a_bounded_number_passes_it(
    setting: Setting,
) -> None:
    receivers = setting.receivers
    receivers.status = lambda delivered: (
        500 if json.loads(delivered.body)["data"]["mint_id"] == "bad" else 200
    )
    await setting.webhook()
    worker = await setting.started()
    await setting.happen("bad", *(f"m{number}" for number in range(200)))
    await setting.run(worker, milliseconds=HOUR_MS)
    assert len(receivers.accepted) == 63
    assert receivers.most_sending == 8
    receivers.status = lambda _: 200
    await setting.run(worker, milliseconds=2 * HOUR_MS)
    assert len(receivers.accepted) == 201
    assert len(set(ids(receivers.accepted))) == 201


async def test_receiver__when_it_is_down_for_six_hours_and_the_sender_is_killed_50_times__then_all_arrive(
    setting: Setting,
) -> None:
    rng = random.Random(14)
    webhook = await setting.webhook()
    receivers = setting.receivers
    down_until = setting.now + 6 * HOUR_MS

    def answer(delivered: Delivered) -> int | None:
        for secret in setting.known[webhook.webhook_id]:
            assert setting.verify(delivered, secret), "the secret before signs for a day too"
        setting.fuse.burn()
        return None if setting.now < down_until else 200

    receivers.status = answer
    for kills in range(50):
        setting.fuse.burned, setting.fuse.left = False, None
        worker = await setting.started(f"process {kills}")
        setting.fuse.left = rng.randrange(1, 30)
        while not setting.fuse.burned:
            for _ in range(rng.randrange(12)):
                kind = rng.choice(["mint.mined", "mint.finalized"])
                await setting.happen(f"m{rng.randrange(40)}", kind=kind)
                setting.now += 1
            await setting.run(worker, milliseconds=rng.randrange(1_000, 10 * 60_000))
        if kills == 20:
            await setting.rotate(webhook)
        setting.now += LEASE_MS + 1
    assert setting.now > down_until, "some of them die after it is back"
    setting.fuse.burned, setting.fuse.left = False, None
    worker = await setting.started("the last")
    await setting.run(worker, milliseconds=3 * HOUR_MS)
    events = setting.log.all("shop")
    assert len(events) > 300
    assert set(ids(receivers.accepted)) == {event.id for event in events}
    assert_resources_in_order(receivers.accepted, events)
    status = setting.store.webhooks[webhook.webhook_id].status
    assert status == "enabled"

    before = len(receivers.requests)
    await setting.change(webhook, rewind=Rewind(number=1, after=START))
    await setting.run(worker, milliseconds=HOUR_MS)
    replayed = receivers.requests[before:]
    assert ids(replayed) == [event.id for event in events], "the identical ordered log"
    bodies = {request.event_id: request.body for request in receivers.requests[:before]}
    assert all(delivered.body == bodies[delivered.event_id] for delivered in replayed)


def assert_resources_in_order(accepted: Sequence[Delivered], events: Sequence[Event]) -> None:
    """Check that the first deliveries of each resource's events came in the log's order."""
    order: dict[str, list[str]] = defaultdict(list)
    for delivered in accepted:
        mint = json.loads(delivered.body)["resource"]["id"]
        if delivered.event_id not in order[mint]:
            order[mint].append(delivered.event_id)
    wanted: dict[str, list[str]] = defaultdict(list)
    for event in events:
        wanted[event.resource.id].append(event.id)
    assert order == {mint: types for mint, types in wanted.items() if types}


async def test_receiver__when_it_refuses_for_three_days__then_its_webhook_is_disabled_and_an_event_says_so(
    setting: Setting,
) -> None:
    webhook = await setting.webhook()
    other = await setting.webhook(2, url="https://other.example/")
    setting.receivers.status = lambda delivered: 500 if delivered.url == URL else 200
    worker = await setting.started()
    await setting.happen(*(f"m{number}" for number in range(30)))
    await setting.run(worker, milliseconds=3 * DAY_MS - 2 * HOUR_MS)
    assert setting.store.webhooks[webhook.webhook_id].status == "enabled"
    await setting.run(worker, milliseconds=4 * HOUR_MS)
    disabled = setting.store.webhooks[webhook.webhook_id]
    assert disabled.status == "disabled"
    assert "three days" in str(disabled.disabled_reason)
    last = setting.log.all("shop")[-1]
    assert (last.type, last.resource.id) == ("webhook.disabled", webhook.webhook_id)
    assert last.data["status"] == "disabled"
    to_other = [
        delivered for delivered in setting.receivers.accepted if delivered.url == "https://other.example/"
    ]
    assert ids(to_other) == [event.id for event in setting.log.all("shop")]
    assert setting.store.progresses[other.webhook_id].failing == ()

    sent = len(setting.receivers.requests)
    await setting.run(worker, milliseconds=DAY_MS)
    assert len(setting.receivers.requests) == sent, "nothing is sent to a disabled webhook"
    setting.receivers.status = lambda _: 200
    await setting.change(webhook, status="enabled", disabled_reason=None, rewind=Rewind(number=1))
    await setting.run(worker, milliseconds=5_000)
    to_it = [delivered for delivered in setting.receivers.accepted if delivered.url == URL]
    assert set(ids(to_it)) == {event.id for event in setting.log.all("shop")}, "nothing is lost"


async def test_receiver__when_it_answers_410__then_its_webhook_is_disabled_at_once(setting: Setting) -> None:
    webhook = await setting.webhook()
    setting.receivers.status = lambda _: 410
    worker = await setting.started()
    await setting.happen("m1")
    await setting.run(worker, milliseconds=2_000)
    assert setting.store.webhooks[webhook.webhook_id].status == "disabled"
    assert len(setting.receivers.requests) == 1


async def test_disabling__when_the_process_dies_before_the_event__then_the_next_one_appends_it_once(
    setting: Setting,
) -> None:
    webhook = await setting.webhook()
    setting.receivers.status = lambda _: 410
    append, failures = setting.log.append, [Killed(), Killed()]

    async def failing(*arguments: Any, **more: Any) -> Any:
        result = await append(*arguments, **more) if len(failures) == 1 else None
        if failures:
            raise failures.pop()
        return result

    await setting.happen("m1")
    progress = setting.store.progresses[webhook.webhook_id]
    setting.store.progresses[webhook.webhook_id] = progress.evolve(cursor=START)
    setting.log.append = failing  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(Killed):
            await setting.worker().delivery.run(setting.store.webhooks[webhook.webhook_id])
    setting.log.append = append  # type: ignore[method-assign]
    await setting.worker().delivery.run(setting.store.webhooks[webhook.webhook_id])
    events = [event for event in setting.log.all("shop") if event.type == "webhook.disabled"]
    assert len(events) == 1
    assert not setting.store.webhooks[webhook.webhook_id].open


async def test_processes__when_two_deliver_for_one_webhook__then_the_slower_one_stores_nothing(
    setting: Setting,
) -> None:
    webhook = await setting.webhook()
    await setting.happen("m1", "m2")
    first, other = setting.worker("one"), setting.worker("other")
    outcomes = await asyncio.gather(
        first.delivery.run(webhook), other.delivery.run(webhook), return_exceptions=True
    )
    assert [isinstance(outcome, Conflict) for outcome in outcomes].count(True) == 1
    assert setting.store.progresses[webhook.webhook_id].version == 2
    assert len(set(ids(setting.receivers.accepted))) == 2


async def test_shards__when_two_processes_start__then_they_share_them_and_one_takes_over_from_the_other(
    setting: Setting,
) -> None:
    first, other = setting.worker("one"), setting.worker("other")
    for _ in SHARDS:
        await first.poll()
        await other.poll()
    owners = [lease.owner for lease in setting.store.leases.values()]
    assert sorted(owners) == ["one"] * 4 + ["other"] * 4
    setting.now += LEASE_MS + 1
    for _ in SHARDS:
        await first.poll()
    assert {lease.owner for lease in setting.store.leases.values()} == {"one"}
    await other.aclose()
    await first.aclose()
    assert setting.store.leases == {}


async def test_look__when_no_shard_has_a_webhook__then_the_next_one_is_later(setting: Setting) -> None:
    worker = setting.worker()
    pauses = [await worker.poll() for _ in SHARDS]
    assert pauses == [POLL_SECONDS] * (len(SHARDS) - 1) + [IDLE_SECONDS], "shards are taken one a look"
    await setting.webhook()
    assert await worker.poll() == POLL_SECONDS
    await worker.aclose()


async def test_look__when_it_waits_as_long_as_it_may__then_the_leases_are_renewed_in_time() -> None:
    assert RENEW_MS + 2 * 1000 * IDLE_SECONDS * 1.25 < LEASE_MS
