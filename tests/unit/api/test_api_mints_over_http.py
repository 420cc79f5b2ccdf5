from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.acceptance import ACCEPTANCE, Statements
from mintline.access_tokens import jws
from mintline.authorization import MAX_TOKEN, Envelope
from mintline.authorizations import Authorization, lookup
from mintline.authorizations import digest_of as digest_of_mint
from mintline.aws.queues import SendRefused
from mintline.canonical_json import canonical_json, digest_of
from mintline.errors import Unavailable, Unreadable
from mintline.messages.parts import MAX_ENVELOPE
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_api.features.operations.message_groups import group_of
from mintline_api.features.operations.nudges import Nudges
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness, public_key_of
from mintline_testkit.constants import CONTRACT

METADATA: dict[str, Any] = {
    "name": "Aurora #1",
    "image": "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3",
}
STAGES = "'accepted', 'built', 'issued', 'submitted', 'mined', 'finalized', 'rejected' or 'reverted'"
RECIPIENT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def post(client: MemoryClient, headers: dict[str, str], body: Any) -> Any:
    return await client.request(
        "POST",
        "/v1/mints",
        headers={**headers, "Content-Type": "application/json"},
        body=json.dumps(body).encode(),
    )


async def test_post__when_the_body_is_good__accepts_and_puts_the_mint_on_the_line(
    harness: Harness, client: MemoryClient
) -> None:
    response = await post(client, harness.headers(), {"metadata": METADATA})

    assert response.status == 202
    view = response.json()
    assert re.fullmatch(r"mint_[0-9A-HJKMNP-TV-Z]{26}", view["mint_id"])
    assert response.headers["location"] == f"/v1/mints/{view['mint_id']}" == view["links"]["self"]
    assert "idempotent-replayed" not in response.headers
    assert (view["status"], view["contract"], view["token_id"]) == ("accepted", CONTRACT, "1")
    (wallet,) = harness.wallets.items.values()
    assert view["to"] == view["wallet"] == wallet.address
    mint = harness.mints.items[view["mint_id"]]
    authorization = lookup(mint, harness.mints.authorizations)
    assert authorization.metadata == canonical_json(METADATA)
    assert mint.metadata_digest == digest_of(authorization.metadata)
    assert (mint.authorization, mint.metadata) == (None, None)
    assert mint.sender == wallet.key()
    ((group, message),) = harness.line.sent
    assert (group, message.mint_id, message.trace) == (group_of(mint), mint.mint_id, mint.trace)
    assert group.startswith(f"{wallet.address}/")


async def test_post__when_accepted__seals_the_callers_token_for_this_very_mint_and_shows_it_to_nobody(
    harness: Harness, client: MemoryClient
) -> None:
    response = await post(client, harness.headers(), {"metadata": METADATA})

    mint = harness.mints.items[response.json()["mint_id"]]
    sealed = lookup(mint, harness.mints.authorizations).envelope
    envelope, digest = Envelope.from_bytes(sealed), digest_of_mint(mint)
    assert envelope.open(digest, harness.authorization_key) == harness.token()
    statements = Statements([b64decode(public_key_of(harness.intake_key))])
    statements.verify(envelope.acceptance, ACCEPTANCE, digest, b"alice", now=harness.milliseconds())
    assert envelope.acceptance.at == mint.created_at
    assert harness.token().encode() not in sealed
    followed = await client.request("GET", f"/v1/mints/{mint.mint_id}", headers=harness.headers())
    for shown in (response, followed):
        assert sealed.hex() not in shown.body.decode()
        assert "authorization" not in shown.json()


