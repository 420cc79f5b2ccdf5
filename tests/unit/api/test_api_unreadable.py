"""Lists leave out the item that is unreadable, and page on from it."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from mintline.aws.dynamo import Item, Page
from mintline.aws.records import to_item
from mintline.records import Link, Token, Transfer
from mintline.set_aside import SetAside
from mintline_api.link_stores import DynamoLinks
from mintline_api.stores import DynamoIndex
from mintline_api.testing import CHAIN_ID, CONTRACT

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Items:
    """A DynamoDB of which every query returns the same items."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    async def query(self, *_: Any, **__: Any) -> Page:
        return Page(self.items, None)


def spoiled(items: list[Item], field: str) -> Any:
    items[1] = items[1] | {field: {"SS": ["not ours"]}}
    return Items(items)


async def test_tokens__when_one_is_unreadable__then_the_others_are_listed() -> None:
    tokens = [
        Token(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=number,
            owner=OWNER,
            metadata_digest=None,
            mint_id=None,
            minted_block=1,
            block_number=1,
            tx_hash=bytes(32),
        )
        for number in range(3)
    ]
    items = [
        to_item(token) | {"owned_key": str(token.token_id), "collection_id": "c", "token_key": "k"}
        for token in tokens
    ]
    index = DynamoIndex(spoiled(items, "minted_block"), chain_id=CHAIN_ID, set_aside=SetAside())
    with capture_logs() as lines:
        page = await index.tokens_of(OWNER, contract=None, limit=10, after=None)
    assert page.items == (("0", tokens[0]), ("2", tokens[2]))
    assert [(line["table"], line["key"]) for line in lines] == [("tokens", "c/k")]


async def test_transfers__when_one_is_unreadable__then_the_others_are_listed() -> None:
    transfers = [
        Transfer(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=1,
            sender=None,
            recipient=OWNER,
            block_number=number,
            block_hash=bytes(32),
            log_index=0,
            tx_hash=bytes(32),
            timestamp=1,
        )
        for number in range(3)
    ]
    items = [
        to_item(transfer) | {"position": str(transfer.block_number), "token_ref": "t"}
        for transfer in transfers
    ]
    index = DynamoIndex(spoiled(items, "timestamp"), chain_id=CHAIN_ID, set_aside=SetAside())
    page = await index.transfers(CONTRACT, 1, limit=10, after=None)
    assert page.items == (("0", transfers[0]), ("2", transfers[2]))


async def test_links__when_one_is_unreadable__then_the_others_are_listed() -> None:
    links = [
        Link(
            link_id=f"l{number}",
            sub="alice",
            chain_id=CHAIN_ID,
            address=OWNER,
            kind="account",
            nonce="n",
            linked_at=number,
        )
        for number in range(3)
    ]
    items = [to_item(link) for link in links]
    found = DynamoLinks(spoiled(items, "linked_at"), chain_id=CHAIN_ID, set_aside=SetAside())
    assert await found.of_user("alice") == (links[0], links[2])
