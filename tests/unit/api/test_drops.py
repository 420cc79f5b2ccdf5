"""Drops over HTTP, and the runner behind them, in memory."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline.authorization import Envelope
from mintline.chain.answers import MIN_TIP, FeeMarket
from mintline.drop_records import DropStatus
from mintline.records.clients import ClientBudget
from mintline.records.uploads import Upload
from mintline.states import MintStatus
from mintline_api.features.drops.leases import LEASE_MS
from mintline_api.features.drops.pacing import Pace
from mintline_api.features.drops.runner import DropRunner
from mintline_api.metrics import Metrics
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness

IMAGE = "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3"
NDJSON = "application/x-ndjson"


def address(number: int) -> str:
    return f"0x{number + 1:040x}"


def line(number: int, **changes: Any) -> dict[str, Any]:
    metadata = {"name": f"Aurora #{number}", "image": IMAGE}
    return {"recipient": {"address": address(number)}, "metadata": metadata, **changes}


def ndjson(lines: list[Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


@dataclass
class Shop:
    """A machine client that runs a drop."""

    harness: Harness
    client: MemoryClient
    drop_id: str = ""

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        sent = self.harness.client_headers(**headers)
        target = f"/v1/drops/{self.drop_id}{path}" if self.drop_id else "/v1/drops"
        if isinstance(body, bytes):
            return await self.client.request(method, target, headers=sent, body=body)
        if body is not None:
            return await self.client.post_json(target, body, headers=sent)
        return await self.client.request(method, target, headers=sent)

    async def make(self, **headers: str) -> Answered:
        response = await self.call("POST", "", {"name": "Spring"}, **headers)
        self.drop_id = response.json()["drop_id"]
        return response

    async def upload(
        self, body: bytes, offset: int = 0, *, content_type: str = NDJSON, **more: str
    ) -> Answered:
        return await self.call(
            "PATCH", "/lines", body, content_type=content_type, upload_offset=str(offset), **more
        )

    async def show(self) -> Any:
        return (await self.call("GET", "")).json()


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient) -> Shop:
    harness.clients.add("shop")
    shop = Shop(harness, client)
    await shop.make()
    return shop


class Killed(BaseException):
    """The process has died."""


@dataclass
class Life:
    """A process that dies before or after the call to a port whose number is `after`."""

    after: int = 10**9
    calls: int = 0

    def ports(self, *ports: Any) -> None:
        for port in ports:
            for name in dir(port):
                method = getattr(port, name)
                if not name.startswith("_") and asyncio.iscoroutinefunction(method):
                    setattr(port, name, self._mortal(method))

    def _mortal(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **named: Any) -> Any:
            self._live()
            result = await method(*args, **named)
            self._live()
            return result

        return call

    def _live(self) -> None:
        self.calls += 1
        if self.calls > self.after:
            raise Killed


def runner_of(harness: Harness, owner: str = "one", *, life: Life | None = None) -> DropRunner:
    """Return the runner of a process, whose seconds are milliseconds."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)

    unpaced = harness.api.drop_runner(owner, clock=harness.clock, metrics=Metrics(CollectorRegistry()))
    fast = Pace(1e9, clock=harness.clock, sleep=sleep)
    runner = replace(unpaced, sleep=sleep, preparation=replace(unpaced.preparation, pace=fast))
    if life is not None:
        intake = runner.feeding.intake
        outbox, lines, packs = copy(intake.outbox), copy(intake.lines), copy(intake.packs)
        store, objects = copy(runner.store), copy(runner.feeding.objects)
        life.ports(outbox, lines, packs, store, objects)
        intake = replace(intake, outbox=outbox, lines=lines, packs=packs)
        runner = replace(
            runner,
            store=store,
            lines=lines,
            preparation=replace(runner.preparation, objects=objects),
            feeding=replace(runner.feeding, objects=objects, intake=intake),
        )
    return runner


