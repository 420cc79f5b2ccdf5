"""Mints of ERC-1155 items over HTTP: what a request names, and one metadata for each item."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mintline.authorizations import key_of
from mintline.canonical_json import canonical_json, digest_of
from mintline.chain.calls import Call
from mintline.errors import Unavailable
from mintline.eth import selector, word
from mintline.metadata_versions import version_object_key
from mintline.records.index import Token
from mintline.records.operations import Mint
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import FACTORY, Harness
from mintline_testkit.constants import CHAIN_ID
from tests.unit.api.test_api_collections import BODY, PATH, deployed, post, problem, record_of

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
METADATA = {"name": "Potion", "image": "https://example.com/potion.png"}
TEXT = canonical_json(METADATA)


@pytest.fixture(autouse=True)
def _clients(harness: Harness) -> None:
    harness.clients.add("shop")


@pytest.fixture
async def contract(harness: Harness, client: MemoryClient) -> str:
    """An ERC-1155 collection of the shop's."""
    return await deployed(harness, client, standard="erc1155")


def body(contract: str, **changes: Any) -> dict[str, Any]:
    plain = {"contract": contract, "recipient": {"address": OTHER}, "token_id": "7", "metadata": METADATA}
    return {name: value for name, value in (plain | changes).items() if value is not None}


async def mint(
    harness: Harness, client: MemoryClient, contract: str, *, key: str = "", **changes: Any
) -> Answered:
    keyed = {"idempotency_key": key} if key else {}
    return await post(harness, client, "/v1/mints", body(contract, **changes), **keyed)


async def bulk(harness: Harness, client: MemoryClient, contract: str, *lines: dict[str, Any]) -> Answered:
    mints = [{"recipient": {"address": OTHER}, "metadata": METADATA, **line} for line in lines]
    return await post(harness, client, "/v1/mints/bulk", {"contract": contract, "mints": mints})


def record(harness: Harness, answered: Answered) -> Mint:
    assert answered.status == 202, answered.body
    return harness.mints.items[answered.json()["mint_id"]]


def pointers(answered: Answered) -> list[str]:
    return [error["pointer"] for error in answered.json()["errors"]]


async def test_collection__when_made_of_erc1155__then_it_has_that_implementation_and_says_so(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    collection = record_of(harness, contract)
    shown = await client.request("GET", f"{PATH}/{contract}", headers=harness.client_headers())

    assert collection.clone is not None
    assert (collection.standard, collection.clone.implementation) == ("erc1155", FACTORY.multi_token)
    assert shown.json()["standard"] == "erc1155"
    plain = await post(harness, client, PATH, BODY)
    assert plain.json()["standard"] == "erc721"


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"open_to_users": True}, "#/open_to_users"),
        ({"reveal": {"commitment": "0x" + "01" * 32, "tokens": 5}}, "#/reveal"),
    ],
    ids=["open", "reveal"],
)
async def test_collection__when_erc1155_does_not_have_what_it_asks_for__then_refused(
    harness: Harness, client: MemoryClient, more: dict[str, Any], pointer: str
) -> None:
    answered = await post(harness, client, PATH, {**BODY, "standard": "erc1155", **more})

    assert problem(answered) == (422, "wrong-standard")
    assert pointers(answered) == [pointer]
    assert harness.mints.collection_operations == {}


