"""What cannot be read is set aside: lists leave it out, and what needs it says so."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.aws.dynamo import ConditionFailed, Item, Page, Update
from mintline.aws.records import to_item
from mintline.errors import Unreadable, Unusable, Unwritable
from mintline.query_keys import owned_key
from mintline.records.index import Token, Transfer
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.records.wallets import Link, Wallet
from mintline.resource_types import Table
from mintline.resources import BALANCES
from mintline.set_aside import SetAside
from mintline_api.auth.store import DynamoRevocations
from mintline_api.features.links.store import DynamoLinks
from mintline_api.features.mints.store import DynamoTokenIds
from mintline_api.features.pages import Page as ListPage
from mintline_api.features.queries.holders import read_item_holders
from mintline_api.features.queries.store import DynamoQueries
from mintline_api.features.tokens.ports import CountedToken
from mintline_api.features.tokens.store import DynamoIndex
from mintline_api.features.wallets.store import DynamoWallets
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.store import DynamoGas, DynamoRates
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

BODY: dict[str, Any] = {"metadata": {"name": "n", "image": "https://example.com/1.png"}}
OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Items:
    """A DynamoDB of which every query returns the same items, and that has no balances."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    async def query(self, table: Table, **_: Any) -> Page:
        return Page([] if table is BALANCES else self.items, None)


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
    items = [to_item(token) | {"owned_key": str(token.token_id), "token_ref": "r"} for token in tokens]
    index = DynamoIndex(spoiled(items, "minted_block"), chain_id=CHAIN_ID, set_aside=SetAside())
    with capture_logs() as lines:
        page = await index.tokens_of(OWNER, contract=None, limit=10, after=None)
    assert page.items == (("0", CountedToken(tokens[0])), ("2", CountedToken(tokens[2])))
    assert [(line["table"], line["key"]) for line in lines] == [("tokens", "r")]


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
    links_store = DynamoLinks(spoiled(items, "linked_at"), chain_id=CHAIN_ID, set_aside=SetAside())
    assert await links_store.of_user("alice") == (links[0], links[2])


class OneItem:
    """A DynamoDB with one item, to which additions do what they do there."""

    def __init__(self, item: Item | None) -> None:
        self.item = item

    async def get(self, *_: Any) -> Item | None:
        return self.item

    async def write(self, change: Any) -> None:
        raise ConditionFailed(change, self.item)

    async def update_returning(self, update: Update) -> Item:
        ((name, count),) = update.add.items()
        was = None if self.item is None else self.item.get(name)
        if update.where and not (isinstance(was, int) and was >= 0):
            raise ConditionFailed(update, self.item)
        if was is not None and not isinstance(was, int):
            raise Unwritable("UpdateItem: Type mismatch for ADD")
        return update.key | {name: (was or 0) + count}


def over(item: Item | None) -> Any:
    return OneItem(item)


COUNTER: Item = {"collection_id": scoped(CHAIN_ID, CONTRACT)}
ODD: list[Item] = [{}, {"next_token_id": "7"}, {"next_token_id": -1}, {"next_token_id": {"N": "1.5"}}]


@pytest.mark.parametrize("attribute", ODD)
async def test_lease__when_the_counter_cannot_be_read__then_it_is_set_aside(attribute: Item) -> None:
    counter = DynamoTokenIds(over(COUNTER | attribute), chain_id=CHAIN_ID, set_aside=SetAside())
    with capture_logs() as lines, pytest.raises(Unusable):
        await counter.lease(CONTRACT, 1)
    assert [(line["event"], line["table"], line["key"]) for line in lines] == [
        ("record_set_aside", "collections", scoped(CHAIN_ID, CONTRACT))
    ]


async def test_lease__when_there_is_no_such_collection__then_it_is_refused_and_nothing_is_set_aside() -> None:
    with capture_logs() as lines, pytest.raises(RequestRefused, match="unknown-contract"):
        await DynamoTokenIds(over(None), chain_id=CHAIN_ID).lease(CONTRACT, 1)
    assert lines == []