async def live(shop: Shop, after: int, *, within: float = 5) -> bool:
    """Have a process work on the drop until it ends, or dies at call `after`; tell whether it died.

    It takes `within` seconds at most. What it handed on is minted then, and its lease is over.
    """
    runner = runner_of(shop.harness, owner=f"process {after}", life=Life(after=after))
    died = False
    try:
        await asyncio.wait_for(runner.work(shop.drop_id), within)
    except Killed:
        died = True
    finalize(shop.harness)
    shop.harness.now += LEASE_MS / 1000 + 1
    return died


async def test_drop__when_it_is_made_twice_with_one_key__then_it_is_one(
    harness: Harness, client: MemoryClient
) -> None:
    harness.clients.add("shop")
    response = await Shop(harness, client).make(idempotency_key="spring")
    again = await Shop(harness, client).make(idempotency_key="spring")

    assert (response.status, again.status, again.headers["idempotent-replayed"]) == (201, 201, "true")
    assert response.json()["status"] == "draft"
    assert again.headers["location"] == f"/v1/drops/{response.json()['drop_id']}"
    other = await Shop(harness, client).call("POST", "", {"name": "Summer"}, idempotency_key="spring")
    assert (other.status, other.json()["code"]) == (422, "idempotency-key-reused")
    listed = await Shop(harness, client).call("GET", "")
    assert [drop["drop_id"] for drop in listed.json()["items"]] == [response.json()["drop_id"]]


async def test_drop__when_who_asks_is_a_user_or_another_client__then_there_is_none(shop: Shop) -> None:
    harness, client = shop.harness, shop.client
    harness.clients.add("other")

    user = await client.request("GET", "/v1/drops", headers=harness.headers())
    other = await client.request("GET", f"/v1/drops/{shop.drop_id}", headers=harness.client_headers("other"))

    assert (user.status, user.json()["code"]) == (403, "clients-only")
    assert (other.status, other.json()["code"]) == (404, "unknown-drop")


async def test_upload__when_it_comes_in_pieces__then_whole_lines_are_kept_and_bad_ones_handed_back(
    shop: Shop,
) -> None:
    lines = [line(number) for number in range(600)]
    lines[7]["metadata"].pop("image")
    lines[300]["recipient"] = {"email": "nobody"}
    lines[301] = line(5)
    body = ndjson(lines)
    cut = len(body) // 2 + 11

    first = await shop.upload(body[:cut], upload_complete="?0")
    offset = int(first.headers["upload-offset"])
    head = await shop.call("HEAD", "/lines")

    assert (first.status, head.status, head.headers["upload-offset"]) == (200, 200, str(offset))
    assert body[:offset].endswith(b"\n")
    assert cut - 500 < offset < cut
    wrong = await shop.upload(body[cut:], cut)
    assert (wrong.status, wrong.json()["code"]) == (409, "upload-offset")
    assert wrong.headers["upload-offset"] == str(offset)

    taken = (await shop.upload(body[offset:].removesuffix(b"\n"), offset)).json()
    assert (taken["lines"], taken["accepted"], taken["refused"]) == (600, 598, 2)
    assert taken["recipients"] == {"addresses": 597, "users": 0, "emails": 0}
    assert taken["repeated_lines"] == {"count": 1, "examples": [{"line": 302, "first": 6}]}
    assert taken["repeated_recipients"]["count"] == 1
    parts = shop.harness.drops.parts_of[shop.drop_id].values()
    assert [part.accepted for part in parts] == [250, 250, 98]
    assert sum(key.endswith(".lines") for key in shop.harness.drop_lines.items) == 3, "old objects go"

    refused = await shop.call("GET", "/refused")
    handed = [json.loads(text) for text in refused.body.splitlines()]
    assert refused.headers["content-type"].startswith(NDJSON)
    assert [(each["refused"]["line"], each["refused"]["errors"][0]["pointer"]) for each in handed] == [
        (8, "#/metadata/image"),
        (301, "#/recipient/email"),
    ]
    assert handed[0]["recipient"] == {"address": address(7)}
    handed[0]["metadata"]["image"] = IMAGE
    again = (await shop.upload(ndjson(handed[:1]), len(body) - 1)).json()
    assert (again["accepted"], again["refused"]) == (599, 2), (
        "a corrected line can be sent as it was handed back"
    )


