"""How much each user may ask for: writes a minute over all copies, and gas of a wallet a day."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline.authorizations import Authorization
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_api.features.operations.ports import OperationT
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.rates import FREE, Rates
from mintline_api.settings import Settings as ApiSettings
from mintline_builder.settings import Settings as BuilderSettings
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.api.users import MemoryRates
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.user_pool import START

BODY: dict[str, Any] = {"metadata": {"name": "n", "image": "https://example.com/1.png"}}
MIDNIGHT = (int(START) // 86_400 + 1) * 86_400


class Time:
    """Unix milliseconds that a test moves."""

    def __init__(self) -> None:
        self.ms = 1_795_398_660_000 // 60_000 * 60_000

    def now(self) -> int:
        return self.ms

    def clock(self) -> float:
        return self.ms / 1000


def copy(counter: MemoryRates, time: Time, *, limit: int) -> Rates:
    return Rates(counter, limit=limit, now=time.now, clock=time.clock)


async def admitted(rates: Rates, count: int, *, sub: str = "alice") -> int:
    outcomes = await asyncio.gather(*(rates.take(sub) for _ in range(count)), return_exceptions=True)
    assert all(isinstance(outcome, int | RequestRefused) for outcome in outcomes)
    return sum(isinstance(outcome, int) for outcome in outcomes)


@pytest.mark.parametrize("limit", [1, 7, 59, 60, 600])
async def test_rates__when_one_copy_is_asked_for_more__then_it_admits_the_limit_and_no_more(
    limit: int,
) -> None:
    counter, time = MemoryRates(), Time()
    rates = copy(counter, time, limit=limit)
    assert await admitted(rates, 2 * limit) == limit
    time.ms += 60_000
    assert await admitted(rates, 2 * limit) == limit


@pytest.mark.parametrize(("limit", "copies"), [(10, 4), (59, 3), (600, 4)])
async def test_rates__when_several_copies_are_asked_at_once__then_together_they_keep_the_bound(
    limit: int, copies: int
) -> None:
    counter, time = MemoryRates(), Time()
    all_copies = [copy(counter, time, limit=limit) for _ in range(copies)]
    total = sum(await asyncio.gather(*(admitted(rates, limit) for rates in all_copies)))
    assert total <= limit + copies * (limit // FREE)
    assert total >= limit - copies * max(1, limit // 8)


async def test_rates__when_a_user_writes_much__then_it_costs_a_small_part_of_a_request_each() -> None:
    counter, time = MemoryRates(), Time()
    rates = copy(counter, time, limit=600)
    assert await admitted(rates, 10) == 10
    assert counter.requests == 0
    assert await admitted(rates, 590) == 590
    assert counter.requests <= 12


async def test_rates__when_one_user_has_none_left__then_another_has() -> None:
    rates = copy(MemoryRates(), Time(), limit=5)
    assert await admitted(rates, 9) == 5
    assert await admitted(rates, 9, sub="bob") == 5


async def test_rates__when_the_counter_fails__then_the_next_write_asks_again() -> None:
    counter, time = MemoryRates(), Time()
    rates = copy(counter, time, limit=5)
    add = counter.add

    async def refuse(*_: object, **__: object) -> int:
        raise ConnectionError

    counter.add = refuse  # type: ignore[method-assign] # for one call
    with pytest.raises(ConnectionError):
        await rates.take("alice")
    counter.add = add  # type: ignore[method-assign] # again
    assert await admitted(rates, 9) == 5


async def post(harness: Harness, client: MemoryClient, **headers: str) -> Any:
    return await client.post_json("/v1/mints", BODY, headers=harness.headers(**headers))


async def test_post__when_a_user_writes_too_much__then_429_says_when_to_come_again(harness: Harness) -> None:
    harness.user_rate = 3
    async with MemoryClient(harness.app()) as client:
        accepted = [await post(harness, client) for _ in range(3)]
        refused = await post(harness, client)
        other = await client.post_json("/v1/mints", BODY, headers=harness.headers("bob"))
        harness.now += 60
        later = await post(harness, client)

    assert [response.status for response in accepted] == [202] * 3
    assert [response.headers["ratelimit"].partition(";t=")[0] for response in accepted] == [
        '"writes";r=2',
        '"writes";r=1',
        '"writes";r=0',
    ]
    assert (refused.status, refused.json()["code"]) == (429, "too-many-writes")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["ratelimit-policy"] == '"writes";q=3;w=60'
    reset = re.fullmatch(r'"writes";r=0;t=(\d+)', refused.headers["ratelimit"])
    assert reset is not None
    assert refused.headers["retry-after"] == reset[1]
    assert (other.status, later.status) == (202, 202)
    assert len(harness.mints.items) == 5


async def test_post__when_a_key_is_repeated__then_it_is_neither_counted_nor_refused(harness: Harness) -> None:
    harness.user_rate = 2
    async with MemoryClient(harness.app()) as client:
        first = [await post(harness, client, idempotency_key="k") for _ in range(5)]
        second = await post(harness, client, idempotency_key="other")
        third = await post(harness, client, idempotency_key="third")
        replayed = await post(harness, client, idempotency_key="k")

    assert [response.status for response in [*first, second, third, replayed]] == [202] * 6 + [429, 202]
    assert replayed.headers["idempotent-replayed"] == "true"


async def test_writes__when_there_were_too_many__then_cancel_and_links_are_refused_and_reads_are_not(
    harness: Harness,
) -> None:
    harness.user_rate = 1
    async with MemoryClient(harness.app()) as client:
        mint_id = (await post(harness, client)).json()["mint_id"]
        cancel = await client.request("POST", f"/v1/mints/{mint_id}/cancel", headers=harness.headers())
        address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
        challenge = await client.post_json(
            "/v1/wallet/links/challenges", {"address": address}, headers=harness.headers()
        )
        unlink = await client.request("DELETE", f"/v1/wallet/links/{address}", headers=harness.headers())
        read = await client.request("GET", f"/v1/mints/{mint_id}", headers=harness.headers())
    assert [response.status for response in (cancel, challenge, unlink, read)] == [429, 429, 429, 200]


async def test_post__when_todays_gas_is_used_up__then_429_until_midnight_utc(harness: Harness) -> None:
    harness.user_gas_budget = 3 * 10**9
    harness.now = MIDNIGHT - 10.0
    async with MemoryClient(harness.app()) as client:
        response = await post(harness, client, idempotency_key="k")
        address = harness.wallets.items[scoped(CHAIN_ID, "alice")].address
        harness.gas.given[address] = (int(harness.now) // 86_400, 3 * 10**9)
        harness.now += 6
        refused = await post(harness, client)
        replayed = await post(harness, client, idempotency_key="k")
        harness.now = float(MIDNIGHT)
        tomorrow = await post(harness, client)

    assert (response.status, replayed.status, tomorrow.status) == (202, 202, 202)
    assert (refused.status, refused.json()["code"]) == (429, "gas-budget-reached")
    assert int(refused.headers["retry-after"]) == 4
    assert refused.headers["ratelimit"] == '"gas-gwei";r=0;t=4'
    assert refused.headers["ratelimit-policy"] == '"gas-gwei";q=3;w=86400'
    assert "T00:00:00" in refused.json()["detail"]


def test_gas_budget__when_no_setting_says_otherwise__then_api_and_builder_have_the_same() -> None:
    """Otherwise the API would accept mints that wait for a day, or refuse what the builder still pays."""
    api, builder = (
        settings.model_fields["user_gas_budget"].default for settings in (ApiSettings, BuilderSettings)
    )
    assert api == builder > 0


@pytest.mark.parametrize(("day", "given"), [(0, 999), (0, 0), (-1, 5000)])
async def test_post__when_the_gas_is_within_the_budget_or_yesterdays__then_202(
    harness: Harness, day: int, given: int
) -> None:
    harness.user_gas_budget = 1000
    async with MemoryClient(harness.app()) as client:
        await client.request("GET", "/v1/wallet", headers=harness.headers())
        address = harness.wallets.items[scoped(CHAIN_ID, "alice")].address
        harness.gas.given[address] = (int(harness.now) // 86_400 + day, given)
        assert (await post(harness, client)).status == 202


class AnswerLost(MemoryMints):
    """Mints whose creation is done by a try of which the answer is lost: the next one finds the record."""

    def __init__(self, since: Callable[[Mint], Mint]) -> None:
        super().__init__()
        self._since = since

    async def create(self, operation: OperationT, authorization: Authorization) -> OperationT | None:
        """Create, and say what the repetition finds."""
        existing = await super().create(operation, authorization)
        if existing is not None:
            return existing
        assert isinstance(operation, Mint)
        since = self.items[operation.mint_id] = self._since(operation)
        assert isinstance(since, type(operation))
        return since


@pytest.mark.parametrize(
    ("since", "sent"),
    [
        pytest.param(lambda mint: mint, 1, id="as it was"),
        pytest.param(lambda mint: mint.evolve(status=MintStatus.REJECTED), 0, id="ended meanwhile"),
    ],
)
async def test_post__when_the_creations_answer_was_lost__then_it_is_a_new_mint_and_is_counted(
    harness: Harness, since: Callable[[Mint], Mint], sent: int
) -> None:
    harness.user_rate = 2
    harness.mints = AnswerLost(since)
    async with MemoryClient(harness.app()) as client:
        response = await post(harness, client, idempotency_key="k")
        assert len(harness.line.sent) == sent
        replayed = await post(harness, client, idempotency_key="k")
        others = [await post(harness, client, idempotency_key=str(n)) for n in range(2)]

    assert (response.status, "idempotent-replayed" in response.headers) == (202, False)
    assert response.headers["ratelimit"].startswith('"writes";r=1;')
    assert (replayed.status, replayed.headers["idempotent-replayed"]) == (202, "true")
    assert [response.status for response in others] == [202, 429]
    assert sorted(mint.token_id or 0 for mint in harness.mints.items.values()) == [1, 2]


async def test_give_back__when_the_window_is_over__then_the_next_one_has_no_more_than_its_own() -> None:
    """Otherwise replays held over a window's edge would be permits of the next one."""
    time = Time()
    rates = copy(MemoryRates(), time, limit=5)
    permits = [await rates.take("alice") for _ in range(5)]
    time.ms += 60_000
    for permit in permits:
        rates.give_back("alice", permit)
    assert await admitted(rates, 20) == 5