@pytest.mark.parametrize("attribute", ODD)
async def test_collection__when_its_counter_cannot_be_read__then_all_else_of_it_can(attribute: Item) -> None:
    item: Item = COUNTER | {
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "name": "Aurora",
        "symbol": "AUR",
        "deployed_block": 1,
    }
    index = DynamoIndex(over(item | attribute), chain_id=CHAIN_ID, set_aside=SetAside())
    with capture_logs() as lines:
        collection = await index.collection(CONTRACT)
    assert collection is not None
    assert (collection.name, lines) == ("Aurora", [])


async def test_rates__when_a_count_cannot_be_read__then_it_is_set_aside() -> None:
    rates = DynamoRates(over({"rate_id": "alice#1", "taken": "many"}), set_aside=SetAside())
    with capture_logs() as lines, pytest.raises(Unusable):
        await rates.add("alice#1", 1, expires=9)
    assert [(line["table"], line["key"]) for line in lines] == [("rates", "alice#1")]


@pytest.mark.parametrize(
    "attributes",
    [
        {"gas_day": "today", "gas_given": "1"},
        {"gas_day": 20_785, "gas_given": "a lot"},
        {"gas_day": 20_785, "gas_given": {"N": "1.5"}},
        {"gas_day": 20_785, "gas_given": None},
    ],
)
async def test_gas__when_it_cannot_be_read__then_it_is_set_aside_and_counts_as_none(attributes: Item) -> None:
    gas = DynamoGas(over({"account_id": "a", **attributes}), chain_id=CHAIN_ID, set_aside=SetAside())
    with capture_logs() as lines:
        assert await gas.gas_given(OWNER) == (0, 0)
    assert [(line["table"], line["key"]) for line in lines] == [("accounts", "a")]


async def test_gas__when_the_wallet_had_none_yet__then_nothing_is_set_aside() -> None:
    gas = DynamoGas(over({"account_id": "a", "next_nonce": 3}), chain_id=CHAIN_ID, set_aside=SetAside())
    with capture_logs() as lines:
        assert await gas.gas_given(OWNER) == (0, 0)
    assert lines == []


async def test_revocation__when_its_time_cannot_be_read__then_neither_read_nor_write_passes_over_it() -> None:
    item: Item = {"chain": str(CHAIN_ID), "sub": "alice", "revoked_before": "long ago"}
    store = DynamoRevocations(over(item), chain_id=CHAIN_ID, set_aside=SetAside())
    with capture_logs() as lines:
        with pytest.raises(Unreadable):
            await store.revoked_before("alice")
        with pytest.raises(Unreadable):
            await store.record("alice", revoked_before=5, statement=b"s", expires=9)
    assert [(line["table"], line["key"]) for line in lines] == [("revocations", f"{CHAIN_ID}/alice")]


async def test_wallet__when_it_is_unfinished_and_its_key_is_gone__then_it_is_set_aside() -> None:
    wallet = Wallet(
        wallet_id="w",
        sub="alice",
        chain_id=CHAIN_ID,
        address=OWNER,
        secret_id="s",
        ready=False,
        created_at=1,
    )
    wallets = DynamoWallets(over(to_item(wallet)), set_aside=SetAside())
    with capture_logs() as lines:
        with pytest.raises(Unreadable):
            await wallets.get("w")
        with pytest.raises(Unreadable):
            await wallets.create(wallet)
    assert [(line["table"], line["key"]) for line in lines] == [("wallets", "w")]


