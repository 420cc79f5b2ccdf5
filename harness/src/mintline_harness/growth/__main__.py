"""Does anything grow with what is stored? `python -m mintline_harness.growth --help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

import structlog

from mintline_bench.machine import describe
from mintline_harness.growth.blocks import days_table, follow
from mintline_harness.growth.costs import table
from mintline_harness.growth.measure import PAGE, measure


def main(argv: Sequence[str]) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m mintline_harness.growth", description="Does it grow?")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000], help="records of each kind")
    parser.add_argument("--hours", type=float, default=2.0, help="hours of the sweep, whole ones")
    parser.add_argument("--days", type=int, help="follow so many days' blocks instead")
    options = parser.parse_args(argv)
    if min(options.sizes) < PAGE:
        parser.error(f"--sizes: at least {PAGE}, a page")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.days:
        result = days_table(asyncio.run(follow(options.days)))
    else:
        result = table(asyncio.run(measure(options.sizes, hours=options.hours)))
    about = describe()
    print(f"{about['commit']}, {about['date']}, Python {about['python']}, {about['processor']}")  # noqa: T201 - the result
    print(result)  # noqa: T201 - the result
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
