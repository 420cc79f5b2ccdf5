"""Versions of a token's metadata over HTTP: made by its collection's client, served, listed, and refused."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from mintline.authorizations import key_of
from mintline.canonical_json import canonical_json, digest_of
from mintline.metadata_versions import MOST_VERSIONS
from mintline.object_keys import metadata_object_key
from mintline.records.collections import CloneState
from mintline.records.index import Token
from mintline.records.operations import CollectionCall
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import PUBLIC_URL, Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MINTED = {"image": "https://example.com/1.png", "name": "Row 1"}
SECOND = {"image": "https://example.com/2.png", "name": "Row 1, used"}
THIRD = {"image": "https://example.com/3.png", "name": "Row 1, signed"}


@pytest.fixture(autouse=True)
def _clients(harness: Harness) -> None:
    harness.clients.add("shop")
    harness.clients.add("rival")


async def deployed(harness: Harness, client: MemoryClient) -> str:
    """Have a collection made with token 1 minted in it; return its address."""
    answered = await client.post_json(
        "/v1/collections", {"name": "Seats", "symbol": "SEAT"}, headers=harness.client_headers("shop")
    )
    contract: str = answered.json()["contract"]
    settle(harness)
    record = harness.index.collections[contract]
    harness.index.collections[contract] = record.evolve(status="ready", deployed_block=44)
    harness.now += 10
    mint(harness, contract, 1)
    return contract


def mint(harness: Harness, contract: str, token_id: int, **more: Any) -> None:
    text = canonical_json(MINTED)
    token = Token(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=token_id,
        owner=OWNER,
        metadata_digest=digest_of(text),
        mint_id=None,
        minted_block=41,
        block_number=41,
        tx_hash=bytes(32),
    )
    harness.index.tokens[contract, token_id] = token.model_copy(update=more)
    harness.metadata.objects[metadata_object_key(CHAIN_ID, contract, token_id)] = text.encode()


def settle(harness: Harness, status: MintStatus = MintStatus.MINED, **more: object) -> None:
    at: dict[str, object] = {"block_number": 44} if status is MintStatus.MINED else {}
    operations = harness.mints.collection_operations
    for operation_id, operation in operations.items():
        if operation.status is MintStatus.ACCEPTED:
            operations[operation_id] = operation.evolve(status=status, **at, **more)


async def patch(
    harness: Harness,
    client: MemoryClient,
    contract: str,
    metadata: Any,
    *,
    token_id: int = 1,
    by: str = "shop",
    **headers: str,
) -> Answered:
    sent = {**harness.client_headers(by, **headers), "Content-Type": "application/json"}
    body = json.dumps({"metadata": metadata}).encode()
    return await client.request("PATCH", f"/v1/tokens/{contract}/{token_id}", headers=sent, body=body)


async def get(harness: Harness, client: MemoryClient, path: str) -> Answered:
    return await client.request("GET", path, headers=harness.client_headers("rival"))


def problem(answered: Answered) -> tuple[int, str]:
    return answered.status, answered.json()["code"]


def digest(metadata: dict[str, Any]) -> str:
    return "0x" + hashlib.sha256(canonical_json(metadata).encode()).hexdigest()


async def test_change__when_accepted__then_it_is_served_announced_and_listed_beside_what_was_minted(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    token, served_at = f"/v1/tokens/{contract}/1", f"/v1/metadata/{contract}/1"
    before = await client.request("GET", served_at)
    assert before.json() == MINTED

    first = await patch(harness, client, contract, SECOND, idempotency_key="k")
    again = await patch(harness, client, contract, SECOND, idempotency_key="k")

    assert (first.status, again.status) == (202, 202)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    view = first.json()
    assert (view["version"], view["digest"], view["client_id"]) == (2, digest(SECOND), "shop")
    assert (view["announcement"]["kind"], view["announcement"]["status"]) == ("refresh_metadata", "accepted")
    assert first.headers["location"] == f"{token}/metadata/versions/2"
    call = harness.mints.collection_operations[view["announcement"]["operation_id"]]
    assert isinstance(call, CollectionCall)
    assert (call.change.first_token, call.change.last_token) == (1, 1)
    assert key_of(call) in harness.mints.authorizations
    assert [message.mint_id for _, message in harness.line.sent][-2:] == [call.operation_id] * 2

    served = await client.request("GET", served_at)
    assert served.json() == SECOND
    # A marketplace that reads it again after the announcement must not be given a copy of an hour ago.
    assert served.headers["cache-control"] == "public, max-age=60"
    shown = (await get(harness, client, token)).json()
    assert (shown["metadata"], shown["metadata_version"], shown["metadata_verified"]) == (SECOND, 2, None)
    assert shown["metadata_digest"] == digest(MINTED)
    assert (await get(harness, client, f"/v1/collections/{contract}")).json()["frozen"] is False

    settle(harness)
    assert (await patch(harness, client, contract, SECOND)).status == 200
    third = await patch(harness, client, contract, THIRD)
    assert (third.status, third.json()["version"]) == (202, 3)
    listed = (await get(harness, client, f"{token}/metadata/versions")).json()["items"]
    assert [(version["version"], version["digest"]) for version in listed] == [
        (3, digest(THIRD)),
        (2, digest(SECOND)),
        (1, digest(MINTED)),
    ]
    assert (listed[2]["client_id"], listed[2]["created_at"], listed[2]["announcement"]) == (None, None, None)
    assert listed[1]["announcement"]["status"] == "mined"
    for version, text in zip(listed, (THIRD, SECOND, MINTED), strict=True):
        exact = await get(harness, client, version["url"].removeprefix(PUBLIC_URL))
        assert exact.body == canonical_json(text).encode()
    assert problem(await get(harness, client, f"{token}/metadata/versions/4")) == (
        404,
        "unknown-metadata-version",
    )


async def test_change__when_the_minted_text_makes_room__then_it_is_read_from_its_copy(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    assert (await patch(harness, client, contract, SECOND)).status == 202
    # As `unpack-metadata` does: the latest version goes where web hosts read it.
    own = metadata_object_key(CHAIN_ID, contract, 1)
    harness.metadata.objects[own] = canonical_json(SECOND).encode()
    harness.now += 600
    path = f"/v1/tokens/{contract}/1/metadata/versions/1"
    assert (await get(harness, client, path)).json() == MINTED
    # And what is neither is served by no route.
    for key in list(harness.metadata.objects):
        harness.metadata.objects[key] = b"{}"
    harness.now += 600
    for altered in (path, f"/v1/metadata/{contract}/1", f"/v1/tokens/{contract}/1/metadata/versions/2"):
        assert problem(await get(harness, client, altered)) == (502, "metadata-altered")


async def test_change__when_the_caller_or_the_token_does_not_allow_it__then_it_is_refused_and_nothing_kept(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    mint(harness, contract, 2, owner=None)
    mint(harness, CONTRACT, 1)
    objects = dict(harness.metadata.objects)
    operations = dict(harness.mints.collection_operations)

    refusals = {
        (403, "not-your-collection"): await patch(harness, client, contract, SECOND, by="rival"),
        (409, "collection-read-only"): await patch(harness, client, CONTRACT, SECOND),
        (404, "unknown-token"): await patch(harness, client, contract, SECOND, token_id=3),
        (409, "token-burned"): await patch(harness, client, contract, SECOND, token_id=2),
        (404, "unknown-contract"): await patch(harness, client, OWNER, SECOND),
        (400, "invalid-body"): await patch(harness, client, contract, {"name": "x"}),
        (422, "upload-not-usable"): await patch(
            harness, client, contract, {**SECOND, "image": "upload:upload_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"}
        ),
    }
    for expected, answered in refusals.items():
        assert problem(answered) == expected
    sent = {**harness.headers(), "Content-Type": "application/json"}
    of_user = await client.request(
        "PATCH", f"/v1/tokens/{contract}/1", headers=sent, body=json.dumps({"metadata": SECOND}).encode()
    )
    assert problem(of_user) == (403, "insufficient-scope")

    assert harness.metadata.objects == objects
    assert harness.mints.collection_operations == operations
    assert harness.index.versions.of == {}


async def test_change__when_another_is_under_way_or_the_collection_freezes__then_it_is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    mint(harness, contract, 2)
    assert (await patch(harness, client, contract, SECOND)).status == 202
    pending = await patch(harness, client, contract, SECOND, token_id=2)
    assert problem(pending) == (409, "collection-change-pending")

    # A version whose announcement failed is served all the same, and the next one is announced.
    settle(harness, MintStatus.REJECTED, problem=Problem(code="change_refused", reason="No."))
    assert (await client.request("GET", f"/v1/metadata/{contract}/1")).json() == SECOND
    assert (await patch(harness, client, contract, SECOND, token_id=2)).status == 202
    settle(harness)

    freeze = f"/v1/collections/{contract}/freeze"
    assert (await client.post_json(freeze, {}, headers=harness.client_headers("shop"))).status == 202
    freezing = await patch(harness, client, contract, THIRD)
    assert problem(freezing) == (409, "collection-change-pending")
    settle(harness)
    assert problem(await patch(harness, client, contract, THIRD)) == (409, "collection-frozen")
    # Once the index has noted it.
    record = harness.index.collections[contract]
    harness.index.collections[contract] = record.evolve(state=CloneState(frozen=True), pending=None)
    harness.now += 10
    served = await client.request("GET", f"/v1/metadata/{contract}/1")
    assert served.headers["cache-control"].startswith("public, max-age=3600")


async def test_change__when_two_meet__then_one_is_made(harness: Harness, client: MemoryClient) -> None:
    contract = await deployed(harness, client)
    answers = await asyncio.gather(
        patch(harness, client, contract, SECOND), patch(harness, client, contract, THIRD)
    )
    assert sorted(response.status for response in answers) == [202, 409]
    [versions] = harness.index.versions.of.values()
    assert len(versions) == 1


async def test_change__when_the_token_has_the_most_versions__then_it_is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    assert (await patch(harness, client, contract, SECOND)).status == 202
    settle(harness)
    [versions] = harness.index.versions.of.values()
    versions.append(versions[0].evolve(version=MOST_VERSIONS))
    assert problem(await patch(harness, client, contract, THIRD)) == (409, "too-many-metadata-versions")
