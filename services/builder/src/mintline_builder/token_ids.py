"""Token ids, leased from a collection's counter by one write for all the mints that arrive together.

An id is given out once. Ids that were leased for a mint which then never got that far are not given back:
gaps come from a crash between lease and reservation, from an attempt that failed there and was repeated, and
from a mint that is refused at its last simulation. They are harmless, since the contract knows no order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from mintline.batcher import Batcher
from mintline_builder.ports import Collections


class TokenIds:
    """Gives out token ids. While one lease is under way the next one gathers: its size follows the load."""

    def __init__(self, collections: Collections, *, max_lease: int = 1000) -> None:
        self._collections = collections
        self._batcher: Batcher[str, int] = Batcher(
            self._lease, max_items=max_lease, concurrency=1, linger=0.002
        )

    async def next(self, contract: str) -> int:
        """Return a token id that no one else gets. Raises Rejected for a contract that has no counter."""
        return await self._batcher.submit(contract)

    async def aclose(self) -> None:
        """Wait for the lease under way."""
        await self._batcher.aclose()

    async def _lease(self, contracts: Sequence[str]) -> Sequence[int | BaseException]:
        wanted = Counter(contracts)
        answers = await asyncio.gather(
            *(self._collections.lease(contract, count) for contract, count in wanted.items()),
            return_exceptions=True,
        )
        ids: dict[str, int | BaseException] = dict(zip(wanted, answers, strict=True))
        leased: list[int | BaseException] = []
        for contract in contracts:
            token_id = ids[contract]
            leased.append(token_id)
            if isinstance(token_id, int):
                ids[contract] = token_id + 1
        return leased
