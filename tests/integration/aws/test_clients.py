"""Machine clients over the emulated user pool and tables: made, given tokens, limited, refused, deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from mintline.aws.clients import ClientRegistry
from mintline.aws.dynamo import Dynamo, Put
from mintline.errors import Rejected, Unavailable
from mintline.records.clients import Client, ClientBudget
from mintline.resources import CLIENTS
from mintline.scopes import DESCRIPTIONS, RESOURCE_SERVER, Scope
from mintline.settings import ServiceSettings
from mintline_cli.main import app
from mintline_client.sign_in import client_token
from mintline_ops.aws_clients import AwsCredentials, aws_client
from mintline_ops.clients import open_registry
from mintline_ops.deployments import Target

pytestmark = pytest.mark.integration

CREDENTIALS = AwsCredentials("test", "test")
AT = 1_700_000_000_000
SCOPES = (Scope.MINTS_CREATE, Scope.MINTS_READ)


@dataclass(frozen=True)
class Pool:
    url: str
    user_pool_id: str
    http: aiohttp.ClientSession
    registry: ClientRegistry

    async def claims(self, client_id: str, secret: str) -> dict[str, object]:
        tokens = await client_token(self.http, {"sign_in_url": self.url}, client_id=client_id, secret=secret)
        payload = tokens.access_token.split(".")[1]
        claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=="))
        return claims


@pytest.fixture
async def pool(aws_settings: ServiceSettings, dynamo: Dynamo) -> AsyncIterator[Pool]:
    url = str(aws_settings.aws_endpoint_url)
    async with (
        aiohttp.ClientSession() as http,
        aws_client("cognito-idp", endpoint_url=url, region="us-east-1", credentials=CREDENTIALS) as cognito,
    ):
        pool_id = (await cognito.create_user_pool(PoolName="test"))["UserPool"]["Id"]
        await cognito.create_resource_server(
            UserPoolId=pool_id,
            Identifier=RESOURCE_SERVER,
            Name=RESOURCE_SERVER,
            Scopes=[
                {"ScopeName": scope.short, "ScopeDescription": text} for scope, text in DESCRIPTIONS.items()
            ],
        )
        target = Target(aws_settings, (), CREDENTIALS)
        async with open_registry(target, user_pool_id=pool_id) as registry:
            yield Pool(url, pool_id, http, registry)


async def make(pool: Pool, name: str = "shop", budget: ClientBudget | None = None) -> tuple[Client, str]:
    return await pool.registry.create(name, scopes=SCOPES, budget=budget or ClientBudget(), at=AT)


async def test_client__when_it_asks_for_a_token__then_the_token_names_it_and_its_scopes_alone(
    pool: Pool,
) -> None:
    client, secret = await make(pool)

    claims = await pool.claims(client.client_id, secret)

    assert claims["sub"] == claims["client_id"] == client.client_id
    assert claims["token_use"] == "access"
    assert set(str(claims["scope"]).split()) == set(SCOPES)


async def test_client__when_its_secret_is_wrong__gets_no_token(pool: Pool) -> None:
    client, _ = await make(pool)

    with pytest.raises(Rejected, match="invalid_client"):
        await pool.claims(client.client_id, "another secret")


async def test_client__when_it_is_read__then_it_is_as_it_was_made(pool: Pool) -> None:
    budget = ClientBudget(mints_per_hour=100, wei_per_day=10**30, collections=("0x" + "11" * 20,))
    client, _ = await make(pool, budget=budget)

    assert await pool.registry.records.get(client.client_id) == client
    assert await pool.registry.records.get("another") is None


async def test_budget__when_it_is_replaced__then_nothing_of_the_old_one_stays(pool: Pool) -> None:
    client, _ = await make(pool, budget=ClientBudget(mints_per_hour=100))

    changed = await pool.registry.records.set_budget(client.client_id, ClientBudget(wei_per_day=5))

    assert changed is not None
    assert changed.budget == ClientBudget(wei_per_day=5)
    assert await pool.registry.records.set_budget("another", ClientBudget()) is None


async def test_client__when_it_is_disabled_and_enabled__then_its_record_says_so(pool: Pool) -> None:
    client, _ = await make(pool)

    disabled = await pool.registry.records.disable(client.client_id, at=AT + 1)
    enabled = await pool.registry.records.enable(client.client_id)

    assert disabled is not None
    assert disabled.disabled_at == AT + 1
    assert enabled == client


async def test_client__when_it_is_deleted__then_its_record_is_gone_and_it_gets_no_token(pool: Pool) -> None:
    client, secret = await make(pool)

    assert await pool.registry.delete(client.client_id)

    assert await pool.registry.records.get(client.client_id) is None
    with pytest.raises(Rejected):
        await pool.claims(client.client_id, secret)
    assert not await pool.registry.delete(client.client_id), "the second time there is none"


async def test_create__when_a_scope_is_a_users__then_it_is_refused_and_nothing_is_made(pool: Pool) -> None:
    with pytest.raises(Rejected, match="wallets:manage"):
        await pool.registry.create("shop", scopes=[Scope.WALLETS_MANAGE], budget=ClientBudget(), at=AT)

    assert await pool.registry.records.every() == []


async def test_create__when_the_record_cannot_be_written__then_the_app_client_goes_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_ids: list[str] = []

    async def fail(client: Client) -> None:
        client_ids.append(client.client_id)
        raise Unavailable("no table")

    monkeypatch.setattr(type(pool.registry.records), "insert", lambda _, client: fail(client))

    with pytest.raises(Unavailable):
        await make(pool)

    async with aws_client(
        "cognito-idp", endpoint_url=pool.url, region="us-east-1", credentials=CREDENTIALS
    ) as cognito:
        listed = await cognito.list_user_pool_clients(UserPoolId=pool.user_pool_id, MaxResults=60)
    assert [client["ClientId"] for client in listed["UserPoolClients"]] == []
    assert len(client_ids) == 1


async def test_every__when_one_record_is_unreadable__then_the_others_are_listed_by_name(
    pool: Pool, dynamo: Dynamo
) -> None:
    await dynamo.write(Put(CLIENTS, {"client_id": "damaged", "name": 5}))
    second, _ = await make(pool, "b")
    first, _ = await make(pool, "a")

    assert await pool.registry.records.every() == [first, second]


def test_create__when_the_name_or_an_amount_is_rubbish__then_the_command_says_what_to_send(
    tmp_path: Path,
) -> None:
    runner = CliRunner()
    for words in (
        ["create", "\x1b[31m"],
        ["create", "x" * 65],
        ["create", "shop", "--wei-per-day", "-1"],
        ["create", "shop", "--wei-per-day", "٣"],
        ["create", "shop", "--collection", "0x12"],
        ["create", "shop", "--mints-per-hour", "many"],
    ):
        result = runner.invoke(app, ["clients", *words, "--state", str(tmp_path)])

        assert result.exit_code == 2, words


def test_list__when_no_local_stack_runs__then_one_line_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["clients", "list", "--state", str(tmp_path)])

    assert result.exit_code == 1
