"""What an operator's commands do with a mint whose record is unreadable."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.aws.dynamo import Item
from mintline.errors import Unreadable
from mintline.resources import MINTS
from mintline_ops import trace

BAD: Item = {"mint_id": "mint_1", "status": "elsewhere"}


class Tables:
    """A DynamoDB with one item."""

    async def get(self, table: Any, _key: Item) -> Item | None:
        assert table is MINTS
        return BAD


async def test_trace__when_the_record_is_unreadable__then_it_says_so_and_where_to_read_on() -> None:
    tables: Any = Tables()
    with pytest.raises(Unreadable, match=r"mint_1 cannot be read: Mint: .*status: enum.*docs/set-aside"):
        await trace.read_mint(tables, "mint_1")
