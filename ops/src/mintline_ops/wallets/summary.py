"""The outcome of work on many keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from mintline.errors import MintlineError


@dataclass(slots=True)
class Summary:
    """How many keys had which outcome, and why some failed."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return {**dict(sorted(self.counts.items())), "failed": self.failures}

    async def record(self, name: str, work: Awaitable[str]) -> None:
        """Await the work, which returns its outcome, and count that or the error."""
        try:
            self.counts[await work] += 1
        except MintlineError as error:
            self.failures.append({"wallet": name, "reason": str(error)})
