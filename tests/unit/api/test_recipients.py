"""`POST /v1/mints` as a company's backend uses it: for others, by address, user or e-mail address."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mintline.canonical_json import digest_of
from mintline.errors import Unavailable
from mintline.records.clients import ClientBudget
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.scopes import Scope
from mintline_api.features.users.emails import Emails
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
METADATA = {"name": "A token", "image": "https://example.com/a.png"}
EMAIL = "ada@example.com"
NAME = Emails(b"a secret that names the users of addresses", case_sensitive=True).read(EMAIL).name


@pytest.fixture(autouse=True)
def shop(harness: Harness) -> None:
    harness.clients.add("shop")
    harness.clients.add("rival")


async def post(
    client: MemoryClient, harness: Harness, *, of: str = "shop", key: str = "", **body: Any
) -> Answered:
    headers = harness.client_headers(of, **({"idempotency_key": key} if key else {}))
    return await client.post_json("/v1/mints", {"metadata": METADATA, **body}, headers=headers)


async def post_as_user(client: MemoryClient, harness: Harness, **body: Any) -> Answered:
    return await client.post_json("/v1/mints", {"metadata": METADATA, **body}, headers=harness.headers())


def record(harness: Harness, answered: Answered) -> Mint:
    return harness.mints.items[answered.json()["mint_id"]]


async def test_client__when_it_mints_to_an_address__then_the_mint_is_sponsored_and_its_own(
    client: MemoryClient, harness: Harness
) -> None:
    answered = await post(client, harness, recipient={"address": ADDRESS})

    assert answered.status == 202
    view = answered.json()
    assert (view["custody"], view["to"], view["client_id"]) == ("sponsored", ADDRESS, "shop")
    assert view["recipient"] == {"address": ADDRESS, "user": None}
    mint = record(harness, answered)
    assert (mint.sub, mint.client_id, mint.asked_by, mint.sender) == ("shop", "shop", "shop", None)
    assert harness.keys.generated == [], "no wallet was made"


async def test_client__when_it_mints_to_a_user__then_it_goes_to_their_wallet_and_they_see_it(
    client: MemoryClient, harness: Harness
) -> None:
    harness.pool_users.add("alice")

    answered = await post(client, harness, recipient={"user": "alice"}, external_id="order-1", tags=["vip"])

    wallet = harness.wallets.items[scoped(CHAIN_ID, "alice")].address
    assert answered.status == 202
    assert answered.json()["recipient"] == {"address": wallet, "user": "alice"}
    assert record(harness, answered).sub == "alice"
    path = f"/v1/mints/{answered.json()['mint_id']}"
    seen = (await client.request("GET", path, headers=harness.headers())).json()
    assert seen["to"] == wallet
    assert (seen["client_id"], seen["external_id"], seen["tags"]) == ("shop", None, [])
    listed = (await client.request("GET", "/v1/mints", headers=harness.headers())).json()
    assert [mint["mint_id"] for mint in listed["items"]] == [answered.json()["mint_id"]]
    by_tag = (await client.request("GET", "/v1/mints?tag=vip", headers=harness.headers())).json()
    assert by_tag["items"] == []


async def test_client__when_it_mints_to_an_address_of_nobody__then_a_user_and_a_wallet_are_made_once(
    client: MemoryClient, harness: Harness
) -> None:
    first = await post(client, harness, recipient={"email": EMAIL})
    second = await post(client, harness, recipient={"email": " ada@EXAMPLE.com "})

    assert (first.status, second.status) == (202, 202)
    (row,) = harness.pool_users.rows.values()
    assert row.address == EMAIL
    wallet = harness.wallets.items[scoped(CHAIN_ID, row.user.sub)].address
    assert (
        first.json()["recipient"]
        == second.json()["recipient"]
        == {
            "address": wallet,
            "user": row.user.sub,
        }
    )


async def test_client__when_many_mint_to_one_address_at_once__then_there_is_one_user_and_wallet(
    client: MemoryClient, harness: Harness
) -> None:
    answers = await asyncio.gather(*(post(client, harness, recipient={"email": EMAIL}) for _ in range(20)))

    assert {answered.status for answered in answers} == {202}
    assert len({answered.json()["to"] for answered in answers}) == 1
    assert len(harness.pool_users.rows) == 1


async def test_mint__when_it_was_for_an_email_address__then_nothing_of_it_is_stored(
    client: MemoryClient, harness: Harness
) -> None:
    email = "lovelace@victorian.example"
    answered = await post(client, harness, recipient={"email": email}, key="k")

    mint = record(harness, answered)
    stored = mint.model_dump_json() + repr(harness.mints.authorizations) + answered.body.decode()
    assert "lovelace" not in stored
    assert "victorian" not in stored
    plain = json.dumps(
        {"metadata": METADATA, "recipient": {"email": email}}, sort_keys=True, separators=(",", ":")
    )
    assert mint.request_digest != digest_of(plain).hex(), "it could be found by trying addresses"


async def test_mint__when_its_key_is_sent_again__then_it_is_the_same_mint(
    client: MemoryClient, harness: Harness
) -> None:
    body: dict[str, Any] = {"recipient": {"email": EMAIL}, "external_id": "order-1", "tags": ["drop"]}
    first = await post(client, harness, key="k", **body)
    again = await post(client, harness, key="k", **body)
    other = await post(client, harness, key="k", recipient={"email": "eve@example.com"})
    rivals = await post(client, harness, of="rival", key="k", **body)

    assert again.json()["mint_id"] == first.json()["mint_id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json()["code"]) == (422, "idempotency-key-reused")
    assert rivals.json()["mint_id"] != first.json()["mint_id"]


@pytest.mark.parametrize(
    ("body", "refusal", "pointer"),
    [
        ({}, (422, "ambiguous-recipient"), "#/recipient"),
        ({"recipient": None}, (422, "ambiguous-recipient"), "#/recipient"),
        ({"recipient": {}}, (422, "ambiguous-recipient"), "#/recipient"),
        ({"recipient": {"address": None}}, (400, "invalid-body"), "#/recipient/address"),
        ({"recipient": {"address": ADDRESS, "email": EMAIL}}, (422, "ambiguous-recipient"), "#/recipient"),
        ({"recipient": {"user": "alice", "email": EMAIL}}, (422, "ambiguous-recipient"), "#/recipient"),
        ({"recipient": {"address": ADDRESS}, "to": ADDRESS}, (422, "ambiguous-recipient"), "#/recipient"),
        ({"recipient": {"address": ADDRESS, "phone": "1"}}, (400, "invalid-body"), "#/recipient/phone"),
        ({"recipient": {"address": "0x1"}}, (400, "invalid-body"), "#/recipient/address"),
        ({"recipient": {"address": 1}}, (400, "invalid-body"), "#/recipient/address"),
        ({"recipient": ADDRESS}, (400, "invalid-body"), "#/recipient"),
        ({"recipient": [ADDRESS]}, (400, "invalid-body"), "#/recipient"),
        ({"recipient": {"user": ""}}, (400, "invalid-body"), "#/recipient/user"),
        ({"recipient": {"user": "platform:issuer"}}, (400, "invalid-body"), "#/recipient/user"),
        ({"recipient": {"user": 'a" or sub ^= "'}}, (400, "invalid-body"), "#/recipient/user"),
        ({"recipient": {"user": "a" * 129}}, (400, "invalid-body"), "#/recipient/user"),
        ({"recipient": {"user": "nobody"}}, (422, "unknown-recipient"), "#/recipient/user"),
        ({"recipient": {"email": ""}}, (400, "invalid-email"), "#/recipient/email"),
        ({"recipient": {"email": "ada"}}, (400, "invalid-email"), "#/recipient/email"),
        ({"recipient": {"email": "ada\x00@example.com"}}, (400, "invalid-email"), "#/recipient/email"),
        ({"recipient": {"email": "a" * 200_000 + "@b.co"}}, (400, "invalid-email"), "#/recipient/email"),
        ({"recipient": {"email": 1}}, (400, "invalid-body"), "#/recipient/email"),
        ({"recipient": {"email": [EMAIL]}}, (400, "invalid-body"), "#/recipient/email"),
        ({"to": ADDRESS, "custody": "custodial"}, (422, "custody-not-available"), "#/custody"),
        ({"to": ADDRESS, "custody": "self"}, (422, "custody-not-available"), "#/custody"),
        ({"to": ADDRESS, "external_id": ""}, (400, "invalid-body"), "#/external_id"),
        ({"to": ADDRESS, "external_id": "a" * 129}, (400, "invalid-body"), "#/external_id"),
        ({"to": ADDRESS, "external_id": "a\nb"}, (400, "invalid-body"), "#/external_id"),
        ({"to": ADDRESS, "external_id": "\u00e9"}, (400, "invalid-body"), "#/external_id"),
        ({"to": ADDRESS, "external_id": 7}, (400, "invalid-body"), "#/external_id"),
        ({"to": ADDRESS, "tags": "vip"}, (400, "invalid-body"), "#/tags"),
        ({"to": ADDRESS, "tags": [""]}, (400, "invalid-body"), "#/tags/0"),
        ({"to": ADDRESS, "tags": ["a\x00"]}, (400, "invalid-body"), "#/tags/0"),
        ({"to": ADDRESS, "tags": ["a" * 65]}, (400, "invalid-body"), "#/tags/0"),
        ({"to": ADDRESS, "tags": ["a", "a"]}, (400, "invalid-body"), "#/tags"),
        ({"to": ADDRESS, "tags": [str(number) for number in range(11)]}, (400, "invalid-body"), "#/tags"),
    ],
)
async def test_request__when_it_names_rubbish__then_it_is_refused_where_that_lies_and_makes_nothing(
    client: MemoryClient, harness: Harness, body: dict[str, Any], refusal: tuple[int, str], pointer: str
) -> None:
    answered = await post(client, harness, **body)

    assert (answered.status, answered.json()["code"]) == refusal, answered.json()
    assert [fault["pointer"] for fault in answered.json()["errors"]] == [pointer]
    assert harness.mints.items == {}
    assert harness.pool_users.rows == {}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (rb'{"metadata": {}, "recipient": {"email": "a@b.co", "email": "c@b.co"}}', "ambiguous-json"),
        (rb'{"metadata": {}, "recipient": {}, "recipient": {}}', "ambiguous-json"),
        (rb'{"metadata": {}, "recipient": {"email": "\ud800@b.co"}}', "ambiguous-json"),
        (rb'{"metadata": {}, "external_id": "\udc00", "tags": []}', "ambiguous-json"),
        (b'{"metadata": {}, "recipient": {"email": "\xff@b.co"}}', "not-json"),
    ],
)
async def test_request__when_its_json_is_ambiguous__then_it_is_refused(
    client: MemoryClient, harness: Harness, raw: bytes, code: str
) -> None:
    headers = {**harness.client_headers("shop"), "Content-Type": "application/json"}
    answered = await client.request("POST", "/v1/mints", headers=headers, body=raw)

    assert (answered.status, answered.json()["code"]) == (400, code)


@pytest.mark.parametrize("recipient", [{"user": "alice"}, {"email": EMAIL}])
async def test_user__when_they_name_another_user__then_that_is_for_clients(
    client: MemoryClient, harness: Harness, recipient: dict[str, str]
) -> None:
    harness.pool_users.add("alice")

    answered = await post_as_user(client, harness, recipient=recipient, custody="sponsored")

    assert answered.status == 403
    assert answered.json()["code"] == "clients-only"
    assert harness.mints.items == {}


async def test_user__when_they_name_an_address__then_it_is_the_same_as_to(
    client: MemoryClient, harness: Harness
) -> None:
    answered = await post_as_user(client, harness, recipient={"address": OTHER})

    assert answered.status == 202
    view = answered.json()
    assert (view["custody"], view["to"], view["client_id"]) == ("custodial", OTHER, None)
    assert view["wallet"] == harness.wallets.items[scoped(CHAIN_ID, "alice")].address


async def test_user__when_the_collection_sponsors__then_they_may_ask_for_it(
    client: MemoryClient, harness: Harness
) -> None:
    answered = await post_as_user(client, harness, custody="sponsored")

    mint = record(harness, answered)
    assert answered.status == 202
    assert (mint.custody, mint.sub, mint.client_id, mint.sender) == ("sponsored", "alice", None, None)
    assert mint.to == harness.wallets.items[scoped(CHAIN_ID, "alice")].address


async def test_user__when_the_collection_sponsors_none__then_they_are_told_what_to_send(
    client: MemoryClient, harness: Harness
) -> None:
    harness.index.collections[OTHER] = Collection(
        collection_id=scoped(CHAIN_ID, OTHER),
        chain_id=CHAIN_ID,
        contract=OTHER,
        name="Borealis",
        symbol="BOR",
        deployed_block=1,
        next_token_id=1,
    )

    answered = await post_as_user(client, harness, custody="sponsored", contract=OTHER)

    assert (answered.status, answered.json()["code"]) == (422, "not-sponsored")
    assert answered.json()["errors"][0]["pointer"] == "#/custody"


async def test_client__when_it_lacks_the_scope_for_users__then_no_address_is_taken(
    client: MemoryClient, harness: Harness
) -> None:
    claims = harness.pool.client_claims("shop", now=harness.now)
    token = harness.pool.sign({**claims, "scope": Scope.MINTS_CREATE.value})
    headers = {"Authorization": f"Bearer {token}"}
    body = {"metadata": METADATA, "recipient": {"email": EMAIL}}

    answered = await client.post_json("/v1/mints", body, headers=headers)

    assert (answered.status, answered.json()["code"]) == (403, "insufficient-scope")
    assert "users:write" in answered.headers["www-authenticate"]
    to_address = {"metadata": METADATA, "recipient": {"address": ADDRESS}}
    assert (await client.post_json("/v1/mints", to_address, headers=headers)).status == 202


async def test_client__when_the_pool_is_silent__then_nothing_is_made_and_it_may_repeat(
    client: MemoryClient, harness: Harness
) -> None:
    harness.pool_users.failure = Unavailable("the pool is away")
    refused = await post(client, harness, recipient={"email": EMAIL}, key="k")
    harness.pool_users.failure = None
    repeated = await post(client, harness, recipient={"email": EMAIL}, key="k")

    assert refused.status == 503
    assert repeated.status == 202
    assert len(harness.mints.items) == 1


async def test_external_id__when_another_request_sends_it__then_it_names_the_first_mint(
    client: MemoryClient, harness: Harness
) -> None:
    first = await post(client, harness, key="a", recipient={"address": ADDRESS}, external_id="order-1")
    second = await post(client, harness, key="b", recipient={"address": ADDRESS}, external_id="order-1")
    keyless = await post(client, harness, recipient={"address": ADDRESS}, external_id="order-1")
    rivals = await post(client, harness, of="rival", recipient={"address": ADDRESS}, external_id="order-1")

    mint_id = first.json()["mint_id"]
    for refused in (second, keyless):
        assert (refused.status, refused.json()["code"]) == (409, "external-id-used")
        assert mint_id in refused.json()["detail"]
        assert refused.json()["errors"][0]["pointer"] == "#/external_id"
    assert rivals.status == 202
    assert len(harness.mints.items) == 2


async def test_external_id__when_it_was_refused__then_its_token_id_goes_to_the_next_mint(
    client: MemoryClient, harness: Harness
) -> None:
    first = await post(client, harness, to=ADDRESS, external_id="order-1")
    await post(client, harness, to=ADDRESS, external_id="order-1")
    third = await post(client, harness, to=ADDRESS, external_id="order-2")

    assert [int(response.json()["token_id"]) for response in (first, third)] == [1, 2]


async def test_external_id__when_requests_race__then_one_mint_has_it(
    client: MemoryClient, harness: Harness
) -> None:
    answers = await asyncio.gather(
        *(post(client, harness, key=f"k{number}", to=ADDRESS, external_id="order-1") for number in range(10))
    )

    assert sorted(answered.status for answered in answers) == [202] + [409] * 9
    assert len(harness.mints.items) == 1


async def test_budget__when_it_is_used_up__then_nobody_is_made_and_replays_are_still_answered(
    client: MemoryClient, harness: Harness
) -> None:
    await harness.clients.set_budget("shop", ClientBudget(mints_per_hour=2))
    first = await post(client, harness, key="a", to=ADDRESS, external_id="order-1")
    same_name = await post(client, harness, key="b", to=ADDRESS, external_id="order-1")
    unknown = await post(client, harness, key="c", recipient={"user": "nobody"})
    await asyncio.sleep(0.01)
    second = await post(client, harness, key="d", to=ADDRESS)
    third = await post(client, harness, key="e", recipient={"email": EMAIL})
    again = await post(client, harness, key="a", to=ADDRESS, external_id="order-1")

    assert [response.status for response in (first, same_name, unknown, second)] == [202, 409, 422, 202]
    assert (third.status, third.json()["code"]) == (429, "client-budget-reached")
    assert "retry-after" in third.headers
    assert "ratelimit" not in first.headers, "a client has a budget, and no rate of users"
    assert harness.pool_users.rows == {}
    assert again.json()["mint_id"] == first.json()["mint_id"]


async def test_budget__when_it_names_collections__then_the_client_mints_in_no_other(
    client: MemoryClient, harness: Harness
) -> None:
    await harness.clients.set_budget("shop", ClientBudget(collections=(OTHER,)))

    answered = await post(client, harness, to=ADDRESS)

    assert (answered.status, answered.json()["code"]) == (403, "collection-not-allowed")


async def test_list__when_a_client_asks__then_it_sees_what_it_asked_for(
    client: MemoryClient, harness: Harness
) -> None:
    harness.pool_users.add("alice")
    mine = await post(client, harness, recipient={"user": "alice"}, tags=["spring", "vip"])
    await post(client, harness, of="rival", recipient={"user": "alice"}, tags=["spring"])
    await post_as_user(client, harness)

    async def listed(query: str = "", of: str = "shop") -> list[str]:
        answered = await client.request("GET", f"/v1/mints{query}", headers=harness.client_headers(of))
        assert answered.status == 200
        return [mint["mint_id"] for mint in answered.json()["items"]]

    mint_id = mine.json()["mint_id"]
    assert await listed() == [mint_id]
    assert await listed("?tag=spring") == [mint_id]
    assert await listed("?tag=autumn") == []
    assert await listed("?status=accepted&tag=vip") == [mint_id]
    assert await listed("?status=finalized") == []
    assert len(await listed(of="rival")) == 1


async def test_list__when_it_asks_by_external_id__then_it_finds_that_mint_of_the_callers(
    client: MemoryClient, harness: Harness
) -> None:
    response = await post(client, harness, to=ADDRESS, external_id="order #1", tags=["vip"])
    await post(client, harness, to=ADDRESS, external_id="order #2")

    async def found(query: str, of: str = "shop") -> list[dict[str, Any]]:
        answered = await client.request("GET", f"/v1/mints?{query}", headers=harness.client_headers(of))
        assert answered.status == 200
        assert answered.json()["next_cursor"] is None
        items: list[dict[str, Any]] = answered.json()["items"]
        return items

    (mint,) = await found("external_id=order%20%231")
    assert mint["mint_id"] == response.json()["mint_id"]
    assert (mint["external_id"], mint["tags"]) == ("order #1", ["vip"])
    assert await found("external_id=order%20%233") == []
    assert await found("external_id=order%20%231&status=finalized") == []
    assert await found("external_id=order%20%231", of="rival") == []


@pytest.mark.parametrize("query", ["external_id=%C3%A9", "external_id=a%0Ab", "tag=%00", f"tag={'a' * 65}"])
async def test_list__when_a_filter_is_rubbish__then_it_is_refused(
    client: MemoryClient, harness: Harness, query: str
) -> None:
    answered = await client.request("GET", f"/v1/mints?{query}", headers=harness.client_headers("shop"))

    assert (answered.status, answered.json()["code"]) == (400, "invalid-parameter")


async def test_mint__when_another_client_asks__then_it_does_not_exist(
    client: MemoryClient, harness: Harness
) -> None:
    harness.pool_users.add("alice")
    response = await post(client, harness, recipient={"user": "alice"})
    path = f"/v1/mints/{response.json()['mint_id']}"

    assert (await client.request("GET", path, headers=harness.client_headers("shop"))).status == 200
    assert (await client.request("GET", path, headers=harness.client_headers("rival"))).status == 404
    assert (await client.request("GET", path, headers=harness.headers("bob"))).status == 404


async def test_cancel__when_the_client_asks_before_it_is_in_a_batch__then_the_mint_ends(
    client: MemoryClient, harness: Harness
) -> None:
    harness.pool_users.add("alice")
    response = await post(client, harness, recipient={"user": "alice"})
    path = f"/v1/mints/{response.json()['mint_id']}/cancel"

    by_user = await client.request("POST", path, headers=harness.headers())
    by_rival = await client.request("POST", path, headers=harness.client_headers("rival"))
    by_client = await client.request("POST", path, headers=harness.client_headers("shop"))

    assert (by_user.status, by_user.json()["code"]) == (409, "not-cancellable")
    assert by_rival.status == 404
    assert (by_client.status, by_client.json()["status"]) == (200, "rejected")


async def test_cancel__when_the_mint_is_in_a_batch__then_it_is_too_late(
    client: MemoryClient, harness: Harness
) -> None:
    response = await post(client, harness, to=ADDRESS)
    mint = record(harness, response)
    harness.mints.items[mint.mint_id] = mint.evolve(nonce=7)

    answered = await client.request(
        "POST", f"/v1/mints/{mint.mint_id}/cancel", headers=harness.client_headers("shop")
    )

    assert (answered.status, answered.json()["code"]) == (409, "not-cancellable")
    assert "shares its transaction" in answered.json()["detail"]


async def test_users__when_a_client_makes_one__then_the_same_address_is_found(
    client: MemoryClient, harness: Harness
) -> None:
    headers = harness.client_headers("shop")
    missing = await client.request("GET", f"/v1/users?email={EMAIL}", headers=headers)
    response = await client.post_json("/v1/users", {"email": EMAIL}, headers=headers)
    again = await client.post_json("/v1/users", {"email": f" {EMAIL}"}, headers=headers)
    lookup = await client.request("GET", f"/v1/users?email={EMAIL}", headers=headers)

    assert (missing.status, missing.json()["code"]) == (404, "unknown-user")
    assert (response.status, again.status, lookup.status) == (201, 200, 200)
    assert response.json() == again.json() == lookup.json()
    sub = response.json()["sub"]
    assert response.json()["wallet"] == harness.wallets.items[scoped(CHAIN_ID, sub)].address
    assert list(harness.pool_users.rows) == [NAME]
    minted = await post(client, harness, recipient={"email": EMAIL})
    assert minted.json()["recipient"] == {"address": response.json()["wallet"], "user": sub}


async def test_users__when_a_user_has_no_wallet__then_finding_them_makes_none(
    client: MemoryClient, harness: Harness
) -> None:
    harness.pool_users.add("alice", address=EMAIL)

    response = await client.request("GET", f"/v1/users?email={EMAIL}", headers=harness.client_headers("shop"))

    assert (response.status, response.json()["sub"], response.json()["wallet"]) == (200, "alice", None)
    assert harness.wallets.items == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid-body"),
        ({"email": None}, "invalid-body"),
        ({"email": EMAIL, "name": "Ada"}, "invalid-body"),
        ({"email": "ada"}, "invalid-email"),
        ({"email": "ada@example.com\u0000"}, "invalid-email"),
    ],
)
async def test_users__when_the_body_is_rubbish__then_it_is_refused(
    client: MemoryClient, harness: Harness, body: dict[str, Any], code: str
) -> None:
    answered = await client.post_json("/v1/users", body, headers=harness.client_headers("shop"))

    assert (answered.status, answered.json()["code"]) == (400, code)
    assert harness.pool_users.rows == {}


@pytest.mark.parametrize(
    ("query", "code"),
    [("", "invalid-parameter"), ("?email=", "invalid-parameter"), ("?email=a", "invalid-email")],
)
async def test_users__when_the_query_names_no_address__then_it_is_refused(
    client: MemoryClient, harness: Harness, query: str, code: str
) -> None:
    answered = await client.request("GET", f"/v1/users{query}", headers=harness.client_headers("shop"))

    assert (answered.status, answered.json()["code"]) == (400, code)


async def test_users__when_a_user_asks__then_that_is_for_clients(
    client: MemoryClient, harness: Harness
) -> None:
    answered = await client.post_json("/v1/users", {"email": EMAIL}, headers=harness.headers())

    assert answered.status == 403
    assert harness.pool_users.rows == {}


def test_collection__when_the_record_is_of_before__then_it_sponsors_none() -> None:
    fields = {"collection_id": "1#a", "chain_id": 1, "contract": CONTRACT, "name": "A", "symbol": "A"}
    assert not Collection(**fields, deployed_block=1, next_token_id=1).sponsored
