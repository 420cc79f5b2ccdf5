"""What callers send about webhooks, and get."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from mintline.events import EVENT_TYPES
from mintline.views.webhooks import CreatedWebhookView, DeliveryAttemptView, WebhookView
from mintline.webhooks.records import WebhookId
from mintline.webhooks.targets import MAX_URL
from mintline_api.http.models import Input, Paragraphs, View

__all__ = [
    "AttemptList",
    "CreatedWebhookView",
    "DeliveryAttemptView",
    "ReplayRequest",
    "TestView",
    "WebhookChange",
    "WebhookList",
    "WebhookPath",
    "WebhookRequest",
    "WebhookView",
]


def _known(value: str) -> str:
    if value not in EVENT_TYPES:
        raise ValueError("expected a type of events: docs/events.md lists them")
    return value


EventType = Annotated[
    str,
    Field(max_length=64),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(EVENT_TYPES)}),
]
Url = Annotated[str, Field(min_length=1, max_length=MAX_URL)]
_URL = "Where events are posted to: https, a host on the public Internet, port 443 or one from 1024 on."
_TYPES = "Types of the events that are delivered; null: all, those of later releases too."
Types = Annotated[list[EventType], Field(min_length=1, max_length=len(EVENT_TYPES))]
Description = Annotated[Paragraphs, Field(max_length=500)]


class WebhookRequest(Input):
    """A webhook to be made."""

    url: Url = Field(description=_URL)
    types: Types | None = Field(default=None, description=_TYPES)
    description: Description = Field(default="", description="What you call it.")
    principal: Literal["operators"] | None = Field(
        default=None,
        description="Whose events it delivers: yours if you leave it out; `operators` needs the scope "
        "`admin`.",
    )


class WebhookChange(Input):
    """What is to change of a webhook; what is left out stays."""

    url: Url | None = Field(default=None, description=_URL)
    types: Types | None = Field(default=None, description=_TYPES)
    description: Description | None = Field(default=None, description="What you call it.")
    status: Literal["enabled", "disabled"] | None = Field(
        default=None,
        description="`enabled`: what was not acknowledged is sent again. `disabled`: nothing is sent.",
    )


class WebhookPath(Input):
    """Names a webhook."""

    webhook_id: WebhookId = Field(
        description="The webhook's id.", examples=["wh_5d1f0a6be7c94d2f8a3b6c1e9f402d7a"]
    )


class ReplayRequest(Input):
    """Where deliveries are to begin again."""

    after: Annotated[str, Field(pattern=r"^[0-9]{13}$")] | None = Field(
        default=None,
        description="A position of the event log: `next` of `GET /v1/events`. All events after it are sent. "
        "One behind the log's end is refused. null: from the oldest event that is kept.",
    )


class TestView(View):
    """A test event that will be sent."""

    __test__ = False

    event_id: str = Field(description="The event's id, which `webhook-id` will be.")


class WebhookList(View):
    """Your webhooks, newest first."""

    items: list[WebhookView]


class AttemptList(View):
    """Attempts to deliver, newest first."""

    items: list[DeliveryAttemptView]
    next_cursor: str | None = Field(description="Continues the list; null at its end.")
