"""The index's queries of ERC-1155 items over DynamoDB, as the in-memory one has them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mintline.aws.dynamo import Dynamo, Put
from mintline.records.index import Balance, Token
from mintline.resources import BALANCES, TOKENS
from mintline_api.features.queries.holders import Holder, read_holders, read_item_holders
from mintline_api.features.queries.ports import QueryIndex
from mintline_api.features.queries.store import DynamoQueries
from mintline_api.features.tokens.ports import Index
from mintline_api.features.tokens.store import DynamoIndex
from mintline_indexer.dynamo_items import balance_item, token_item
from mintline_testkit.api.index import MemoryIndex
from mintline_testkit.constants import ALICE, CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration

BOB = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CAROL = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ITEMS = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
HELD = {(2, ALICE): 5, (2, BOB): 2**200, (2, CAROL): 1, (30, ALICE): 4, (30, BOB): 0, (400, BOB): 0}


def token(token_id: int, *, contract: str = ITEMS) -> Token:
    return Token(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=token_id,
        owner=None if contract == ITEMS else ALICE,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
        standard="erc1155" if contract == ITEMS else None,
    )


TOKENS_THERE = (*map(token, (2, 30, 400)), *(token(token_id, contract=CONTRACT) for token_id in (1, 3, 31)))


def balances() -> dict[tuple[str, int, str | None], int]:
    supplies = {
        item: sum(n for (token_id, _), n in HELD.items() if token_id == item) for item in (2, 30, 400)
    }
    held: dict[tuple[str, int, str | None], int] = {(ITEMS, *key): n for key, n in HELD.items()}
    return held | {(ITEMS, item, None): supply for item, supply in supplies.items()}


@dataclass(frozen=True)
class Both:
    """One index, by both of its ports."""

    index: Index
    queries: QueryIndex


@pytest.fixture(params=["memory", "dynamodb"])
async def both(request: pytest.FixtureRequest, dynamo: Dynamo) -> Both:
    if request.param == "memory":
        memory = MemoryIndex()
        memory.tokens = {(token.contract, token.token_id): token for token in TOKENS_THERE}
        memory.balances = balances()
        return Both(memory, memory)
    writes = [Put(TOKENS, token_item(token)) for token in TOKENS_THERE]
    for (contract, token_id, holder), quantity in balances().items():
        balance = Balance(
            chain_id=CHAIN_ID,
            contract=contract,
            token_id=token_id,
            holder=holder,
            quantity=quantity,
            block_number=1,
            tx_hash=bytes(32),
        )
        writes.append(Put(BALANCES, balance_item(balance)))
    for write in writes:
        await dynamo.write(write)
    index = DynamoIndex(dynamo, chain_id=CHAIN_ID)
    return Both(index, DynamoQueries(dynamo, index, chain_id=CHAIN_ID))


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("contract", [None, ITEMS, CONTRACT])
async def test_tokens_of__when_walked__are_tokens_and_items_in_one_order(
    both: Both, limit: int, contract: str | None
) -> None:
    seen: list[tuple[str, int, int | None, int | None]] = []
    after: str | None = None
    while True:
        page = await both.index.tokens_of(ALICE, contract=contract, limit=limit, after=after)
        assert len(page.items) <= limit
        seen += [
            (counted.token.contract, counted.token.token_id, counted.quantity, counted.supply)
            for _, counted in page.items
        ]
        if not page.more:
            break
        after = page.items[-1][0]
    every = [
        *((CONTRACT, token_id, None, None) for token_id in (1, 3, 31)),
        (ITEMS, 2, 5, 2**200 + 6),
        (ITEMS, 30, 4, 4),
    ]
    assert seen == [row for row in every if contract in (None, row[0])]


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_items_in__when_walked__come_all_by_id_with_their_supply(both: Both, limit: int) -> None:
    seen: list[tuple[int, int | None]] = []
    after: int | None = None
    while True:
        page = await both.index.items_in(ITEMS, limit=limit, after=after)
        assert len(page.tokens) <= limit
        seen += [(token.token.token_id, token.supply) for token in page.tokens]
        if (after := page.after) is None:
            break
    assert seen == [(2, 2**200 + 6), (30, 4), (400, 0)]


async def test_balance__when_items_are_counted__then_those_of_zero_are_not(both: Both) -> None:
    counted = [await both.index.balance(who, ITEMS, items=True, most=9) for who in (ALICE, BOB)]
    assert counted == [(2, False), (1, False)]
    held = [await both.index.held(ITEMS, 2, who) for who in (BOB, CONTRACT, None)]
    assert held == [2**200, 0, 2**200 + 6]


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_holders__when_an_items_are_walked__come_by_address_with_what_they_have(
    both: Both, limit: int
) -> None:
    seen: list[tuple[str, int]] = []
    after: str | None = None
    while True:
        page = await read_item_holders(both.queries, ITEMS, 2, limit=limit, after=after)
        assert len(page.holders) <= limit
        seen += [(holder.owner, holder.quantity) for holder in page.holders]
        if (after := page.after) is None:
            break
    assert seen == [(BOB, 2**200), (ALICE, 5), (CAROL, 1)]


async def test_holders__when_a_collection_has_items__then_each_is_counted_once_for_each_item(
    both: Both,
) -> None:
    page = await read_holders(both.queries, ITEMS, items=True, limit=10, after=None)
    assert page.holders == (Holder(BOB, 1), Holder(ALICE, 2), Holder(CAROL, 1))
