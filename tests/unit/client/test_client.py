"""The Python client: tries, problems, pages, events, webhooks, and the one without an event loop."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import generate
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.errors import Rejected, Unavailable
from mintline_client import (
    AsyncMintline,
    Conflicting,
    Invalid,
    Mintline,
    NotFound,
    Retries,
    TryLater,
    Unauthenticated,
    verify_webhook,
)
from mintline_client.access import ClientCredentials
from mintline_client.accounts import Clients, Pipeline, Wallets
from mintline_client.api import Api
from mintline_client.errors import Problem
from mintline_client.events import Events, SseParser
from mintline_client.minting import Mints
from mintline_client.portal import Portal
from mintline_client.tokens import Tokens


class Answer:
    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self._content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def read(self) -> bytes:
        return self._content

    async def json(self, **_: Any) -> Any:
        return json.loads(self._content)

    async def text(self, **_: Any) -> str:
        return self._content.decode()

    @property
    async def content(self) -> AsyncIterator[bytes]:
        for line in self._content.splitlines(keepends=True):
            yield line


class Http:
    """A session whose answers are given in advance; an exception is raised instead."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, dict[str, str], Any]] = []

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, data: Any = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> AsyncIterator[Answer]:
        self.sent.append((method, url, dict(headers or {}), data))
        response = self.answers.pop(0)
        if isinstance(response, Exception):
            raise response
        yield response

    def get(self, url: str, **options: Any) -> Any:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Any:
        return self.request("POST", url, **options)


def api_of(http: Http, slept: list[float] | None = None, *, token: Any = "TOKEN") -> Api:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    return Api(cast("aiohttp.ClientSession", http), "https://api/", token, sleep=sleep)


def problem(status: int, code: str, **members: Any) -> dict[str, Any]:
    return {
        "type": f"https://api/docs#{code}",
        "title": "Title",
        "status": status,
        "detail": "What is wrong.",
        "code": code,
        "trace": "t1",
        **members,
    }


async def test_request__when_it_fails_for_a_while__is_sent_again_with_the_same_key() -> None:
    busy = Answer(503, problem(503, "overloaded"), {"Retry-After": "3"})
    http = Http(aiohttp.ClientConnectionError("gone"), busy, Answer(202, {"mint_id": "mint_1"}))
    slept: list[float] = []

    mint = await Mints(api_of(http, slept)).create({"metadata": {"name": "n", "image": "ipfs://i"}})

    assert mint["mint_id"] == "mint_1"
    assert len({sent[2]["Idempotency-Key"] for sent in http.sent}) == 1
    assert [sent[:2] for sent in http.sent] == [("POST", "https://api/v1/mints")] * 3
    assert http.sent[0][2]["Authorization"] == "Bearer TOKEN"
    assert 0.125 <= slept[0] <= 0.25
    assert slept[1] == 3


async def test_redrive__when_no_letters_are_named__then_is_not_sent_again_as_it_would_send_others() -> None:
    busy = Answer(503, problem(503, "deadline-passed"))
    http = Http(busy, busy, Answer(200, {"queue": "build", "redriven": ["a"], "missing": []}))
    pipeline = Pipeline(api_of(http))

    with pytest.raises(TryLater):
        await pipeline.redrive({"queue": "build", "message_ids": None})
    assert len(http.sent) == 1
    assert (await pipeline.redrive({"queue": "build", "message_ids": ["a"]}))["redriven"] == ["a"]


async def test_secret__when_it_may_have_been_made__then_is_not_asked_for_again() -> None:
    busy = Answer(503, problem(503, "deadline-passed"))
    http = Http(busy, busy)
    clients = Clients(api_of(http))

    with pytest.raises(TryLater):
        await clients.create({"name": "shop"})
    with pytest.raises(TryLater):
        await clients.rotate_secret("shop")
    assert [sent[1] for sent in http.sent] == [
        "https://api/v1/clients",
        "https://api/v1/clients/shop/secrets",
    ]


