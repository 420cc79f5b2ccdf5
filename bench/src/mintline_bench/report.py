"""The figures of a run: a table for people, and the same as one JSON object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mintline_bench.load import Posted
from mintline_bench.process_monitor import Costs
from mintline_bench.verify import Verdict

RIVAL = {
    "accepted_per_s": "about 500",
    "confirmed_per_s": "114-173",
    "mined_ms_p50": "2040",
    "rss_mb": "1050",
}
"""thirdweb Engine v2 on a machine of 2 cores, the chain on it, 1 s blocks."""


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile of `values`, or None when there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def spread(seconds: Sequence[float]) -> dict[str, float | None]:
    """Return the median and the 99th percentile of durations, in milliseconds."""
    figures = {"p50": percentile(seconds, 50), "p99": percentile(seconds, 99)}
    return {name: None if value is None else round(value * 1000, 1) for name, value in figures.items()}


def summarize(posted: Sequence[Posted], costs: Costs, verdict: Verdict, *, retries: int) -> dict[str, Any]:
    """Return the run's figures under their fixed keys; rates are per second of wall time."""
    started = min(mint.started for mint in posted)
    accepted_in = max(mint.answered for mint in posted) - started
    mined = [(mint, at) for mint in posted if (at := mint.at("mined")) is not None]
    mined_in = max((at for _, at in mined), default=started) - started
    submitted = [at - mint.started for mint in posted if (at := mint.at("submitted")) is not None]
    count = len(posted)
    by_service: dict[str, dict[str, float]] = {}
    for (service, operation), requests in sorted(costs.aws_requests.items()):
        if requests:
            by_service.setdefault(service, {})[operation] = round(requests / count, 4)
    return {
        "mints": count,
        "accepted_per_s": round(count / accepted_in, 1) if accepted_in else None,
        "confirmed_per_s": round(len(mined) / mined_in, 1) if mined_in else None,
        "post_ms": spread([mint.answered - mint.started for mint in posted]),
        "submitted_ms": spread(submitted),
        "mined_ms": spread([at - mint.started for mint, at in mined]),
        "cpu_ms_per_mint": {
            name: round(seconds * 1000 / count, 3) for name, seconds in sorted(costs.cpu_seconds.items())
        },
        "rss_mb": {name: round(size / 1e6, 1) for name, size in sorted(costs.peak_rss.items())},
        "aws_requests_per_mint": round(sum(costs.aws_requests.values()) / count, 3),
        "aws_requests_by_service": by_service,
        "post_retries": retries,
        "minted": verdict.minted,
        "failed": verdict.failed,
        "mismatched": verdict.mismatched,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
    }


def table(figures: dict[str, Any], *, own: frozenset[str]) -> str:
    """Return the figures as aligned lines, the rival's beside ours; `own` names our processes."""
    rss = sum(size for name, size in figures["rss_mb"].items() if name in own)
    cpu = sum(cost for name, cost in figures["cpu_ms_per_mint"].items() if name in own)
    rows = [
        ("", "mintline", "thirdweb Engine v2"),
        ("accepted/s", figures["accepted_per_s"], RIVAL["accepted_per_s"]),
        ("confirmed mints/s", figures["confirmed_per_s"], RIVAL["confirmed_per_s"]),
        ("POST p50 / p99 ms", _pair(figures["post_ms"]), ""),
        ("POST→submitted p50 / p99 ms", _pair(figures["submitted_ms"]), ""),
        ("POST→mined p50 / p99 ms", _pair(figures["mined_ms"]), f"{RIVAL['mined_ms_p50']} / -"),
        ("peak RSS of the services, MB", round(rss, 1), RIVAL["rss_mb"]),
        ("CPU ms per mint, the services", round(cpu, 2), ""),
        ("AWS requests per mint", figures["aws_requests_per_mint"], ""),
        *(
            [
                ("gas per token", figures["gas_per_token"], ""),
                ("tokens per transaction", figures["tokens_per_transaction"], ""),
                ("wallets with balance 0, nonce 0", figures["untouched_wallets"], ""),
            ]
            if "gas_per_token" in figures
            else []
        ),
        ("lost / doubled / failed", f"{figures['lost']} / {figures['doubled']} / {figures['failed']}", ""),
    ]
    lines = [f"{label:<32}{ours!s:>20}{theirs!s:>22}" for label, ours, theirs in rows]
    lines.append("")
    lines.append(f"{'process':<20}{'CPU ms/mint':>12}{'peak RSS MB':>14}   AWS requests per mint")
    for name in sorted(figures["cpu_ms_per_mint"]):
        requests = figures["aws_requests_by_service"].get(name, {})
        detail = "  ".join(f"{operation.split('.')[-1]} {per}" for operation, per in requests.items())
        cost = figures["cpu_ms_per_mint"][name]
        lines.append(f"{name:<20}{cost:>12}{figures['rss_mb'].get(name, 0):>14}   {detail}")
    return "\n".join(lines)


def _pair(figure: dict[str, float | None]) -> str:
    return f"{figure['p50']} / {figure['p99']}"
