"""Bugs to plant in what requests for many mints are made of."""

from __future__ import annotations

from collections.abc import Sequence

from mintline.clock import UnixSeconds
from mintline.lines import LinesChunk
from mintline.messages.intents import AnyRequest
from mintline.records.operations import Mint
from mintline_harness.simulation.lines import StoredLines, TornOperations
from mintline_signer.enclave.authorizer import Authorizer, Judgement
from mintline_signer.protocol import LinesProof


class ReplacingChunks(StoredLines):
    """Takes the chunk of a request's latest try for the one that counts."""

    async def keep(self, chunk: LinesChunk) -> LinesChunk:
        """Store a chunk whatever is there."""
        self.chunks[chunk.request_id, chunk.chunk] = chunk
        return chunk


class LeavingOut(TornOperations):
    """Takes it that the mints of a chunk that are on record are all that there are."""

    def missing(self, chunk: LinesChunk, mints: dict[str, Mint]) -> frozenset[int]:
        """Miss none."""
        del chunk, mints
        return frozenset()


class BelievingLines(Authorizer):
    """Takes it that what comes with a proof is proven."""

    def judge(
        self,
        request: AnyRequest,
        *,
        now: UnixSeconds,
        authorizations: Sequence[bytes] = (),
        proofs: Sequence[LinesProof] = (),
    ) -> Judgement | None:
        """Judge only what comes without."""
        if proofs:
            return Judgement()
        return super().judge(request, now=now, authorizations=authorizations, proofs=proofs)
