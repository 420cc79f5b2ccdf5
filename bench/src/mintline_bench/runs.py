"""Several runs: the median of each figure, and its range."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def leaves(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Return each number of nested figures under its path: `cpu_ms.services`."""
    for name, value in figures.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield path, value


def spans(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return median, least and most of each figure, over those runs that have it."""
    values_by_path: dict[str, list[float]] = {}
    for run in runs:
        for path, value in leaves(run):
            values_by_path.setdefault(path, []).append(value)
    return {
        path: {
            "median": round(statistics.median(values), 4),
            "min": min(values),
            "max": max(values),
            "runs": len(values),
        }
        for path, values in values_by_path.items()
    }


ROWS = (
    ("accepted/s", "accepted_per_s"),
    ("confirmed mints/s", "confirmed_per_s"),
    ("the same if AWS took no CPU (arithmetic)", "without_emulator.mints_per_s"),
    ("POST p50 ms", "post_ms.p50"),
    ("POST p99 ms", "post_ms.p99"),
    ("POST→mined p50 ms", "mined_ms.p50"),
    ("POST→mined p99 ms", "mined_ms.p99"),
    ("CPU ms per mint, the services", "cpu_ms.services"),
    ("CPU ms per mint, the AWS emulator", "cpu_ms.aws_emulator"),
    ("CPU ms per mint, the chain", "cpu_ms.chain"),
    ("CPU ms per mint, the load generator", "cpu_ms.load_generator"),
    ("AWS requests a minute", "aws_requests_per_minute"),
    ("AWS requests per mint", "aws_requests_per_mint"),
    ("peak RSS of the services, MB", "rss_services_mb"),
    ("gas per token", "gas_per_token"),
    ("lost", "lost"),
    ("doubled", "doubled"),
    ("failed", "failed"),
)


def summary(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return median and range of the main figures, as aligned lines."""
    spans_by_path = spans(runs)
    lines = [f"{f'{len(runs)} runs':<42}{'median':>12}   range"]
    for label, path in ROWS:
        if (span := spans_by_path.get(path)) is not None:
            lines.append(f"{label:<42}{span['median']:>12g}   {span['min']:g}-{span['max']:g}")
    return "\n".join(lines)
