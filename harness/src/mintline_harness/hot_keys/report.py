"""The hottest keys: a table for people, and the same for a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline_harness.hot_keys.meter import KEY_LIMIT, HotKey

SHOWN = 44
"""Characters of a key in the table; the JSON has all of it."""


def figures(keys: Sequence[HotKey], *, mints: int) -> list[dict[str, Any]]:
    """Return the keys as JSON; `mints` is how many took what was counted."""
    return [
        {
            "key_of": key.name,
            "key": key.partition,
            "peak_units_per_s": key.peak,
            "units": key.units,
            "units_per_mint": round(key.units / mints, 2),
            "mints_per_s_at_limit": round(key.limit(mints), 1),
            "throttled": key.throttled,
            "refused": key.refused,
        }
        for key in keys
    ]


def table(keys: Sequence[HotKey], *, mints: int) -> str:
    """Return the keys as aligned lines."""
    head = f"{'hot keys':<24} {'':<{SHOWN}}{'peak/s':>8}{'units':>8}{'a mint':>8}{'limit':>10}"
    lines = [head]
    for key in keys:
        shown = key.partition if len(key.partition) <= SHOWN else f"{key.partition[: SHOWN - 1]}…"
        lines.append(
            f"{key.name:<24} {shown:<{SHOWN}}{key.peak:>8}{key.units:>8}{key.units / mints:>8.2f}"
            f"{key.limit(mints):>10,.0f}"
            + ("  throttled" if key.throttled else "")
            + (f"  refused {key.refused:,} times" if key.refused else "")
        )
    lines.append(f"limit: mints/s of this load at which the key has {KEY_LIMIT:,} write units/s")
    return "\n".join(lines)
