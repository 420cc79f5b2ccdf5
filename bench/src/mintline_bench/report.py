"""The figures of a run: a table for people, and the same as one JSON object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mintline_bench.cpu import is_service, shares, without_emulator
from mintline_bench.load import Posted
from mintline_bench.process_monitor import Costs
from mintline_bench.verify import Verdict

STAGES = ("accepted", "built", "submitted", "mined")
"""What a mint passes on its way into a block; one that a client sponsors has no time of its own for some."""

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


def stages(posted: Sequence[Posted]) -> dict[str, dict[str, float | None]]:
    """Return what each stage took, by the mints' own records: from the stage before it that is on record."""
    took: dict[str, list[float]] = {}
    for mint in posted:
        before: float | None = None
        for stage in STAGES:
            if (at := mint.at(stage)) is None:
                continue
            if before is not None:
                took.setdefault(stage, []).append(at - before)
            before = at
    return {stage: spread(took[stage]) for stage in STAGES if stage in took}


def summarize(
    posted: Sequence[Posted], costs: Costs, verdict: Verdict, *, retries: int, cores: int = 1
) -> dict[str, Any]:
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
    cpu_ms = {name: round(seconds * 1000 / count, 3) for name, seconds in sorted(costs.cpu_seconds.items())}
    return {
        "mints": count,
        "accepted_per_s": round(count / accepted_in, 1) if accepted_in else None,
        "confirmed_per_s": round(len(mined) / mined_in, 1) if mined_in else None,
        "post_ms": spread([mint.answered - mint.started for mint in posted]),
        "submitted_ms": spread(submitted),
        "mined_ms": spread([at - mint.started for mint, at in mined]),
        "stages_ms": stages(posted),
        "cpu_ms_per_mint": cpu_ms,
        "cpu_ms": shares(cpu_ms),
        "without_emulator": without_emulator(cpu_ms, cores=cores),
        "rss_mb": {name: round(size / 1e6, 1) for name, size in sorted(costs.peak_rss.items())},
        "rss_services_mb": round(
            sum(size for name, size in costs.peak_rss.items() if is_service(name)) / 1e6, 1
        ),
        "aws_requests_per_mint": round(sum(costs.aws_requests.values()) / count, 3),
        "aws_requests_by_service": by_service,
        "post_retries": retries,
        "minted": verdict.minted,
        "failed": verdict.failed,
        "mismatched": verdict.mismatched,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures as aligned lines, the rival's beside ours."""
    cpu, elsewhere = figures["cpu_ms"], figures["without_emulator"]
    rows = [
        ("", "mintline", "thirdweb Engine v2"),
        ("accepted/s", figures["accepted_per_s"], RIVAL["accepted_per_s"]),
        ("confirmed mints/s", figures["confirmed_per_s"], RIVAL["confirmed_per_s"]),
        ("POST p50 / p99 ms", _pair(figures["post_ms"]), ""),
        ("POST→submitted p50 / p99 ms", _pair(figures["submitted_ms"]), ""),
        ("POST→mined p50 / p99 ms", _pair(figures["mined_ms"]), f"{RIVAL['mined_ms_p50']} / -"),
        *((f"  to {stage} p50 / p99 ms", _pair(took), "") for stage, took in figures["stages_ms"].items()),
        ("peak RSS of the services, MB", figures["rss_services_mb"], RIVAL["rss_mb"]),
        ("CPU ms per mint, the services", round(cpu["services"], 2), ""),
        ("  the AWS emulator", round(cpu["aws_emulator"], 2), ""),
        ("  the chain", round(cpu["chain"], 2), ""),
        ("  the load generator", round(cpu["load_generator"], 2), ""),
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
    without = (
        f"Without the AWS emulator's CPU: {elsewhere['mints_per_s']} mints/s, bound by {elsewhere['bound']} "
        "(arithmetic from the CPU above, not a measurement)"
    )
    return "\n".join([*lines, "", without, "", *processes(figures)])


def processes(figures: dict[str, Any]) -> list[str]:
    """Return a line for each process: what it took, and which AWS requests it made."""
    lines = [f"{'process':<20}{'CPU ms/mint':>12}{'peak RSS MB':>14}   AWS requests per mint"]
    for name, cost in sorted(figures["cpu_ms_per_mint"].items()):
        requests = figures["aws_requests_by_service"].get(name, {})
        detail = "  ".join(f"{operation.split('.')[-1]} {per}" for operation, per in requests.items())
        lines.append(f"{name:<20}{cost:>12}{figures['rss_mb'].get(name, 0):>14}   {detail}")
    return lines


def _pair(figure: dict[str, float | None]) -> str:
    return f"{figure['p50']} / {figure['p99']}"
