"""What an idle pipeline does, by the minute."""

from mintline_bench.cpu import LOAD
from mintline_bench.idle import idle_figures, idle_table
from mintline_bench.process_monitor import Costs


def test_idle_figures__when_two_minutes_were_measured__are_by_the_minute_and_without_the_load_generator() -> (
    None
):
    costs = Costs({"api": 0.2, "ministack": 1.0, LOAD: 9.0}, {"api": 50_000_000, LOAD: 10})
    costs.aws_requests["api", "dynamodb.Query"] = 90
    figures = idle_figures(costs, seconds=120.0)
    assert figures["aws_requests_per_minute"] == 45.0
    assert figures["aws_requests_by_service"] == {"api": {"dynamodb.Query": 45.0}}
    assert figures["cpu_ms_per_minute"] == {"api": 100.0, "ministack": 500.0}
    assert figures["cpu_ms"]["services"] == 100.0
    assert figures["rss_services_mb"] == 50.0
    assert idle_table(figures).splitlines()[-1].split() == ["the", "services", "100", "45"]
