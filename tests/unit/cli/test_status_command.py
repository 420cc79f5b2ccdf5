"""`mintline status` of a deployment that is known by its API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mintline.errors import Unavailable
from mintline.scopes import Scope
from mintline_cli.main import app
from mintline_testkit.api.harness import PUBLIC_URL, Harness

pytestmark = pytest.mark.usefixtures("session")


def ask(token: str, *words: str) -> Result:
    return CliRunner().invoke(
        app, ["status", "--url", PUBLIC_URL, "--token", token, *words], env={"COLUMNS": "200"}
    )


def token(harness: Harness, *scopes: Scope) -> str:
    claims = harness.pool.client_claims("operator", now=harness.now)
    return harness.pool.sign({**claims, "scope": " ".join(scopes)} if scopes else claims)


def test_status__when_an_operator_asks__then_shows_the_pipeline(harness: Harness) -> None:
    shown = ask(token(harness))
    state: dict[str, Any] = json.loads(ask(token(harness), "--json").stdout)

    assert (shown.exit_code, state["api_url"]) == (0, PUBLIC_URL)
    assert state["pipeline"]["missing"] == []
    assert f"API {PUBLIC_URL}" in shown.stdout
    assert "QUEUE" in shown.stdout


def test_status__when_a_part_does_not_respond__then_shows_the_others_and_exits_1(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_limit: int) -> Any:
        raise Unavailable("no table")

    monkeypatch.setattr(harness.pipeline, "oldest_operations", fail)
    result = ask(token(harness), "--json")

    assert (result.exit_code, json.loads(result.stdout)["pipeline"]["missing"]) == (1, ["operations"])
    assert "Missing: operations." in result.stderr


def test_status__when_a_client_without_admin_asks__then_shows_what_it_has_used(harness: Harness) -> None:
    own = token(harness, Scope.MINTS_READ)
    shown = ask(own)
    state = json.loads(ask(own, "--json").stdout)

    assert (shown.exit_code, "0 used until" in shown.stdout) == (0, True)
    assert (state["api_url"], state["client"]["client_id"]) == (PUBLIC_URL, "operator")
    assert "pipeline" not in state


def test_status__when_a_user_asks__then_one_line_says_who_may(harness: Harness) -> None:
    result = ask(harness.token(), "--json")

    assert (result.exit_code, "`mintline mints`" in json.loads(result.stdout)["error"]) == (1, True)
    assert result.stderr.count("\n") == 1


def test_status__when_the_token_is_refused__then_says_so(harness: Harness) -> None:
    assert harness.pool
    result = ask("none")

    assert (result.exit_code, result.stdout) == (1, "")
