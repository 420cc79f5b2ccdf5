"""Transfers and burns of ERC-1155 items become events, with how many it was."""

from __future__ import annotations

import pytest

from mintline.aws.items import Item
from mintline.aws.records import to_item, token_place
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.messages.parts import Clone
from mintline.records.collections import RegisteredContract
from mintline.records.index import Token, Transfer
from mintline.records.keys import position, scoped, token_ref
from mintline.records.wallets import Link
from mintline.resources import COLLECTIONS, LINKS, TOKENS, TRANSFERS
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables

ALICE, BOB = "0x" + "4" * 40, "0x" + "5" * 40
CLIENT = "tickets"
CLONE = Clone(
    factory=ALICE,
    implementation=ALICE,
    principal=CLIENT,
    operation_id="deploy_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D",
    args=CloneArgs(name="Items", symbol="ITEM", owner=ALICE, royalty_receiver=ALICE, royalty_bps=0),
)
CONTRACT = address_of(CLONE)
COLLECTION = RegisteredContract(
    collection_id=scoped(CHAIN_ID, CONTRACT),
    chain_id=CHAIN_ID,
    contract=CONTRACT,
    name="Items",
    symbol="ITEM",
    deployed_block=1,
    standard="erc1155",
    clone=CLONE,
)
ITEM = Token(
    chain_id=CHAIN_ID,
    contract=CONTRACT,
    token_id=7,
    owner=None,
    metadata_digest=bytes(32),
    mint_id=None,
    minted_block=1,
    block_number=1,
    tx_hash=bytes(32),
    standard="erc1155",
)
LINK = Link(
    link_id=scoped(CHAIN_ID, BOB),
    sub="bob",
    chain_id=CHAIN_ID,
    address=BOB,
    kind="account",
    nonce="",
    linked_at=1,
)


def moved(sender: str | None, recipient: str | None) -> Transfer:
    return Transfer(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=7,
        sender=sender,
        recipient=recipient,
        block_number=5,
        block_hash=bytes(32),
        log_index=3,
        tx_hash=bytes(32),
        timestamp=1,
        quantity=2**200,
    )


@pytest.mark.parametrize(
    ("sender", "recipient", "kinds"),
    [(None, BOB, []), (ALICE, BOB, ["token.transferred"]), (BOB, None, ["token.burned"])],
)
async def test_transfer__when_an_item_moves__then_its_client_and_linked_users_are_told_how_many(
    sender: str | None, recipient: str | None, kinds: list[str]
) -> None:
    tables, log, cursors = MemoryTables(), MemoryEventLog(), MemoryCursors()
    reader = follower(tables, log, cursors, owner="first")
    await reader.poll()
    tables.put(COLLECTIONS, to_item(COLLECTION))
    tables.put(TOKENS, to_item(ITEM) | token_place(CHAIN_ID, CONTRACT, 7))
    tables.put(LINKS, to_item(LINK))
    place: Item = {"token_ref": token_ref(CHAIN_ID, CONTRACT, 7), "position": position(5, 3)}
    tables.put(TRANSFERS, to_item(moved(sender, recipient)) | place)
    await reader.poll()
    for principal in (CLIENT, "bob"):
        events = [event for event in log.all(principal) if event.type.startswith("token.")]
        assert [event.type for event in events] == kinds
        assert [event.data["quantity"] for event in events] == [str(2**200) for _ in kinds]