async def test_request__when_all_tries_fail__raises_the_last_failure() -> None:
    http = Http(*[Answer(429, problem(429, "too-many-writes"), {"Retry-After": "1"})] * 5)
    with pytest.raises(TryLater) as late:
        await api_of(http).get("/v1/mints")
    assert (late.value.problem.code, late.value.retry_after, http.answers) == ("too-many-writes", 1.0, [])

    with pytest.raises(Unavailable, match="no answer from the API at https://api: gone"):
        await api_of(Http(*[aiohttp.ClientConnectionError("gone")] * 5)).get("/v1/mints")
    # A long Retry-After, an internal error, and a body that cannot be sent twice end the tries.
    for response in (Answer(503, {}, {"Retry-After": "600"}), Answer(500, b"<html>")):
        with pytest.raises(TryLater):
            await api_of(Http(response)).get("/v1/mints")
    with pytest.raises(TryLater):
        await api_of(Http(Answer(502, b""))).send("PATCH", "/lines", b"x", headers={})


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, Conflicting), (401, Unauthenticated), (422, Invalid)]
)
async def test_request__when_it_is_refused__raises_the_problem(status: int, kind: type[Exception]) -> None:
    faults = [{"pointer": "#/metadata/name", "detail": "Too long."}]
    http = Http(Answer(status, problem(status, "slug", errors=faults)))
    with pytest.raises(kind) as refused:
        await api_of(http).get("/v1/mints/m")
    error = refused.value
    assert isinstance(error, Rejected)
    raised = error.problem  # type: ignore[attr-defined]
    assert (raised.type, raised.title, raised.status) == ("https://api/docs#slug", "Title", status)
    assert raised.errors[0].pointer == "#/metadata/name"
    assert str(error) == "slug: What is wrong; #/metadata/name: Too long."


async def test_request__when_the_detail_names_the_fault__says_it_once() -> None:
    faults = [{"pointer": "#/to", "detail": "expected an address"}, {"pointer": "#/id", "detail": "missing"}]
    body = problem(400, "slug", errors=faults, detail="#/to: expected an address (and 1 more).")
    with pytest.raises(Invalid) as refused:
        await api_of(Http(Answer(400, body))).get("/v1/mints/m")
    assert str(refused.value) == "slug: #/to: expected an address (and 1 more); #/id: missing"


async def test_list__when_it_has_pages__goes_through_all_of_them() -> None:
    http = Http(
        Answer(200, {"items": [{"mint_id": "a"}], "next_cursor": "c/1"}),
        Answer(200, {"items": [{"mint_id": "b"}], "next_cursor": None}),
    )
    listed = [mint["mint_id"] async for mint in Mints(api_of(http)).list(tag="x y")]
    assert listed == ["a", "b"]
    assert [sent[1] for sent in http.sent] == [
        "https://api/v1/mints?limit=100&tag=x+y",
        "https://api/v1/mints?limit=100&tag=x+y&cursor=c%2F1",
    ]


async def test_client_credentials__when_the_token_ends_or_is_refused__gets_another() -> None:
    http = Http(
        Answer(
            200,
            {
                "token_endpoint": "https://pool/token",
                "authorization_endpoint": "https://pool/authorize",
                "client_id": "app",
                "user_scopes": [],
            },
        ),
        *(Answer(200, {"access_token": f"t{number}", "expires_in": 3600}) for number in range(3)),
    )
    now = 0.0
    access = ClientCredentials(
        cast("aiohttp.ClientSession", http), "https://api", "id", "secret", monotonic=lambda: now
    )
    assert [await access(), await access()] == ["t0", "t0"]
    now = 3541
    assert await access() == "t1"
    assert await access(fresh=True) == "t2"
    assert [sent[1] for sent in http.sent] == [
        "https://api/.well-known/oauth-protected-resource",
        *["https://pool/token"] * 3,
    ]
    with pytest.raises(Rejected, match="invalid_client"):
        await ClientCredentials(
            cast("aiohttp.ClientSession", Http(Answer(401, {"error": "invalid_client"}))),
            "https://api",
            "id",
            "secret",
            token_url="https://pool/token",
        )()


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (Answer(403, b"<html>Request blocked</html>"), Rejected),
        (Answer(400, b""), Rejected),
        (Answer(400, ["invalid_client"]), Rejected),
        (Answer(200, b"<html>Sign in to this network</html>"), Unavailable),
        (Answer(503, b"<html>Later</html>"), Unavailable),
    ],
)
async def test_access__when_the_token_endpoint_answers_no_json__then_its_status_says_whether_it_refuses(
    response: Answer, error: type[Exception]
) -> None:
    access = ClientCredentials(
        cast("aiohttp.ClientSession", Http(response)),
        "https://api",
        "id",
        "secret",
        token_url="https://pool/token",
    )
    with pytest.raises(error, match=str(response.status) if response.status != 200 else "not JSON"):
        await access()