async def test_upload__when_its_connection_breaks__then_whole_lines_are_kept(shop: Shop) -> None:
    body = ndjson([line(number) for number in range(10)])
    headers = shop.harness.client_headers(content_type=NDJSON)
    lines = [f"PATCH /v1/drops/{shop.drop_id}/lines HTTP/1.1", "Host: api.example.com"]
    lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    raw = "\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2]

    with shop.client.unfinished(raw):
        for _ in range(20):
            await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0.01)

    seen = (await shop.show())["lines"]
    assert 0 < seen["offset"] <= len(body) // 2


@pytest.mark.parametrize("content_type", [NDJSON, "text/csv"])
async def test_upload__when_only_blank_lines_follow__then_what_was_taken_stays(
    shop: Shop, content_type: str
) -> None:
    header = b"address,name,image\r\n"
    body = ndjson([line(0), {}])
    if content_type == "text/csv":
        body = header + f"{address(0)},Aurora,{IMAGE}\r\nnobody,Aurora,{IMAGE}\r\n".encode()
    offset = len(body)
    await shop.upload(body, content_type=content_type)

    for more in (b"\n", header if content_type == "text/csv" else b"  \r\n", body):
        taken = await shop.upload(more, offset, content_type=content_type)
        assert taken.status == 200
        offset += len(more)

    assert (taken.json()["accepted"], taken.json()["refused"]) == (2, 2)
    assert b"refused" in (await shop.call("GET", "/refused")).body or content_type == "text/csv"


async def test_upload__when_another_of_the_same_size_overtakes_it__then_that_ones_lines_are_kept(
    shop: Shop,
) -> None:
    objects, put = shop.harness.drop_lines, shop.harness.drop_lines.put
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def held_up(key: str, data: bytes) -> None:
        if b"Aurora #1" in data:
            entered.set()
            await go_on.wait()
        await put(key, data)

    objects.put = held_up  # type: ignore[method-assign]
    late = asyncio.create_task(shop.upload(ndjson([line(1)])))
    await entered.wait()
    first = await shop.upload(ndjson([line(2)]))
    go_on.set()

    assert (first.status, (await late).status) == (200, 409)
    part = shop.harness.drops.parts_of[shop.drop_id][0]
    assert b"Aurora #2" in await objects.get(part.lines_key or "")


async def test_refused__when_stored_lines_are_gone__then_it_is_a_problem_and_no_half_response(
    shop: Shop,
) -> None:
    await shop.upload(ndjson([{}]))
    shop.harness.drop_lines.items.clear()

    response = await shop.call("GET", "/refused")

    assert (response.status, response.json()["code"]) == (503, "record-unusable")


async def test_upload__when_an_external_id_is_used__then_its_line_is_refused(shop: Shop) -> None:
    minted = await shop.client.post_json(
        "/v1/mints", line(1, external_id="a-1"), headers=shop.harness.client_headers()
    )
    assert minted.status == 202
    lines = [line(2, external_id="a-2"), line(3, external_id="a-2"), line(4, external_id="a-1")]

    taken = (await shop.upload(ndjson(lines))).json()

    assert (taken["accepted"], taken["refused"]) == (1, 2)
    refused = (await shop.call("GET", "/refused")).body.splitlines()
    assert [json.loads(text)["refused"]["errors"][0]["detail"] for text in refused] == [
        "line 1 has it already",
        f"another mint of yours, {minted.json()['mint_id']}, has it",
    ]