async def test_post__when_one_user_floods_two_copies_by_many_tokens__then_the_rate_holds_and_others_mint(
    harness: Harness,
) -> None:
    """Twenty tokens of one user, 60 connections: what counts is the user, over both copies."""
    harness.user_rate = limit = 60
    apps = []
    for seed in (1, 2):
        harness.seed, harness.registry = seed, CollectorRegistry()
        apps.append(harness.app())
    claims = harness.pool.claims("mallory", now=harness.now)
    tokens = [harness.pool.sign(claims | {"jti": f"token {n}"}) for n in range(20)]
    todo = list(range(400))
    statuses: list[int] = []
    others: list[Answered] = []

    async with MemoryClient(apps[0]) as first, MemoryClient(apps[1]) as two:

        async def flood() -> None:
            while todo:
                n = todo.pop()
                headers = {"Authorization": f"Bearer {tokens[n % 20]}", "Idempotency-Key": str(n)}
                statuses.append(
                    (await (first, two)[n % 2].post_json("/v1/mints", BODY, headers=headers)).status
                )

        async def mint(client: MemoryClient, sub: str) -> None:
            headers = harness.headers(sub)
            others.extend([await client.post_json("/v1/mints", BODY, headers=headers) for _ in range(3)])

        await asyncio.gather(
            *(flood() for _ in range(60)), *(mint((first, two)[n % 2], f"user-{n}") for n in range(10))
        )

    of_mallory = [mint for mint in harness.mints.items.values() if mint.sub == "mallory"]
    assert set(statuses) == {202, 429}
    assert limit - 2 * (limit // 8) <= len(of_mallory) == statuses.count(202) <= limit + 2 * (limit // FREE)
    assert {response.status for response in others} == {202}
    left = {re.findall("r=([0-9]+)", response.headers["ratelimit"])[0] for response in others}
    assert left == {str(limit - done) for done in (1, 2, 3)}