async def test_access__when_the_token_endpoint_has_no_time__is_unavailable_and_not_refused() -> None:
    access = ClientCredentials(
        cast("aiohttp.ClientSession", Http(Answer(429, {"message": "slower"}))),
        "https://api",
        "id",
        "secret",
        token_url="https://pool/token",
    )
    with pytest.raises(Unavailable, match="429"):
        await access()


async def test_request__when_its_token_is_refused__is_sent_again_with_a_fresh_one() -> None:
    freshness: list[bool] = []

    async def token(*, fresh: bool) -> str:
        freshness.append(fresh)
        return "new" if fresh else "old"

    http = Http(Answer(401, problem(401, "invalid-token")), Answer(200, {"address": "0x1"}))
    assert await api_of(http, token=token).get("/v1/wallet") == {"address": "0x1"}
    assert freshness == [False, True]
    with pytest.raises(Unauthenticated):
        await api_of(Http(*[Answer(401, problem(401, "invalid-token"))] * 2), token=token).get("/v1/wallet")


def event(number: int) -> dict[str, Any]:
    return {"id": f"evt_{number}", "type": "mint.finalized", "sequence": number}


def sse(*numbers: int) -> bytes:
    return b"".join(
        f"id: c{number}\nevent: mint.finalized\ndata: {json.dumps(event(number))}\n\n".encode()
        for number in numbers
    )


async def test_events__when_the_stream_breaks__go_on_after_the_last_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mintline_client.events.RECONNECT_SECONDS", 0)
    http = Http(
        Answer(200, b": keep-alive\n\n" + sse(1, 2) + b"id: c3\ndata: {"),
        Answer(503, problem(503, "overloaded")),
        Answer(200, sse(3)),
        Answer(403, problem(403, "insufficient-scope")),
    )
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        async for cursor, each in Events(api_of(http)).stream(types=["mint.finalized"]):
            seen.append((cursor, each["id"]))

    with pytest.raises(Rejected, match="insufficient-scope"):
        await follow()
    assert seen == [("c1", "evt_1"), ("c2", "evt_2"), ("c3", "evt_3")]
    assert [sent[2].get("Last-Event-ID") for sent in http.sent] == [None, "c2", "c2", "c3"]


async def test_stream__when_it_breaks_before_the_first_event__then_it_continues_where_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mintline_client.events.RECONNECT_SECONDS", 0)
    http = Http(
        Answer(200, b"id: c0\n\n: still here\n\n"),
        Answer(200, b"id: c0\n\n" + sse(1)),
        Answer(403, problem(403, "insufficient-scope")),
    )
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        async for cursor, each in Events(api_of(http)).stream():
            seen.append((cursor, each["id"]))

    with pytest.raises(Rejected, match="insufficient-scope"):
        await follow()
    assert seen == [("c1", "evt_1")]
    assert [sent[2].get("Last-Event-ID") for sent in http.sent] == [None, "c0", "c1"]


