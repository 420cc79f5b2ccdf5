"""What clients send and get of reveals."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mintline.fields import Address, Bytes32, TokenId
from mintline.reveals import CHUNK, MOST_TEXT_BYTES
from mintline_api.features.contracts.models import ContractPath
from mintline_api.http.models import Input, View

_NUMBER = re.compile(r"[0-9]{1,9}")


def _object(text: str) -> str:
    if len(text.encode()) > MOST_TEXT_BYTES:
        raise ValueError(f"expected at most {MOST_TEXT_BYTES} bytes in UTF-8")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("expected the text of a JSON object") from None
    if not isinstance(value, dict):
        raise ValueError("expected the text of a JSON object")  # noqa: TRY004 - as for every other text
    return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class Document(Input):
    """The metadata of one token, as it was committed to."""

    text: Annotated[str, AfterValidator(_object)] = Field(
        description=f"The exact text, a JSON object of at most {MOST_TEXT_BYTES} bytes."
    )
    path: Annotated[list[Bytes32], Field(max_length=32)] = Field(
        description="The hashes that lead from the token's leaf to the root (RFC 9162, section 2.1.3)."
    )


class DocumentsRequest(Input):
    """Texts of tokens with consecutive ids."""

    salt: Bytes32
    first_token_id: TokenId = Field(description=f"Of the first text: 1, {CHUNK + 1}, {2 * CHUNK + 1} …")
    documents: Annotated[list[Document], Field(min_length=1, max_length=CHUNK)] = Field(
        description=f"{CHUNK} of them; fewer in the last request alone."
    )


class DocumentsView(View):
    """The texts of tokens with consecutive ids."""

    contract: Address
    first_token_id: TokenId
    texts: list[str] | None = Field(description="Null where they were just handed over.")
    tokens: int = Field(description="How many there are.")


class RevealPublication(Input):
    """What the commitment was made with."""

    salt: Bytes32


class RevealChange(RevealPublication, ContractPath):
    """A reveal with the collection that it is for: what an idempotency key stands for."""


def _number(value: Any) -> Any:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    raise PydanticCustomError("token_number", "expected a token's id in decimal")


class DocumentsQuery(Input):
    """Which texts."""

    first_token_id: Annotated[
        int,
        BeforeValidator(_number),
        WithJsonSchema({"type": "integer", "minimum": 1}),
    ] = Field(default=1, description=f"The first of up to {CHUNK}: 1, {CHUNK + 1}, {2 * CHUNK + 1} …")
