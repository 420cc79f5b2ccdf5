"""The collections of this API, remembered."""

from __future__ import annotations

from collections.abc import Callable

from mintline.records import RegisteredContract
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.collections.ports import CollectionStore
from mintline_api.features.collections.problems import unknown_contract

_CACHED_COLLECTIONS = 10_000
_ABSENCE_SECONDS = 5.0
_PRESENCE_SECONDS = 60.0


class CollectionRegistry:
    """The contracts that are ours: a known one stays known, an unknown one is asked about again soon.

    What is on its record may change, so a known one is read again after a minute.
    """

    def __init__(
        self,
        store: CollectionStore,
        *,
        clock: Callable[[], float],
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._cache: BoundedCache[str, tuple[RegisteredContract | None]] = BoundedCache(
            max_weight=_CACHED_COLLECTIONS, clock=clock, looked_up=looked_up
        )
        self._flights: SingleFlight[str, RegisteredContract | None] = SingleFlight()

    async def known(self, contract: str) -> RegisteredContract:
        """Return the collection; raises RequestRefused for a contract that is not ours."""
        entry = self._cache.get(contract)
        if entry is None:
            collection = await self._flights.run(contract, lambda: self._store.collection(contract))
            entry = (collection,)
            self._cache.put(
                contract, entry, ttl=_ABSENCE_SECONDS if collection is None else _PRESENCE_SECONDS
            )
        if entry[0] is None:
            raise unknown_contract(contract)
        return entry[0]
