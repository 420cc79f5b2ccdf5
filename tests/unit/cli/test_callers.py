"""Whose API a command calls, and how it is found in the shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from mintline.errors import Misconfigured
from mintline_cli.caller import token_of
from mintline_cli.main import app
from mintline_cli.profiles import Profile, profiles_path, read_profiles, store_profile
from mintline_client.access import Granted

CALLING = (
    "mint",
    "mints",
    "watch",
    "wallet",
    "tokens",
    "events",
    "upload",
    "transfer",
    "burn",
    "drops",
    "collections",
    "metadata",
    "webhooks",
    "pipeline",
    "clients",
    "status",
)
"""The commands that call an API."""
OFFLINE = {("collections", "commit")}
"""Those of their groups that call none."""
USER = Profile(
    url="https://api.example.com",
    token_endpoint="https://pool.example.com/token",
    client_id="app",
    refresh_token="refresh-1",
)


@pytest.fixture(autouse=True)
def own_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "profiles.json"
    monkeypatch.setenv("MINTLINE_PROFILES", str(path))
    for name in ("MINTLINE_PROFILE", "MINTLINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return path


def test_profiles__when_stored__are_read_again_by_their_owner_alone(own_profiles: Path) -> None:
    assert read_profiles() == {}
    store_profile("ann", USER)
    store_profile("bob", USER)
    store_profile("bob", None)
    assert read_profiles() == {"ann": USER}
    assert own_profiles.stat().st_mode & 0o777 == 0o600
    assert profiles_path() == own_profiles
    own_profiles.write_text('{"profiles": 5}')
    with pytest.raises(Misconfigured, match="delete it and sign in again"):
        read_profiles()


async def test_token__when_it_has_ended__is_had_by_the_refresh_token_and_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[dict[str, str]] = []

    async def grant(_http: object, endpoint: str, fields: dict[str, str]) -> Granted:
        assert endpoint == USER.token_endpoint
        requests.append(fields)
        return Granted(access_token=f"access-{len(requests)}", expires_in=3600)

    monkeypatch.setattr("mintline_cli.caller.grant", grant)
    async with aiohttp.ClientSession() as http:
        token = token_of(http, "ann", USER)
        assert [await token(fresh=False), await token(fresh=False), await token(fresh=True)] == [
            "access-1",
            "access-1",
            "access-2",
        ]
        assert [each["refresh_token"] for each in requests] == ["refresh-1", "refresh-1"]
        # Another command takes the token that this one has stored.
        assert await token_of(http, "ann", read_profiles()["ann"])(fresh=False) == "access-2"
        with pytest.raises(Misconfigured, match="run `mintline login` again"):
            await token_of(http, "ann", USER.model_copy(update={"refresh_token": None}))(fresh=False)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("--url https://api.example.com", "--url takes --token"),
        ("--profile nobody", "no profile 'nobody'"),
        ("--state {folder}", "no local stack runs from"),
    ],
)
def test_command__when_no_deployment_can_be_told__says_what_to_pass(
    words: str, cause: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["drops", "list", *words.format(folder=tmp_path).split()])
    assert result.exit_code == 1
    assert cause in result.stderr
    assert result.stderr.count("\n") == 1


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    commands_by_path: dict[tuple[str, ...], Any] = {}
    for name, command in group.commands.items():
        if command.hidden:
            continue
        commands_by_path |= (
            commands(command, (*path, name)) if hasattr(command, "commands") else {(*path, name): command}
        )
    return commands_by_path


def test_commands__when_they_call_an_api__share_their_options_and_show_an_example() -> None:
    root = get_command(app)
    calling = {
        path: each for path, each in commands(root).items() if path[0] in CALLING and path not in OFFLINE
    }
    assert len(calling) > 20
    for path, command in calling.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--url", "--token", "--profile", "--state"} <= options, path
        assert path == ("drops", "refused") or "--json" in options


def test_commands__when_help_is_asked_for__then_each_shows_an_example_of_its_own_options() -> None:
    every = commands(get_command(app))
    assert len(every) > 60
    for path, command in every.items():
        words = " ".join((command.help or "").partition("Example: ")[2].split())
        assert words.startswith(f"mintline {' '.join(path)}"), path
        given = shlex.split(words)[1 + len(path) :]
        context = typer.Context(command, info_name=path[-1])
        # Raises for an option that the command has not, and for one without its value.
        values, _, _ = command.make_parser(context).parse_args(given)
        required = {each.name for each in command.params if each.required and not each.envvar}
        assert required <= values.keys(), path


def test_drop__when_it_is_in_the_singular__then_is_the_group_of_drops() -> None:
    shown = CliRunner().invoke(app, ["drop", "create", "--help"])
    assert (shown.exit_code, "mintline drops create" in shown.output) == (0, True)


def test_completion__when_the_shell_asks__names_the_commands() -> None:
    completion = {"_MINTLINE_COMPLETE": "complete_bash", "COMP_WORDS": "mintline coll", "COMP_CWORD": "1"}
    done = subprocess.run(
        [Path(sys.executable).with_name("mintline")],
        env={**os.environ, **completion},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["collections"])
