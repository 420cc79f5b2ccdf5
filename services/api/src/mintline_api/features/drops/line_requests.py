"""A drop as the request for many mints that it is, and its lines as they are authorized and minted."""

from __future__ import annotations

from mintline.canonical_json import digest_of
from mintline.drop_records import Drop, ResolvedLine
from mintline.errors import Unreadable
from mintline.lines import Line, LinesRequest


def request_of(drop: Drop) -> LinesRequest:
    """Return the request for many mints that a drop is."""
    return LinesRequest(
        request_id=drop.drop_id,
        asked_by=drop.client_id,
        client_id=drop.client_id,
        chain_id=drop.chain_id,
        contract=drop.contract,
        trace=drop.trace,
    )


def line_of(line: ResolvedLine) -> Line:
    """Return a line as it is authorized and minted; raises Unreadable for one without metadata."""
    digest = line.metadata_digest
    if digest is None:
        if line.metadata is None:
            raise Unreadable(f"line {line.line} of a drop has no metadata, and names none of an item")
        digest = digest_of(line.metadata)
    return Line(
        line.sub,
        line.to,
        digest,
        line.external_id,
        line.tags,
        line.item_id,
        line.quantity,
    )
