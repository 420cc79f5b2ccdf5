"""The public form of webhooks, of their secrets, and of attempts to deliver."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mintline.views.base import Time, View, rfc3339, rfc3339_or_none
from mintline.webhooks.records import Attempt, Webhook, WebhookProgress


class WebhookView(View):
    """A webhook."""

    webhook_id: str
    url: str = Field(description="Where events are posted to.")
    types: list[str] | None = Field(description="Types of the events that are delivered; null: all.")
    description: str
    status: Literal["enabled", "disabled"]
    disabled_reason: str | None = Field(
        description="Why the deliveries were stopped; null if they were not, or if you disabled the webhook."
    )
    public_key: str = Field(
        description="Verifies signatures of the kind `v1a` (Ed25519); it changes with the secret."
    )
    failing: int = Field(description="Events that were sent, and not acknowledged yet.")
    next_attempt_at: Time | None = Field(description="When these are sent again; null if there are none.")
    created_at: Time
    updated_at: Time


class CreatedWebhookView(WebhookView):
    """A webhook with its secret."""

    secret: str = Field(description="Verifies signatures of the kind `v1` (HMAC-SHA256). Shown this once.")


class DeliveryAttemptView(View):
    """One attempt to deliver an event."""

    event_id: str = Field(description="The event, and `webhook-id` of the request.")
    type: str
    at: Time
    attempt: int = Field(description="Which attempt it was, from 1; again from 1 after a replay.")
    delivered: bool = Field(description="Whether the receiver acknowledged it, by a status from 200 to 299.")
    status_code: int | None = Field(description="The status of the response; null if there was none.")
    error: str | None = Field(description="Why there was no response.")
    latency_ms: int = Field(description="Milliseconds until the response or the time-out.")
    response: str = Field(description="What the response begins with, control characters escaped.")
    next_attempt_at: Time | None = Field(description="When it is sent again; null if it is not.")


def webhook_view(webhook: Webhook, progress: WebhookProgress | None) -> WebhookView:
    """Return the public form of a webhook. It shows none of its secrets."""
    return WebhookView(
        webhook_id=webhook.webhook_id,
        url=webhook.url,
        types=None if webhook.types is None else list(webhook.types),
        description=webhook.description,
        status=webhook.status,
        disabled_reason=webhook.disabled_reason,
        public_key=webhook.secrets[0].public_key,
        failing=len(progress.failing) if progress else 0,
        next_attempt_at=rfc3339_or_none(progress.next_attempt_at if progress else None),
        created_at=rfc3339(webhook.created_at),
        updated_at=rfc3339(webhook.updated_at),
    )


def created_webhook_view(webhook: Webhook, secret: str) -> CreatedWebhookView:
    """Return the public form of a webhook that got a new secret, with it."""
    return CreatedWebhookView(**dict(webhook_view(webhook, None)), secret=secret)


def attempt_view(attempt: Attempt) -> DeliveryAttemptView:
    """Return the public form of an attempt."""
    return DeliveryAttemptView(
        event_id=attempt.event_id,
        type=attempt.event_type,
        at=rfc3339(attempt.at),
        attempt=attempt.number,
        delivered=attempt.delivered,
        status_code=attempt.status_code,
        error=attempt.error,
        latency_ms=attempt.latency_ms,
        response=attempt.response,
        next_attempt_at=rfc3339_or_none(attempt.next_attempt_at),
    )