async def test_post__when_a_record_it_needs_is_unreadable__then_503_says_what_an_operator_repairs(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lease(contract: str, count: int) -> int:
        raise Unreadable(f"Counter: next_token_id of {contract}, {count}")

    monkeypatch.setattr(harness.token_ids, "lease", lease)
    refused = await client.post_json("/v1/mints", BODY, headers=harness.headers(idempotency_key="k"))
    monkeypatch.undo()
    repaired = await client.post_json("/v1/mints", BODY, headers=harness.headers(idempotency_key="k"))

    assert (refused.status, refused.json()["code"]) == (503, "record-unusable")
    assert "operator" in refused.json()["detail"]
    assert "next_token_id" not in refused.body.decode()
    assert int(refused.headers["retry-after"]) > 0
    assert repaired.status == 202


async def test_token__when_its_mints_record_is_unreadable__then_the_token_is_shown(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get(mint_id: str) -> Mint | None:
        raise Unreadable(mint_id)

    monkeypatch.setattr(harness.mints, "get", get)
    harness.index.tokens[CONTRACT, 1] = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=1,
        owner=OWNER,
        metadata_digest=None,
        mint_id="mint_1",
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
    )
    shown = await client.request("GET", f"/v1/tokens/{CONTRACT}/1", headers=harness.headers())
    assert (shown.status, shown.json()["owner"], shown.json()["mint"]) == (200, OWNER, None)
    assert (await client.request("GET", "/v1/mints/mint_1", headers=harness.headers())).status == 503


class OneRow:
    """A DynamoDB of which every query returns one unreadable row, after which others follow."""

    def __init__(self, row: Item) -> None:
        self.row = row | {"block_number": {"SS": ["not ours"]}}

    async def query(self, table: Table, **_: Any) -> Page:
        del table
        return Page([self.row], {"somewhere": "else"})


async def test_lists__when_all_rows_of_a_page_are_unreadable__then_they_go_on_after_the_last() -> None:
    key = owned_key(CONTRACT, 7)
    names: Item = {"token_ref": "a token", "balance_ref": "a balance", "owned_key": key}
    database: Any = OneRow({**names, "position": "000000000009#0001", "holder": OWNER})
    index = DynamoIndex(database, chain_id=CHAIN_ID, set_aside=SetAside())
    queries = DynamoQueries(database, index, chain_id=CHAIN_ID, set_aside=SetAside())

    owned = await index.tokens_of(OWNER, contract=None, limit=1, after=None)
    items = await index.items_in(CONTRACT, limit=1, after=None)
    transfers = await index.transfers(CONTRACT, 7, limit=1, after=None)
    holders = await read_item_holders(queries, CONTRACT, 7, limit=1, after=None)

    assert (owned.items, owned.more, owned.end) == ((), True, key)
    assert (items.tokens, items.after) == ((), 7)
    assert (transfers.items, transfers.more, transfers.end) == ((), True, "000000000009#0001")
    assert (holders.holders, holders.after) == ((), OWNER)


async def test_list__when_a_page_has_no_readable_row__then_its_cursor_leads_on(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[ListPage[CountedToken]] = [
        ListPage((), more=True, last=owned_key(CONTRACT, 7)),
        ListPage((), more=False),
    ]
    requested: list[str | None] = []

    async def tokens_of(_: str, *, after: str | None, **__: Any) -> ListPage[CountedToken]:
        requested.append(after)
        return pages.pop(0)

    monkeypatch.setattr(harness.index, "tokens_of", tokens_of)
    path = f"/v1/owners/{OWNER}/tokens?limit=1"
    first = (await client.request("GET", path, headers=harness.headers())).json()
    second = await client.request("GET", f"{path}&cursor={first['next_cursor']}", headers=harness.headers())

    assert (first["items"], second.json()["next_cursor"]) == ([], None)
    assert requested == [None, owned_key(CONTRACT, 7)]


async def test_drops__when_a_record_is_unreadable__then_the_others_are_listed(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.clients.add("shop")
    drops = [
        (await client.post_json("/v1/drops", {"name": name}, headers=harness.client_headers())).json()
        for name in ("Spring", "Summer")
    ]
    get = harness.drops.get

    async def one_unreadable(drop_id: str) -> Any:
        if drop_id == drops[0]["drop_id"]:
            raise Unreadable("Drop: not ours")
        return await get(drop_id)

    monkeypatch.setattr(harness.drops, "get", one_unreadable)
    listed = await client.request("GET", "/v1/drops", headers=harness.client_headers())

    assert [drop["drop_id"] for drop in listed.json()["items"]] == [drops[1]["drop_id"]]
