"""What the modules that derive events have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mintline.events import Event, Resource, event_id
from mintline.views.base import View


class Fact(NamedTuple):
    """Something that happened to a resource, before it is told to anybody."""

    type: str
    at: int
    """Unix milliseconds, by the record."""
    facts: tuple[object, ...]
    """What tells it from any other of its type: the same whenever and wherever it is derived."""


def event_of(fact: Fact, resource: Resource, principal: str, view: View) -> Event:
    """Return the event that reports a fact to a principal."""
    return event_with(fact, resource, principal, view.model_dump(mode="json", by_alias=True))


def event_with(fact: Fact, resource: Resource, principal: str, data: Mapping[str, Any]) -> Event:
    """Return the same of a public form in JSON."""
    return Event(
        id=event_id(fact.type, *fact.facts),
        type=fact.type,
        created_at=fact.at,
        principal=principal,
        resource=resource,
        data=data,
    )
