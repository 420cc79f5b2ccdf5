"""The scalar types of messages, records and HTTP bodies.

Wei and token ids are decimal strings in JSON: a double loses them past 2^53.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from mintline.eth import UINT256_MAX, ZERO_ADDRESS, to_checksum_address
from mintline.text import bounded

BoundedText = Annotated[str, AfterValidator(bounded)]
"""Text that somebody else chose: cut to 1,000 characters and escaped, never refused for either."""

KmsKeyArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}$", max_length=256)
]
"""A KMS key as KMS's answers name it."""

_NO_HEX = "expected 0x and an even number of hex digits"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def _decimal(value: Any) -> Any:
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            if value.isascii() and value.isdigit() and not value.startswith("0"):
                raise ValueError("expected an integer below 2^256")
            raise ValueError("expected a decimal integer without sign, spaces or leading zeros")
        return int(value)
    if isinstance(value, bool):
        raise ValueError("expected an integer, not a boolean")  # noqa: TRY004 - pydantic wants ValueError
    return value


@lru_cache(maxsize=16_384)
def checked_address(value: str) -> str:
    """Return `value` if it is a checksummed address (EIP-55) other than the zero address.

    All-lower and all-upper hex carries no checksum and is taken as it is. Raises ValueError otherwise.
    Remembered: a mint's public form alone has five addresses.
    """
    if not _ADDRESS.fullmatch(value):
        raise ValueError("expected an address: 0x and 40 hex digits")
    checksummed = to_checksum_address(value)
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and value != checksummed:
        raise ValueError(f"the EIP-55 checksum does not match; did you mean {checksummed}?")
    if checksummed == ZERO_ADDRESS:
        raise ValueError("the zero address cannot own or mint tokens")
    return checksummed


def _hex_bytes(length: int | None) -> Any:
    def parse(value: Any) -> Any:
        if not isinstance(value, bytes):
            if not isinstance(value, str) or not value.startswith("0x"):
                raise ValueError(_NO_HEX)
            try:
                parsed = bytes.fromhex(value[2:])
            except ValueError:
                raise ValueError(_NO_HEX) from None
            if len(value) != 2 + 2 * len(parsed):  # `fromhex` passes over spaces
                raise ValueError(_NO_HEX)
            value = parsed
        if length is not None and len(value) != length:
            raise ValueError(f"expected {length} bytes, not {len(value)}")
        return value

    return BeforeValidator(parse)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


_DECIMAL_SCHEMA = {"type": "string", "pattern": "^(0|[1-9][0-9]{0,77})$", "examples": ["1"]}

Uint256 = Annotated[
    int,
    BeforeValidator(_decimal),
    Field(ge=0, le=UINT256_MAX, strict=True),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema(_DECIMAL_SCHEMA),
]
"""An unsigned 256-bit integer; a decimal string in JSON."""

Wei = Uint256
TokenId = Uint256

Quantity = Annotated[
    int,
    BeforeValidator(_decimal),
    Field(ge=1, le=2**64 - 1, strict=True),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,19}$", "examples": ["1"]}),
]
"""How many tokens of an ERC-1155 item are minted, sent or burned at once; a decimal string in JSON."""

Address = Annotated[
    str,
    AfterValidator(checked_address),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^0x[0-9a-fA-F]{40}$",
            "not": {"const": ZERO_ADDRESS},
            "examples": ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
        }
    ),
]
"""A checksummed (EIP-55), non-zero address."""


def _known_address(value: str) -> str:
    if not _ADDRESS.fullmatch(value) or value == ZERO_ADDRESS:
        raise ValueError("expected an address, and not the zero address")
    return value


KnownAddress = Annotated[str, AfterValidator(_known_address)]
"""An address that was checksummed when it was accepted: its form is checked, and not the checksum again.

For recipients: each may be new, so that no remembered checksum helps, and the hash would be half of what it
takes to read a line of a batch.
"""

Bytes32 = Annotated[
    bytes,
    _hex_bytes(32),
    PlainSerializer(_hex, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^0x[0-9a-f]{64}$"}),
]
"""32 bytes; 0x-prefixed lower-case hex in JSON."""

HexBytes = Annotated[
    bytes,
    _hex_bytes(None),
    PlainSerializer(_hex, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^0x([0-9a-f]{2})*$"}),
]
"""Bytes of any length; 0x-prefixed lower-case hex in JSON."""
