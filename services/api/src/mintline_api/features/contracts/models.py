"""Paths that name contracts and tokens."""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Address, TokenId
from mintline_api.http.models import Input


class ContractPath(Input):
    """Names a collection."""

    contract: Address


class TokenPath(ContractPath):
    """Names a token."""

    token_id: TokenId = Field(description="Decimal, without leading zeros.")
