"""A message whose handler has ended is not extended: settling it may have shortened its timeout."""

from __future__ import annotations

import asyncio

from mintline.consumer import _Delivery
from mintline.queue_port import Received
from mintline.resources import BUILD


async def test_delivery__when_its_handler_has_ended__then_it_is_not_extended_any_more() -> None:
    received = Received(
        queue=BUILD, body="", receipt="r", message_id="m", group="g", receive_count=1, sent_at=0.0
    )
    ending = asyncio.Event()
    handling = asyncio.create_task(ending.wait())
    delivery = _Delivery(received, extend_at=10.0)
    assert delivery.is_due(10.0)
    delivery.handling = handling  # type: ignore[assignment]
    assert not delivery.is_due(9.9)
    assert delivery.is_due(10.0)
    ending.set()
    await handling
    assert not delivery.is_due(10.0)
