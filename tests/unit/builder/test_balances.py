"""The relayer's balance as it is exported and logged."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline_builder.balances import RelayerBalance
from mintline_builder.metrics import Metrics


def test_relayer_balance__when_read_often__then_it_is_logged_once_a_minute() -> None:
    registry, now = CollectorRegistry(), [0.0]
    balance = RelayerBalance(Metrics(registry), lambda: now[0])
    exported = []

    with capture_logs() as logs:
        for at, held in ((0.0, 1_050), (59.0, 950), (60.0, 850)):
            now[0] = at
            balance.record(held, cost=100)
            exported.append(registry.get_sample_value("mintline_builder_relayer_balance_wei"))

    assert exported == [1_050, 950, 850]
    assert [(entry["event"], entry["balance"], entry["batches_left"]) for entry in logs] == [
        ("relayer_balance", "1050", 10),
        ("relayer_balance", "850", 8),
    ]
