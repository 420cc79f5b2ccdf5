"""Sponsored mints as load: users mint to their wallets in custody, and relayers pay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mintline_bench.load import Driver


class SponsoredDriver(Driver):
    """Posts mints that a relayer pays for, each to its user's wallet in custody."""

    def more(self, number: int) -> Mapping[str, Any]:
        """Ask for a relayer to pay."""
        del number
        return {"custody": "sponsored"}
