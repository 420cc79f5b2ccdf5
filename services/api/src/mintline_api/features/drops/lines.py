"""Lines of a drop: as they are stored once they are accepted, and as they are handed back if they are not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TypeVar

from pydantic import Field

from mintline.fields import Address, Quantity, TokenId
from mintline.frozen import Frozen

MARK_BYTES = 8
"""Bytes of the hashes by which repetitions are known: of 100,000 lines two collide once in 10^9 drops."""

LineT = TypeVar("LineT", bound=Frozen)


class StoredLine(Frozen):
    """An accepted line; exactly one of `address`, `user` and `email` names the recipient."""

    line: int = Field(ge=1)
    address: Address | None = None
    user: str | None = None
    email: str | None = Field(default=None, repr=False)
    """In its normal form. It is in the bucket of drops alone, and goes when the drop is prepared."""
    metadata: str | None = None
    """Canonical JSON; None if the item that it is of has it."""
    external_id: str | None = None
    tags: tuple[str, ...] | None = None
    item_id: TokenId | None = None
    """In an ERC-1155 collection, of which item it is, and how many tokens of that."""
    quantity: Quantity | None = None

    @property
    def recipient(self) -> str:
        """Name the recipient."""
        return f"address:{self.address}" if self.address else f"user:{self.user or ''}email:{self.email}"

    def recipient_mark(self) -> int:
        """Return the hash by which another line for the same recipient is known."""
        return mark_of(self.recipient)

    def share_mark(self) -> int:
        """Return the hash by which another line for the same recipient, and item, is known."""
        item = () if self.item_id is None else (str(self.item_id),)
        return mark_of(self.recipient, *item)

    def mark(self) -> int:
        """Return the hash by which the same line is known again."""
        item = () if self.item_id is None else (str(self.item_id), str(self.tokens))
        return mark_of(self.recipient, self.metadata or "", *item)

    @property
    def tokens(self) -> int:
        """How many tokens it is."""
        return 1 if self.quantity is None else self.quantity

    def external_mark(self) -> int | None:
        """Return the hash by which its external id is known again; None if it has none."""
        return None if self.external_id is None else mark_of("external", self.external_id)


class LineFault(Frozen):
    """One thing wrong with a line: a JSON pointer into it, and what was expected."""

    pointer: str
    detail: str
    code: str | None = None
    """The code with which a single mint is refused for the same cause, if there is one."""


class RefusedLine(Frozen):
    """A line that was refused, with what is needed to hand it back."""

    line: int = Field(ge=1)
    errors: tuple[LineFault, ...]
    text: str = Field(default="", repr=False)
    """As it came, cut if it was too long."""
    columns: tuple[str, ...] = ()
    """Of CSV: the names of its columns."""


def mark_of(*parts: str) -> int:
    """Return a hash of texts, MARK_BYTES long."""
    joined = "\0".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(joined, digest_size=MARK_BYTES).digest(), "big")


def to_ndjson(lines: Iterable[Frozen]) -> bytes:
    """Return records as lines of JSON."""
    return b"".join(
        json.dumps(line.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False).encode() + b"\n"
        for line in lines
    )


def from_ndjson(data: bytes, model: type[LineT]) -> Iterator[LineT]:
    """Yield the records that `to_ndjson` wrote."""
    return (model.model_validate_json(line) for line in data.split(b"\n") if line)


def as_json(line: StoredLine) -> str:
    """Return an accepted line as a line of NDJSON that says the same."""
    named = {"address": line.address, "user": line.user, "email": line.email}
    value = {
        "recipient": {member: name for member, name in named.items() if name is not None},
        **({} if line.item_id is None else {"token_id": str(line.item_id), "quantity": str(line.tokens)}),
        **({} if line.metadata is None else {"metadata": json.loads(line.metadata)}),
        **({"external_id": line.external_id} if line.external_id is not None else {}),
        **({"tags": list(line.tags)} if line.tags is not None else {}),
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
