"""What an idle pipeline does by itself: requests to AWS and CPU, by the minute."""

from __future__ import annotations

from typing import Any

from mintline_bench.cpu import LOAD, is_service, shares
from mintline_bench.process_monitor import Costs

SETTLING = 70.0
"""Seconds before the measurement: what a start causes is over, the first pass of the reconciler included."""
MEASURED = 60.0


def idle_figures(costs: Costs, *, seconds: float) -> dict[str, Any]:
    """Return the figures by the minute, of what was spent in so many seconds."""
    minutes = seconds / 60
    cpu_ms = {
        name: round(spent * 1000 / minutes, 1)
        for name, spent in sorted(costs.cpu_seconds.items())
        if name != LOAD
    }
    requests: dict[str, dict[str, float]] = {}
    for (service, operation), count in sorted(costs.aws_requests.items()):
        if count:
            requests.setdefault(service, {})[operation] = round(count / minutes, 1)
    return {
        "seconds": round(seconds, 1),
        "aws_requests_per_minute": round(sum(costs.aws_requests.values()) / minutes, 1),
        "aws_requests_by_service": requests,
        "cpu_ms_per_minute": cpu_ms,
        "cpu_ms": shares(cpu_ms),
        "rss_services_mb": round(
            sum(size for name, size in costs.peak_rss.items() if is_service(name)) / 1e6, 1
        ),
    }


def idle_table(figures: dict[str, Any]) -> str:
    """Return the figures as aligned lines, a process each."""
    lines = [f"{'idle':<16}{'CPU ms/min':>12}{'AWS/min':>10}"]
    by_service = figures["aws_requests_by_service"]
    for name, cost in figures["cpu_ms_per_minute"].items():
        requests = by_service.get(name, {})
        detail = "  ".join(f"{operation.split('.')[-1]} {count:g}" for operation, count in requests.items())
        lines.append(f"{name:<16}{cost:>12g}{round(sum(requests.values()), 1):>10g}   {detail}")
    total = figures["aws_requests_per_minute"]
    lines.append(f"{'the services':<16}{figures['cpu_ms']['services']:>12g}{total:>10g}")
    return "\n".join(lines)
