from __future__ import annotations

from mintline_testkit.builder.harness import Builder, Harness


async def test_stages__when_a_mint_is_built__time_it_from_its_acceptance_once(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("mint_1", created_at=int(harness.now * 1000) - 2_500)
    await builder.build("mint_1")
    await builder.build("mint_1")
    assert builder.registry.get_sample_value("mintline_mints_total", {"status": "built"}) == 1
    assert builder.registry.get_sample_value("mintline_stage_seconds_sum", {"status": "built"}) == 2.5


async def test_stages__when_a_mint_is_refused__count_it_as_rejected(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("mint_1", chain_id=5)
    await builder.build("mint_1")
    assert builder.registry.get_sample_value("mintline_mints_total", {"status": "rejected"}) == 1
