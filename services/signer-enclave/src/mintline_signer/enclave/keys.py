"""Unwrapped keys, held for a bounded time in a bounded number, and overwritten when they go."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mintline.clock import Monotonic
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.ports import KeyUnwrapper
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import WrappedKey

Identity: TypeAlias = tuple[str, str, int]
"""Address, subject and chain: what the unwrapping proved to belong together."""

_ROUNDS = 3


@dataclass(slots=True)
class _Held:
    key: SigningKey
    expires: float


class KeyCache:
    """Keys by identity: the least recently used goes first, and each after `ttl` seconds.

    Invariant: a key is in the cache exactly while it is alive. Signing does not await between `held` and its
    last signature, so no key is overwritten under it.
    """

    def __init__(
        self, unwrapper: KeyUnwrapper, *, size: int, ttl: float, clock: Callable[[], Monotonic]
    ) -> None:
        if size < 2:
            raise ValueError("a mint takes two keys")
        self._unwrapper = unwrapper
        self._size = size
        self._ttl = ttl
        self._clock = clock
        self._held: OrderedDict[Identity, _Held] = OrderedDict()
        self._flights: dict[tuple[Identity, bytes], asyncio.Task[None]] = {}
        self.unwrapped = 0

    def __len__(self) -> int:
        return len(self._held)

    def held(self, keys: Sequence[WrappedKey]) -> list[SigningKey] | None:
        """Return the unwrapped keys in order, or None if any is not held."""
        now = self._clock()
        signing_keys: list[SigningKey] = []
        for key in keys:
            identity = (key.address, key.subject, key.chain_id)
            held = self._held.get(identity)
            if held is None:
                return None
            if held.expires <= now:
                self._drop(identity)
                return None
            self._held.move_to_end(identity)
            signing_keys.append(held.key)
        return signing_keys

    async def obtain(self, keys: Sequence[WrappedKey]) -> list[SigningKey]:
        """Return the keys in order, unwrapping what is not held; raises EnclaveRefusal or EnclaveFailure."""
        for _ in range(_ROUNDS):
            if (held := self.held(keys)) is not None:
                return held
            results = await asyncio.gather(*map(self._fly, keys), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
        # Other keys pushed these out again, each time, before all of them were here.
        raise EnclaveFailure(FailureCode.OVERLOADED)

    async def _fly(self, key: WrappedKey) -> None:
        """Unwrap a key once for all who wait for it; one who stops waiting stops no one else."""
        identity = (key.address, key.subject, key.chain_id)
        held = self._held.get(identity)
        if held is not None and held.expires > self._clock():
            return
        # Not by identity alone: a wrong wrapped key must fail those who brought it, and nobody else.
        flight_id = (identity, key.wrapped)
        flight = self._flights.get(flight_id)
        if flight is None:
            flight = asyncio.create_task(self._unwrap(key), name=f"unwrap {key.address}")
            self._flights[flight_id] = flight
            flight.add_done_callback(lambda _: self._flights.pop(flight_id, None))
        await asyncio.shield(flight)

    async def _unwrap(self, key: WrappedKey) -> None:
        signing_key = SigningKey(await self._unwrapper.unwrap(key))
        if signing_key.address != key.address:
            signing_key.erase()
            raise EnclaveRefusal(RefusalCode.KEY_ADDRESS)
        self.unwrapped += 1
        identity = (key.address, key.subject, key.chain_id)
        self._drop(identity)
        self._held[identity] = _Held(signing_key, self._clock() + self._ttl)
        while len(self._held) > self._size:
            self._drop(next(iter(self._held)))

    def expire(self) -> None:
        """Overwrite every key whose time is over."""
        now = self._clock()
        for identity in [i for i, held in self._held.items() if held.expires <= now]:
            self._drop(identity)

    def clear(self) -> None:
        """Overwrite every key."""
        for identity in list(self._held):
            self._drop(identity)

    def _drop(self, identity: Identity) -> None:
        if (held := self._held.pop(identity, None)) is not None:
            held.key.erase()