async def test_events__when_read__page_by_page_up_to_now() -> None:
    http = Http(
        Answer(200, {"events": [event(1)], "next": "c1", "more": True}),
        Answer(200, {"events": [event(2)], "next": "c2", "more": False}),
    )
    assert [each["id"] async for each in Events(api_of(http)).list()] == ["evt_1", "evt_2"]
    assert http.sent[1][1] == "https://api/v1/events?after=c1"


async def test_events__when_several_types_are_wanted__ask_for_them_in_one_parameter() -> None:
    http = Http(Answer(200, {"events": [], "next": "c1", "more": False}))
    await Events(api_of(http)).read(types=["mint.mined", "mint.finalized"])
    assert http.sent[0][1] == "https://api/v1/events?type=mint.mined%2Cmint.finalized"


async def test_events__when_an_administrator_reads_anothers_log__then_its_principal_is_named() -> None:
    http = Http(Answer(200, {"events": [], "next": "c1", "more": False}))
    assert [each async for each in Events(api_of(http)).list(principal="operators")] == []
    assert http.sent[0][1] == "https://api/v1/events?principal=operators"


def test_sse__when_data_has_several_lines__joins_them() -> None:
    parser = SseParser()
    lines = [b"id: 7\r\n", b"data: a\r\n", b"data:b\r\n", b":comment\r\n", b"\r\n"]
    assert [event for line in lines for event in parser.feed(line)] == [("7", "a\nb")]


# The vector that Svix publishes for its libraries, which sign by the same convention.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "Webhook-Timestamp": "1614265330",
    "Webhook-Signature": "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_webhook__when_genuine__is_its_event() -> None:
    assert verify_webhook(BODY, HEADERS, SECRET, now=1614265330) == {"test": 2432232314}

    key = Ed25519PrivateKey.generate()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + BODY
    signature = base64.b64encode(key.sign(signed)).decode()
    headers = {**HEADERS, "Webhook-Signature": f"v1,{signature} v1a,{signature}"}
    assert verify_webhook(BODY, headers, public, now=1614265330) == {"test": 2432232314}


def test_webhook__when_by_the_public_key_taken_as_a_shared_secret__is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + BODY
    forged = base64.b64encode(
        hmac.digest(key.public_key().public_bytes_raw(), signed, hashlib.sha256)
    ).decode()
    headers = {**HEADERS, "Webhook-Signature": f"v1,{forged} v1a,{forged}"}
    with pytest.raises(Rejected, match="webhook_forged"):
        verify_webhook(BODY, headers, f"whpk_{public}", now=1614265330)


