"""Records of webhooks. Times are Unix milliseconds.

A webhook is two records: what its owner set (`Webhook`, written by the API, and by the notifier when it
disables one), and how far its deliveries have come (`WebhookProgress`, written by the notifier alone once it
exists). An attempt to deliver an event is a third (`Attempt`), kept for days.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mintline.fields import HexBytes
from mintline.frozen import Frozen

WEBHOOKS_OF_ONE = 20
"""Webhooks of one principal, at most."""
OVERLAP_MS = 24 * 3600 * 1000
"""How long a secret that was replaced still signs, beside the one that replaced it."""
SECRETS = 3
"""Secrets that sign at a time, at most: a rotation drops the oldest one beyond."""
WINDOW = 64
"""How many events may be on their way, or acknowledged, past the first one that is not acknowledged."""
PENDING_TESTS = 10
"""The most test events that may be requested and not in the log yet."""
GIVE_UP_MS = 3 * 24 * 3600 * 1000
"""How long an event is delivered again and again before its webhook is disabled."""
KEPT_SECONDS = 7 * 24 * 3600
"""How long an attempt is kept."""
MAX_RESPONSE = 500
"""Characters of a receiver's response that are kept."""

WebhookStatus = Literal["enabled", "disabled"]
WebhookId = Annotated[str, Field(pattern=r"^wh_[0-9a-f]{32}$")]


class EncryptedSecret(Frozen):
    """One version of a webhook's secret (`mintline.webhooks.signing`), encrypted by KMS."""

    sealed: HexBytes = Field(repr=False)
    public_key: str
    created_at: int
    expires_at: int | None = None
    """From when on it no longer signs; None for the current one."""


class Rewind(Frozen):
    """Asks that deliveries begin again at once; the owner's requests are counted."""

    number: int = Field(ge=1)
    after: str | None = None
    """The position in the principal's log after which; None: where they are."""


class PendingEvent(Frozen):
    """An event about the webhook that is to be appended to its principal's log."""

    id: str
    type: Literal["webhook.test", "webhook.disabled"]
    at: int


class Webhook(Frozen):
    """A webhook as its owner set it up."""

    webhook_id: WebhookId
    principal: str
    """Whose events it delivers: `mintline.events.Event.principal`."""
    url: str
    types: tuple[str, ...] | None = None
    """Types of the events that it delivers; None: all."""
    description: str = ""
    status: WebhookStatus = "enabled"
    disabled_reason: str | None = None
    """Why the notifier disabled it; None if its owner did."""
    secrets: tuple[EncryptedSecret, ...] = Field(min_length=1, max_length=SECRETS)
    """The current one first."""
    rewind: Rewind | None = None
    pending: tuple[PendingEvent, ...] = ()
    created_at: int
    updated_at: int
    version: int = Field(default=1, ge=1)
    """Counts the writes of the record: each is conditional on the one before."""

    @property
    def open(self) -> bool:
        """Whether the notifier has something to do for it."""
        return self.status == "enabled" or bool(self.pending)

    def signing(self, now: int) -> tuple[EncryptedSecret, ...]:
        """Return the secrets that sign now."""
        return tuple(
            secret for secret in self.secrets if secret.expires_at is None or secret.expires_at > now
        )


class Failing(Frozen):
    """An event that was not acknowledged yet though it was sent."""

    event_id: str
    since: int
    """When it was sent first, since the last `Rewind`."""
    attempts: int = Field(ge=1)


class WebhookProgress(Frozen):
    """How far the deliveries of a webhook have come.

    Every event up to `cursor` was acknowledged, and those of `acknowledged` beyond it.
    """

    webhook_id: WebhookId
    cursor: str
    acknowledged: tuple[str, ...] = ()
    """Ids of events."""
    failing: tuple[Failing, ...] = ()
    rounds: int = 0
    """Rounds of attempts, one after another, that did not clear all that was failing."""
    next_attempt_at: int | None = None
    """When what is failing is sent again; None if nothing is."""
    down: bool = False
    """Whether nothing was acknowledged in the last round: one event at a time is tried then."""
    replay_until: str | None = None
    """The log's end when a replay began: up to there events are sent one by one, in the log's order."""
    rewinds: int = 0
    """The number of the last `Rewind` that was done."""
    version: int = Field(default=1, ge=1)

    @property
    def replaying(self) -> bool:
        """Whether events are sent that had been sent before."""
        return self.replay_until is not None and self.cursor < self.replay_until

    def rewound(self, rewind: Rewind, end: str) -> WebhookProgress:
        """Return the progress that a request to begin again leads to, with the log's end as it is now."""
        kept = rewind.after is None
        return self.evolve(
            cursor=self.cursor if rewind.after is None else rewind.after,
            acknowledged=self.acknowledged if kept else (),
            failing=(),
            rounds=0,
            next_attempt_at=None,
            down=False,
            replay_until=self.replay_until if kept else end,
            rewinds=rewind.number,
            version=self.version + 1,
        )

    def failed(self, event_id: str) -> Failing | None:
        """Return what is known of an event that is failing."""
        return next((failing for failing in self.failing if failing.event_id == event_id), None)


class ShardLease(Frozen):
    """Which process delivers for the webhooks of a shard, and until when unless it renews that."""

    owner: str
    until: int


class Attempt(Frozen):
    """One attempt to deliver an event."""

    webhook_id: WebhookId
    event_id: str
    event_type: str
    at: int
    number: int = Field(ge=1)
    """Counted from 1 for each event; again from 1 after a replay."""
    status_code: int | None = None
    """None without a response: `error` says why."""
    error: str | None = None
    latency_ms: int = Field(ge=0)
    response: str = ""
    """What the receiver answered, escaped and cut."""
    next_attempt_at: int | None = None
    """None if it was acknowledged, or is not sent again."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver acknowledged it: by a status from 200 to 299."""
        return self.status_code is not None and 200 <= self.status_code < 300


def attempt_key(at: int, event_id: str) -> str:
    """Return the sort key of an attempt among those of its webhook."""
    return f"{at:015d}#{event_id}"
