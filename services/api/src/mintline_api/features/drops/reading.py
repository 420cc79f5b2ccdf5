"""Reads uploaded lines: each becomes a line to mint, or one that is refused with pointers and reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mintline import strict_json
from mintline.canonical_json import canonical_json
from mintline.scopes import Scope
from mintline_api.features.drops.csv_lines import (
    BadRow,
    columns_of,
    names_columns,
    row_of,
    value_of,
)
from mintline_api.features.drops.lines import LineFault, RefusedLine, StoredLine
from mintline_api.features.drops.models import DropLine
from mintline_api.features.drops.problems import CSV_COLUMNS
from mintline_api.features.drops.splitting import MAX_LINE, RawLine
from mintline_api.features.items.problems import WRONG_STANDARD
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.http.problems import RequestRefused
from mintline_api.http.requests import read_object

Format: TypeAlias = Literal["ndjson", "csv"]
MEDIA_TYPES: dict[str, Format] = {"application/x-ndjson": "ndjson", "text/csv": "csv"}
NO_EMAILS = f"your token lacks the scope {Scope.USERS_WRITE.value}"
_BOM = b"\xef\xbb\xbf"
_HEADER = object()
"""Stands for a header row: `null` is a value, of which a line may consist."""


@dataclass(slots=True, kw_only=True)
class LineReader:
    """Reads the lines of one upload.

    `may_name_emails`: whether its client may have users made, for which the scope `users:write` is.
    """

    format: Format
    users: UserDirectory
    may_name_emails: bool
    items: bool = False
    """Whether the drop's collection is of ERC-1155."""
    columns: tuple[str, ...] = ()
    """Of CSV: as the latest header row named them."""

    def read(self, raw: RawLine, number: int) -> StoredLine | RefusedLine | None:
        """Return the line that a text is; None for a blank one and for a header row.

        Raises RequestRefused for the first row of a CSV file that names no columns, or unknown ones.
        """
        text = raw.text.removeprefix(_BOM) if number == 1 else raw.text
        if not text.strip() and not raw.too_long:
            return None
        if raw.too_long:
            return self._refused(text, number, LineFault(pointer="#", detail=f"longer than {MAX_LINE} bytes"))
        faults: tuple[LineFault, ...]
        try:
            value = self._value(text)
            return None if value is _HEADER else self._accepted(value, number)
        except BadRow as error:
            faults = (LineFault(pointer=error.pointer, detail=str(error)),)
        except strict_json.NotJson as error:
            faults = (LineFault(pointer="#", detail=str(error)),)
        except strict_json.AmbiguousJson as error:
            faults = (LineFault(pointer=error.pointer or "#", detail=str(error)),)
        except LineRefused as error:
            faults = error.faults
        return self._refused(text, number, *faults)

    def _value(self, text: bytes) -> Any:
        """Return the JSON value of a line; `_HEADER` for a header row."""
        if self.format == "ndjson":
            return strict_json.parse(text, what="The line")
        try:
            row = row_of(text.decode())
        except UnicodeDecodeError as error:
            raise BadRow(f"not UTF-8: byte {error.start} begins no character") from None
        if not self.columns:
            self.columns = columns_of(row, items=self.items)
            return _HEADER
        if names_columns(row, items=self.items):
            self.columns = columns_of(row, items=self.items)
            return _HEADER
        return value_of(row, self.columns)

    def _accepted(self, value: Any, number: int) -> StoredLine:
        try:
            request = read_object(value, DropLine)
            recipient = request.recipient
            email = None
            if recipient.email is not None:
                if not self.may_name_emails:
                    raise LineRefused(LineFault(pointer="#/recipient/email", detail=NO_EMAILS))
                email = self.users.email(recipient.email, pointer="#/recipient/email").address
            if recipient.user is not None:
                self.users.check_pool(pointer="#/recipient/user")
        except RequestRefused as refused:
            raise LineRefused(
                *(LineFault(pointer=fault.pointer or "#", detail=fault.detail) for fault in refused.faults)
            ) from None
        if sum(named is not None for named in (recipient.address, recipient.user, recipient.email)) != 1:
            raise LineRefused(
                LineFault(pointer="#/recipient", detail="expected exactly one of address, user and email")
            )
        self._check_standard(request)
        metadata = request.metadata
        return StoredLine(
            line=number,
            address=recipient.address,
            user=recipient.user,
            email=email,
            metadata=None
            if metadata is None
            else canonical_json(metadata.model_dump(mode="json", exclude_none=True)),
            external_id=request.external_id,
            tags=tuple(request.tags) if request.tags else None,
            item_id=request.token_id,
            quantity=request.quantity or 1 if self.items else None,
        )

    def _check_standard(self, request: DropLine) -> None:
        """Raise LineRefused unless a line says what its collection's standard asks for."""
        named = {"token_id": request.token_id, "quantity": request.quantity}
        if self.items:
            if request.token_id is None:
                detail = "expected the item to mint: the collection is of ERC-1155"
                raise LineRefused(_wrong_standard("token_id", detail))
            return
        detail = "expected none: the collection is of ERC-721, and numbers its tokens itself"
        faults = [_wrong_standard(name, detail) for name, value in named.items() if value is not None]
        if request.metadata is None:
            faults.append(LineFault(pointer="#/metadata", detail="missing"))
        if faults:
            raise LineRefused(*faults)

    def _refused(self, text: bytes, number: int, *faults: LineFault) -> RefusedLine:
        if self.format == "csv" and not self.columns:
            raise RequestRefused(CSV_COLUMNS, f"The first row names no columns: {faults[0].detail}.")
        return RefusedLine(
            line=number,
            errors=faults,
            text=text.decode(errors="backslashreplace"),
            columns=self.columns if self.format == "csv" else (),
        )


def _wrong_standard(member: str, detail: str) -> LineFault:
    return LineFault(pointer=f"#/{member}", detail=detail, code=WRONG_STANDARD.slug)


class LineRefused(ValueError):  # noqa: N818 - named for what happened
    """A line that cannot be minted as it is."""

    def __init__(self, *faults: LineFault) -> None:
        super().__init__(faults[0].detail if faults else "refused")
        self.faults = faults
