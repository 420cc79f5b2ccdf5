"""How clients name operations."""

from __future__ import annotations

from typing import Annotated

from pydantic import WithJsonSchema

MintId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^mint_[0-9A-HJKMNP-TV-Z]{26}$",
            "examples": ["mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
        }
    ),
]
