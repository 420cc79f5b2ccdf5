from __future__ import annotations

import pytest

from mintline_infra.costs import (
    ALARMS,
    LOG_METRICS,
    MINTS_A_WALLET,
    PRICES,
    SECRETS,
    SMALL,
    monthly,
    tables,
)
from synthesis import ROOT, Templates, properties

PAGE = (ROOT / "docs/aws-costs.md").read_text()


def test_cost_table__when_read_on_its_page__then_it_is_what_the_figures_give() -> None:
    assert tables() in PAGE


def test_prices__when_read_on_their_page__then_each_stands_there_with_its_page() -> None:
    for name, price in PRICES.items():
        assert f"| {name} | {price.dollars:.10f}".rstrip("0").rstrip(".") in PAGE
        assert price.page in PAGE


def test_costs__when_mints_double__then_only_what_mints_cause_grows() -> None:
    idle, million, two = (monthly(mints) for mints in (0, 1_000_000, 2_000_000))

    assert million["Metadata"] * 2 == two["Metadata"]
    assert idle["Metadata"] == idle["Users"] == 0
    keys = "Keys of wallets made this month"
    assert 0 < million[keys] * 2 == two[keys] < 1
    secrets = monthly(1_000_000, store="secretsmanager")
    assert secrets[keys] > 1_000_000 / MINTS_A_WALLET * 0.40
    assert {name for name in million if million[name] != secrets[name]} == {keys}
    network = "Network: 2 NAT gateways, 11 endpoints in 2 zones"
    assert idle[network] == two[network]


def test_costs__when_what_is_made_is_counted__then_it_is_as_many_as_there_are(templates: Templates) -> None:
    filters = properties(templates["watch"], "AWS::Logs::MetricFilter")

    alarms = [
        each for template in templates.values() for each in properties(template, "AWS::CloudWatch::Alarm")
    ]
    assert len(alarms) == ALARMS
    assert len({each["MetricTransformations"][0]["MetricName"] for each in filters}) == LOG_METRICS
    # And the authorization key, which `operator keys` makes.
    assert len(properties(templates["data"], "AWS::SecretsManager::Secret")) + 1 == SECRETS


def test_users__when_the_pool_has_the_plan_lite__then_its_tiers_are_counted() -> None:
    essentials, lite = monthly(100_000_000), monthly(100_000_000, plan="lite")

    # Five million users: 90,000, then 900,000, then four million at their prices.
    assert lite["Users"] == pytest.approx(90_000 * 0.0055 + 900_000 * 0.0046 + 4_000_000 * 0.00325)
    assert {name for name in lite if lite[name] != essentials[name]} == {"Users"}
    assert monthly(100_000, plan="lite")["Users"] == 0


def test_costs__when_a_small_deployment_is_idle__then_it_is_150_dollars_at_most() -> None:
    assert sum(monthly(0, shape=SMALL).values()) <= 150.00
