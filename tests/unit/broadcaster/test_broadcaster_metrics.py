from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from mintline.errors import Deferred
from mintline.messages import AnyIntent, SignMint
from mintline_broadcaster.instrumented import (
    InstrumentedChain,
    InstrumentedOutbox,
    InstrumentedTransactionStore,
)
from mintline_broadcaster.metrics import Metrics
from mintline_testkit.constants import GWEI

if TYPE_CHECKING:
    from tests.unit.broadcaster.conftest import World


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


async def send(world: World, registry: CollectorRegistry, *intents: AnyIntent, signed: Callable) -> None:  # type: ignore[type-arg] # the fixture's own
    metrics = Metrics(registry)
    for intent in intents:
        with suppress(Deferred):
            await world.handle(
                signed(intent),
                store=InstrumentedTransactionStore(world.store, metrics),
                chain=InstrumentedChain(world.chain, metrics),
                outbox=InstrumentedOutbox(world.queues, metrics),
            )


async def test_metrics__when_a_transaction_comes_twice__count_one_mint_and_both_answers(
    world: World, registry: CollectorRegistry, make: Callable[..., SignMint], signed: Callable[..., object]
) -> None:
    intent = make()
    world.built(intent)
    await send(world, registry, intent, intent, signed=signed)
    assert registry.get_sample_value("mintline_mints_total", {"status": "submitted"}) == 1
    facts = [
        registry.get_sample_value("mintline_broadcaster_sends_total", {"fact": fact})
        for fact in ("accepted", "already_known")
    ]
    assert facts == [1, 1]


async def test_metrics__when_a_node_wants_more__count_the_fee_bump(
    world: World, registry: CollectorRegistry, make: Callable[..., SignMint], signed: Callable[..., object]
) -> None:
    first, other = make(fees=10 * GWEI), make(fees=10 * GWEI + 1, attempt=1)
    world.built(first)
    await send(world, registry, first, other, signed=signed)
    assert registry.get_sample_value("mintline_broadcaster_fee_bumps_total") == 1
    assert registry.get_sample_value("mintline_broadcaster_noops_total") == 0


async def test_metrics__when_a_transaction_can_never_be_sent__count_the_rejection_and_its_noop(
    world: World, registry: CollectorRegistry, make: Callable[..., SignMint], signed: Callable[..., object]
) -> None:
    intent = make(gas=100)
    world.built(intent)
    await send(world, registry, intent, signed=signed)
    assert registry.get_sample_value("mintline_mints_total", {"status": "rejected"}) == 1
    assert registry.get_sample_value("mintline_broadcaster_noops_total") == 1


@pytest.mark.parametrize(("before", "observed"), [(1_500, [1, 1.5]), (None, [0, 0])])
async def test_metrics__when_a_mint_is_submitted__time_it_since_it_was_built_if_that_is_known(
    world: World,
    make: Callable[..., SignMint],
    signed: Callable[..., object],
    before: int | None,
    observed: list[float],
) -> None:
    registry = CollectorRegistry()
    built_at = None if before is None else world.now - before
    intent = make().model_copy(update={"built_at": built_at})
    world.built(intent)
    await send(world, registry, intent, intent, signed=signed)
    timed = [
        registry.get_sample_value(f"mintline_stage_seconds_{what}", {"status": "submitted"}) or 0
        for what in ("count", "sum")
    ]
    assert timed == observed
