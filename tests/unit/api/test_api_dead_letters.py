"""Operators see why messages were dead-lettered, and send them back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mintline.aws.dead_letters import PAUSE, ROUNDS
from mintline.errors import Unavailable
from mintline.messages.codec import encode
from mintline.messages.work import BuildMint
from mintline.resource_types import Queue
from mintline.resources import BUILD, SIGN
from mintline.scopes import Scope
from mintline_api.features.pipeline.dead_letters import LETTERS_KEPT
from mintline_api.features.pipeline.models import EXCERPT
from mintline_api.features.pipeline.use_cases import KEPT
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness

MINT = "mint_01KB0DW5AFPTZB3Y0H1A2W4C6E"


@pytest.fixture(autouse=True)
def operator(harness: Harness) -> None:
    harness.clients.add("operator")


async def dead_letter(
    harness: Harness, queue: Queue = BUILD, body: str | None = None, *, group: str = "alice", **why: str
) -> str:
    """Put a message among the dead letters of a queue; returns its id."""
    kept = body if body is not None else encode(BuildMint(mint_id=MINT))
    harness.queues.put(queue, kept, group=group, dedup=f"{group}{len(harness.queues.dead_letters(queue))}")
    [received] = await harness.queues.receive(queue, limit=1, wait=0)
    attributes = {"code": "attempts_exhausted", "reason": "no node answered", **why}
    await harness.queues.dead_letter(received, digest="6f1ed002ab55", **attributes)
    return received.message_id


async def read(harness: Harness, client: MemoryClient) -> Any:
    response = await client.request("GET", "/v1/pipeline", headers=harness.client_headers("operator"))
    assert response.status == 200, response.body
    return response.json()


async def redrive(harness: Harness, client: MemoryClient, **body: Any) -> Any:
    headers = harness.client_headers("operator")
    response = await client.post_json("/v1/pipeline/redrives", body, headers=headers)
    assert response.status == 200, response.body
    return response.json()


async def test_dead_letters__when_an_operator_looks__then_says_why_and_leaves_them_there(
    harness: Harness, client: MemoryClient
) -> None:
    first = await dead_letter(harness)
    await dead_letter(harness, SIGN, "no message of ours", code="undecodable", reason="not JSON")

    shown = await read(harness, client)

    build, sign = shown["dead_letters"]
    assert {**build, "dead_lettered_at": None} == {
        "queue": "build",
        "message_id": first,
        "type": "build_mint",
        "operation_id": MINT,
        "code": "attempts_exhausted",
        "reason": "no node answered",
        "digest": "6f1ed002ab55",
        "dead_lettered_at": None,
    }
    assert (sign["queue"], sign["type"], sign["operation_id"]) == ("sign", None, None)
    assert len(harness.queues.dead_letters(BUILD)) == 1


async def test_dead_letters__when_strangers_wrote_them__then_what_they_say_is_bounded_and_escaped(
    harness: Harness, client: MemoryClient
) -> None:
    body = json.dumps({"type": "x" * 5_000, "mint_id": "\x1b[31m" + "y" * 5_000})
    await dead_letter(harness, body=body, reason="\x00" + "z" * 5_000)

    [letter] = (await read(harness, client))["dead_letters"]

    assert len(letter["type"]) <= 64
    assert len(letter["operation_id"]) <= 64
    assert len(letter["reason"]) <= EXCERPT
    assert not {"\x1b", "\x00"} & set("".join(str(value) for value in letter.values()))


async def test_dead_letters__when_an_operation_waits_for_one__then_the_operation_names_it(
    harness: Harness, client: MemoryClient
) -> None:
    accepted = await client.post_json(
        "/v1/mints",
        {"metadata": {"name": "Sunset", "image": "https://shop.example/a.png"}},
        headers=harness.headers(**{"Idempotency-Key": "k"}),
    )
    mint_id = accepted.json()["mint_id"]
    letter = await dead_letter(harness, body=encode(BuildMint(mint_id=mint_id)), group="someone")

    [operation] = (await read(harness, client))["operations"]

    assert (operation["operation_id"], operation["dead_letter"]) == (mint_id, letter)


async def test_dead_letters__when_many_look__then_the_queue_is_looked_at_seldom(
    harness: Harness, client: MemoryClient
) -> None:
    await dead_letter(harness)
    await asyncio.gather(*(read(harness, client) for _ in range(5)))
    harness.now += KEPT + 0.001
    assert len((await read(harness, client))["dead_letters"]) == 1
    assert harness.dead_letters.looks == 1

    harness.now += LETTERS_KEPT
    await read(harness, client)
    assert harness.dead_letters.looks == 2


async def test_dead_letters__when_there_are_none__then_no_queue_is_looked_at(
    harness: Harness, client: MemoryClient
) -> None:
    assert (await read(harness, client))["dead_letters"] == []
    assert harness.dead_letters.looks == 0


@pytest.mark.parametrize("hangs", [False, True])
async def test_dead_letters__when_they_cannot_be_read__then_they_are_missing_and_the_rest_is_shown(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        if hangs:
            await asyncio.Event().wait()
        raise Unavailable("not allowed")

    await dead_letter(harness)
    monkeypatch.setattr(harness.dead_letters, "peek", fail)
    harness.patience = 0.5

    async with MemoryClient(harness.app()) as client:
        shown = await read(harness, client)

    assert (shown["missing"], shown["dead_letters"]) == (["dead_letters"], None)
    assert shown["queues"][0]["dead_letters"] == 1


async def test_redrive__when_one_is_chosen__then_it_alone_is_in_its_queue_again_and_not_shown(
    harness: Harness, client: MemoryClient
) -> None:
    chosen = await dead_letter(harness)
    other = await dead_letter(harness, group="bob")
    await read(harness, client)

    response = await redrive(harness, client, queue="build", message_ids=[chosen])

    assert response == {"queue": "build", "redriven": [chosen], "missing": []}
    assert harness.queues.waiting(BUILD) == 1
    # Not the state from before, although it is younger than a look may be.
    assert [letter["message_id"] for letter in (await read(harness, client))["dead_letters"]] == [other]


async def test_redrive__when_none_is_chosen__then_all_of_the_queue_go_back_and_no_other_queues(
    harness: Harness, client: MemoryClient
) -> None:
    ids = [await dead_letter(harness, group=group) for group in ("a", "b")]
    await dead_letter(harness, SIGN)

    response = await redrive(harness, client, queue="build")

    assert response == {"queue": "build", "redriven": ids, "missing": []}
    assert [letter["queue"] for letter in (await read(harness, client))["dead_letters"]] == ["sign"]


async def test_redrive__when_it_is_repeated__then_nothing_is_sent_and_what_is_missing_is_named(
    harness: Harness, client: MemoryClient
) -> None:
    chosen = await dead_letter(harness)
    await redrive(harness, client, queue="build", message_ids=[chosen])
    before = harness.now

    again = await redrive(harness, client, queue="build", message_ids=[chosen])

    assert again == {"queue": "build", "redriven": [], "missing": [chosen]}
    assert harness.queues.waiting(BUILD) == 1
    # Another process might have held it: it was looked for again.
    assert harness.now - before >= PAUSE * (ROUNDS - 1)


@pytest.mark.parametrize("scope", [Scope.MINTS_READ.value, Scope.MINTS_CREATE.value, None])
async def test_redrive__when_the_caller_is_no_operator__then_is_refused_and_nothing_is_sent(
    harness: Harness, client: MemoryClient, scope: str | None
) -> None:
    await dead_letter(harness)
    harness.clients.add("shop")
    claims = harness.pool.client_claims("shop", now=harness.now) | {"scope": scope}
    headers = harness.headers() if scope is None else {"Authorization": f"Bearer {harness.pool.sign(claims)}"}

    response = await client.post_json("/v1/pipeline/redrives", {"queue": "build"}, headers=headers)

    assert (response.status, response.json()["code"]) == (403, "insufficient-scope")
    assert harness.queues.waiting(BUILD) == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"queue": "events"}, "/queue"),
        ({}, "/queue"),
        ({"queue": "build", "message_ids": []}, "/message_ids"),
        ({"queue": "build", "message_ids": [""]}, "/message_ids/0"),
        ({"queue": "build", "message_ids": ["a"] * 101}, "/message_ids"),
        ({"queue": "build", "all": True}, "/all"),
    ],
)
async def test_redrive__when_the_body_is_invalid__then_says_where(
    harness: Harness, client: MemoryClient, body: Any, pointer: str
) -> None:
    headers = harness.client_headers("operator")

    response = await client.post_json("/v1/pipeline/redrives", body, headers=headers)

    assert (response.status, response.json()["code"]) == (400, "invalid-body")
    assert response.json()["errors"][0]["pointer"] == f"#{pointer}"
