"""Lines of a drop once their recipients were looked up: resolved, or refused and handed back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mintline.drop_records import Drop, ResolvedLine
from mintline_api.features.collections.problems import COLLECTION_FULL
from mintline_api.features.drops.csv_lines import row_for
from mintline_api.features.drops.items import DropItems
from mintline_api.features.drops.lines import LineFault, RefusedLine, StoredLine, as_json
from mintline_api.features.drops.placing import Placing

_NONE = "no token"
_TOO_FEW = "too few tokens"


@dataclass(frozen=True, slots=True)
class FoundLine:
    """Who a line is for, if that could be found out; `user_made` if a user was made for it.

    `over_cap` if it is refused for a cap.
    """

    stored: StoredLine
    line: ResolvedLine | RefusedLine
    user_made: bool = False
    over_cap: bool = False


def resolved_line(line: StoredLine, sub: str, to: str) -> ResolvedLine:
    """Return a line with its recipient: the user, and the wallet's address."""
    return ResolvedLine(
        line=line.line,
        sub=sub,
        to=to,
        metadata=line.metadata,
        external_id=line.external_id,
        tags=line.tags,
        item_id=line.item_id,
        quantity=line.quantity,
    )


def line_of_item(drop: Drop, found_line: FoundLine, items: DropItems) -> FoundLine:
    """Return a line with its item's metadata; refused if another request gave that another one just now."""
    stored, line = found_line.stored, found_line.line
    if isinstance(line, RefusedLine):
        return found_line
    if (fault := items.misfit(stored)) is not None:
        return FoundLine(stored, handed_back(drop, stored, fault), user_made=found_line.user_made)
    return replace(found_line, line=line.evolve(metadata=None, metadata_digest=items.digest(stored)))


def line_over_cap(drop: Drop, line: StoredLine, placing: Placing) -> FoundLine:
    """Return the refusal of a line for which a cap has no room."""
    if placing.items is not None and not placing.items.has_room(line):
        fault = placing.items.over_cap(line)
    else:
        detail = f"the supply cap of {drop.contract} leaves {_TOO_FEW if drop.items else _NONE} for this line"
        fault = LineFault(pointer="#", detail=detail, code=COLLECTION_FULL.slug)
    return FoundLine(line, handed_back(drop, line, fault), over_cap=True)


def handed_back(drop: Drop, line: StoredLine, fault: LineFault) -> RefusedLine:
    """Return a line that is refused after it was accepted, made up again from what is stored of it."""
    return RefusedLine(
        line=line.line,
        errors=(fault,),
        text=row_for(line, drop.upload.columns) if drop.upload.format == "csv" else as_json(line),
        columns=drop.upload.columns,
    )
