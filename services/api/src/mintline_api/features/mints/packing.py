"""Metadata of lone mints that are accepted together: one object for many, as requests for many have.

::

    metadata of a mint ──▶ gathered ──▶ runs of a collection's token ids ──▶ pack (S3) ──▶ its row ──▶ mint
                                                       │                       │
                                                       ▼ one alone             ▼ failed, or unknown
                                                 the builder stores an object for each

Nothing waits for company unless others come at the same time, so a mint on its own is delayed by nothing.
A pack holds what a mint that comes to nothing was to have, too: nobody can read that, and its token id is
given to no other mint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

import structlog

from mintline.batcher import Batcher
from mintline.packs import pack_of
from mintline_api.caches import BoundedCache
from mintline_api.features.metadata.ports import PackStore

log = structlog.get_logger()

LINGER = 0.01
"""Seconds for which metadata waits for that of others, while others come."""
WITHIN = 2.0
"""Seconds that a pack and its row may take: what hangs counts as failed."""
PAUSE = 10.0
"""Seconds after a failure in which nothing is packed, not even what waited already."""
MAX_ITEMS = 100
MAX_BYTES = 1024 * 1024
_REMEMBERED = 10_000


class Packing(StrEnum):
    """Where the metadata of a mint is."""

    PACKED = "packed"
    ALONE = "alone"
    """In no pack."""
    UNKNOWN = "unknown"
    """Perhaps in a pack: storing it failed, which may have been after its row was written."""


@dataclass(frozen=True, slots=True)
class _Text:
    contract: str
    token_id: int
    metadata: str


class MetadataPacker:
    """Packs the metadata of mints. `clock` is monotonic, in seconds."""

    def __init__(self, packs: PackStore, *, chain_id: int, clock: Callable[[], float]) -> None:
        self._packs = packs
        self._chain_id = chain_id
        self._clock = clock
        self._resumes = float("-inf")
        self._done: BoundedCache[str, int] = BoundedCache(max_weight=_REMEMBERED, clock=clock)
        self._batcher: Batcher[_Text, Packing] = Batcher(
            self._flush,
            max_items=MAX_ITEMS,
            max_weight=MAX_BYTES,
            weight=lambda text: len(text.metadata),
            linger=LINGER,
            trickle=LINGER,
            concurrency=2,
        )

    async def pack(self, names: Sequence[str], contract: str, token_id: int, metadata: str) -> Packing:
        """Pack a token's metadata, canonical JSON; unless it is PACKED then, the builder stores it.

        UNKNOWN, too, if this is cancelled. What has one of the `names` of an earlier call, such as a mint's
        id, is not packed: requests that are sent again and again would fill the bucket.
        """
        if self._is_paused() or any(self._done.get(name) is not None for name in names):
            return Packing.ALONE
        for name in names:
            self._done.put(name, token_id)
        return await self._batcher.submit(_Text(contract, token_id, metadata))

    async def aclose(self) -> None:
        """Wait for what is being stored."""
        await self._batcher.aclose()

    def _is_paused(self) -> bool:
        return self._clock() < self._resumes

    async def _flush(self, texts: Sequence[_Text]) -> Sequence[Packing]:
        # What waited while another flush failed waits for no failure of its own.
        if len(texts) == 1 or self._is_paused():
            return [Packing.ALONE] * len(texts)
        runs = [run for run in _runs(texts) if len(run) > 1]
        outcomes = await asyncio.gather(*map(self._store, runs))
        known = {text: outcome for run, outcome in zip(runs, outcomes, strict=True) for text in run}
        return [known.get(text, Packing.ALONE) for text in texts]

    async def _store(self, run: Sequence[_Text]) -> Packing:
        first = run[0]
        pack = pack_of(self._chain_id, first.contract, first.token_id, [text.metadata for text in run])
        try:
            async with asyncio.timeout(WITHIN):
                await self._packs.put(pack)
                await self._packs.announce(pack.index)
        except Exception as error:  # noqa: BLE001 - whatever it is, the builder stores each
            self._resumes = self._clock() + PAUSE
            log.warning("metadata_not_packed", mints=len(run), reason=repr(error))
            return Packing.UNKNOWN
        return Packing.PACKED


def _runs(texts: Iterable[_Text]) -> list[list[_Text]]:
    """Return texts in runs whose token ids follow one another, so that no other pack begins within one."""
    ordered = sorted(texts, key=lambda text: (text.contract, text.token_id))
    numbered = enumerate(ordered)
    return [
        [text for _, text in run]
        for _, run in groupby(numbered, key=lambda pair: (pair[1].contract, pair[1].token_id - pair[0]))
    ]
