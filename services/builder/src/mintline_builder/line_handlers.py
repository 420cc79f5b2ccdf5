"""What the builder does with a chunk of a request for many mints: the same as with each, at once.

The chunk is the message, and its mints are read together, simulated as one batch, and claimed a hundred at a
time. A line that cannot be built waits or ends alone. What goes on by itself brings the message back, which
then finds the others built.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from mintline.errors import Conflict, MintlineError, Rejected, Unavailable
from mintline.messages.work import BuildLines
from mintline.records.operations import Mint
from mintline.records.transactions import TransactionKey, carried_by
from mintline.states import MintStatus
from mintline_builder.handlers import Frame, load, note_refusal
from mintline_builder.kinds.batch import BatchKind
from mintline_builder.ports import LinesOnRecord
from mintline_builder.simulation import TokenTaken
from mintline_builder.waiting import Waiting

log = structlog.get_logger(__name__)


async def build_lines(cmd: BuildLines, *, frame: Frame, kind: BatchKind) -> None:
    """Have all accepted mints of a chunk built, and those that are built sent on to be signed.

    Mints of it that are not on record are created first. Raises Deferred or Unavailable if some of them are
    still to be built: another delivery goes on with these.
    """
    chunk = await frame.operations.lines(cmd.request_id, cmd.chunk)
    accepted = [mint for mint in chunk.mints if mint.status is MintStatus.ACCEPTED]
    built = [mint for mint in chunk.mints if mint.status is MintStatus.BUILT]
    left: list[MintlineError] = []
    if accepted:
        outcomes = await _build(accepted, chunk, kind)
        refused = [
            _note(mint, outcome, frame)
            for mint, outcome in zip(accepted, outcomes, strict=True)
            if isinstance(outcome, MintlineError)
        ]
        left = [error for error in await asyncio.gather(*refused) if error is not None]
        new = [outcome for outcome in outcomes if isinstance(outcome, Mint)]
        for mint in new:
            frame.metrics.was_built(mint)
        log.info("lines_built", request_id=cmd.request_id, chunk=cmd.chunk, mints=len(new), left=len(left))
    for place in _places(built):
        # Sent again on every delivery: a crash may have come between the reservation and the send.
        await kind.context.batches.send_on(place)
    if left:
        raise left[0]


async def _build(
    mints: Sequence[Mint], chunk: LinesOnRecord, kind: BatchKind
) -> Sequence[Mint | MintlineError]:
    try:
        return await kind.build_lines(mints, chunk.authorization)
    except (Waiting, Rejected) as refusal:
        # It concerns all of them, as a missing relayer does.
        return [refusal] * len(mints)


async def _note(mint: Mint, error: MintlineError, frame: Frame) -> MintlineError | None:
    """Write down why a line is not built; return the error if another delivery has to go on with it."""
    try:
        match error:
            case Waiting() | TokenTaken() | Rejected():
                await note_refusal(mint, error, frame)
            case Conflict():
                present = await load(frame, mint.mint_id)
                if present.status is MintStatus.ACCEPTED:
                    return Unavailable("what was to carry the operation does not")
            case _:
                return error
    except Conflict:
        log.info("line_moved_on", mint_id=mint.mint_id)
    return None


def _places(mints: Sequence[Mint]) -> list[TransactionKey]:
    places = (carried_by(mint) for mint in mints)
    return sorted({place for place in places if place is not None})
