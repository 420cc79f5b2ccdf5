"""`mintline mint`: what is asked of the API."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from mintline_cli.caller import Caller
from mintline_cli.main import app

TOKEN = ("--name", "Pass", "--image", "https://example.com/1.png")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return the requests that commands made."""
    received: list[tuple[str, Any]] = []

    async def create(body: Any, **_: Any) -> dict[str, Any]:
        received.append(("create", body))
        return {"mint_id": "mint_1"}

    async def listed(**filters: Any) -> Any:
        received.append(("list", filters))
        for each in list[Any]():
            yield each

    client = SimpleNamespace(mints=SimpleNamespace(create=create, list=listed))
    monkeypatch.setattr(Caller, "run", lambda _, work: asyncio.run(work(client)))
    return received


def run(*arguments: str) -> None:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output


def test_mint__when_the_backend_names_and_tags_it__then_both_are_sent(
    requests: list[tuple[str, Any]],
) -> None:
    named = ("--external-id", "order-1", "--tag", "launch", "--tag", "vip")
    run("mint", "--no-wait", *TOKEN, *named)
    run("mint", "--no-wait", *TOKEN)

    metadata = {"metadata": {"name": "Pass", "image": "https://example.com/1.png"}}
    assert requests == [
        ("create", metadata | {"external_id": "order-1", "tags": ["launch", "vip"]}),
        ("create", metadata),
    ]


def test_mints__when_one_is_wanted_by_its_name__then_the_list_is_filtered(
    requests: list[tuple[str, Any]],
) -> None:
    run("mints", "--external-id", "order-1")

    assert requests == [("list", {"status": None, "tag": None, "external_id": "order-1"})]
