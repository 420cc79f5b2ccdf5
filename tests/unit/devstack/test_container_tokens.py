"""The tokens that the set-up's image prints: of the demo user, and of the demo client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mintline_client.sign_in import Tokens
from mintline_devstack import containers
from mintline_devstack.state_folder import StateFolder


async def _sign_in(_http: Any, _info: Any, *, username: str, password: str) -> Tokens:
    return Tokens(f"token of {username}, {password}", "", 3600)


async def _client_token(_http: Any, info: Any) -> Tokens:
    return Tokens(f"token of {info['demo_client']['client_id']}", "", 3600)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [(["token"], "token of demo, secret\n"), (["token", "--client"], "token of backend\n")],
)
def test_token__when_asked_for__is_the_demo_users_or_with_an_option_the_demo_clients(
    arguments: list[str],
    printed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = {
        "cognito": {"username": "demo", "password": "secret"},
        "demo_client": {"client_id": "backend"},
    }
    StateFolder(tmp_path).run.write_text(json.dumps(run))
    monkeypatch.setattr(containers, "STATE", tmp_path)
    monkeypatch.setattr(containers, "sign_in", _sign_in)
    monkeypatch.setattr(containers, "demo_client_token", _client_token)
    containers.main(arguments)
    assert capsys.readouterr().out == printed
