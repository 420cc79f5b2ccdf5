"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline_api.features.events.models import EventList, EventResource, EventView

EVENTS = EventList(
    events=[
        EventView(
            id="evt_5f0b7c1d2e3a49586776859401a2b3c4",
            type="mint.finalized",
            created_at="2026-11-23T01:50:58.001Z",
            sequence=4000,
            resource=EventResource(type="mint", id="mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"),
            data={"mint_id": "mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D", "status": "finalized"},
        )
    ],
    next="0000000004999",
    more=False,
)
