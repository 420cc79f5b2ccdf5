"""What clients get of events."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from mintline.events import EVENT_TYPES, EventPage, event_json
from mintline_api.http.models import Input, Limit, Time, View

_ONE_TYPE = "(" + "|".join(re.escape(name) for name in sorted(EVENT_TYPES)) + ")"
_SOME_TYPES = f"^{_ONE_TYPE}(,{_ONE_TYPE})*$"


class EventsQuery(Input):
    """Which part of a log."""

    after: Annotated[str, Field(pattern=r"^[0-9]{13}$")] | None = Field(
        default=None, description="`next` of an earlier answer; the log's beginning if absent."
    )
    type: Annotated[str, Field(max_length=1000, json_schema_extra={"pattern": _SOME_TYPES})] | None = Field(
        default=None, description="Only events of these types, separated by commas."
    )
    limit: Limit = Field(default=100, description="How many events at most.")
    principal: Annotated[str, Field(max_length=128)] | None = Field(
        default=None,
        description="Whose log: `sub` of a user, a client's id, or `operators`. Takes the scope `admin`; "
        "the caller's own if absent.",
    )


class EventResource(View):
    """What an event is about."""

    type: str
    id: str


class EventView(View):
    """Something that happened."""

    id: str = Field(description="The same for the same fact, however often it is delivered.")
    type: str = Field(description="One of: " + ", ".join(f"`{name}`" for name in sorted(EVENT_TYPES)) + ".")
    created_at: Time = Field(description="When it happened, by the record.")
    sequence: int = Field(description="Of two events of one resource the later has the higher.")
    resource: EventResource
    data: dict[str, Any] = Field(description="The resource as its `GET` had it at that moment.")


class EventList(View):
    """Part of a log, oldest event first."""

    events: list[EventView]
    next: str = Field(description="Continues the log, as `after`.")
    more: bool = Field(description="Whether there are further events by now.")


def event_list(page: EventPage) -> EventList:
    """Return the public form of a page of a log."""
    return EventList(
        events=[EventView.model_validate(event_json(entry.event)) for entry in page.events],
        next=page.next,
        more=page.more,
    )
