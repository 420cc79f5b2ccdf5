"""The keys of queries that go with tokens and transfers into their tables."""

from __future__ import annotations

from mintline.query_keys import TOKEN_QUERY_KEYS
from mintline.records.index import Token, Transfer
from mintline_indexer.dynamo_items import token_item, transfer_item
from mintline_indexer.dynamo_writes import OPTIONAL
from mintline_testkit.constants import ALICE, CHAIN_ID, CONTRACT

BOB = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
LARGEST = 2**256 - 1
KILOBYTE = 1024


def token(owner: str | None) -> Token:
    return Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=LARGEST,
        owner=owner,
        metadata_digest=bytes(32),
        mint_id="mint_" + "0" * 26,
        minted_block=10**11,
        block_number=10**11,
        tx_hash=bytes(32),
    )


def transfer(sender: str | None, recipient: str | None) -> Transfer:
    return Transfer(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=LARGEST,
        sender=sender,
        recipient=recipient,
        block_number=10**11,
        block_hash=bytes(32),
        log_index=999_999,
        tx_hash=bytes(32),
        timestamp=10**10,
    )


def size(item: object) -> int:
    assert isinstance(item, dict)
    return sum(len(name) + len(str(value)) for name, value in item.items())


def test_token__when_it_is_burned__then_its_item_leaves_each_index() -> None:
    owned, burned = token_item(token(ALICE)), token_item(token(None))

    assert set(TOKEN_QUERY_KEYS) <= owned.keys()
    assert owned.keys() - burned.keys() == {"owner", "owner_id", "owned_key", *TOKEN_QUERY_KEYS}
    assert owned.keys() - burned.keys() <= set(OPTIONAL), "what an update of the item takes away"


def test_transfer__when_it_is_a_mint_or_a_burn__then_it_is_in_no_index_of_who_is_not_there() -> None:
    assert "sender_id" not in transfer_item(transfer(None, ALICE))
    assert "recipient_id" not in transfer_item(transfer(ALICE, None))
    both = transfer_item(transfer(ALICE, BOB))
    assert (both["sender_id"], both["recipient_id"]) == (f"{CHAIN_ID}#{ALICE}", f"{CHAIN_ID}#{BOB}")


def test_items__when_they_are_as_large_as_they_get__then_each_is_one_write_unit() -> None:
    assert size(token_item(token(ALICE))) <= KILOBYTE
    assert size(transfer_item(transfer(ALICE, BOB))) <= KILOBYTE
