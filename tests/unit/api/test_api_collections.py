"""Collections over HTTP: made once, changed one change at a time, shown, imported, and minted in."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from mintline.authorizations import key_of
from mintline.chain.calls import Call, CallReverted
from mintline.clone_calls import address_of
from mintline.eth import selector, word
from mintline.records.clients import ClientBudget
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.keys import scoped
from mintline.records.operations import CollectionCall, CollectionDeployment
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import FACTORY, PUBLIC_URL, Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import START

PATH = "/v1/collections"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
RECEIVER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
BODY: dict[str, Any] = {"name": "Season tickets", "symbol": "SEAT"}
MINT: dict[str, Any] = {
    "recipient": {"address": OTHER},
    "metadata": {"name": "Row 1", "image": "https://example.com/1.png"},
}


@pytest.fixture(autouse=True)
def _clients(harness: Harness) -> None:
    harness.clients.add("shop")
    harness.clients.add("rival")


async def post(
    harness: Harness, client: MemoryClient, path: str, body: Any, *, by: str = "shop", **headers: str
) -> Answered:
    return await client.post_json(path, body, headers=harness.client_headers(by, **headers))


async def patch(
    harness: Harness, client: MemoryClient, contract: str, body: Any, *, by: str = "shop", **headers: str
) -> Answered:
    sent = {**harness.client_headers(by, **headers), "Content-Type": "application/json"}
    return await client.request("PATCH", f"{PATH}/{contract}", headers=sent, body=json.dumps(body).encode())


async def get(harness: Harness, client: MemoryClient, contract: str, *, by: str = "shop") -> Answered:
    return await client.request("GET", f"{PATH}/{contract}", headers=harness.client_headers(by))


def problem(answered: Answered) -> tuple[int, str]:
    return answered.status, answered.json()["code"]


def settle(harness: Harness, status: MintStatus, **more: object) -> None:
    """Move each accepted operation on collections to a status."""
    at: dict[str, object] = {"block_number": 44} if status in (MintStatus.MINED, MintStatus.FINALIZED) else {}
    operations = harness.mints.collection_operations
    for operation_id, operation in operations.items():
        if operation.status is MintStatus.ACCEPTED:
            operations[operation_id] = operation.evolve(status=status, **at, **more)


async def deployed(harness: Harness, client: MemoryClient, **body: Any) -> str:
    """Have a collection made, mined and noted by the index; return its address."""
    answered = await post(harness, client, PATH, {**BODY, **body})
    assert answered.status == 202, answered.body
    contract: str = answered.json()["contract"]
    settle(harness, MintStatus.MINED)
    record = harness.index.collections[contract]
    harness.index.collections[contract] = record.evolve(status="ready", deployed_block=44)
    harness.now += 10
    return contract


def record_of(harness: Harness, contract: str) -> RegisteredContract:
    return harness.index.collections[contract]


async def test_create__when_a_key_repeats_it__then_it_is_one_collection_at_the_address_of_its_salt(
    harness: Harness, client: MemoryClient
) -> None:
    body = {
        **BODY,
        "royalties": {"receiver": RECEIVER, "bps": 500},
        "supply_cap": 3,
        "mint_window": {"start": "2027-01-01T00:00:00Z", "end": "2027-02-01T01:00:00+01:00"},
        "soulbound": True,
        "metadata": {"description": "All rows.", "image": "https://example.com/i.png"},
    }
    first = await post(harness, client, PATH, body, idempotency_key="k")
    again = await post(harness, client, PATH, body, idempotency_key="k")

    assert (first.status, again.status) == (202, 202)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    view = first.json()
    contract = view["contract"]
    assert first.headers["location"] == f"{PATH}/{contract}"
    [(operation_id, operation)] = harness.mints.collection_operations.items()
    assert isinstance(operation, CollectionDeployment)
    clone = operation.clone
    assert (clone.principal, clone.operation_id) == ("shop", operation_id)
    assert (clone.factory, clone.implementation) == (FACTORY.address, FACTORY.implementation)
    assert address_of(clone) == contract == operation.contract
    assert key_of(operation) in harness.mints.authorizations
    # The second request sends it once more: the first message may be lost.
    assert [message.mint_id for _, message in harness.line.sent] == [operation_id] * 2
    record = record_of(harness, contract)
    assert (record.status, record.clone, record.sponsored) == ("deploying", clone, False)
    assert record.deployed_block == 40
    assert view["status"] == "deploying"
    assert view["mint_window"] == {"start": "2027-01-01T00:00:00.000Z", "end": "2027-02-01T00:00:00.000Z"}
    assert view["royalties"] == {"receiver": RECEIVER, "bps": 500}
    assert (view["owner"], view["supply_cap"], view["soulbound"]) == (RECEIVER, 3, True)
    assert view["deployment"]["status"] == "accepted"
    served = await client.request("GET", f"/v1/metadata/{contract}")
    assert served.json() == {**body["metadata"], **BODY}
    assert view["metadata_digest"] == "0x" + hashlib.sha256(served.body).hexdigest()
    assert view["metadata_url"] == f"{PUBLIC_URL}/v1/metadata/{contract}"
    other = await post(harness, client, PATH, {**body, "symbol": "X"}, idempotency_key="k")
    assert problem(other) == (422, "idempotency-key-reused")
    rivals = await post(harness, client, PATH, body, by="rival", idempotency_key="k")
    assert rivals.json()["contract"] != contract


async def test_create__when_its_operation_is_mined_or_fails__then_its_status_says_so(
    harness: Harness, client: MemoryClient
) -> None:
    contract = (await post(harness, client, PATH, BODY)).json()["contract"]
    settle(harness, MintStatus.MINED)
    # Whether or not the index has noted it.
    assert record_of(harness, contract).status == "deploying"
    minted = await post(harness, client, "/v1/mints", {**MINT, "contract": contract})
    assert minted.status == 202, minted.body
    ready = (await get(harness, client, contract)).json()
    assert (ready["status"], ready["deployed_block"]) == ("ready", 44)

    failing = (await post(harness, client, PATH, BODY)).json()["contract"]
    assert failing != contract
    settle(harness, MintStatus.REJECTED, problem=Problem(code="deployment_refused", reason="No."))
    failed = (await get(harness, client, failing)).json()
    assert (failed["status"], failed["deployed_block"]) == ("failed", None)
    assert failed["deployment"]["problem"]["code"] == "deployment_refused"
    # Others do not see what is not deployed.
    assert problem(await get(harness, client, failing, by="rival")) == (404, "unknown-contract")
    seen = (await get(harness, client, contract, by="rival")).json()
    assert (seen["deployment"], seen["change"], seen["name"]) == (None, None, "Season tickets")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "#/name"),
        ({"name": "é" * 33}, "#/name"),
        ({"name": "a\u0000b"}, "#/name"),
        ({"symbol": "S" * 17}, "#/symbol"),
        ({"symbol": None}, "#/symbol"),
        ({"royalties": {"receiver": OTHER, "bps": 10_001}}, "#/royalties/bps"),
        ({"royalties": {"receiver": "0x" + "00" * 20, "bps": 1}}, "#/royalties/receiver"),
        ({"royalties": {"bps": 1}}, "#/royalties/receiver"),
        ({"supply_cap": 0}, "#/supply_cap"),
        ({"supply_cap": True}, "#/supply_cap"),
        ({"supply_cap": "10"}, "#/supply_cap"),
        ({"mint_window": {"start": "tomorrow"}}, "#/mint_window/start"),
        ({"mint_window": {"start": "2027-02-30T00:00:00Z"}}, "#/mint_window/start"),
        ({"mint_window": {"start": "2027-01-01T00:00:00.5Z"}}, "#/mint_window/start"),
        ({"mint_window": {"start": "0001-01-01T00:00:00Z"}}, "#/mint_window/start"),
        ({"soulbound": 1}, "#/soulbound"),
        ({"metadata": {"name": "Another"}}, "#/metadata/name"),
        ({"metadata": {"image": "javascript:alert(1)"}}, "#/metadata/image"),
        ({"standard": "erc20"}, "#/standard"),
    ],
)
async def test_create__when_the_body_is_not_valid__then_nothing_is_kept(
    harness: Harness, client: MemoryClient, change: dict[str, Any], pointer: str
) -> None:
    before = dict(harness.index.collections)
    answered = await post(harness, client, PATH, {**BODY, **change})
    assert problem(answered) == (400, "invalid-body")
    assert pointer in [fault["pointer"] for fault in answered.json()["errors"]]
    assert harness.mints.collection_operations == {}
    assert harness.index.collections == before
    assert harness.metadata.objects == {}


@pytest.mark.parametrize(
    ("window", "pointer"),
    [
        ({"end": "2026-01-01T00:00:00Z"}, "#/mint_window/end"),
        ({"start": "2027-01-02T00:00:00Z", "end": "2027-01-02T00:00:00Z"}, "#/mint_window"),
    ],
)
async def test_create__when_the_window_never_opens__then_nothing_is_kept(
    harness: Harness, client: MemoryClient, window: dict[str, str], pointer: str
) -> None:
    answered = await post(harness, client, PATH, {**BODY, "mint_window": window})
    assert problem(answered) == (422, "empty-mint-window")
    assert [fault["pointer"] for fault in answered.json()["errors"]] == [pointer]
    assert harness.mints.collection_operations == {}
    assert harness.metadata.objects == {}


async def test_create__when_the_caller_may_not__then_it_is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    of_user = await client.post_json(PATH, BODY, headers=harness.headers())
    assert problem(of_user) == (403, "insufficient-scope")
    harness.clients.records["shop"] = harness.clients.records["shop"].evolve(
        budget=ClientBudget(mints_per_hour=1, collections=(OTHER,))
    )
    assert (await post(harness, client, PATH, BODY, idempotency_key="k")).status == 202
    assert problem(await post(harness, client, PATH, BODY)) == (429, "client-budget-reached")
    assert (await post(harness, client, PATH, BODY, idempotency_key="k")).status == 202


async def test_create__when_there_is_no_factory__then_it_is_refused(harness: Harness) -> None:
    harness.makes_collections = False
    async with MemoryClient(harness.app()) as client:
        answered = await post(harness, client, PATH, BODY)
    assert problem(answered) == (501, "collections-not-configured")


async def test_create__when_the_message_is_lost__then_the_collection_stands(
    harness: Harness, client: MemoryClient
) -> None:
    harness.line.failure = RuntimeError("no queue")
    answered = await post(harness, client, PATH, BODY)
    assert answered.status == 202
    assert len(harness.mints.collection_operations) == 1


async def test_list__when_a_client_made_some__then_its_own_come_newest_first(
    harness: Harness, client: MemoryClient
) -> None:
    created = []
    for number in range(3):
        created.append(
            (await post(harness, client, PATH, {**BODY, "name": f"No {number}"})).json()["contract"]
        )
        harness.now += 1
    await post(harness, client, PATH, BODY, by="rival")

    first = await client.request("GET", f"{PATH}?limit=2", headers=harness.client_headers())
    cursor = first.json()["next_cursor"]
    second = await client.request("GET", f"{PATH}?cursor={cursor}", headers=harness.client_headers())

    listed = [item["contract"] for page in (first, second) for item in page.json()["items"]]
    assert listed == created[::-1]
    assert second.json()["next_cursor"] is None
    users = await client.request("GET", PATH, headers=harness.headers())
    assert users.json()["items"] == []
    stolen = await client.request("GET", f"{PATH}?cursor={cursor}", headers=harness.client_headers("rival"))
    assert problem(stolen) == (422, "invalid-cursor")


async def test_pause__when_accepted__then_mints_are_refused_from_then_on_until_it_is_unpaused(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    mint = {**MINT, "contract": contract}
    assert (await post(harness, client, "/v1/mints", mint)).status == 202

    paused = await patch(harness, client, contract, {"paused": True}, idempotency_key="p")
    assert paused.status == 202
    assert (paused.json()["paused"], paused.json()["change"]["kind"]) == (True, "pause")
    assert problem(await post(harness, client, "/v1/mints", mint)) == (409, "collection-paused")
    # One change at a time.
    pending = await patch(harness, client, contract, {"paused": False})
    assert problem(pending) == (409, "collection-change-pending")
    assert paused.json()["change"]["operation_id"] in pending.json()["detail"]

    settle(harness, MintStatus.MINED)
    assert (await patch(harness, client, contract, {"paused": True})).status == 200
    replayed = await patch(harness, client, contract, {"paused": True}, idempotency_key="p")
    assert (replayed.status, replayed.headers["idempotent-replayed"]) == (202, "true")
    reused = await patch(harness, client, contract, {"paused": False}, idempotency_key="p")
    assert problem(reused) == (422, "idempotency-key-reused")

    unpaused = await patch(harness, client, contract, {"paused": False})
    assert unpaused.status == 202
    settle(harness, MintStatus.MINED)
    assert (await get(harness, client, contract)).json()["paused"] is False
    harness.now += 10
    assert (await post(harness, client, "/v1/mints", mint)).status == 202


async def test_pause__when_another_change_is_under_way__then_it_goes_ahead_and_both_count(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    mint = {**MINT, "contract": contract}
    royalties = {"royalties": {"receiver": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "bps": 77}}
    assert (await patch(harness, client, contract, royalties)).status == 202

    assert (await patch(harness, client, contract, {"paused": True})).status == 202
    assert problem(await post(harness, client, "/v1/mints", mint)) == (409, "collection-paused")
    for later in ({"paused": True}, {"paused": False}, royalties):
        refused = await patch(harness, client, contract, later)
        assert problem(refused) == (409, "collection-change-pending")

    settle(harness, MintStatus.MINED)
    shown = (await get(harness, client, contract)).json()
    assert (shown["paused"], shown["royalties"]["bps"]) == (True, 77)
    assert (await patch(harness, client, contract, {"paused": False})).status == 202
    refused = await patch(harness, client, contract, {"paused": True})
    assert problem(refused) == (409, "collection-change-pending"), "the later of the two is what counts"
    settle(harness, MintStatus.MINED)
    shown = (await get(harness, client, contract)).json()
    assert (shown["paused"], shown["royalties"]["bps"]) == (False, 77)


async def test_change__when_its_operation_fails__then_the_collection_is_as_before_and_may_be_changed(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    await patch(harness, client, contract, {"paused": True})
    settle(harness, MintStatus.REJECTED, problem=Problem(code="change_refused", reason="No."))

    shown = (await get(harness, client, contract)).json()
    assert (shown["paused"], shown["change"]["problem"]["code"]) == (False, "change_refused")
    assert (await patch(harness, client, contract, {"paused": True})).status == 202


async def test_royalties_and_metadata__when_changed__then_they_are_shown_and_served(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    royalties = {"receiver": RECEIVER, "bps": 250}
    assert (await patch(harness, client, contract, {"royalties": royalties})).status == 202
    settle(harness, MintStatus.FINALIZED)
    assert (await get(harness, client, contract)).json()["royalties"] == royalties

    answered = await patch(harness, client, contract, {"metadata": {"description": "New."}})
    assert (answered.status, answered.json()["change"]["kind"]) == (202, "refresh_contract_uri")
    served = await client.request("GET", f"/v1/metadata/{contract}")
    assert served.json() == {**BODY, "description": "New."}
    calls = [
        operation
        for operation in harness.mints.collection_operations.values()
        if isinstance(operation, CollectionCall)
    ]
    assert [(call.principal, call.contract) for call in calls] == [("shop", contract)] * 2
    assert all(key_of(call) in harness.mints.authorizations for call in calls)


async def test_freeze__when_mined__then_metadata_is_refused_and_the_rest_changes_on(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    frozen = await post(harness, client, f"{PATH}/{contract}/freeze", {}, idempotency_key="f")
    assert (frozen.status, frozen.json()["change"]["kind"]) == (202, "freeze")
    settle(harness, MintStatus.MINED)
    assert (await get(harness, client, contract)).json()["frozen"] is True

    refused = await patch(harness, client, contract, {"metadata": {}})
    assert problem(refused) == (409, "collection-frozen")
    assert (await post(harness, client, f"{PATH}/{contract}/freeze", {})).status == 200
    assert (await patch(harness, client, contract, {"paused": True})).status == 202
    # A freeze's key does not stand for another change.
    reused = await patch(harness, client, contract, {"paused": True}, idempotency_key="f")
    assert problem(reused) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "body",
    [{}, {"paused": True, "royalties": {"receiver": OTHER, "bps": 1}}, {"paused": "yes"}, {"frozen": True}],
)
async def test_change__when_the_body_is_not_one_change__then_it_is_refused(
    harness: Harness, client: MemoryClient, body: dict[str, Any]
) -> None:
    contract = await deployed(harness, client)
    assert problem(await patch(harness, client, contract, body)) == (400, "invalid-body")


async def test_change__when_the_collection_is_not_the_clients_or_not_deployed__then_it_is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    for answered in (
        await patch(harness, client, contract, {"paused": True}, by="rival"),
        await post(harness, client, f"{PATH}/{contract}/freeze", {}, by="rival"),
        await post(harness, client, "/v1/mints", {**MINT, "contract": contract}, by="rival"),
    ):
        assert problem(answered) == (403, "not-your-collection")
    of_operators = await patch(harness, client, CONTRACT, {"paused": True})
    assert problem(of_operators) == (409, "collection-read-only")
    assert problem(await patch(harness, client, OTHER, {"paused": True})) == (404, "unknown-contract")
    new = (await post(harness, client, PATH, BODY)).json()["contract"]
    assert problem(await patch(harness, client, new, {"paused": True})) == (409, "collection-not-ready")
    minted = await post(harness, client, "/v1/mints", {**MINT, "contract": new})
    assert problem(minted) == (409, "collection-not-ready")


async def test_mint__when_the_client_made_the_collection__then_its_budget_needs_not_name_it(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    harness.clients.records["shop"] = harness.clients.records["shop"].evolve(
        budget=ClientBudget(collections=(OTHER,))
    )
    harness.now += 60
    bodies: dict[str, Any] = {
        "/v1/mints": MINT,
        "/v1/mints/bulk": {"mints": [MINT]},
        "/v1/drops": {"name": "Spring"},
    }
    for path, body in bodies.items():
        accepted = await post(harness, client, path, {**body, "contract": contract})
        assert accepted.status in (201, 202), (path, accepted.body)
        refused = await post(harness, client, path, {**body, "contract": CONTRACT})
        assert problem(refused) == (403, "collection-not-allowed"), path


async def test_mint__when_a_user_asks__then_only_an_open_collection_takes_it_and_sponsored_alone(
    harness: Harness, client: MemoryClient
) -> None:
    closed = await deployed(harness, client)
    body = {"contract": closed, "metadata": MINT["metadata"]}
    refused = await client.post_json("/v1/mints", body, headers=harness.headers())
    assert problem(refused) == (403, "collection-not-open")

    opened = await deployed(harness, client, name="Open", open_to_users=True)
    body = {"contract": opened, "metadata": MINT["metadata"]}
    accepted = await client.post_json("/v1/mints", body, headers=harness.headers())
    assert (accepted.status, accepted.json()["custody"]) == (202, "sponsored")
    for custody in ("custodial", "self"):
        own = await client.post_json("/v1/mints", {**body, "custody": custody}, headers=harness.headers())
        assert problem(own) == (422, "sponsored-only")


async def test_mint__when_outside_the_window__then_it_is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    start = int(START) + 100
    window = {"start": "2026-11-23T02:00:00Z", "end": "2026-11-23T03:00:00Z"}
    contract = await deployed(harness, client, mint_window=window)
    mint = {**MINT, "contract": contract}
    early = await post(harness, client, "/v1/mints", mint)
    assert problem(early) == (409, "collection-closed")
    assert "2026-11-23T02:00:00" in early.json()["detail"]
    harness.now = 1_795_399_200.0
    assert harness.now > start
    assert (await post(harness, client, "/v1/mints", mint)).status == 202
    harness.now = 1_795_402_800.0
    assert problem(await post(harness, client, "/v1/mints", mint)) == (409, "collection-closed")


async def test_mint__when_the_cap_is_reached_on_chain__then_it_is_refused(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = await deployed(harness, client, supply_cap=2)
    minted = 1
    assert harness.chain is not None

    async def call(call: Call) -> bytes:
        assert (call.to, call.data) == (contract, selector("totalMinted()"))
        return word(minted)

    monkeypatch.setattr(harness.chain, "call", call)
    mint = {**MINT, "contract": contract}
    assert (await post(harness, client, "/v1/mints", mint)).status == 202
    minted = 2
    harness.now += 10
    assert problem(await post(harness, client, "/v1/mints", mint)) == (409, "collection-full")

    async def silent(_: Call) -> bytes:
        raise TimeoutError

    harness.now += 10
    monkeypatch.setattr(harness.chain, "call", silent)
    # The chain decides: no node, no refusal.
    assert (await post(harness, client, "/v1/mints", mint)).status == 202


async def test_collection__when_tokens_were_minted__then_shows_how_many_by_the_chain(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert harness.chain is not None
    requested: list[str | None] = []

    async def call(call: Call) -> bytes:
        requested.append(call.to)
        assert call.data == selector("totalMinted()")
        return word(2**64)

    monkeypatch.setattr(harness.chain, "call", call)
    contract = await deployed(harness, client, standard="erc1155")
    path = f"/v1/collections/{contract}"
    shown = [(await client.request("GET", path, headers=harness.headers())).json() for _ in range(3)]

    assert {view["minted"] for view in shown} == {str(2**64)}
    assert requested == [contract], "a count serves for two seconds"

    async def silent(_: Call) -> bytes:
        raise TimeoutError

    harness.now += 10
    monkeypatch.setattr(harness.chain, "call", silent)
    assert (await client.request("GET", path, headers=harness.headers())).json()["minted"] is None
    own = await client.request("GET", f"/v1/collections/{CONTRACT}", headers=harness.headers())
    assert own.json()["minted"] is None


def foreign(harness: Harness, monkeypatch: pytest.MonkeyPatch, *interfaces: str, name: bytes = b"") -> None:
    """Have the chain have a contract at OTHER that supports these interfaces."""
    assert harness.chain is not None
    harness.chain.codes[OTHER] = b"\x60\x00"

    async def call(call: Call) -> bytes:
        if call.data[:4] == selector("supportsInterface(bytes4)"):
            if not interfaces:
                raise CallReverted(None, "no")
            return word(int(call.data[4:8].hex() in interfaces))
        if call.data == selector("name()"):
            return name
        raise CallReverted(None, "no")

    monkeypatch.setattr(harness.chain, "call", call)


async def test_import__when_it_is_an_erc_721__then_it_is_indexed_and_not_minted_in(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Old\u202e \u0000contract".encode()
    name = word(32) + word(len(text)) + text.ljust(32, b"\x00")
    foreign(harness, monkeypatch, "01ffc9a7", "80ac58cd", name=name)
    body = {"contract": OTHER, "from_block": 7}

    first = await post(harness, client, f"{PATH}/import", body)
    again = await post(harness, client, f"{PATH}/import", body)

    assert (first.status, again.status) == (201, 200)
    assert first.headers["location"] == f"{PATH}/{OTHER}"
    view = first.json()
    assert (view["status"], view["mintable"], view["client_id"]) == ("ready", False, None)
    assert all(character.isprintable() for character in view["name"])
    record = record_of(harness, OTHER)
    assert isinstance(record, Collection)
    assert (record.deployed_block, record.read_only, record.symbol) == (7, True, "")
    minted = await post(harness, client, "/v1/mints", {**MINT, "contract": OTHER})
    assert problem(minted) == (409, "collection-read-only")
    assert problem(await patch(harness, client, OTHER, {"paused": True})) == (409, "collection-read-only")


async def test_import__when_it_is_an_erc_1155__then_its_items_are_served_and_it_neither_mints_nor_sends_them(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign(harness, monkeypatch, "01ffc9a7", "d9b67a26")

    imported = await post(harness, client, f"{PATH}/import", {"contract": OTHER, "from_block": 7})

    assert (imported.status, imported.json()["standard"], imported.json()["mintable"]) == (
        201,
        "erc1155",
        False,
    )
    assert (record_of(harness, OTHER).standard, record_of(harness, OTHER).read_only) == ("erc1155", True)
    mint = {**MINT, "contract": OTHER, "token_id": "7"}
    refused = await post(harness, client, "/v1/mints", mint)
    assert problem(refused) == (409, "collection-read-only")
    assert "its mints have no serial" in refused.json()["detail"]
    for path, more in (("transfers", {"to": "0x" + "01" * 20}), ("burns", {})):
        body = {"contract": OTHER, "token_id": "7", **more}
        answered = await client.post_json(f"/v1/{path}", body, headers=harness.headers())
        assert problem(answered) == (409, "collection-read-only")


@pytest.mark.parametrize(
    ("interfaces", "message"),
    [
        (("01ffc9a7", "80ac58cd", "d9b67a26"), "both"),
        (("01ffc9a7",), "neither of ERC-721 nor of ERC-1155"),
        ((), "ERC-165"),
        (("01ffc9a7", "80ac58cd", "ffffffff"), "ERC-165"),
    ],
)
async def test_import__when_it_is_of_another_standard__then_it_is_refused(
    harness: Harness,
    client: MemoryClient,
    monkeypatch: pytest.MonkeyPatch,
    interfaces: tuple[str, ...],
    message: str,
) -> None:
    foreign(harness, monkeypatch, *interfaces)
    answered = await post(harness, client, f"{PATH}/import", {"contract": OTHER, "from_block": 7})
    assert problem(answered) == (422, "unsupported-standard")
    assert message in answered.json()["detail"]
    assert OTHER not in harness.index.collections


async def test_import__when_it_cannot_be__then_it_is_refused(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"contract": OTHER, "from_block": 7}
    assert problem(await post(harness, client, f"{PATH}/import", body)) == (422, "not-a-contract")
    foreign(harness, monkeypatch, "01ffc9a7", "80ac58cd")
    ahead = await post(harness, client, f"{PATH}/import", {**body, "from_block": 45})
    assert problem(ahead) == (400, "invalid-body")
    claims = harness.pool.client_claims("shop", now=harness.now)
    token = harness.pool.sign({**claims, "scope": "mintline/collections:write"})
    unprivileged = await client.post_json(
        f"{PATH}/import", body, headers={"Authorization": f"Bearer {token}"}
    )
    assert problem(unprivileged) == (403, "insufficient-scope")


async def test_collection__when_operators_registered_it__then_it_is_shown(
    harness: Harness, client: MemoryClient
) -> None:
    view = (await get(harness, client, CONTRACT)).json()
    assert (view["name"], view["status"], view["mintable"]) == ("Aurora", "ready", True)
    assert (view["client_id"], view["royalties"], view["metadata_digest"]) == (None, None, None)
    assert record_of(harness, CONTRACT).collection_id == scoped(CHAIN_ID, CONTRACT)


async def test_transfer__when_the_collection_is_soulbound__then_it_is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client, soulbound=True)
    body = {"contract": contract, "token_id": "1", "to": OTHER}
    sent = await client.post_json("/v1/transfers", body, headers=harness.headers())
    assert problem(sent) == (409, "token-soulbound")
