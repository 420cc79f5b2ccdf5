"""Holds the record of a drop to the standard of its collection.

An API process of a release that knows no items writes the record of a drop back without `items`, and without
its numbers of tokens. The collection's record still says the standard: by the difference such a drop is
known, and nobody goes on with it.
"""

from __future__ import annotations

from mintline.drop_records import Drop
from mintline.records.collections import RegisteredContract
from mintline_api.features.drops.problems import DROP_BY_OLDER_RELEASE
from mintline_api.http.problems import RequestRefused


def check_standard(drop: Drop, collection: RegisteredContract) -> None:
    """Raise RequestRefused if a drop's record does not say that its ERC-1155 collection has items."""
    if collection.standard == "erc1155" and not drop.items:
        raise RequestRefused(
            DROP_BY_OLDER_RELEASE,
            f"An API process of an older release wrote the record of {drop.drop_id}, and what was known of "
            "its items is lost. Cancel the drop, and make another one.",
        )
