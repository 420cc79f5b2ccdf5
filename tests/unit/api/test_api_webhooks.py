"""Webhooks over HTTP: who may manage which, what URLs they may have, and what is shown of secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from mintline.events import OPERATORS, START, Event, Resource
from mintline.records.clients import Client
from mintline.scopes import MACHINE_SCOPES, Scope
from mintline.webhooks.records import WEBHOOKS_OF_ONE, Attempt, Rewind
from mintline_testkit.api.harness import Harness

URL = "https://shop.example.com/hooks"


class Api:
    """The API as a machine client uses it."""

    def __init__(self, harness: Harness, http: Any) -> None:
        self.harness = harness
        self._http = http

    async def call(
        self, method: str, path: str = "", body: Any = None, *, client: str = "shop", status: int = 200
    ) -> Any:
        headers = self.harness.client_headers(client)
        async with self._http.request(method, f"/v1/webhooks{path}", json=body, headers=headers) as response:
            reply = None if response.status == 204 else await response.json()
            assert response.status == status, reply
            return reply


@pytest.fixture
async def api(harness: Harness) -> AsyncIterator[Api]:
    for client_id in ("shop", "other", "root"):
        harness.clients.records[client_id] = Client(
            client_id=client_id, name=client_id, scopes=tuple(MACHINE_SCOPES), created_at=1
        )
    async with TestClient(TestServer(harness.app())) as http:
        yield Api(harness, http)


async def test_webhook__when_a_client_makes_one__then_its_secret_is_shown_once_and_stored_sealed(
    api: Api,
) -> None:
    await api.harness.event_log.append("shop", [event("evt_1")])
    webhook = await api.call("POST", body={"url": URL, "types": ["mint.finalized"]}, status=201)
    assert webhook["secret"].startswith("whsec_")
    assert webhook["public_key"].startswith("whpk_")
    assert (webhook["status"], webhook["types"]) == ("enabled", ["mint.finalized"])
    shown = await api.call("GET", f"/{webhook['webhook_id']}")
    assert shown == {name: value for name, value in webhook.items() if name != "secret"}
    assert (await api.call("GET"))["items"] == [shown]
    stored = api.harness.webhooks.webhooks[webhook["webhook_id"]]
    secret = await api.harness.webhook_secrets.open(stored.webhook_id, stored.secrets[0])
    assert secret.secret == webhook["secret"]
    assert webhook["secret"] not in stored.model_dump_json()
    progress = api.harness.webhooks.progresses[webhook["webhook_id"]]
    assert progress.cursor == await api.harness.event_log.tail("shop"), "it begins with what comes next"


async def test_webhook__when_another_client_asks__then_it_is_not_found(api: Api) -> None:
    webhook = await api.call("POST", body={"url": URL}, status=201)
    place = f"/{webhook['webhook_id']}"
    for method, path, body in (
        ("GET", place, None),
        ("PATCH", place, {"url": URL}),
        ("DELETE", place, None),
        ("POST", f"{place}/secret", None),
        ("POST", f"{place}/test", None),
        ("GET", f"{place}/deliveries", None),
        ("POST", f"{place}/replay", {"after": None}),
    ):
        problem = await api.call(method, path, body, client="other", status=404)
        assert problem["code"] == "unknown-webhook"
    assert (await api.call("GET", client="other"))["items"] == []


async def test_webhook__when_it_is_for_operators__then_only_an_admin_may_have_it(
    api: Api, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's token carries the scope `admin` here, unless it is patched away."""
    body = {"url": URL, "principal": "operators"}
    webhook = await api.call("POST", body=body, status=201)
    assert harness.webhooks.webhooks[webhook["webhook_id"]].principal == OPERATORS
    assert [listed["webhook_id"] for listed in (await api.call("GET"))["items"]] == [webhook["webhook_id"]]
    claims = harness.pool.client_claims("shop", now=harness.now) | {"scope": Scope.WEBHOOKS_WRITE}
    headers = {"Authorization": f"Bearer {harness.pool.sign(claims)}"}
    monkeypatch.setattr(Harness, "client_headers", lambda *_: headers)
    problem = await api.call("POST", body=body, status=403)
    assert problem["code"] == "insufficient-scope"
    await api.call("GET", f"/{webhook['webhook_id']}", status=404)
    assert (await api.call("GET"))["items"] == []


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://shop.example.com/", "https"),
        ("https://user:password@shop.example.com/", "user"),
        ("https://localhost/", "public"),
        ("https://169.254.169.254/latest/meta-data/", "public address"),
        ("https://shop.example.com:22/", "port"),
    ],
)
async def test_url__when_it_leads_where_it_must_not__then_it_is_refused_with_the_reason(
    api: Api, url: str, wrong: str
) -> None:
    problem = await api.call("POST", body={"url": url}, status=422)
    assert problem["code"] == "webhook-url"
    assert wrong in problem["detail"]
    webhook = await api.call("POST", body={"url": URL}, status=201)
    await api.call("PATCH", f"/{webhook['webhook_id']}", {"url": url}, status=422)


async def test_types__when_one_is_unknown__then_the_request_names_it(api: Api) -> None:
    problem = await api.call("POST", body={"url": URL, "types": ["mint.exploded"]}, status=400)
    assert problem["errors"][0]["pointer"] == "#/types/0"


async def test_webhooks__when_there_are_as_many_as_may_be__then_another_is_refused(api: Api) -> None:
    for _ in range(WEBHOOKS_OF_ONE):
        await api.call("POST", body={"url": URL}, status=201)
    problem = await api.call("POST", body={"url": URL}, status=409)
    assert problem["code"] == "too-many-webhooks"


