"""`mintline clients`: the same over the API as with AWS rights."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner, Result

from mintline.scopes import MACHINE_SCOPES, Scope
from mintline_cli.main import app
from mintline_cli.profiles import Profile, store_profile
from mintline_testkit.api.harness import PUBLIC_URL, Harness
from mintline_testkit.constants import CONTRACT
from tests.unit.cli.memory_session import MemorySession

AWS = ("--prefix", "shop", "--user-pool", "us-east-1_pool")


@dataclass(frozen=True)
class Commands:
    place: Sequence[str]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["clients", *words, *self.place], env={"COLUMNS": "200"})

    def json(self, *words: str) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


def over_api(harness: Harness, client_id: str = "operator") -> Commands:
    token = harness.client_headers(client_id)["Authorization"].removeprefix("Bearer ")
    return Commands(("--url", PUBLIC_URL, "--token", token))


@pytest.fixture(params=["api", "aws"])
def commands(
    request: pytest.FixtureRequest, harness: Harness, session: MemorySession, monkeypatch: pytest.MonkeyPatch
) -> Commands:
    assert session.sent == []
    if request.param == "api":
        return over_api(harness)

    @asynccontextmanager
    async def open_registry(_target: object, *, user_pool_id: str) -> AsyncIterator[Any]:
        assert user_pool_id == AWS[-1]
        yield harness.registry_of_clients

    monkeypatch.setattr("mintline_cli.client_target.open_registry", open_registry)
    return Commands(AWS)


def test_client__when_it_is_made_and_changed__then_the_records_say_so(
    commands: Commands, harness: Harness
) -> None:
    wei, most = str(10**18), ("--mints-per-hour", "100")
    body = commands.json("create", "shop", *most, "--wei-per-day", wei, "--collection", CONTRACT)
    client_id = body["client_id"]
    record = harness.clients.records[client_id]

    assert body["client_secret"] == harness.registry_of_clients.secrets[client_id][0]
    assert body["scopes"] == [scope.short for scope in MACHINE_SCOPES if scope is not Scope.ADMIN]
    assert (record.name, record.scopes) == ("shop", tuple(scope for scope in MACHINE_SCOPES[:-1]))
    assert body["budget"] == {"mints_per_hour": 100, "wei_per_day": wei, "collections": [CONTRACT]}
    assert (record.budget.wei_per_day, record.budget.collections) == (10**18, (CONTRACT,))
    assert body["created_at"].endswith("Z")

    changed = commands.json("budget", client_id, "--mints-per-hour", "5")
    assert changed["budget"] == {"mints_per_hour": 5, "wei_per_day": None, "collections": None}
    assert commands.json("disable", client_id)["disabled_at"] is not None
    assert harness.clients.records[client_id].disabled_at is not None
    assert commands.json("enable", client_id)["disabled_at"] is None
    listed = {each["client_id"]: each for each in commands.json("list")["clients"]}
    shown = commands.json("show", client_id)
    assert {name: shown[name] for name in listed[client_id]} == listed[client_id]

    secret = commands.json("rotate", client_id)["client_secret"]
    assert harness.registry_of_clients.secrets[client_id][-1] == secret
    assert commands.json("rotate", client_id, "--retire")["client_id"] == client_id
    assert harness.registry_of_clients.secrets[client_id] == [secret]
    assert commands.json("delete", client_id) == {"client_id": client_id, "deleted": True}
    assert client_id not in harness.clients.records


def test_clients__when_people_ask__then_they_are_shown(commands: Commands) -> None:
    words = commands.run("create", "shop", "--mints-per-hour", "7").stdout.split()
    client_id = words[words.index("client") + 1]

    assert "The secret is not shown again" in commands.run("rotate", client_id).stdout
    assert "secret" in commands.run("rotate", client_id, "--retire").stdout
    assert [client_id, "shop", "7", "no", "limit", "active"] in [
        line.split() for line in commands.run("list").stdout.splitlines()
    ]
    assert "mints/hour" in commands.run("show", client_id).stdout


@pytest.mark.parametrize(
    "words", ["show", "budget", "disable", "enable", "rotate", "rotate --retire", "delete"]
)
def test_client__when_there_is_none__then_one_line_says_so(commands: Commands, words: str) -> None:
    command, *options = words.split()
    result = commands.run(command, "nobody", *options)

    assert result.exit_code == 1
    assert result.stderr == "error: there is no client nobody; `mintline clients list` shows all\n"


@pytest.mark.parametrize("client_id", ["operator/secrets/previous", "../pipeline", "operator?x"])
def test_delete__when_an_id_would_name_another_path__then_nothing_is_sent(
    client_id: str, harness: Harness, session: MemorySession
) -> None:
    result = over_api(harness).run("delete", client_id)

    assert (result.exit_code, session.sent) == (1, [])
    assert f"there is no client {client_id};" in result.stderr


@pytest.mark.usefixtures("session")
def test_create__when_a_scope_is_unknown__then_says_which_there_are(harness: Harness) -> None:
    result = over_api(harness).run("create", "shop", "--scope", "wallets:manage")

    assert (result.exit_code, "mints:create" in result.stderr) == (1, True)


def test_show__when_the_api_is_asked__then_says_what_is_used(
    harness: Harness, session: MemorySession
) -> None:
    shown = over_api(harness).run("show", "operator").stdout

    assert "0 used until" in shown
    assert over_api(harness).json("show", "operator")["used"]["mints"] == 0
    assert session.sent[-1] == ("GET", "/v1/clients/operator")


def test_clients__when_the_token_has_no_admin_scope__then_the_refusal_is_shown(
    harness: Harness, session: MemorySession
) -> None:
    user = Commands(("--url", PUBLIC_URL, "--token", harness.token()))
    result = user.run("list", "--json")

    assert (result.exit_code, len(session.sent)) == (1, 1)
    assert "insufficient-scope" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize(
    ("words", "warning"),
    [("create shop", "may have been created"), ("rotate operator", "a secret that nobody knows")],
)
def test_secret__when_no_answer_comes__then_is_asked_for_once_and_the_line_says_what_may_be_there(
    words: str, warning: str, harness: Harness, session: MemorySession
) -> None:
    harness.registry_of_clients.secrets["operator"] = ["first"]
    session.fails = aiohttp.ClientError("connection reset")
    result = over_api(harness).run(*words.split())

    assert (result.exit_code, len(session.sent), warning in result.stderr) == (1, 1, True)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--url", PUBLIC_URL, *AWS), "--url calls the API, and --prefix uses AWS rights"),
        (("--profile", "ops", *AWS), "--profile calls the API, and --prefix uses AWS rights"),
        (("--url", PUBLIC_URL, "--user-pool", "x"), "--user-pool is for AWS rights"),
        (("--url", PUBLIC_URL, "--region", "eu-west-1"), "--region is for AWS rights"),
    ],
)
@pytest.mark.usefixtures("session")
def test_clients__when_options_name_both_api_and_aws__then_says_which_belong_together(
    words: Sequence[str], cause: str
) -> None:
    result = Commands(words).run("list")

    assert (result.exit_code, cause in result.stderr) == (2, True)


def test_clients__when_a_deployment_has_no_user_pool__then_says_where_its_clients_are_made() -> None:
    result = Commands(("--prefix", "shop")).run("create", "shop")

    assert result.exit_code == 1
    assert "where there is no pool, make clients at their own issuer" in result.stderr


@pytest.mark.parametrize("commands", ["aws"], indirect=True)
def test_clients__when_a_profile_is_in_the_environment__then_prefix_goes_before_it(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINTLINE_PROFILE", "ops")

    assert [each["client_id"] for each in commands.json("list")["clients"]] == ["operator"]


def test_clients__when_a_profile_is_in_the_environment__then_its_api_is_called(
    harness: Harness, session: MemorySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = over_api(harness).place[-1]
    store_profile(
        "ops",
        Profile(
            url=PUBLIC_URL, token_endpoint="https://x", client_id="a", access_token=token, expires_at=1e12
        ),
    )
    monkeypatch.setenv("MINTLINE_PROFILE", "ops")

    result = Commands(()).run("list", "--json")

    assert [each["client_id"] for each in json.loads(result.stdout)["clients"]] == ["operator"]
    assert result.stderr == f"profile ops: {PUBLIC_URL}\n"
    assert session.sent == [("GET", "/v1/clients")]
