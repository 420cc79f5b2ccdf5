"""Reveals over HTTP: committed to, handed over text by text, switched to at once, and refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pytest

from mintline.canonical_json import canonical_json, digest_of
from mintline.clone_calls import address_of
from mintline.merkle import merkle_paths
from mintline.object_keys import metadata_object_key
from mintline.records.index import Token
from mintline.records.operations import CollectionCall
from mintline.reveals import CHUNK, commitment_of, leaf_of
from mintline.states import MintStatus
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SALT = bytes(range(32))
PLACEHOLDER = {"image": "https://example.com/box.png", "name": "Sealed"}
# Exact texts: as a client wrote them, in no canonical form.
TEXTS = [f'{{"name": "Card {number}",  "image": "ipfs://é/{number}"}}' for number in range(1, CHUNK + 4)]


@pytest.fixture(autouse=True)
def _clients(harness: Harness) -> None:
    harness.clients.add("shop")
    harness.clients.add("rival")


def leaves(texts: Sequence[str] = TEXTS) -> list[bytes]:
    return [leaf_of(SALT, token_id, text.encode()) for token_id, text in enumerate(texts, 1)]


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def chunk(first: int, **changes: Any) -> dict[str, Any]:
    """Return the request for the texts of a chunk."""
    paths = list(merkle_paths(leaves()))
    ids = range(first, min(first + CHUNK, len(TEXTS) + 1))
    documents = [
        {"text": TEXTS[token_id - 1], "path": [hexed(node) for node in paths[token_id - 1]]}
        for token_id in ids
    ]
    return {"salt": hexed(SALT), "first_token_id": str(first), "documents": documents, **changes}


async def post(
    harness: Harness, client: MemoryClient, path: str, body: Any, *, by: str = "shop", **headers: str
) -> Answered:
    return await client.post_json(path, body, headers=harness.client_headers(by, **headers))


async def get(harness: Harness, client: MemoryClient, path: str) -> Answered:
    return await client.request("GET", path, headers=harness.client_headers("rival"))


def settle(harness: Harness) -> None:
    operations = harness.mints.collection_operations
    for operation_id, operation in operations.items():
        if operation.status is MintStatus.ACCEPTED:
            operations[operation_id] = operation.evolve(status=MintStatus.MINED, block_number=44)


async def deployed(harness: Harness, client: MemoryClient, *, committed: bool = True) -> str:
    reveal = {"commitment": hexed(commitment_of(leaves())), "tokens": len(TEXTS)}
    body = {"name": "Cards", "symbol": "CARD", **({"reveal": reveal} if committed else {})}
    answered = await post(harness, client, "/v1/collections", body)
    assert answered.status == 202, answered.body
    contract: str = answered.json()["contract"]
    settle(harness)
    record = harness.index.collections[contract]
    harness.index.collections[contract] = record.evolve(status="ready", deployed_block=44)
    harness.now += 10
    text = canonical_json(PLACEHOLDER)
    for token_id in (1, CHUNK + 3, 99):
        harness.index.tokens[contract, token_id] = Token(
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
        harness.metadata.objects[metadata_object_key(CHAIN_ID, contract, token_id)] = text.encode()
    return contract


def problem(answered: Answered) -> tuple[int, str]:
    return answered.status, answered.json()["code"]


async def test_reveal__when_all_texts_are_there__then_they_are_served_at_once_and_lead_to_the_commitment(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    path, documents = f"/v1/collections/{contract}/reveal", f"/v1/collections/{contract}/reveal/documents"
    clone = harness.index.collections[contract].clone
    assert clone is not None
    assert clone.args.metadata_commitment == commitment_of(leaves())
    assert address_of(clone) == contract
    token = f"/v1/tokens/{contract}/1"

    # Nothing is shown, changed or frozen before.
    assert problem(await get(harness, client, documents)) == (404, "not-revealed")
    frozen = await post(harness, client, f"/v1/collections/{contract}/freeze", {})
    assert problem(frozen) == (409, "reveal-pending")
    sent = {**harness.client_headers("shop"), "Content-Type": "application/json"}
    body = json.dumps({"metadata": PLACEHOLDER | {"name": "Other"}}).encode()
    changed = await client.request("PATCH", token, headers=sent, body=body)
    assert problem(changed) == (409, "reveal-pending")

    # In any order, and repeated.
    for _ in range(2):
        kept = await post(harness, client, documents, chunk(CHUNK + 1))
        assert (kept.status, kept.json()["tokens"]) == (200, 3)
    incomplete = await post(harness, client, path, {"salt": hexed(SALT)})
    assert problem(incomplete) == (409, "reveal-incomplete")
    assert "token 1 " in incomplete.json()["detail"]
    assert (await post(harness, client, documents, chunk(1))).json()["tokens"] == CHUNK
    wrong = await post(harness, client, path, {"salt": hexed(bytes(32))})
    assert problem(wrong) == (422, "reveal-mismatch")
    assert (await client.request("GET", f"/v1/metadata/{contract}/1")).json() == PLACEHOLDER

    first = await post(harness, client, path, {"salt": hexed(SALT)}, idempotency_key="r")
    again = await post(harness, client, path, {"salt": hexed(SALT)}, idempotency_key="r")

    assert (first.status, again.status, again.headers["idempotent-replayed"]) == (202, 202, "true")
    view = first.json()
    assert (view["reveal"]["salt"], view["reveal"]["tokens"]) == (hexed(SALT), len(TEXTS))
    assert view["change"]["kind"] == "refresh_metadata"
    call = harness.mints.collection_operations[view["change"]["operation_id"]]
    assert isinstance(call, CollectionCall)
    assert (call.change.first_token, call.change.last_token) == (1, len(TEXTS))
    for token_id in (1, CHUNK + 3):
        served = await client.request("GET", f"/v1/metadata/{contract}/{token_id}")
        assert served.body == TEXTS[token_id - 1].encode()
    # No text was committed to for it.
    assert (await client.request("GET", f"/v1/metadata/{contract}/99")).json() == PLACEHOLDER
    shown = (await get(harness, client, token)).json()
    assert (shown["metadata"]["name"], shown["metadata_version"]) == ("Card 1", 2)

    pages = [
        (await get(harness, client, f"{documents}?first_token_id={token_id}")).json()["texts"]
        for token_id in (1, CHUNK + 1)
    ]
    assert hexed(commitment_of(leaves(pages[0] + pages[1]))) == view["reveal"]["commitment"]
    assert problem(await get(harness, client, f"{documents}?first_token_id=2")) == (400, "invalid-parameter")

    settle(harness)
    assert (await post(harness, client, path, {"salt": hexed(SALT)})).status == 200
    other = await post(harness, client, path, {"salt": hexed(bytes(32))})
    assert problem(other) == (409, "already-revealed")
    assert problem(await post(harness, client, documents, chunk(1))) == (409, "already-revealed")


async def test_reveal__when_a_token_changes_after_it__then_all_versions_are_listed(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    for first in (1, CHUNK + 1):
        await post(harness, client, f"/v1/collections/{contract}/reveal/documents", chunk(first))
    await post(harness, client, f"/v1/collections/{contract}/reveal", {"salt": hexed(SALT)})
    settle(harness)
    token = f"/v1/tokens/{contract}/1"
    sent = {**harness.client_headers("shop"), "Content-Type": "application/json"}
    body = json.dumps({"metadata": PLACEHOLDER | {"name": "Played"}}).encode()
    changed = await client.request("PATCH", token, headers=sent, body=body)
    assert (changed.status, changed.json()["version"]) == (202, 3)
    assert (await client.request("GET", f"/v1/metadata/{contract}/1")).json()["name"] == "Played"

    listed = (await get(harness, client, f"{token}/metadata/versions")).json()["items"]
    assert [version["version"] for version in listed] == [3, 2, 1]
    assert listed[1]["digest"] == "0x" + hashlib.sha256(TEXTS[0].encode()).hexdigest()
    assert listed[1]["announcement"]["status"] == "mined"
    texts = [(await get(harness, client, f"{token}/metadata/versions/{version}")).body for version in (2, 1)]
    assert texts == [TEXTS[0].encode(), canonical_json(PLACEHOLDER).encode()]


async def test_documents__when_they_are_not_what_was_committed_to__then_each_is_named_and_nothing_kept(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)
    path = f"/v1/collections/{contract}/reveal/documents"
    good = chunk(CHUNK + 1)
    swapped = [good["documents"][1], good["documents"][0], good["documents"][2]]
    changed = [*good["documents"][:2], {**good["documents"][2], "text": TEXTS[-1] + " "}]
    cut = [{**document, "path": document["path"][1:]} for document in good["documents"]]
    for documents, named in ((swapped, (0, 1)), (changed, (2,)), (cut, (0, 1, 2))):
        refused = await post(harness, client, path, {**good, "documents": documents})
        assert problem(refused) == (422, "reveal-mismatch")
        pointers = [fault["pointer"] for fault in refused.json()["errors"]]
        assert pointers == [f"#/documents/{place}" for place in named]
    for body, pointer in (
        ({**good, "first_token_id": "2"}, "#/first_token_id"),
        ({**good, "documents": good["documents"][:2]}, "#/documents"),
        ({**good, "documents": [{"text": "[1]", "path": []}]}, "#/documents/0/text"),
        ({**good, "documents": [{"text": '{"a": NaN}', "path": []}]}, "#/documents/0/text"),
        ({**good, "salt": "0x00"}, "#/salt"),
    ):
        refused = await post(harness, client, path, body)
        assert problem(refused) == (400, "invalid-body")
        assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
    assert problem(await post(harness, client, path, good, by="rival")) == (403, "not-your-collection")
    assert problem(await post(harness, client, f"/v1/collections/{CONTRACT}/reveal/documents", good)) == (
        409,
        "collection-read-only",
    )
    assert harness.metadata.packs == {}

    without = await deployed(harness, client, committed=False)
    for tail, sent in (("/documents", good), ("", {"salt": hexed(SALT)})):
        refused = await post(harness, client, f"/v1/collections/{without}/reveal{tail}", sent)
        assert problem(refused) == (409, "nothing-to-reveal")
