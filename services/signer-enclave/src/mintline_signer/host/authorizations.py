"""The authorizations of a batch's mints, from where the api stored them."""

from __future__ import annotations

import asyncio

from mintline.authorizations import Key
from mintline.aws.authorizations import read_authorization
from mintline.aws.dynamo import Dynamo
from mintline.errors import Unreadable
from mintline.kinds.batch import line_digest
from mintline.messages import SignBatch
from mintline.set_aside import SetAside


class DynamoAuthorizations:
    """The table of authorizations."""

    def __init__(self, dynamo: Dynamo, aside: SetAside) -> None:
        self._dynamo = dynamo
        self._aside = aside

    async def of(self, batch: SignBatch) -> list[bytes]:
        """Return the authorization of each line, in order; empty where there is none that can be read.

        The enclave refuses such a line, and no other. Raises Retryable.
        """
        keys = [(line.mint_id, line_digest(batch, line)) for line in batch.mints]
        return list(await asyncio.gather(*map(self._read, keys)))

    async def _read(self, key: Key) -> bytes:
        try:
            return (await read_authorization(self._dynamo, key, self._aside)).envelope
        except Unreadable:
            return b""
