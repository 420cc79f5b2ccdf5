"""Delivers the events of one webhook: reads the log after its cursor, sends, and records what came of it.

At least once: the record moves after the receiver answered, so a process that dies in between has events sent
again by its successor, with the same ids and bodies. The record's version fences: of two processes that
deliver for one webhook, one fails at the write and drops what it found out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from mintline.events import Event, EventLog, Resource, event_id
from mintline.views.webhooks import webhook_view
from mintline.webhooks.records import (
    GIVE_UP_MS,
    WINDOW,
    Attempt,
    PendingEvent,
    Webhook,
    WebhookProgress,
)
from mintline.webhooks.signing import SigningSecret, signed_headers
from mintline_notifier.webhooks.metrics import WebhookMetrics
from mintline_notifier.webhooks.ports import Reply, SecretOpener, Sender, WebhookStore
from mintline_notifier.webhooks.rounds import TEST, Round, after_round, body_of, due, send_round

DISABLED = "webhook.disabled"
USER_AGENT = "Mintline-Webhooks/1"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What it takes to deliver; `now` returns Unix milliseconds."""

    store: WebhookStore
    events: EventLog
    secrets: SecretOpener
    sender: Sender
    metrics: WebhookMetrics
    now: Callable[[], int]
    rng: random.Random

    async def run(self, webhook: Webhook) -> bool:
        """Do one round for a webhook, and tell whether another one has something to do at once.

        Raises Conflict if someone else moved its records meanwhile: read them again.
        """
        progress = await self.store.progress(webhook.webhook_id)
        if progress is None:
            return False
        if webhook.pending:
            webhook = await self._announce(webhook, progress)
        if webhook.status != "enabled":
            return False
        if webhook.rewind is not None and webhook.rewind.number > progress.rewinds:
            progress = progress.rewound(webhook.rewind, await self.events.tail(webhook.principal))
            await self.store.advance(progress)
            log.info("webhook_rewound", webhook_id=webhook.webhook_id, cursor=progress.cursor)
        return await self._round(webhook, progress)

    async def _round(self, webhook: Webhook, progress: WebhookProgress) -> bool:
        types = None if webhook.types is None else {*webhook.types, TEST}
        page = await self.events.read(webhook.principal, after=progress.cursor, types=types, limit=WINDOW)
        started = self.now()
        chains = due(webhook, progress, page.events, started)
        done = Round()
        numbers: dict[str, int] = {}
        attempts: list[tuple[int, Event, Reply]] = []
        if chains:
            secrets = await self._secrets(webhook)

            async def post(event: Event) -> Reply:
                before = progress.failed(event.id)
                numbers[event.id] = (before.attempts if before else 0) + 1
                at = self.now()
                reply = await self.sender.send(webhook.url, *self._message(event, at, secrets))
                attempts.append((at, event, reply))
                self.metrics.note(reply, age_ms=self.now() - event.created_at)
                return reply

            done = await send_round(chains, post, one_by_one=progress.down or progress.replaying)
        jitter = self.rng.uniform(-1, 1)
        after = after_round(webhook, progress, page, done, now=self.now(), jitter=jitter)
        moved = after.cursor != progress.cursor
        if not moved and not attempts:
            return False
        await self.store.advance(after)
        await self._note(webhook, after, attempts, numbers)
        given_up = self._given_up(after, done)
        if given_up is not None:
            await self._disable(webhook, after, given_up)
            return False
        return page.more and moved

    def _message(
        self, event: Event, at: int, secrets: Sequence[SigningSecret]
    ) -> tuple[bytes, Mapping[str, str]]:
        body = body_of(event)
        signed = signed_headers(event.id, body, timestamp=at // 1000, secrets=secrets)
        return body, {"Content-Type": "application/json", "User-Agent": USER_AGENT, **signed}

    async def _secrets(self, webhook: Webhook) -> list[SigningSecret]:
        return [await self.secrets.open(webhook.webhook_id, sealed) for sealed in webhook.signing(self.now())]

    async def _note(
        self,
        webhook: Webhook,
        progress: WebhookProgress,
        attempts: Sequence[tuple[int, Event, Reply]],
        numbers: Mapping[str, int],
    ) -> None:
        await self.store.note(
            [
                Attempt(
                    webhook_id=webhook.webhook_id,
                    event_id=event.id,
                    event_type=event.type,
                    at=at,
                    number=numbers[event.id],
                    status_code=reply.status_code,
                    error=reply.error,
                    latency_ms=reply.latency_ms,
                    response=reply.text,
                    next_attempt_at=None if reply.acknowledged else progress.next_attempt_at,
                )
                for at, event, reply in attempts
            ]
        )

    def _given_up(self, progress: WebhookProgress, done: Round) -> str | None:
        """Return why a webhook is to be disabled; None if it is not."""
        if done.gone:
            return "The receiver answered 410 Gone."
        now, failed = self.now(), done.failed
        for failing in progress.failing:
            if failing.event_id in failed and now - failing.since >= GIVE_UP_MS:
                return f"Event {failing.event_id} was not acknowledged for three days."
        return None

    async def _disable(self, webhook: Webhook, progress: WebhookProgress, reason: str) -> None:
        """Disable a webhook, and have an event tell of it; repeated from the record if this process dies."""
        at = self.now()
        event = PendingEvent(id=event_id(DISABLED, webhook.webhook_id, at), type=DISABLED, at=at)
        disabled = webhook.evolve(
            status="disabled",
            disabled_reason=reason,
            pending=(*webhook.pending, event),
            updated_at=at,
            version=webhook.version + 1,
        )
        await self.store.replace(disabled)
        self.metrics.disabled.inc()
        log.warning("webhook_disabled", webhook_id=webhook.webhook_id, reason=reason)
        await self._announce(disabled, progress)

    async def _announce(self, webhook: Webhook, progress: WebhookProgress) -> Webhook:
        """Append the events that the record asks for, then take them off it. Ids make that safe to repeat."""
        announced = webhook.evolve(pending=(), version=webhook.version + 1)
        await self.events.append(
            webhook.principal,
            [
                Event(
                    id=pending.id,
                    type=pending.type,
                    created_at=pending.at,
                    principal=webhook.principal,
                    resource=Resource("webhook", webhook.webhook_id),
                    data=webhook_view(announced, progress).model_dump(mode="json"),
                )
                for pending in webhook.pending
            ],
        )
        await self.store.replace(announced)
        return announced