async def test_post__when_it_is_repeated__keeps_the_first_authorization(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(idempotency_key="k")
    first = await post(client, headers, {"metadata": METADATA})
    mint = harness.mints.items[first.json()["mint_id"]]
    sealed = lookup(mint, harness.mints.authorizations)
    assert sealed.envelope
    await post(client, headers, {"metadata": METADATA})
    assert harness.mints.items[mint.mint_id] == mint
    assert lookup(mint, harness.mints.authorizations) == sealed


async def test_post__when_a_recipient_is_named__mints_to_it_from_the_callers_wallet(
    harness: Harness, client: MemoryClient
) -> None:
    response = await post(client, harness.headers(), {"to": RECIPIENT.lower(), "metadata": METADATA})

    assert response.json()["to"] == RECIPIENT
    assert response.json()["wallet"] != RECIPIENT


async def test_post__when_the_key_repeats_with_the_same_body__returns_the_same_mint(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(idempotency_key="order 17")
    first = await post(client, headers, {"metadata": METADATA})
    respelled = {"metadata": dict(reversed([*METADATA.items(), ("description", None)]))}
    second = await post(client, headers, respelled)

    assert second.status == 202
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(harness.mints.items) == 1


async def test_post__when_the_first_send_was_lost__sends_again_under_the_same_key(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(idempotency_key="k")
    harness.line.failure = Unavailable("SQS is away")
    lost = await post(client, headers, {"metadata": METADATA})
    harness.line.failure = None
    again = await post(client, headers, {"metadata": METADATA})

    assert (lost.status, again.status) == (202, 202)
    assert again.headers["idempotent-replayed"] == "true"
    assert [message.mint_id for _, message in harness.line.sent] == [lost.json()["mint_id"]]


@pytest.mark.parametrize(
    "failure",
    [Unavailable("SQS is away"), SendRefused("too large"), RuntimeError("secret"), TimeoutError()],
    ids=lambda failure: type(failure).__name__,
)
async def test_post__when_the_mint_is_on_record_and_its_message_fails__then_is_accepted_and_logged(
    harness: Harness, client: MemoryClient, failure: Exception
) -> None:
    headers = harness.headers(idempotency_key="k")
    harness.line.failure = failure
    with capture_logs() as logs:
        first = await post(client, headers, {"metadata": METADATA})
        replayed = await post(client, headers, {"metadata": METADATA})

    assert (first.status, replayed.status) == (202, 202)
    assert list(harness.mints.items) == [first.json()["mint_id"]] == [replayed.json()["mint_id"]]
    unsent = [line for line in logs if line["event"] == "mint_message_unsent"]
    assert [line["error"] for line in unsent] == [type(failure).__name__] * 2
    assert "secret" not in str(unsent)


async def test_nudge__when_the_queue_hangs__then_ends_in_time() -> None:
    started = asyncio.get_running_loop().time()
    with capture_logs() as logs:
        await Nudges(left=lambda: 0.01).send(asyncio.sleep(3600), mint_id="mint_1")

    assert asyncio.get_running_loop().time() - started < 5
    assert [(line["event"], line["error"]) for line in logs] == [("mint_message_unsent", "TimeoutError")]


async def test_post__when_the_repeated_mint_has_moved_on__shows_it_and_sends_nothing(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(idempotency_key="k")
    mint_id = (await post(client, headers, {"metadata": METADATA})).json()["mint_id"]
    harness.mints.items[mint_id] = harness.mints.items[mint_id].model_copy(
        update={"status": MintStatus.BUILT}
    )
    harness.line.sent.clear()

    again = await post(client, headers, {"metadata": METADATA})

    assert again.json()["status"] == "built"
    assert harness.line.sent == []


async def test_post__when_the_key_repeats_with_another_body__refuses(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(idempotency_key="k")
    await post(client, headers, {"metadata": METADATA})
    response = await post(client, headers, {"metadata": {**METADATA, "name": "Another"}})

    assert (response.status, response.json()["code"]) == (422, "idempotency-key-reused")
    assert len(harness.mints.items) == len(harness.line.sent) == 1


async def test_post__when_two_users_use_one_key__makes_two_mints(
    harness: Harness, client: MemoryClient
) -> None:
    for sub in ("alice", "bob"):
        response = await post(client, harness.headers(sub, idempotency_key="k"), {"metadata": METADATA})
        assert response.status == 202

    assert {mint.sub for mint in harness.mints.items.values()} == {"alice", "bob"}


async def test_post__when_there_is_no_key__makes_another_mint_each_time(
    harness: Harness, client: MemoryClient
) -> None:
    ids = {
        (await post(client, harness.headers(), {"metadata": METADATA})).json()["mint_id"] for _ in range(3)
    }

    assert ids == set(harness.mints.items)
    assert len(ids) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
async def test_post__when_the_key_is_no_printable_ascii__refuses(
    harness: Harness, client: MemoryClient, key: str
) -> None:
    response = await post(client, harness.headers(idempotency_key=key), {"metadata": METADATA})

    assert (response.status, response.json()["code"]) == (400, "invalid-parameter")
    assert response.json()["errors"][0]["header"] == "Idempotency-Key"
    assert harness.mints.items == {}


async def test_post__when_the_contract_is_unknown__refuses_before_a_wallet_is_made(
    harness: Harness, client: MemoryClient
) -> None:
    response = await post(client, harness.headers(), {"contract": RECIPIENT, "metadata": METADATA})

    assert (response.status, response.json()["code"]) == (404, "unknown-contract")
    assert harness.wallets.items == {}


async def test_get__when_the_mint_is_anothers_or_nobodys__gives_the_same_404(
    harness: Harness, client: MemoryClient
) -> None:
    mint_id = (await post(client, harness.headers("alice"), {"metadata": METADATA})).json()["mint_id"]

    mine = await client.request("GET", f"/v1/mints/{mint_id}", headers=harness.headers("alice"))
    theirs = await client.request("GET", f"/v1/mints/{mint_id}", headers=harness.headers("bob"))
    nobodys = await client.request("GET", "/v1/mints/mint_0", headers=harness.headers("bob"))

    assert (mine.status, mine.json()["mint_id"]) == (200, mint_id)
    assert theirs.status == nobodys.status == 404
    assert {**theirs.json(), "trace": "", "instance": ""} == {**nobodys.json(), "trace": "", "instance": ""}


async def mint_many(harness: Harness, client: MemoryClient, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        harness.now += 1
        ids.append((await post(client, harness.headers(), {"metadata": METADATA})).json()["mint_id"])
    return ids[::-1]


async def test_list__when_paged__gives_every_mint_once_newest_first(
    harness: Harness, client: MemoryClient
) -> None:
    ids = await mint_many(harness, client, 7)
    await post(client, harness.headers("bob"), {"metadata": METADATA})

    seen: list[str] = []
    target = "/v1/mints?limit=3"
    for _ in range(10):
        page = (await client.request("GET", target, headers=harness.headers())).json()
        seen += [item["mint_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        target = f"/v1/mints?limit=3&cursor={page['next_cursor']}"

    assert seen == ids


async def test_list__when_filtered_by_status__gives_only_those_and_pages_on(
    harness: Harness, client: MemoryClient
) -> None:
    ids = await mint_many(harness, client, 6)
    for mint_id in ids[::2]:
        mint = harness.mints.items[mint_id]
        harness.mints.items[mint_id] = mint.model_copy(update={"status": MintStatus.MINED})

    first = (await client.request("GET", "/v1/mints?status=mined&limit=2", headers=harness.headers())).json()
    target = f"/v1/mints?status=mined&limit=2&cursor={first['next_cursor']}"
    second = (await client.request("GET", target, headers=harness.headers())).json()

    assert [item["mint_id"] for item in first["items"]] == ids[:4:2]
    assert [item["mint_id"] for item in second["items"]] == [ids[4]]
    assert second["next_cursor"] is None


async def test_list__when_one_record_is_unreadable__then_the_others_are_there(
    harness: Harness, client: MemoryClient
) -> None:
    ids = await mint_many(harness, client, 5)
    get = harness.mints.get

    async def unreadable(mint_id: str) -> Mint | None:
        if mint_id == ids[2]:
            raise Unreadable("Mint: authorization: too_long")
        return await get(mint_id)

    harness.mints.get = unreadable  # type: ignore[method-assign]
    response = await client.request("GET", "/v1/mints", headers=harness.headers())
    assert response.status == 200
    assert [item["mint_id"] for item in response.json()["items"]] == [*ids[:2], *ids[3:]]
    # What asks for the record itself is not told that there is none.
    assert (await client.request("GET", f"/v1/mints/{ids[2]}", headers=harness.headers())).status == 503


async def test_list__when_the_filter_matches_nothing_for_long__gives_a_short_page_with_a_cursor(
    harness: Harness, client: MemoryClient
) -> None:
    mint_id = (await mint_many(harness, client, 1))[0]
    oldest = harness.mints.items[mint_id].model_copy(update={"status": MintStatus.REJECTED})
    harness.mints.items = {mint_id: oldest}
    for number in range(600):
        copy_id = f"mint_{number:026d}"
        harness.mints.items[copy_id] = oldest.model_copy(
            update={
                "mint_id": copy_id,
                "status": MintStatus.MINED,
                "created_at": oldest.created_at + 1 + number,
            }
        )

    target, seen, pages = "/v1/mints?status=rejected", [], 0
    while True:
        page = (await client.request("GET", target, headers=harness.headers())).json()
        seen += [item["mint_id"] for item in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        target = f"/v1/mints?status=rejected&cursor={page['next_cursor']}"

    assert seen == [mint_id]
    assert pages == 2


async def test_list__when_parameters_are_empty__takes_them_as_absent(
    harness: Harness, client: MemoryClient
) -> None:
    response = await client.request("GET", "/v1/mints?status=&cursor=&limit=", headers=harness.headers())

    assert (response.status, response.json()) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("limit=0", "limit", "expected 1 or more"),
        ("limit=101", "limit", "expected 100 or less"),
        ("limit=-1", "limit", "expected a whole number from 1 to 100"),
        ("limit=%2B5", "limit", "expected a whole number from 1 to 100"),
        ("limit=5.0", "limit", "expected a whole number from 1 to 100"),
        ("limit=99999999999", "limit", "expected a whole number from 1 to 100"),
        ("limit=1&limit=2", "limit", "given more than once"),
        (
            "status=done",
            "status",
            f"expected one of {STAGES}",
        ),
        ("offset=10", "offset", "no such parameter"),
        ("cursor=" + "A" * 1025, "cursor", "expected at most 1024 characters"),
    ],
)
async def test_list__when_a_parameter_does_not_fit__names_it(
    harness: Harness, client: MemoryClient, query: str, parameter: str, detail: str
) -> None:
    response = await client.request("GET", f"/v1/mints?{query}", headers=harness.headers())

    assert (response.status, response.json()["code"]) == (400, "invalid-parameter")
    assert response.json()["errors"] == [{"parameter": parameter, "detail": detail}]


async def test_list__when_the_cursor_is_forged_or_from_another_list__refuses(
    harness: Harness, client: MemoryClient
) -> None:
    await mint_many(harness, client, 3)
    page = (await client.request("GET", "/v1/mints?limit=1", headers=harness.headers())).json()
    cursor = page["next_cursor"]
    last = "A" if cursor[5] != "A" else "B"
    attempts = {
        "tampered": ("alice", f"cursor={cursor[:5]}{last}{cursor[6:]}"),
        "garbage": ("alice", "cursor=hello"),
        "not base64": ("alice", "cursor=%00%E2%82%AC"),
        "another user's": ("bob", f"cursor={cursor}"),
        "another filter's": ("alice", f"status=mined&cursor={cursor}"),
    }

    for name, (sub, query) in attempts.items():
        response = await client.request("GET", f"/v1/mints?{query}", headers=harness.headers(sub))
        assert (response.status, response.json()["code"]) == (422, "invalid-cursor"), name


async def test_post__when_the_wallet_is_being_deleted__is_refused_within_a_minute_and_told_when(
    harness: Harness, client: MemoryClient
) -> None:
    await client.request("GET", "/v1/wallet", headers=harness.headers())
    ((wallet_id, wallet),) = harness.wallets.items.items()
    change = {"deletes_at": harness.milliseconds() + 7 * 86_400_000}
    harness.wallets.items[wallet_id] = wallet.model_copy(update=change)
    harness.now += 59
    earlier = await post(client, harness.headers(idempotency_key="k"), {"metadata": METADATA})
    harness.now += 1

    refused = await post(client, harness.headers(), {"metadata": METADATA})
    replayed = await post(client, harness.headers(idempotency_key="k"), {"metadata": METADATA})
    shown = await client.request("GET", "/v1/wallet", headers=harness.headers())

    assert (earlier.status, replayed.status, replayed.json()) == (202, 202, earlier.json())
    assert (refused.status, refused.json()["code"]) == (409, "wallet-deleted")
    assert "2026-11-30T01:50:54.000Z" in refused.json()["detail"]
    assert shown.json()["deletes_at"] == "2026-11-30T01:50:54.000Z"
    assert len(harness.mints.items) == 1


async def test_post__when_several_mints_are_accepted__gives_each_the_next_token_id(
    harness: Harness, client: MemoryClient
) -> None:
    ids = [
        (await post(client, harness.headers(), {"metadata": METADATA})).json()["token_id"] for _ in range(5)
    ]
    assert ids == ["1", "2", "3", "4", "5"]


async def test_post__when_a_request_is_repeated__uses_no_token_id_for_that(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(idempotency_key="k")
    first = await post(client, headers, {"metadata": METADATA})
    for _ in range(3):
        again = await post(client, headers, {"metadata": METADATA})
        assert again.json()["token_id"] == first.json()["token_id"] == "1"
    refused = await post(client, headers, {"metadata": {**METADATA, "name": "Another"}})
    assert refused.status == 422
    another = await post(client, harness.headers(), {"metadata": METADATA})
    assert another.json()["token_id"] == "2"


async def test_post__when_a_write_may_have_happened__never_uses_its_token_id_again(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = harness.mints.create

    async def created_without_an_answer(mint: Mint, authorization: Authorization) -> Mint | None:
        await create(mint, authorization)
        raise Unavailable("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(harness.mints, "create", created_without_an_answer)
        assert (await post(client, harness.headers(), {"metadata": METADATA})).status == 503
    another = await post(client, harness.headers(), {"metadata": METADATA})
    assert another.json()["token_id"] == "2"
    assert sorted(mint.token_id or 0 for mint in harness.mints.items.values()) == [1, 2]


async def test_post__when_its_own_write_comes_back_to_it__keeps_the_token_id(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB's client tries again by itself, and then finds what its first try wrote."""
    create = harness.mints.create

    async def created_twice(mint: Mint, authorization: Authorization) -> Mint | None:
        await create(mint, authorization)
        return await create(mint, authorization)

    with monkeypatch.context() as retried:
        retried.setattr(harness.mints, "create", created_twice)
        first = await post(client, harness.headers(), {"metadata": METADATA})
    another = await post(client, harness.headers(), {"metadata": METADATA})
    assert (first.json()["token_id"], another.json()["token_id"]) == ("1", "2")


async def test_post__when_no_token_id_can_be_leased__answers_503_and_stores_nothing(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        async def refuse(*_: object) -> int:
            raise Unavailable("DynamoDB is away")

        broken.setattr(harness.token_ids, "lease", refuse)
        assert (await post(client, harness.headers(), {"metadata": METADATA})).status == 503
    assert harness.mints.items == {}
    assert (await post(client, harness.headers(), {"metadata": METADATA})).status == 202


async def test_post__when_there_is_no_valid_certificate__answers_503_stores_nothing_and_is_not_ready(
    harness: Harness, client: MemoryClient
) -> None:
    harness.now += 3 * 3600

    response = await post(client, harness.headers(), {"metadata": METADATA})
    ready = await client.request("GET", "/readyz")

    assert (response.status, response.headers["retry-after"], response.json()["code"]) == (
        503,
        "10",
        "unavailable",
    )
    assert (harness.mints.items, harness.wallets.items, harness.token_ids.leases) == ({}, {}, [])
    assert ready.status == 503
    assert ready.json()["checks"]["intake"] == "unavailable"
    await harness.intake.renew()
    assert (await post(client, harness.headers(), {"metadata": METADATA})).status == 202


async def test_post__when_the_certificate_ends_in_the_middle_of_it__answers_503_and_wastes_no_token_id(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KMS does not answer, so nothing renewed it."""
    check, key = harness.intake.check, {"Idempotency-Key": "same"}

    async def checked_in_its_last_moment() -> None:
        await check()
        harness.now += 3 * 3600

    with monkeypatch.context() as late:
        late.setattr(harness.intake, "check", checked_in_its_last_moment)
        response = await post(client, harness.headers() | key, {"metadata": METADATA})
    assert (response.status, response.headers["retry-after"]) == (503, "10")
    assert harness.mints.items == {}
    assert harness.mints.authorizations == {}

    await harness.intake.renew()
    again = await post(client, harness.headers() | key, {"metadata": METADATA})
    assert (again.status, again.json()["token_id"]) == (202, "1")
    assert [mint.token_id for mint in harness.mints.items.values()] == [1]


async def test_post__when_kms_is_away_at_the_renewal__goes_on_with_the_certificate_that_there_is(
    harness: Harness, client: MemoryClient
) -> None:
    harness.kms_failure = Unavailable("KMS is away")
    harness.now += 3600 + 1800
    with pytest.raises(Unavailable):
        await harness.intake.renew()

    assert (await post(client, harness.headers(), {"metadata": METADATA})).status == 202


async def test_post__when_the_access_token_is_too_long_for_an_envelope__refuses_before_anything_is_stored(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.pool.sign({**harness.pool.claims("alice", now=harness.now), "pad": "x" * 5_450})
    assert MAX_TOKEN < len(token) <= jws.MAX_TOKEN
    headers = {"Authorization": f"Bearer {token}"}

    response = await post(client, headers, {"metadata": METADATA})

    assert (response.status, response.json()["code"]) == (431, "token-too-long")
    assert f"{len(token)} bytes" in response.json()["detail"]
    assert (harness.mints.items, harness.wallets.items, harness.token_ids.leases) == ({}, {}, [])
    assert (await client.request("GET", "/v1/mints", headers=headers)).status == 200


async def test_post__when_the_access_token_just_fits__accepts(harness: Harness, client: MemoryClient) -> None:
    claims = {**harness.pool.claims("alice", now=harness.now), "pad": ""}
    longest = max(
        (harness.pool.sign({**claims, "pad": "x" * padding}) for padding in range(5_200, 5_500)),
        key=lambda token: len(token) if len(token) <= MAX_TOKEN else 0,
    )
    assert MAX_TOKEN - 4 <= len(longest) <= MAX_TOKEN

    response = await post(client, {"Authorization": f"Bearer {longest}"}, {"metadata": METADATA})

    assert response.status == 202
    mint = harness.mints.items[response.json()["mint_id"]]
    assert 0 < len(lookup(mint, harness.mints.authorizations).envelope) <= MAX_ENVELOPE


async def test_post__when_the_wallet_was_reassigned__is_refused_within_a_minute(
    harness: Harness, client: MemoryClient
) -> None:
    await client.request("GET", "/v1/wallet", headers=harness.headers())
    ((wallet_id, wallet),) = harness.wallets.items.items()
    harness.wallets.items[wallet_id] = wallet.model_copy(update={"reassigned_to": "user-new"})
    harness.now += 60

    refused = await post(client, harness.headers(), {"metadata": METADATA})
    shown = await client.request("GET", "/v1/wallet", headers=harness.headers())

    assert (refused.status, refused.json()["code"]) == (409, "wallet-reassigned")
    assert (shown.status, shown.json()["code"]) == (409, "wallet-reassigned")
    assert "user-new" not in refused.json()["detail"] + shown.json()["detail"]
    assert harness.mints.items == {}
