"""CBOR (RFC 8949) without leniency: one item, in its shortest form, and nothing that has two readings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import cbor2


class MalformedCbor(ValueError):  # noqa: N818 - named for what was found
    """The bytes are not the CBOR that is spoken here."""


class _RefuseEveryTag(Mapping[int, Any]):
    """Stands for cbor2's tag decoders, so that no tag reaches one: dates, bignums, regexes, cycles."""

    def __getitem__(self, tag: int) -> Any:
        return _refuse_tag

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 1


def _refuse_tag(*_: object) -> NoReturn:
    raise ValueError("tags are not allowed")


_NO_TAGS = _RefuseEveryTag()


def dumps(value: object) -> bytes:
    """Return `value` in CBOR, lengths and integers in their shortest form, maps in their own order."""
    encoded: bytes = cbor2.dumps(value)
    return encoded


def loads(data: bytes, *, max_depth: int, any_keys: bool = False) -> Any:
    """Return the item that `data` is; raises MalformedCbor unless it is what `dumps` would have written.

    That one comparison refuses trailing bytes, long forms of short lengths, and foreign float widths;
    tags, indefinite lengths, duplicate keys and more than `max_depth` nested containers are refused by the
    decoder. A map's keys are strings, unless `any_keys`.
    """
    try:
        value = cbor2.loads(
            data,
            max_depth=max_depth,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=not any_keys,
            semantic_decoders=_NO_TAGS,
            tag_hook=_refuse_tag,
        )
        again = dumps(value)
    except (cbor2.CBORError, ValueError, OverflowError):
        raise MalformedCbor("not the CBOR that is spoken here") from None
    if again != data:
        raise MalformedCbor("not in its shortest form, or something follows it")
    return value
