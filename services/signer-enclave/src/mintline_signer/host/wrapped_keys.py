"""Wrapped keys from Secrets Manager, remembered: they never change, and without KMS they are of no use."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from mintline.aws.keys import SecretBody
from mintline.errors import Rejected
from mintline.messages import KeyRef
from mintline_signer.protocol import WrappedKey


class RememberedKeys:
    """A WrappedKeySource over `read`, which fetches one secret; the least recently used is forgotten first.

    Those who ask for the same key at once share one fetch. A failure is not remembered. `looked_up` is told
    of each lookup whether the key was known.
    """

    def __init__(
        self,
        read: Callable[[str], Awaitable[SecretBody]],
        *,
        size: int,
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._read = read
        self._looked_up = looked_up
        self._size = size
        self._known: OrderedDict[str, WrappedKey] = OrderedDict()
        self._fetches: dict[str, asyncio.Task[WrappedKey]] = {}

    async def read(self, key: KeyRef) -> WrappedKey:
        """Return the wrapped key; raises Rejected if there is none, or it is another's."""
        wrapped = self._known.get(key.secret_id)
        self._looked_up(wrapped is not None)
        if wrapped is None:
            wrapped = await self._fetch(key.secret_id)
        else:
            self._known.move_to_end(key.secret_id)
        if (wrapped.address, wrapped.subject, wrapped.chain_id) != (key.address, key.subject, key.chain_id):
            raise Rejected("key_mismatch", f"The secret {key.secret_id} holds another key.")
        return wrapped

    async def _fetch(self, secret_id: str) -> WrappedKey:
        fetch = self._fetches.get(secret_id)
        if fetch is None:
            fetch = asyncio.create_task(self._remember(secret_id), name=f"secret {secret_id}")
            self._fetches[secret_id] = fetch
            fetch.add_done_callback(lambda _: self._fetches.pop(secret_id, None))
        # Shielded: one waiter's end is not the others'.
        return await asyncio.shield(fetch)

    async def _remember(self, secret_id: str) -> WrappedKey:
        body = await self._read(secret_id)
        wrapped = WrappedKey(
            address=body.address, subject=body.subject, chain_id=body.chain_id, wrapped=body.wrapped
        )
        self._known[secret_id] = wrapped
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return wrapped