@pytest.mark.parametrize(
    ("changed", "body", "now", "code"),
    [
        ({}, b"{}", 1614265330, "webhook_forged"),
        ({"Webhook-Id": "msg_2"}, BODY, 1614265330, "webhook_forged"),
        ({"Webhook-Signature": "v1,%%%  v1a,x nonsense"}, BODY, 1614265330, "webhook_forged"),
        ({}, BODY, 1614265330 + 301, "webhook_too_old"),
        ({"Webhook-Timestamp": "1e9"}, BODY, 1614265330, "webhook_unsigned"),
        ({"Webhook-Id": ""}, BODY, 1614265330, "webhook_unsigned"),
    ],
)
def test_webhook__when_not_genuine__is_refused(
    changed: dict[str, str], body: bytes, now: int, code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        verify_webhook(body, {**HEADERS, **changed}, SECRET, now=now)
    assert refused.value.code == code


def test_portal__when_used_without_a_loop__runs_coroutines_and_iterators_and_ends() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def fail() -> None:
        raise Rejected("code", "reason")

    portal = Portal()
    assert list(portal.iterate(numbers())) == [0, 1, 2]
    first = next(iter(portal.iterate(numbers())))
    with pytest.raises(Rejected):
        portal.run(fail())
    portal.close()
    portal.close()
    assert first == 0


def test_clients__when_compared__have_the_same_resources_and_arguments() -> None:
    with pytest.raises(ValueError, match="token, or client_id with client_secret"):
        Mintline("https://api", token="t", client_id="c", client_secret="s")
    with Mintline("https://api", token="t", retries=Retries(tries=1)) as client:
        sync = {name: value for name, value in vars(client).items() if not name.startswith("_")}
        own = {name: value for name, value in vars(client._client).items() if not name.startswith("_")}
        assert set(sync) == set(own) - {"api", "http"}
        for name, resource in sync.items():
            assert public(resource) == public(own[name]), name
    assert AsyncMintline.__doc__


def public(value: object) -> Sequence[str]:
    return sorted(name for name in dir(value) if not name.startswith("_"))


def test_generated_parts__when_made_again__are_the_same() -> None:
    stale = [path.name for path, text in generate.generated().items() if path.read_text() != text]
    assert not stale, "run `make clients`: the OpenAPI document or the client has changed"


def test_types__when_the_client_is_installed__are_seen_by_type_checkers() -> None:
    assert (Path(generate.PACKAGE) / "py.typed").exists()


async def test_moved_by__when_a_direction_is_given__gets_the_transfers_of_an_address() -> None:
    http = Http(Answer(200, {"items": [{"token_id": "1"}], "next_cursor": None}))
    transfers = [each async for each in Tokens(api_of(http)).moved_by("0xA", direction="in", from_block=0)]
    assert [each["token_id"] for each in transfers] == ["1"]
    assert http.sent[0][1] == "https://api/v1/owners/0xA/transfers?limit=100&direction=in&from_block=0"


async def test_wallet__when_it_is_the_users_own__then_it_is_linked_and_its_transaction_handed_over() -> None:
    http = Http(
        Answer(201, {"message": "sign me"}),
        Answer(201, {"address": "0xA"}),
        Answer(202, {"status": "submitted"}),
    )
    wallets, mints = Wallets(api_of(http)), Mints(api_of(http))

    challenge = await wallets.challenge({"address": "0xA"})
    linked = await wallets.link({"message": challenge["message"], "signature": "0x1"})
    sent = await mints.hand_over("mint_1", "0x02")

    assert (linked["address"], sent["status"]) == ("0xA", "submitted")
    assert [(url.removeprefix("https://api/v1"), json.loads(data)) for _, url, _, data in http.sent] == [
        ("/wallet/links/challenges", {"address": "0xA"}),
        ("/wallet/links", {"message": "sign me", "signature": "0x1"}),
        ("/mints/mint_1/transaction", {"raw": "0x02"}),
    ]


async def test_client__when_it_is_given_a_session__then_closing_it_leaves_the_session_open() -> None:
    async with aiohttp.ClientSession() as session:
        async with AsyncMintline("https://api", token="TOKEN", http=session) as client:
            assert client.http is session
        assert not session.closed
    async with AsyncMintline("https://api", token="TOKEN") as client:
        assert not client.http.closed
    assert client.http.closed


@pytest.mark.parametrize(
    ("detail", "errors", "reason"),
    [
        (
            "Token 9 not found in the index.",
            [{"pointer": "#/token_id", "detail": "Token 9 not found in the index."}],
            "Token 9 not found in the index.",
        ),
        (
            "The URL must begin with https://.",
            [{"pointer": "#/url", "detail": "the URL must begin with https://"}],
            "The URL must begin with https://.",
        ),
        (
            "The first row: unknown column 'mail'.",
            [
                {"pointer": "#", "detail": "unknown column 'mail'"},
                {"pointer": "#", "detail": "expected one of the columns address, user and email"},
            ],
            "The first row: unknown column 'mail'; expected one of the columns address, user and email",
        ),
        (
            "#/a: this member is required (and 1 more).",
            [
                {"pointer": "#/a", "detail": "this member is required"},
                {"pointer": "#/b", "detail": "this member is required"},
            ],
            "#/a: this member is required (and 1 more); #/b: this member is required",
        ),
    ],
)
def test_reason__when_faults_repeat_the_detail__then_each_thing_is_said_once(
    detail: str, errors: list[dict[str, str]], reason: str
) -> None:
    assert Problem.read(400, {"detail": detail, "errors": errors}).reason == reason
