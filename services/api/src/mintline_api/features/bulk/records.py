"""What is on record of a request for many mints, permanently."""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Address
from mintline.frozen import Frozen
from mintline.lines import LinesChunk
from mintline.operation_ids import line_mint_id


class BulkRecord(Frozen):
    """A request whose mints are all on record: their ids follow from its own."""

    request_id: str
    asked_by: str
    """The user, or the machine client."""
    contract: Address
    count: int = Field(gt=0)
    request_digest: str
    """SHA-256 (hex) of what was asked for: tells a retry from a reuse of its key."""
    created_at: int
    """Unix milliseconds."""

    @property
    def mint_ids(self) -> tuple[str, ...]:
        """The ids of its mints, in order."""
        return tuple(line_mint_id(self.request_id, 0, number) for number in range(self.count))


def record_of(chunk: LinesChunk) -> BulkRecord:
    """Return the record of a request that has one chunk."""
    return BulkRecord(
        request_id=chunk.request_id,
        asked_by=chunk.asked_by,
        contract=chunk.contract,
        count=chunk.count,
        request_digest=chunk.request_digest,
        created_at=chunk.created_at,
    )
