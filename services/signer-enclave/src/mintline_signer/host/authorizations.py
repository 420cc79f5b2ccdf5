"""The authorizations of a batch's mints, from where the api stored them."""

from __future__ import annotations

import asyncio

from mintline.aws.authorizations import read_authorization
from mintline.aws.dynamo import Dynamo
from mintline.aws.lines import read_chunk
from mintline.errors import Unreadable
from mintline.kinds.batch import line_digest
from mintline.messages.intents import BatchMint, SignBatch
from mintline.set_aside import SetAside
from mintline_signer.protocol import LinesProof


class DynamoAuthorizations:
    """The table of authorizations."""

    def __init__(self, dynamo: Dynamo, aside: SetAside) -> None:
        self._dynamo = dynamo
        self._aside = aside

    async def of(self, batch: SignBatch) -> list[bytes]:
        """Return the authorization of each line, in order; empty where there is none that can be read.

        The enclave refuses such a line, and no other, unless it has a proof. Raises Retryable.
        """
        return list(await asyncio.gather(*(self._read(batch, line) for line in batch.mints)))

    async def _read(self, batch: SignBatch, line: BatchMint) -> bytes:
        if line.request is not None:
            return b""
        key = line.mint_id, line_digest(batch, line)
        try:
            return (await read_authorization(self._dynamo, key, self._aside)).envelope
        except Unreadable:
            return b""

    async def proofs_of(self, batch: SignBatch) -> list[LinesProof]:
        """Return what proves the lines of requests for many mints: each chunk once, if it can be read.

        The enclave refuses lines without. Raises Retryable.
        """
        chunks = {(line.request.request_id, line.request.chunk) for line in batch.mints if line.request}
        proofs = await asyncio.gather(*(self._proof(*chunk) for chunk in sorted(chunks)))
        return [proof for proof in proofs if proof is not None]

    async def _proof(self, request_id: str, number: int) -> LinesProof | None:
        try:
            chunk = await read_chunk(self._dynamo, request_id, number, self._aside)
        except Unreadable:
            return None
        if chunk is None:
            return None
        return LinesProof(
            request_id=chunk.request_id,
            chunk=chunk.chunk,
            chunks=chunk.chunks,
            count=chunk.count,
            envelope=chunk.envelope,
            leaves=chunk.leaves,
            path=chunk.path,
        )
