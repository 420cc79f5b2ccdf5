"""What a notice says: of the platform's funds to operators, of a budget to its client as well."""

from __future__ import annotations

from mintline.events import OPERATORS, Event, Resource
from mintline.notices import BudgetReached, Notice, RelayerLow
from mintline.views.notices import notice_view
from mintline_notifier.deriving.base import Fact, event_of


def events_of(notice: Notice) -> list[Event]:
    """Return the event of a notice for everybody who is told."""
    readers: tuple[str, ...] = (OPERATORS,)
    if isinstance(notice, BudgetReached):
        resource, readers = Resource("client", notice.client_id), (notice.client_id, OPERATORS)
    else:
        kind = "relayer" if isinstance(notice, RelayerLow) else "treasury"
        resource = Resource(kind, notice.address)
    fact = Fact(notice.type, notice.at, (notice.notice_id,))
    view = notice_view(notice)
    return [event_of(fact, resource, reader, view) for reader in readers]
