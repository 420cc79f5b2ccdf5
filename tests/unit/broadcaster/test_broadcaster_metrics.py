from __future__ import annotations

from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry

from mintline.errors import Deferred
from mintline.eth import GWEI
from mintline.messages.intents import AnyIntent
from mintline_broadcaster.instrumented import (
    InstrumentedChain,
    InstrumentedOutbox,
    InstrumentedTransactionStore,
)
from mintline_broadcaster.metrics import Metrics
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent, sign


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


async def send(harness: Harness, registry: CollectorRegistry, *intents: AnyIntent) -> None:
    metrics = Metrics(registry)
    for intent in intents:
        with suppress(Deferred):
            await harness.handle(
                sign(intent),
                store=InstrumentedTransactionStore(harness.store, metrics),
                chain=InstrumentedChain(harness.chain, metrics),
                outbox=InstrumentedOutbox(harness.queues, metrics),
            )


async def test_metrics__when_a_transaction_comes_twice__count_one_mint_and_both_answers(
    harness: Harness, registry: CollectorRegistry
) -> None:
    intent = mint_intent()
    harness.built(intent)
    await send(harness, registry, intent, intent)
    assert registry.get_sample_value("mintline_mints_total", {"status": "submitted"}) == 1
    facts = [
        registry.get_sample_value("mintline_broadcaster_sends_total", {"fact": fact})
        for fact in ("accepted", "already_known")
    ]
    assert facts == [1, 1]


async def test_metrics__when_a_node_wants_more__count_the_fee_bump(
    harness: Harness, registry: CollectorRegistry
) -> None:
    first, other = mint_intent(fees=10 * GWEI), mint_intent(fees=10 * GWEI + 1, attempt=1)
    harness.built(first)
    await send(harness, registry, first, other)
    assert registry.get_sample_value("mintline_broadcaster_fee_bumps_total") == 1
    assert registry.get_sample_value("mintline_broadcaster_noops_total") == 0


async def test_metrics__when_a_transaction_can_never_be_sent__count_the_rejection_and_its_noop(
    harness: Harness, registry: CollectorRegistry
) -> None:
    intent = mint_intent(gas=100)
    harness.built(intent)
    await send(harness, registry, intent)
    assert registry.get_sample_value("mintline_mints_total", {"status": "rejected"}) == 1
    assert registry.get_sample_value("mintline_broadcaster_noops_total") == 1


@pytest.mark.parametrize(("before", "observed"), [(1_500, [1, 1.5]), (None, [0, 0])])
async def test_metrics__when_a_mint_is_submitted__time_it_since_it_was_built_if_that_is_known(
    harness: Harness,
    before: int | None,
    observed: list[float],
) -> None:
    registry = CollectorRegistry()
    built_at = None if before is None else harness.now - before
    intent = mint_intent().model_copy(update={"built_at": built_at})
    harness.built(intent)
    await send(harness, registry, intent, intent)
    timed = [
        registry.get_sample_value(f"mintline_stage_seconds_{what}", {"status": "submitted"}) or 0
        for what in ("count", "sum")
    ]
    assert timed == observed