async def test_mint__when_of_an_item__then_serial_item_and_quantity_are_on_record_and_shown(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    first = await mint(harness, client, contract, quantity="3")
    second = await mint(harness, client, contract)

    records = [record(harness, first), record(harness, second)]
    assert [(record.token_id, record.item_id, record.quantity) for record in records] == [
        (1, 7, 3),
        (2, 7, 1),
    ]
    view = first.json()
    assert (view["token_id"], view["quantity"], view["serial"]) == ("7", "3", "1")
    assert view["metadata_url"].endswith(f"/v1/metadata/{contract}/7")
    assert view["links"]["token"] == f"/v1/tokens/{contract}/7"
    assert view["metadata_digest"] == "0x" + digest_of(TEXT).hex()
    # What was authorized names item and quantity, and the text is stored with the item.
    under = key_of(records[0])
    assert under is not None
    assert harness.mints.authorizations[under].metadata is None


async def test_metadata__when_an_item_was_minted__then_it_is_served_under_the_items_id_alone(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    await mint(harness, client, contract, quantity="3")

    served = await client.request("GET", f"/v1/metadata/{contract}/7")
    of_serial = await client.request("GET", f"/v1/metadata/{contract}/1")

    assert (served.status, served.body.decode()) == (200, TEXT)
    assert of_serial.status == 404
    stored = [key for key in harness.metadata.objects if "/versions/" in key]
    assert stored == [version_object_key(CHAIN_ID, contract, 7, digest_of(TEXT))]
    assert harness.metadata.packs == {}


async def test_mint__when_its_item_has_other_metadata__then_refused_and_nothing_is_made(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    await mint(harness, client, contract)
    before = dict(harness.mints.items)

    answered = await mint(harness, client, contract, metadata={**METADATA, "name": "Sword"})

    assert problem(answered) == (409, "item-metadata-differs")
    assert pointers(answered) == ["#/metadata"]
    assert harness.mints.items == before
    assert (
        await mint(harness, client, contract, token_id="8", metadata={**METADATA, "name": "Sword"})
    ).status == 202


async def test_mint__when_a_key_repeats_it__then_it_is_the_same_also_after_the_item_changed(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    first = await mint(harness, client, contract, key="k", quantity="2")
    again = await mint(harness, client, contract, key="k", quantity="2")
    other = await mint(harness, client, contract, key="k", quantity="3")

    assert first.json()["mint_id"] == again.json()["mint_id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert problem(other) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"token_id": None}, "#/token_id"), ({"token_id": None, "quantity": "2"}, "#/token_id")],
    ids=["none", "quantity alone"],
)
async def test_mint__when_it_names_no_item_of_an_erc1155_collection__then_refused(
    harness: Harness, client: MemoryClient, contract: str, changes: dict[str, Any], pointer: str
) -> None:
    answered = await mint(harness, client, contract, **changes)

    assert problem(answered) == (422, "wrong-standard")
    assert pointers(answered) == [pointer]
    assert harness.mints.items == {}


@pytest.mark.parametrize("member", ["token_id", "quantity"])
async def test_mint__when_it_names_an_item_or_quantity_of_an_erc721_collection__then_refused(
    harness: Harness, client: MemoryClient, member: str
) -> None:
    contract = await deployed(harness, client)
    changes: dict[str, Any] = {"token_id": None, member: "1"}

    answered = await mint(harness, client, contract, **changes)

    assert problem(answered) == (422, "wrong-standard")
    assert pointers(answered) == [f"#/{member}"]


@pytest.mark.parametrize("quantity", ["0", str(2**64), "-1", "1.5", 1.5])
async def test_mint__when_the_quantity_is_none__then_the_body_is_refused(
    harness: Harness, client: MemoryClient, contract: str, quantity: Any
) -> None:
    answered = await mint(harness, client, contract, quantity=quantity)

    assert answered.status == 400
    assert pointers(answered) == ["#/quantity"]


async def test_bulk__when_of_items__then_each_line_has_its_own_and_nothing_is_packed(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    sword = {"metadata": {**METADATA, "name": "Sword"}, "token_id": "8"}

    answered = await bulk(
        harness, client, contract, {"token_id": "7", "quantity": "5"}, sword, {"token_id": "7"}
    )

    assert answered.status == 202, answered.body
    mints = [harness.mints.items[mint_id] for mint_id in answered.json()["mint_ids"]]
    assert [(mint.token_id, mint.item_id, mint.quantity) for mint in mints] == [
        (1, 7, 5),
        (2, 8, 1),
        (3, 7, 1),
    ]
    assert harness.metadata.packs == {}
    for item_id, name in ((7, "Potion"), (8, "Sword")):
        served = await client.request("GET", f"/v1/metadata/{contract}/{item_id}")
        assert served.json()["name"] == name


async def test_bulk__when_lines_do_not_fit__then_each_is_named_and_nothing_is_done(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    await mint(harness, client, contract)
    before = dict(harness.mints.items)
    other = {**METADATA, "name": "Other"}

    unnamed = await bulk(harness, client, contract, {"token_id": "9"}, {}, {"quantity": "2"})
    differing = await bulk(
        harness,
        client,
        contract,
        {"token_id": "9"},
        {"token_id": "9", "metadata": other},
    )
    changed = await bulk(harness, client, contract, {"token_id": "9"}, {"token_id": "7", "metadata": other})

    assert pointers(unnamed) == ["#/mints/1/token_id", "#/mints/2/token_id"]
    assert pointers(differing) == pointers(changed) == ["#/mints/1/metadata"]
    assert {response.status for response in (unnamed, differing, changed)} == {422}
    assert harness.mints.items == before
    assert (await client.request("GET", f"/v1/metadata/{contract}/9")).status == 404


def indexed(harness: Harness, contract: str, item_id: int, digest: bytes) -> None:
    """Have the index know an item, as it does from its first mint on: it has no owner."""
    harness.index.tokens[contract, item_id] = Token(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=item_id,
        owner=None,
        metadata_digest=digest,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
        standard="erc1155",
    )


async def test_metadata__when_an_items_is_changed__then_it_has_a_second_version_that_mints_must_have(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    await mint(harness, client, contract, key="k")
    indexed(harness, contract, 7, digest_of(TEXT))
    token, new = f"/v1/tokens/{contract}/7", {**METADATA, "name": "Big potion"}
    headers = {**harness.client_headers(), "Content-Type": "application/json"}
    patch = json.dumps({"metadata": new}).encode()

    changed = await client.request("PATCH", token, headers=headers, body=patch)

    assert (changed.status, changed.json()["version"]) == (202, 2), changed.body
    assert (await client.request("GET", f"/v1/metadata/{contract}/7")).json() == new
    listed = await client.request("GET", f"{token}/metadata/versions", headers=harness.client_headers())
    assert [version["version"] for version in listed.json()["items"]] == [2, 1]
    assert listed.json()["items"][1]["digest"] == "0x" + digest_of(TEXT).hex()
    for version, text in ((1, TEXT), (2, canonical_json(new))):
        served = await client.request(
            "GET", f"{token}/metadata/versions/{version}", headers=harness.client_headers()
        )
        assert served.body.decode() == text
    assert problem(await mint(harness, client, contract)) == (409, "item-metadata-differs")
    assert (await mint(harness, client, contract, metadata=new)).status == 202
    assert (await mint(harness, client, contract, key="k")).headers["idempotent-replayed"] == "true"


async def test_metadata__when_an_items_first_mint_is_rejected__then_its_client_replaces_it_all_the_same(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    first = record(harness, await mint(harness, client, contract))
    harness.mints.items[first.mint_id] = first.evolve(
        status=MintStatus.REJECTED, problem=Problem(code="recipient_refused", reason="It takes none.")
    )
    harness.clients.add("rival")
    token, new = f"/v1/tokens/{contract}/7", {**METADATA, "name": "Big potion"}
    patch = json.dumps({"metadata": new}).encode()

    async def changed(by: str, path: str = token) -> Answered:
        headers = {**harness.client_headers(by), "Content-Type": "application/json"}
        return await client.request("PATCH", path, headers=headers, body=patch)

    assert problem(await changed("rival")) == (403, "not-your-collection")
    assert problem(await changed("shop", f"/v1/tokens/{contract}/8")) == (404, "unknown-token")
    accepted = await changed("shop")

    assert (accepted.status, accepted.json()["version"]) == (202, 2), accepted.body
    listed = await client.request("GET", f"{token}/metadata/versions", headers=harness.client_headers())
    assert [version["version"] for version in listed.json()["items"]] == [2, 1]
    none = await client.request("GET", f"{token}0/metadata/versions", headers=harness.client_headers())
    assert problem(none) == (404, "unknown-token")
    assert (await client.request("GET", f"/v1/metadata/{contract}/7")).json() == new
    assert problem(await mint(harness, client, contract)) == (409, "item-metadata-differs")
    minted = record(harness, await mint(harness, client, contract, metadata=new))
    assert minted.metadata_digest == digest_of(canonical_json(new))


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ({"minted": word(8), "itemCap": word(500)}, ("8", "500")),
        ({"minted": word(8), "itemCap": word(0)}, ("8", None)),
        ({"minted": word(8), "itemCap": b""}, (None, None)),
        ({"minted": word(8)}, (None, None)),
    ],
)
async def test_item__when_read__then_says_how_many_were_minted_and_may_be_unless_no_node_says(
    harness: Harness,
    client: MemoryClient,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, bytes],
    shown: tuple[str | None, str | None],
) -> None:
    contract = await deployed(harness, client, standard="erc1155")
    indexed(harness, contract, 7, digest_of(TEXT))
    by_data = {selector(f"{name}(uint256)") + word(7): response for name, response in answers.items()}

    async def node(call: Call) -> bytes:
        assert call.to == contract
        if call.data not in by_data:
            raise Unavailable("no node answers")
        return by_data[call.data]

    assert harness.chain is not None
    monkeypatch.setattr(harness.chain, "call", node)

    read = await client.request("GET", f"/v1/tokens/{contract}/7", headers=harness.client_headers())

    assert (read.json()["minted"], read.json()["item_cap"]) == shown, read.body


async def test_mint__when_the_supply_cap_has_no_room_for_the_quantity__then_refused(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = await deployed(harness, client, standard="erc1155", supply_cap=10)

    async def eight(call: Call) -> bytes:
        assert (call.to, call.data) == (contract, selector("totalMinted()"))
        return word(8)

    assert harness.chain is not None
    monkeypatch.setattr(harness.chain, "call", eight)

    assert problem(await mint(harness, client, contract, quantity="3")) == (409, "collection-full")
    too_many = await bulk(harness, client, contract, *({"token_id": "7", "quantity": "2"} for _ in range(2)))
    assert problem(too_many) == (409, "collection-full")


async def test_mint__when_the_index_knows_items_with_high_ids__then_serials_go_on_counting(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    indexed(harness, contract, 5000, digest_of(TEXT))

    mints = [record(harness, await mint(harness, client, contract)) for _ in range(2)]

    assert [mint.token_id for mint in mints] == [1, 2]


async def test_bulk__when_the_collection_takes_none_of_the_clients_mints__then_that_comes_before_the_lines(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    await mint(harness, client, contract)
    harness.clients.add("rival")
    other = {"name": "Sword", "image": "https://example.com/sword.png"}
    lines = [{"recipient": {"address": OTHER}, "token_id": "7", "metadata": other}]
    body_of = {"contract": contract, "mints": lines}

    assert problem(await post(harness, client, "/v1/mints/bulk", body_of, by="rival")) == (
        403,
        "not-your-collection",
    )
    assert problem(await post(harness, client, "/v1/mints/bulk", body_of)) == (422, "lines-refused")


@pytest.mark.parametrize("member", ["address", "user", "email"])
async def test_mint__when_a_member_of_the_recipient_is_null__then_refused_as_the_document_says(
    harness: Harness, client: MemoryClient, contract: str, member: str
) -> None:
    recipient = {"address": OTHER, member: None}

    answered = await post(harness, client, "/v1/mints", body(contract, recipient=recipient))

    assert problem(answered) == (400, "invalid-body")
    assert pointers(answered) == [f"#/recipient/{member}"]
