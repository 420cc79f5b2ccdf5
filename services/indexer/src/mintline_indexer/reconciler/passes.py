"""One pass over a range of final blocks, and passes on a schedule."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from mintline.clock import Monotonic, UnixSeconds
from mintline.errors import Misconfigured, Unavailable
from mintline_indexer.reconciler.comparison import reconcile
from mintline_indexer.reconciler.findings import Finding, Kind
from mintline_indexer.reconciler.metrics import Metrics
from mintline_indexer.reconciler.reading import Range, Reader
from mintline_indexer.store_port import Progress

LOOKS = 2
"""Times that a finding must be made before it counts."""
PAUSE = 2.0
"""Seconds between them."""
LOGGED = 100
"""Findings of one pass that are logged one by one."""
KEPT = 10_000
"""Findings of one pass that are kept; all are counted."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass made out; `counts` are of all findings, also of those that were not kept."""

    blocks: Range
    counts: Mapping[Kind, int]
    checked: Mapping[str, int]
    """How many mints were read, and tokens were minted and indexed, in the range."""
    findings: tuple[Finding, ...]

    @property
    def alarming(self) -> int:
        """How many findings somebody has to look at."""
        return sum(count for kind, count in self.counts.items() if kind.is_alarming)

    def to_json(self) -> dict[str, Any]:
        """Return the pass as JSON values."""
        return {
            "first": self.blocks.first,
            "last": self.blocks.last,
            "counts": {**self.checked, **{kind.value: count for kind, count in self.counts.items()}},
            "differences": self.alarming,
            "findings": [finding.to_json() for finding in self.findings],
        }


class Reconciler:
    """Checks ranges of blocks. `now` returns Unix seconds, `clock` is monotonic, in seconds."""

    def __init__(
        self,
        reader: Reader,
        *,
        blocks: int,
        metrics: Metrics,
        now: Callable[[], UnixSeconds],
        clock: Callable[[], Monotonic],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._reader = reader
        self._blocks = blocks
        self._metrics = metrics
        self._now = now
        self._clock = clock
        self._sleep = sleep
        self._succeeded = clock()
        self._checked: int | None = None
        """The last block of the last pass that succeeded."""
        metrics.last_success.set(now())

    async def newest(self) -> Pass:
        """Check the newest final blocks, and all since the last time.

        Raises Unavailable while there is no index, or the nodes do not answer or do not agree with it.
        """
        started = self._clock()
        try:
            done = await self.check(None, None)
        except BaseException:
            self._metrics.passes.labels("failed").inc()
            raise
        self._checked = done.blocks.last
        self._succeeded = self._clock()
        took = self._clock() - started
        self._metrics.passes.labels("done").inc()
        self._metrics.set_findings(done.counts)
        self._metrics.last_success.set(self._now())
        self._metrics.duration.set(took)
        self._metrics.block.set(done.blocks.last)
        for finding in [each for each in done.findings if each.kind.is_alarming][:LOGGED]:
            log.error("reconcile_finding", **finding.to_json())
        log.info(
            "reconciled",
            first=done.blocks.first,
            last=done.blocks.last,
            findings=done.alarming,
            counts={kind.value: count for kind, count in done.counts.items()},
            **done.checked,
            seconds=round(took, 3),
        )
        return done

    async def check_age(self, most: float) -> None:
        """Raise Unavailable when the last success, or the start, is more than `most` seconds ago."""
        age = self._clock() - self._succeeded
        if age > most:
            raise Unavailable(f"no pass has succeeded for {age:.0f} s")

    async def check(self, first: int | None, last: int | None) -> Pass:
        """Check a range of final blocks; its ends are by default those of the newest ones.

        A difference counts once it was found twice: records were read at different moments.
        Raises Misconfigured when there is no such block.
        """
        blocks, progress = await self._range(first, last)
        looks: list[Pass] = []
        while len(looks) < LOOKS:
            if looks:
                await self._sleep(PAUSE)
            looks.append(await self._compare(progress, blocks))
            if not looks[-1].alarming:
                return looks[-1]
        before = {_identity(finding) for finding in looks[0].findings}
        again = tuple(
            finding
            for finding in looks[-1].findings
            if not finding.kind.is_alarming or _identity(finding) in before
        )
        kept = len(looks[-1].findings) < KEPT
        counts = Counter(finding.kind for finding in again) if kept else looks[-1].counts
        return Pass(blocks, counts, looks[-1].checked, again)

    async def _range(self, first: int | None, last: int | None) -> tuple[Range, Progress]:
        progress = await self._reader.progress()
        final = progress.finalized.number
        newest = final if last is None else last
        if newest > final:
            raise Misconfigured(f"block {newest} is not final yet: the index's newest final block is {final}")
        oldest = first
        if oldest is None:
            oldest = max(0, newest - self._blocks + 1)
            if self._checked is not None:
                oldest = min(oldest, self._checked + 1)
        if oldest > newest:
            raise Misconfigured(f"no block from {oldest} to {newest}")
        return Range(oldest, newest), progress

    async def _compare(self, progress: Progress, blocks: Range) -> Pass:
        counts: Counter[Kind] = Counter()
        checked: Counter[str] = Counter()
        kept: list[Finding] = []
        async for books in self._reader.books(progress, blocks, now=self._now()):
            reconciliation = reconcile(books)
            counts.update(finding.kind for finding in reconciliation.findings)
            checked.update({name: reconciliation.counts[name] for name in ("accepted", "minted", "indexed")})
            kept += reconciliation.findings[: KEPT - len(kept)]
        return Pass(blocks, counts, checked, tuple(kept))


def _identity(finding: Finding) -> tuple[Any, ...]:
    return finding.kind, finding.mint_id, finding.contract, finding.token_id, finding.block