async def test_secret__when_it_is_rotated__then_the_one_before_signs_for_a_day(api: Api) -> None:
    created = await api.call("POST", body={"url": URL}, status=201)
    webhook_id = created["webhook_id"]
    secrets = [created["secret"]]
    for _ in range(3):
        api.harness.now += 60
        secrets.insert(0, (await api.call("POST", f"/{webhook_id}/secret", status=201))["secret"])
    webhook = api.harness.webhooks.webhooks[webhook_id]
    now = api.harness.milliseconds()
    opened = [await api.harness.webhook_secrets.open(webhook_id, sealed) for sealed in webhook.signing(now)]
    assert [opened_secret.secret for opened_secret in opened] == secrets[:3], "three sign at most"
    assert len(webhook.signing(now + 24 * 3_600_000)) == 1


async def test_replay__when_it_is_asked_for__then_the_record_asks_the_notifier_for_it(api: Api) -> None:
    webhook = await api.call("POST", body={"url": URL}, status=201)
    place = f"/{webhook['webhook_id']}"
    stored = api.harness.webhooks.webhooks
    await api.call("POST", f"{place}/replay", {}, status=202)
    assert stored[webhook["webhook_id"]].rewind == Rewind(number=1, after=START)
    await api.call("PATCH", place, {"url": "https://other.example.com/"})
    assert stored[webhook["webhook_id"]].rewind == Rewind(number=2, after=START), "what was not begun stays"
    problem = await api.call("POST", f"{place}/replay", {"after": "nowhere"}, status=400)
    assert problem["errors"][0]["pointer"] == "#/after"
    await api.call("PATCH", place, {"status": "disabled"})
    assert not stored[webhook["webhook_id"]].open
    for path in ("/replay", "/test"):
        body: dict[str, Any] | None = {} if path == "/replay" else None
        problem = await api.call("POST", place + path, body, status=409)
        assert problem["code"] == "webhook-disabled"
    enabled = await api.call("PATCH", place, {"status": "enabled", "types": None})
    assert enabled["status"] == "enabled"


async def test_replay__when_its_position_is_behind_the_logs_end__then_is_refused_and_nothing_is_asked_for(
    api: Api,
) -> None:
    webhook = await api.call("POST", body={"url": URL}, status=201)
    place, stored = f"/{webhook['webhook_id']}/replay", api.harness.webhooks.webhooks
    principal = stored[webhook["webhook_id"]].principal
    # An empty log has no end to compare with: its events may have expired.
    await api.call("POST", place, {"after": "0000000001000"}, status=202)
    await api.harness.event_log.append(
        principal, [event("evt_1").model_copy(update={"principal": principal})]
    )
    end = await api.harness.event_log.tail(principal)
    beyond = f"{int(end) + 1:013d}"

    problem = await api.call("POST", place, {"after": beyond}, status=400)

    assert problem["code"] == "invalid-body"
    assert problem["errors"][0]["pointer"] == "#/after"
    assert end in problem["detail"]
    assert stored[webhook["webhook_id"]].rewind == Rewind(number=1, after="0000000001000")
    await api.call("POST", place, {"after": end}, status=202)
    assert stored[webhook["webhook_id"]].rewind == Rewind(number=2, after=end)


async def test_test__when_it_is_asked_for__then_an_event_waits_on_the_record(api: Api) -> None:
    webhook = await api.call("POST", body={"url": URL}, status=201)
    place = f"/{webhook['webhook_id']}"
    event_ids = [(await api.call("POST", f"{place}/test", status=202))["event_id"] for _ in range(10)]
    pending = api.harness.webhooks.webhooks[webhook["webhook_id"]].pending
    assert [event.id for event in pending] == event_ids
    problem = await api.call("POST", f"{place}/test", status=409)
    assert problem["code"] == "webhook-tests-pending"


async def test_deliveries__when_there_are_many__then_they_come_in_pages_newest_first(api: Api) -> None:
    webhook = await api.call("POST", body={"url": URL}, status=201)
    place = f"/{webhook['webhook_id']}"
    await api.harness.webhooks.note(
        [
            Attempt(
                webhook_id=webhook["webhook_id"],
                event_id=f"evt_{number}",
                event_type="mint.mined",
                at=1_795_398_654_000 + number,
                number=1,
                status_code=500 if number else 200,
                latency_ms=7,
                response="<b>\\u001b",
            )
            for number in range(5)
        ]
    )
    first = await api.call("GET", f"{place}/deliveries?limit=3")
    rest = await api.call("GET", f"{place}/deliveries?limit=3&cursor={first['next_cursor']}")
    items = [*first["items"], *rest["items"]]
    assert [attempt["event_id"] for attempt in items] == [f"evt_{number}" for number in range(4, -1, -1)]
    assert [attempt["delivered"] for attempt in items] == [False] * 4 + [True]
    assert rest["next_cursor"] is None
    problem = await api.call("GET", f"{place}/deliveries?cursor=nothing", status=422)
    assert problem["code"] == "invalid-cursor"


async def test_webhook__when_it_is_deleted__then_nothing_is_left_of_it_to_deliver(api: Api) -> None:
    webhook = await api.call("POST", body={"url": URL}, status=201)
    await api.call("DELETE", f"/{webhook['webhook_id']}", status=204)
    await api.call("DELETE", f"/{webhook['webhook_id']}", status=404)
    assert (api.harness.webhooks.webhooks, api.harness.webhooks.progresses) == ({}, {})


def event(event_id: str) -> Event:
    return Event(
        id=event_id,
        type="mint.accepted",
        created_at=1,
        principal="shop",
        resource=Resource("mint", "m"),
        data={},
    )
