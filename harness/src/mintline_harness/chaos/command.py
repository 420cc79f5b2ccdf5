"""The command line of chaos: seeds one after the other, a table, and one JSON object as the last line."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections import Counter
from collections.abc import Sequence

import structlog

from mintline.errors import MintlineError
from mintline.interrupts import Interrupted, run
from mintline_devstack.arguments import Arguments, amount, at_least_one
from mintline_harness.chaos.run import Outcome, Shares, run_seed

COLUMNS = (
    "seed",
    "accepted",
    "finalized",
    "failed",
    "lost",
    "doubled",
    "stuck",
    "mismatched",
    "unreconciled",
    "events_missing",
    "kills",
    "stops",
    "reorgs",
    "pool drops",
    "faults",
    "seconds",
)

PROMISES = ("accepted", "lost", "doubled", "stuck", "failed", "mismatched", "unreconciled", "events_missing")


def main(argv: Sequence[str]) -> int:
    """Run the seeds; 0 only if no mint was lost, doubled or stuck, and the books agree, in every one."""
    parser = Arguments(prog="python -m mintline_harness.chaos", description="Break a running stack.")
    parser.add_argument("--seeds", type=at_least_one, default=20, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--mints", type=at_least_one, default=1000, help="mints of each seed")
    parser.add_argument("--patience", type=amount, default=300.0, help="seconds until a mint is stuck")
    parser.add_argument("--sponsored", type=share, default=0.0, help="share of the mints that a relayer pays")
    parser.add_argument("--items", type=share, default=0.05, help="share of the mints of ERC-1155 items")
    options = parser.parse_args(argv)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    seeds = range(options.first, options.first + options.seeds)
    try:
        shares = Shares(sponsored=options.sponsored, items=options.items)
        return run(_seeds(seeds, mints=options.mints, patience=options.patience, shares=shares))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"chaos: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2


def share(text: str) -> float:
    """Return a number from 0 to 1: a type of argparse's."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 <= value <= 1:
        return value
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1")


async def _seeds(seeds: range, *, mints: int, patience: float, shares: Shares) -> int:
    print("".join(f"{name:>15}" for name in COLUMNS), flush=True)  # noqa: T201 - the result
    outcomes: list[Outcome] = []
    for seed in seeds:
        outcome = await run_seed(seed, mints=mints, patience=patience, shares=shares)
        outcomes.append(outcome)
        row = _row(outcome)
        print("".join(f"{row[name]!s:>15}" for name in COLUMNS), flush=True)  # noqa: T201 - the result
    print(json.dumps(summary(outcomes)))  # noqa: T201 - the result
    return int(not all(outcome.clean for outcome in outcomes))


def _row(outcome: Outcome) -> dict[str, object]:
    struck = outcome.struck
    faults = sum(count for name, count in struck.items() if name.startswith("requests "))
    shown: dict[str, object] = {name: getattr(outcome, name, struck.get(name, 0)) for name in COLUMNS}
    return shown | {"faults": faults}


def summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return what all seeds came to."""
    struck: Counter[str] = Counter()
    for outcome in outcomes:
        struck.update(outcome.struck)
    return {
        "seeds": len(outcomes),
        **{name: sum(getattr(outcome, name) for outcome in outcomes) for name in PROMISES},
        "kills": struck["kills"],
        "stops": struck["stops"],
        "reorgs": struck["reorgs"],
        "pool_drops": struck["pool drops"],
        "faults": sum(count for name, count in struck.items() if name.startswith("requests ")),
    }
