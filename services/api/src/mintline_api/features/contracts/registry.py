"""The collections of this API, remembered."""

from __future__ import annotations

from collections.abc import Callable

from mintline.records.collections import RegisteredContract
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.contracts.ports import CollectionStore
from mintline_api.features.contracts.problems import unknown_contract

_CACHED_COLLECTIONS = 10_000
_ABSENCE_SECONDS = 5.0
_PRESENCE_SECONDS = 60.0
_CHANGEABLE_SECONDS = 5.0
"""For a collection that its client may pause: so long the other copies of the api accept mints in it."""
_DEPLOYING_SECONDS = 0.5


class CollectionRegistry:
    """The contracts that are ours: a known one stays known, an unknown one is asked about again soon.

    What is on its record may change, so a known one is read again after a minute; one that its client may
    change after seconds, and one that is not deployed at once.
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
            self._cache.put(contract, entry, ttl=_seconds(collection))
        if entry[0] is None:
            raise unknown_contract(contract)
        return entry[0]

    def forget(self, contract: str) -> None:
        """Read the record again when it is asked for next: it was changed here."""
        self._cache.discard(contract)


def _seconds(collection: RegisteredContract | None) -> float:
    if collection is None:
        return _ABSENCE_SECONDS
    if collection.status == "deploying":
        return _DEPLOYING_SECONDS
    return _PRESENCE_SECONDS if collection.clone is None else _CHANGEABLE_SECONDS
