"""Wrapped keys from their store, remembered for a while: without KMS they are of no use."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from mintline.clock import Monotonic
from mintline.key_stores import StoredKey
from mintline.messages.parts import KeyRef
from mintline_signer.protocol import WrappedKey


class RememberedKeys:
    """A WrappedKeySource over `read`, which fetches one key; the least recently used is forgotten first.

    Each is fetched again after `ttl` seconds on `clock`. Those who ask for the same key at once share one
    fetch. A failure is not remembered. `looked_up` is called for each lookup, with whether the key was known.
    """

    def __init__(
        self,
        read: Callable[[KeyRef], Awaitable[StoredKey]],
        *,
        size: int,
        ttl: float,
        clock: Callable[[], Monotonic],
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._read = read
        self._looked_up = looked_up
        self._size = size
        self._ttl = ttl
        self._clock = clock
        self._known: OrderedDict[KeyRef, tuple[WrappedKey, float]] = OrderedDict()
        self._fetches: dict[KeyRef, asyncio.Task[WrappedKey]] = {}

    async def read(self, key: KeyRef) -> WrappedKey:
        wrapped, deadline = self._known.get(key, (None, 0.0))
        fresh = wrapped is not None and self._clock() < deadline
        self._looked_up(fresh)
        if wrapped is None or not fresh:
            return await self._fetch(key)
        self._known.move_to_end(key)
        return wrapped

    async def _fetch(self, key: KeyRef) -> WrappedKey:
        fetch = self._fetches.get(key)
        if fetch is None:
            fetch = asyncio.create_task(self._remember(key), name=f"wrapped key {key.address}")
            self._fetches[key] = fetch
            fetch.add_done_callback(lambda _: self._fetches.pop(key, None))
        # Shielded: one waiter's end is not the others'.
        return await asyncio.shield(fetch)

    async def _remember(self, key: KeyRef) -> WrappedKey:
        stored = await self._read(key)
        wrapped = WrappedKey(
            address=stored.address,
            subject=stored.subject,
            chain_id=stored.chain_id,
            wrapped=stored.wrapped,
            kms_key=stored.kms_key,
        )
        self._known[key] = wrapped, self._clock() + self._ttl
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return wrapped