@pytest.mark.parametrize("csv", [False, True])
async def test_upload__when_lines_name_uploads__then_they_have_the_files_addresses(
    shop: Shop, *, csv: bool
) -> None:
    for digit, asked_by in (("1", "shop"), ("2", "rival")):
        upload_id = "upload_" + digit * 26
        shop.harness.uploads.items[upload_id] = Upload(
            upload_id=upload_id,
            asked_by=asked_by,
            sha256=bytes(32),
            size=1,
            content_type="image/png",
            created_at=1,
            completed_at=1,
            cid="b",
        )
    images = ["upload:upload_" + digit * 26 for digit in "123"]
    if csv:
        rows = [f"{address(number)},A,{image}" for number, image in enumerate(images)]
        body = "\n".join(["address,name,image", *rows, ""]).encode()
    else:
        body = ndjson([line(n, metadata={"name": "A", "image": image}) for n, image in enumerate(images)])
    response = await shop.upload(body, content_type="text/csv" if csv else NDJSON)
    assert response.status == 200, response.json()
    lines = (await shop.show())["lines"]
    assert (lines["accepted"], lines["refused"]) == (1, 2)
    [stored] = [body for key, body in shop.harness.drop_lines.items.items() if key.endswith(".lines")]
    assert f"/media/{bytes(32).hex()}".encode() in stored
    refused = (await shop.call("GET", "/refused")).body
    assert refused.count(b"expected an upload of yours") == 2
    assert refused.count(b"upload:upload_2") == 1


