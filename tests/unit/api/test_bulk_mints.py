"""`POST /v1/mints/bulk`: all lines or none, once, whatever happens on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mintline.authorization import Envelope
from mintline.canonical_json import canonical_json
from mintline.errors import Unavailable
from mintline.lines import MAX_CHUNK, LinesChunk
from mintline.messages.work import BuildLines
from mintline.records.clients import ClientBudget
from mintline.records.collections import Collection
from mintline.records.index import Token
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.records.uploads import Upload
from mintline.states import MintStatus
from mintline_api.settings import BODY_LIMIT, BULK_BODY_LIMIT
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
METADATA = {"name": "A token", "image": "https://example.com/a.png"}


@pytest.fixture(autouse=True)
def shop(harness: Harness) -> None:
    harness.clients.add("shop")
    harness.clients.add("rival")


def line(number: int = 0, **changes: Any) -> dict[str, Any]:
    metadata = {**METADATA, "name": f"Token {number}"}
    return {"recipient": {"address": ADDRESS}, "metadata": metadata, **changes}


async def post(
    client: MemoryClient,
    harness: Harness,
    mints: list[dict[str, Any]],
    *,
    of: str = "shop",
    key: str = "",
    **body: Any,
) -> Answered:
    headers = harness.client_headers(of, **({"idempotency_key": key} if key else {}))
    return await client.post_json("/v1/mints/bulk", {"mints": mints, **body}, headers=headers)


def upload(harness: Harness, digit: str, asked_by: str, *, completed: bool = True) -> str:
    """Put an image on record as an upload, and return its id."""
    upload_id = "upload_" + digit * 26
    harness.uploads.items[upload_id] = Upload(
        upload_id=upload_id,
        asked_by=asked_by,
        sha256=bytes(32),
        size=1,
        content_type="image/png",
        created_at=harness.milliseconds(),
        expires=None if completed else int(harness.now) + 600,
        cid="b" if completed else None,
        completed_at=harness.milliseconds() if completed else None,
    )
    return upload_id


def chunk_of(harness: Harness) -> LinesChunk:
    [chunk] = harness.lines.chunks.values()
    return chunk


def stored(harness: Harness, answered: Answered) -> list[Mint]:
    return [harness.mints.items[mint_id] for mint_id in answered.json()["mint_ids"]]


def nothing_happened(harness: Harness) -> bool:
    kept = [harness.mints.items, harness.lines.chunks, harness.lines.requests, harness.line.lines]
    return not any(kept) and not harness.metadata.objects and not sum(harness.client_use.counts.values())


async def test_bulk__when_a_client_asks_for_many__then_all_are_on_record_under_one_authorization(
    client: MemoryClient, harness: Harness
) -> None:
    lines = [line(n, external_id=f"order-{n}", tags=["spring"]) for n in range(3)]

    answered = await post(client, harness, lines)

    assert answered.status == 202
    view = answered.json()
    assert answered.headers["location"] == f"/v1/mints/bulk/{view['request_id']}"
    assert (view["count"], view["statuses"], view["contract"]) == (3, {"accepted": 3}, CONTRACT)
    mints = stored(harness, answered)
    assert [mint.token_id for mint in mints] == [1, 2, 3]
    assert {(mint.custody, mint.client_id, mint.to) for mint in mints} == {("sponsored", "shop", ADDRESS)}
    assert [mint.external_id for mint in mints] == ["order-0", "order-1", "order-2"]
    chunk = chunk_of(harness)
    assert harness.line.lines == [BuildLines(request_id=view["request_id"], chunk=0, trace=chunk.trace)]
    assert harness.line.sent == []
    envelope = Envelope.from_bytes(chunk.envelope)
    token = envelope.open(chunk.digest(), harness.authorization_key)
    assert f"Bearer {token}" == harness.client_headers()["Authorization"]
    assert envelope.acceptance.at == chunk.created_at == mints[0].created_at


async def test_bulk__when_its_tokens_are_minted__then_their_metadata_is_served_out_of_the_pack(
    client: MemoryClient, harness: Harness
) -> None:
    mints = stored(harness, await post(client, harness, [line(n) for n in range(3)]))
    for mint in mints:
        assert mint.token_id is not None
        harness.index.tokens[CONTRACT, mint.token_id] = Token(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=mint.token_id,
            owner=ADDRESS,
            metadata_digest=mint.metadata_digest,
            mint_id=mint.mint_id,
            minted_block=1,
            block_number=1,
            tx_hash=bytes(32),
        )
    for number in range(3):
        served = await client.request("GET", f"/v1/metadata/{CONTRACT}/{number + 1}")
        assert served.body.decode() == canonical_json({**METADATA, "name": f"Token {number}"})
        assert "max-age" in served.headers["cache-control"]


async def test_bulk__when_its_lines_are_for_users__then_each_has_the_mint(
    client: MemoryClient, harness: Harness
) -> None:
    lines = [
        line(0, recipient={"email": "ada@example.com"}),
        line(1, recipient={"email": "ada@EXAMPLE.com"}),
        line(2, recipient={"email": "bob@example.com"}),
    ]
    answered = await post(client, harness, lines, key="k")
    ada, same, bob = stored(harness, answered)
    assert (ada.sub, ada.to) == (same.sub, same.to)
    assert ada.sub != bob.sub
    known = await post(client, harness, [line(3, recipient={"user": ada.sub})])
    assert stored(harness, known)[0].to == ada.to
    assert "@" not in str(harness.lines.chunks) + str(harness.lines.requests)


BAD_LINES: list[tuple[str, dict[str, Any], str, str]] = [
    ("no recipient", {"recipient": {}}, "", "exactly one"),
    ("two recipients", {"recipient": {"address": ADDRESS, "user": "u"}}, "", "exactly one"),
    ("no e-mail address", {"recipient": {"email": "ada@"}}, "/email", "domain name"),
]


@pytest.mark.parametrize(("bad", "member", "why"), [b[1:] for b in BAD_LINES], ids=[b[0] for b in BAD_LINES])
async def test_bulk__when_lines_are_bad__then_each_is_named_and_nothing_is_done(
    client: MemoryClient, harness: Harness, bad: dict[str, Any], member: str, why: str
) -> None:
    lines = [line(0), line(1, **bad), line(2), line(3, **bad)]
    answered = await post(client, harness, lines)
    assert (answered.status, answered.json()["code"]) == (422, "lines-refused")
    errors = answered.json()["errors"]
    assert [error["pointer"] for error in errors] == [f"#/mints/{n}/recipient{member}" for n in (1, 3)]
    assert why in errors[0]["detail"]
    assert nothing_happened(harness)


async def test_bulk__when_its_labels_do_not_fit_into_its_record__then_it_is_refused(
    client: MemoryClient, harness: Harness
) -> None:
    tags = [f"{number}" + "\u4e2d" * 63 for number in range(10)]

    answered = await post(client, harness, [line(n, tags=tags) for n in range(MAX_CHUNK)])

    assert (answered.status, answered.json()["code"]) == (422, "lines-refused")
    [error] = answered.json()["errors"]
    assert error["pointer"] == "#/mints"
    assert "200,000 bytes of external ids and tags at most, not 475,000" in error["detail"]
    assert nothing_happened(harness)


async def test_bulk__when_a_user_is_unknown__then_nobody_is_made_for_the_other_lines(
    client: MemoryClient, harness: Harness
) -> None:
    lines = [line(0, recipient={"email": "ada@example.com"}), line(1, recipient={"user": "nobody"})]
    answered = await post(client, harness, lines)
    assert (answered.status, answered.json()["errors"][0]["pointer"]) == (422, "#/mints/1/recipient/user")
    assert harness.keys.generated == []
    assert nothing_happened(harness)


async def test_bulk__when_an_external_id_is_there_twice_or_taken__then_the_lines_are_named(
    client: MemoryClient, harness: Harness
) -> None:
    twice = await post(client, harness, [line(n, external_id=f"order-{n % 2}") for n in range(3)])
    assert [error["pointer"] for error in twice.json()["errors"]] == ["#/mints/2/external_id"]
    assert "#/mints/0" in twice.json()["errors"][0]["detail"]
    assert nothing_happened(harness)
    first = await post(client, harness, [line(0, external_id="order-9")])
    again = await post(client, harness, [line(0), line(1, external_id="order-9")])
    assert (again.status, again.json()["errors"][0]["pointer"]) == (422, "#/mints/1/external_id")
    assert first.json()["mint_ids"][0] in again.json()["errors"][0]["detail"]
    assert len(harness.mints.items) == 1
    others = await post(client, harness, [line(0, external_id="order-9")], of="rival")
    assert others.status == 202


@pytest.mark.parametrize(
    ("mints", "pointer"),
    [
        ([], "#/mints"),
        ([line(0)] * (MAX_CHUNK + 1), "#/mints"),
        ([line(0), line(1, metadata={"name": "no image"})], "#/mints/1/metadata/image"),
        ([line(0, custody="self")], "#/mints/0/custody"),
        ([line(0, tags=["a", "a"])], "#/mints/0/tags"),
    ],
    ids=["none", "too many", "metadata", "unknown member", "tags"],
)
async def test_bulk__when_its_shape_is_wrong__then_that_is_named(
    client: MemoryClient, harness: Harness, mints: list[Any], pointer: str
) -> None:
    answered = await post(client, harness, mints)
    assert (answered.status, answered.json()["code"]) == (400, "invalid-body")
    assert answered.json()["errors"][0]["pointer"] == pointer
    assert nothing_happened(harness)


async def test_bulk__when_all_lines_are_wrong__then_all_are_named(
    client: MemoryClient, harness: Harness
) -> None:
    answered = await post(client, harness, [line(n, recipient={"address": "0x1"}) for n in range(200)])
    assert len(answered.json()["errors"]) == 200


async def test_bulk__when_its_body_is_larger_than_others_may_be__then_it_is_taken_up_to_its_own_bound(
    client: MemoryClient, harness: Harness
) -> None:
    metadata = {**METADATA, "description": "d" * 3900}
    large = [line(n, metadata=metadata) for n in range(100)]
    assert BODY_LIMIT < len(json.dumps(large)) < BULK_BODY_LIMIT
    assert (await post(client, harness, large)).status == 202
    too_large = await post(client, harness, [line(n, metadata=metadata) for n in range(MAX_CHUNK)] * 2)
    assert (too_large.status, too_large.json()["code"]) == (413, "body-too-large")
    lone = {"metadata": metadata, "tags": ["t" * BODY_LIMIT]}
    refused = await client.post_json("/v1/mints", lone, headers=harness.headers())
    assert (refused.status, refused.json()["code"]) == (413, "body-too-large")


async def test_bulk__when_its_key_is_sent_again__then_the_same_request_is_answered(
    client: MemoryClient, harness: Harness
) -> None:
    first = await post(client, harness, [line(0), line(1)], key="k")
    again = await post(client, harness, [line(0), line(1)], key="k")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert (len(harness.mints.items), len(harness.line.lines)) == (2, 2)
    other = await post(client, harness, [line(0), line(2)], key="k")
    assert (other.status, other.json()["code"]) == (422, "idempotency-key-reused")
    assert harness.client_use.counts["shop#hour#" + str(int(harness.now) // 3600)] == 2
    rivals = await post(client, harness, [line(0), line(1)], key="k", of="rival")
    assert set(rivals.json()["mint_ids"]).isdisjoint(first.json()["mint_ids"])


@pytest.mark.parametrize("stops", [True, False])
async def test_bulk__when_it_is_sent_again_with_a_fresh_token__then_its_mints_are_signed_by_that(
    client: MemoryClient, harness: Harness, *, stops: bool
) -> None:
    if stops:
        harness.lines.failure, harness.lines.room = Unavailable("stopped"), 1
    first = await post(client, harness, [line(0), line(1)], key="k")
    assert first.status == (503 if stops else 202)
    before = chunk_of(harness)
    harness.lines.failure = None
    harness.now += 5000

    assert (await post(client, harness, [line(0), line(1)], key="k")).status == 202

    after = chunk_of(harness)
    assert after == before.evolve(envelope=after.envelope)
    old, new = (Envelope.from_bytes(chunk.envelope) for chunk in (before, after))
    digest = before.digest()
    assert new.open(digest, harness.authorization_key) != old.open(digest, harness.authorization_key)
    assert new.acceptance.at > old.acceptance.at


async def test_bulk__when_lines_name_uploads__then_their_tokens_have_the_files_addresses(
    client: MemoryClient, harness: Harness
) -> None:
    image = upload(harness, "1", "shop")
    waiting, others = upload(harness, "2", "shop", completed=False), upload(harness, "3", "rival")
    metadata = {"name": "A", "image": f"upload:{image}"}

    answered = await post(client, harness, [line(0), line(1, metadata=metadata)])

    assert answered.status == 202, answered.json()
    [body] = harness.metadata.objects.values()
    assert b"upload:" not in body
    assert f"/media/{bytes(32).hex()}".encode() in body
    refused = await post(
        client,
        harness,
        [
            line(0),
            line(1, metadata={**metadata, "image": f"upload:{waiting}"}),
            line(2, metadata={**metadata, "animation_url": f"upload:{others}"}),
        ],
    )
    assert (refused.status, refused.json()["code"]) == (422, "lines-refused")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [
        "#/mints/1/metadata/image",
        "#/mints/2/metadata/animation_url",
    ]


@pytest.mark.parametrize("room", [0, 1, 3])
async def test_bulk__when_it_stops_among_its_mints__then_the_next_try_makes_the_same_ones(
    client: MemoryClient, harness: Harness, room: int
) -> None:
    lines = [line(n, external_id=f"order-{n}") for n in range(3)]
    harness.lines.failure, harness.lines.room = Unavailable("stopped"), room
    if room < 3:
        assert (await post(client, harness, lines, key="k")).status == 503
    before = dict(harness.mints.items)
    assert len(before) == min(room, 3 if room < 3 else 0)
    harness.lines.failure = None
    answered = await post(client, harness, lines, key="k")
    assert answered.status == 202
    assert [mint.token_id for mint in stored(harness, answered)] == [1, 2, 3]
    assert before.items() <= harness.mints.items.items()
    assert len(harness.mints.items) == 3


async def test_bulk__when_another_mint_gets_the_name_meanwhile__then_that_line_is_rejected_alone(
    client: MemoryClient, harness: Harness
) -> None:
    harness.mints.external_ids["shop#order-1"] = "mint_x"
    harness.lines.external_ids = no_names  # type: ignore[method-assign]
    answered = await post(client, harness, [line(n, external_id=f"order-{n}") for n in range(2)])
    first, second = stored(harness, answered)
    assert first.status is MintStatus.ACCEPTED
    assert (second.status, second.problem and second.problem.code) == (
        MintStatus.REJECTED,
        "external_id_used",
    )
    shown = await client.request("GET", answered.headers["location"], headers=harness.client_headers())
    assert shown.json()["statuses"] == {"accepted": 1, "rejected": 1}


async def no_names(asked_by: str, names: Any) -> dict[str, str]:
    del asked_by, names
    return {}


async def test_bulk__when_it_stops_among_its_mints_and_a_name_is_taken__then_the_next_try_is_not_refused(
    client: MemoryClient, harness: Harness
) -> None:
    lines = [line(n, external_id=f"order-{n}") for n in range(3)]
    harness.mints.external_ids["shop#order-1"] = "mint_x"
    known, harness.lines.external_ids = harness.lines.external_ids, no_names  # type: ignore[method-assign]
    harness.lines.failure, harness.lines.room = Unavailable("stopped"), 2
    assert (await post(client, harness, lines, key="a")).status == 503
    harness.lines.failure, harness.lines.external_ids = None, known  # type: ignore[method-assign]

    answered = await post(client, harness, lines, key="a")

    assert answered.status == 202
    assert [mint.status for mint in stored(harness, answered)] == ["accepted", "rejected", "accepted"]
    assert answered.json()["request_id"] in harness.lines.requests


async def test_bulk__when_the_budget_has_no_room_for_all__then_none_is_taken(
    client: MemoryClient, harness: Harness
) -> None:
    harness.clients.add("small")
    await harness.clients.set_budget("small", ClientBudget(mints_per_hour=5))
    assert (await post(client, harness, [line(n) for n in range(3)], of="small")).status == 202
    refused = await post(client, harness, [line(n) for n in range(3)], of="small")
    assert (refused.status, refused.json()["code"]) == (429, "client-budget-reached")
    assert (await post(client, harness, [line(n) for n in range(2)], of="small")).status == 202
    assert len(harness.mints.items) == 5


async def test_bulk__when_a_user_asks__then_only_where_the_collection_is_sponsored_and_to_addresses(
    client: MemoryClient, harness: Harness
) -> None:
    body = {"mints": [line(0), line(1)]}
    closed = Collection(
        collection_id=scoped(CHAIN_ID, OTHER),
        chain_id=CHAIN_ID,
        contract=OTHER,
        name="Closed",
        symbol="CLS",
        deployed_block=0,
        next_token_id=1,
    )
    harness.index.collections[OTHER] = closed
    refused = await client.post_json("/v1/mints/bulk", {**body, "contract": OTHER}, headers=harness.headers())
    assert (refused.status, refused.json()["code"]) == (422, "not-sponsored")
    assert nothing_happened(harness)
    answered = await client.post_json("/v1/mints/bulk", body, headers=harness.headers())
    assert answered.status == 202
    assert {(mint.sub, mint.client_id, mint.to) for mint in stored(harness, answered)} == {
        ("alice", None, ADDRESS)
    }
    by_user = {"mints": [line(0, recipient={"user": "bob"})]}
    named = await client.post_json("/v1/mints/bulk", by_user, headers=harness.headers())
    assert named.json()["code"] == "lines-refused"


async def test_request__when_another_asks_for_it__then_it_is_unknown(
    client: MemoryClient, harness: Harness
) -> None:
    answered = await post(client, harness, [line(0)])
    for headers in (harness.client_headers("rival"), harness.headers()):
        shown = await client.request("GET", answered.headers["location"], headers=headers)
        assert (shown.status, shown.json()["code"]) == (404, "unknown-request")
    mine = await client.request("GET", answered.headers["location"], headers=harness.client_headers())
    assert mine.json() == answered.json()
