"""Bounding an item over HTTP: a change of the collection like any other."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.messages.parts import CollectionChange
from mintline.records.operations import CollectionCall
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from tests.unit.api.test_api_collections import deployed, patch, problem

CAP: dict[str, Any] = {"item_cap": {"token_id": "7", "cap": "500"}}


@pytest.fixture(autouse=True)
def _clients(harness: Harness) -> None:
    harness.clients.add("shop")
    harness.clients.add("rival")


async def test_cap__when_its_client_asks__then_a_relayer_is_to_bound_the_item(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client, standard="erc1155")

    answered = await patch(harness, client, contract, CAP, idempotency_key="k")
    again = await patch(harness, client, contract, CAP, idempotency_key="k")

    assert (answered.status, answered.json()["change"]["kind"]) == (202, "cap_item"), answered.body
    assert again.headers["idempotent-replayed"] == "true"
    [call] = [
        operation
        for operation in harness.mints.collection_operations.values()
        if isinstance(operation, CollectionCall)
    ]
    assert call.change == CollectionChange(action="cap_item", item_id=7, cap=500)


async def test_cap__when_the_collection_is_of_erc721__then_refused(
    harness: Harness, client: MemoryClient
) -> None:
    contract = await deployed(harness, client)

    answered = await patch(harness, client, contract, CAP)

    assert problem(answered) == (422, "wrong-standard")
    assert [error["pointer"] for error in answered.json()["errors"]] == ["#/item_cap"]


async def test_cap__when_another_client_asks__then_refused(harness: Harness, client: MemoryClient) -> None:
    contract = await deployed(harness, client, standard="erc1155")

    assert problem(await patch(harness, client, contract, CAP, by="rival")) == (403, "not-your-collection")


@pytest.mark.parametrize(
    ("item_cap", "pointer"),
    [
        ({"token_id": "7", "cap": "0"}, "#/item_cap/cap"),
        ({"token_id": "7", "cap": str(2**64)}, "#/item_cap/cap"),
        ({"token_id": "7"}, "#/item_cap/cap"),
        ({"cap": "1"}, "#/item_cap/token_id"),
    ],
    ids=str,
)
async def test_cap__when_it_is_none__then_the_body_is_refused(
    harness: Harness, client: MemoryClient, item_cap: dict[str, str], pointer: str
) -> None:
    contract = await deployed(harness, client, standard="erc1155")

    answered = await patch(harness, client, contract, {"item_cap": item_cap})

    assert problem(answered) == (400, "invalid-body")
    assert [error["pointer"] for error in answered.json()["errors"]] == [pointer]