@pytest.mark.parametrize(
    ("content_type", "body", "headers", "expected"),
    [
        ("application/json", b"{}", {}, (415, "lines-media-type")),
        ("text/csv; charset=latin-1", b"name", {}, (415, "lines-media-type")),
        (NDJSON, b"{}", {"content_encoding": "gzip"}, (415, "lines-media-type")),
        (NDJSON, b"{}", {"upload_offset": "1"}, (409, "upload-offset")),
        (NDJSON, b"{}", {"upload_offset": "-1"}, (400, "invalid-parameter")),
        (NDJSON, b"{}", {"upload_complete": "yes"}, (400, "invalid-parameter")),
        ("text/csv", b"name,email,colour\nx,y,z\n", {}, (422, "csv-columns")),
        ("text/csv", b"\xff\xfe\n", {}, (422, "csv-columns")),
    ],
)
async def test_upload__when_it_cannot_be_read__then_nothing_is_taken(
    shop: Shop, content_type: str, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    sent = {"content_type": content_type, "upload_offset": "0", **headers}
    response = await shop.call("PATCH", "/lines", body, **sent)

    assert (response.status, response.json()["code"]) == expected
    assert (await shop.show())["lines"]["offset"] == 0


async def test_upload__when_it_is_csv__then_rows_are_lines_and_refused_ones_are_rows(shop: Shop) -> None:
    body = (
        f'email,name,image,attribute:Mood\r\nada@example.com,"A, 1",{IMAGE},calm\r\n'
        f"bob,B,{IMAGE},\r\nshort\r\n"
    ).encode()

    taken = (await shop.upload(body, content_type="text/csv")).json()

    assert (taken["lines"], taken["accepted"], taken["refused"]) == (4, 1, 2)
    refused = await shop.call("GET", "/refused")
    assert refused.headers["content-type"].startswith("text/csv")
    assert refused.body.decode().splitlines() == [
        "email,name,image,attribute:Mood,line,pointer,reason",
        f"bob,B,{IMAGE},,3,#/recipient/email,expected an e-mail address: name@example.com",
        'short,,,,4,#,"expected 4 values, not 1"',
    ]
    other = await shop.upload(b"{}\n", len(body))
    assert (other.status, other.json()["code"]) == (415, "lines-media-type")
    more = f"cleo@example.com,C,{IMAGE},\r\n".encode()
    taken = (await shop.upload(more, len(body), content_type="text/csv")).json()
    assert taken["accepted"] == 2, "it goes on with the columns that it began with"


async def test_dry_run__when_lines_are_there__then_it_says_what_it_would_take_and_makes_nothing(
    shop: Shop,
) -> None:
    harness = shop.harness
    headers = harness.client_headers()
    await shop.client.post_json("/v1/users", {"email": "ada@example.com"}, headers=headers)
    users = len(harness.pool_users.rows)
    emails = ["ada@example.com", "bob@example.com", "cleo@example.com"]
    lines = [line(n, recipient={"email": email}) for n, email in enumerate(emails)] + [line(9)]
    await shop.upload(ndjson([*lines, {"no": "line"}]))

    tried = (await shop.call("POST", "/dry-run")).json()

    assert (tried["lines"], tried["refused"], tried["gas"]) == (4, 1, 4 * 52_000)
    assert tried["wallets"] == {"to_make": 2, "at_most": 3, "looked_up": 3, "exact": True}
    assert [cost["level"] for cost in tried["costs"]] == ["low", "expected", "high"]
    assert len({cost["wei"] for cost in tried["costs"]}) == 3
    assert harness.chain is not None
    harness.chain.market = FeeMarket(base_fee=7, priority_fee=3)
    cheap = (await shop.call("POST", "/dry-run")).json()
    # The builder offers no smaller tip: a chain whose blocks are empty costs that much all the same.
    assert [cost["wei_per_gas"] for cost in cheap["costs"]] == [str(MIN_TIP + base) for base in (7, 10, 14)]
    assert tried["seconds_at_least"]["preparation"] == 1
    assert len(harness.pool_users.rows) == users
    assert (await shop.show())["status"] == "draft"


async def until(shop: Shop, runner: DropRunner, done: Callable[[Any], bool], *, mine: bool = False) -> Any:
    """Run until the drop is so; `mine`: mints that were accepted become final meanwhile."""
    seen: Any = None
    for _ in range(2_000):
        await runner.poll()
        await asyncio.sleep(0.001)
        if mine:
            finalize(shop.harness)
        if done(seen := await shop.show()):
            return seen
    raise AssertionError(f"it came to {seen}")


def finalize(harness: Harness) -> None:
    for mint_id, mint in list(harness.mints.items.items()):
        if mint.status is MintStatus.ACCEPTED:
            harness.mints.items[mint_id] = mint.evolve(status=MintStatus.FINALIZED)


def is_(*statuses: str) -> Callable[[Any], bool]:
    return lambda seen: seen["status"] in statuses


async def test_drop__when_it_is_run__then_each_line_is_one_mint_under_one_authorization(shop: Shop) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    lines = [line(number, tags=["spring"]) for number in range(502)]
    lines[3]["recipient"] = {"email": "ada@example.com"}
    lines[4]["recipient"] = {"user": "nobody"}
    await shop.upload(ndjson(lines))
    early = await shop.call("POST", "/start")
    assert (early.status, early.json()["code"]) == (409, "drop-not-prepared")

    assert (await shop.call("POST", "/prepare")).status == 202
    late = await shop.upload(ndjson([line(1)]), 10**6)
    assert (late.status, late.json()["code"]) == (409, "lines-closed")
    prepared = await until(shop, runner, is_("prepared"))
    assert prepared["preparation"] == {
        "parts": 3,
        "prepared": 3,
        "users_made": 1,
        "unresolved": 1,
        "over_cap": 0,
    }
    assert prepared["minting"]["lines"] == 501
    assert not [key for key in harness.drop_lines.items if key.endswith(".lines")], "no address is kept"
    (unresolved,) = (await shop.call("GET", "/refused")).body.splitlines()
    assert json.loads(unresolved)["refused"] == {
        "line": 5,
        "errors": [{"pointer": "#/recipient/user", "detail": "The user pool has no user with this sub."}],
    }

    assert (await shop.call("POST", "/start")).status == 202
    again = await shop.call("POST", "/start")
    assert (again.status, again.json()["code"]) == (409, "drop-started")
    completed = await until(shop, runner, is_("completed"), mine=True)

    assert completed["minting"]["by_status"] == {"finalized": 501}
    mints = [mint for mint in harness.mints.items.values() if mint.request is not None]
    assert len(mints) == 501
    assert len({mint.token_id for mint in mints}) == 501
    assert [message.chunk for message in harness.line.lines] == [0, 1, 2]
    chunks = list(harness.lines.chunks.values())
    digests = {chunk.digest() for chunk in chunks}
    assert len(digests) == 1, "each chunk leads to the one root"
    for chunk in chunks:
        Envelope.from_bytes(chunk.envelope).open(digests.copy().pop(), harness.authorization_key)
    for action in ("cancel", "pause", "resume", "start", "prepare"):
        response = await shop.call("POST", f"/{action}")
        assert (response.status, response.json()["code"]) == (409, "drop-ended")


async def prepared_drop(shop: Shop, runner: DropRunner, count: int) -> None:
    await shop.upload(ndjson([line(number) for number in range(count)]))
    await shop.call("POST", "/prepare")
    await until(shop, runner, is_("prepared"))


async def test_drop__when_a_budget_is_reached__then_it_goes_on_by_itself_when_that_resets(shop: Shop) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    await harness.clients.set_budget("shop", ClientBudget(mints_per_hour=300))
    harness.now += 60
    await prepared_drop(shop, runner, 600)
    await shop.call("POST", "/start")

    seen = await until(shop, runner, is_("paused"))
    assert seen["paused"]["code"] == "client-budget-reached"
    assert seen["resumes_at"] is not None
    assert seen["minting"]["handed_on"] == 250

    # A token that lasts for longer than the pause.
    drop = harness.drops.items[shop.drop_id]
    until_then = int(harness.now + 86_400) * 1000
    await harness.drops.replace(drop.evolve(version=drop.version + 1, authorized_until=until_then))
    harness.now += 3_600
    completed = await until(shop, runner, is_("completed"), mine=True)
    assert completed["minting"]["by_status"] == {"finalized": 600}
    assert sum(count for name, count in harness.client_use.counts.items() if "#hour#" in name) == 600


async def test_drop__when_the_client_made_the_collection__then_its_budget_needs_not_list_it(
    shop: Shop,
) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    response = await shop.client.post_json(
        "/v1/collections", {"name": "Seats", "symbol": "SEAT"}, headers=harness.client_headers()
    )
    contract = response.json()["contract"]
    harness.index.collections[contract] = harness.index.collections[contract].evolve(
        status="ready", deployment_final=True
    )
    await harness.clients.set_budget("shop", ClientBudget(collections=(address(0),)))
    harness.now += 60
    shop.drop_id = ""
    refused = await shop.call("POST", "", {"name": "Elsewhere"})
    assert (refused.status, refused.json()["code"]) == (403, "collection-not-allowed")
    drop = await shop.call("POST", "", {"name": "Own", "contract": contract})
    assert drop.status == 201, drop.body
    shop.drop_id = drop.json()["drop_id"]
    await prepared_drop(shop, runner, 3)
    await shop.call("POST", "/start")
    completed = await until(shop, runner, is_("completed"), mine=True)
    assert completed["minting"]["by_status"] == {"finalized": 3}


async def test_drop__when_its_mints_are_listed__then_they_come_in_the_order_of_the_lines(shop: Shop) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    await prepared_drop(shop, runner, 600)

    async def listed(query: str) -> list[list[Any]]:
        pages: list[list[Any]] = []
        cursor = ""
        while not pages or cursor:
            more = f"&cursor={cursor}" if cursor else ""
            page = (await shop.call("GET", f"/mints?limit=100{query}{more}")).json()
            pages.append(page["items"])
            cursor = page["next_cursor"]
        return pages

    assert await listed("") == [[]]
    await shop.call("POST", "/start")
    await until(shop, runner, is_("completed"), mine=True)
    # Of two parts: the last line of the first, and the first of the second.
    for at in (249, 250):
        [mint_id] = [mint.mint_id for mint in harness.mints.items.values() if mint.to.lower() == address(at)]
        harness.mints.items[mint_id] = harness.mints.items[mint_id].evolve(status=MintStatus.REJECTED)

    pages = await listed("")
    assert [len(page) for page in pages] == [100] * 6
    assert [mint["to"].lower() for page in pages for mint in page] == [address(at) for at in range(600)]
    rejected = await listed("&status=rejected")
    assert [mint["to"].lower() for page in rejected for mint in page] == [address(249), address(250)]
    assert [len(page) for page in rejected] == [2, 0]
    strange = await shop.call("GET", "/mints?cursor=strange")
    assert (strange.status, strange.json()["code"]) == (422, "invalid-cursor")
    harness.clients.add("rival")
    rivals = harness.client_headers("rival")
    hidden = await shop.client.request("GET", f"/v1/drops/{shop.drop_id}/mints", headers=rivals)
    assert (hidden.status, hidden.json()["code"]) == (404, "unknown-drop")


async def test_drop__when_its_token_expires__then_it_pauses_until_a_fresh_one_comes(shop: Shop) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    await prepared_drop(shop, runner, 300)
    await shop.call("POST", "/start")
    harness.now += 3_700

    seen = await until(shop, runner, is_("paused"))
    assert (seen["paused"]["code"], seen["minting"]["handed_on"]) == ("authorization-expired", 0)
    root = seen["root"]
    not_running = await shop.call("POST", "/start")
    assert (not_running.status, not_running.json()["code"]) == (409, "drop-started")
    assert (await shop.call("POST", "/resume")).status == 202
    completed = await until(shop, runner, is_("completed"), mine=True)
    assert completed["root"] == root


async def test_drop__when_it_is_paused_resumed_and_cancelled__then_what_was_handed_on_is_minted(
    shop: Shop,
) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    runner.in_flight = 1
    await prepared_drop(shop, runner, 600)
    resume = await shop.call("POST", "/resume")
    assert (resume.status, resume.json()["code"]) == (409, "drop-not-paused")
    pause = await shop.call("POST", "/pause")
    assert (pause.status, pause.json()["code"]) == (409, "drop-not-running")
    await shop.call("POST", "/start")
    await until(shop, runner, lambda seen: seen["minting"]["handed_on"] == 250)
    assert (await shop.call("POST", "/pause")).json()["paused"]["code"] == "paused-by-client"
    for _ in range(50):
        await runner.poll()
        await asyncio.sleep(0)
    assert (await shop.show())["minting"]["handed_on"] == 250
    await shop.call("POST", "/resume")
    await until(shop, runner, lambda _: (shop.drop_id, 0) in harness.drops.renewed)

    assert (await shop.call("POST", "/cancel")).json()["status"] == "cancelled"
    seen = await until(shop, runner, lambda seen: seen["ended_at"] is not None, mine=True)
    assert seen["minting"]["by_status"] == {"finalized": 250}
    assert (await shop.call("POST", "/cancel")).status == 200


async def test_drop__when_its_process_dies_anywhere__then_another_goes_on_and_each_line_is_minted_once(
    shop: Shop,
) -> None:
    harness = shop.harness
    lines = [line(number, recipient={"email": f"user{number}@example.com"}) for number in range(520)]
    await shop.upload(ndjson(lines))
    await shop.call("POST", "/prepare")
    deaths, drop = 0, harness.drops.items[shop.drop_id]
    for life in range(400):
        deaths += await live(shop, life)
        drop = harness.drops.items[shop.drop_id]
        if drop.status is DropStatus.PREPARED:
            assert (await shop.call("POST", "/start")).status == 202
        if drop.status is DropStatus.COMPLETED:
            break

    assert drop.status is DropStatus.COMPLETED
    assert deaths > 20
    mints = [mint for mint in harness.mints.items.values() if mint.request is not None]
    assert len(mints) == 520
    assert len({mint.token_id for mint in mints}) == 520
    assert Counter(mint.to for mint in mints).most_common(1)[0][1] == 1
    assert {chunk.digest() for chunk in harness.lines.chunks.values()} == {
        next(iter(harness.lines.chunks.values())).digest()
    }
