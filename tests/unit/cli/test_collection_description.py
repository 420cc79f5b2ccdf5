"""`mintline collections describe`: what is asked of the API."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from mintline_cli import collections
from mintline_cli.caller import Caller
from mintline_cli.main import app

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the changes that the command asked for."""
    received: list[Any] = []

    async def change(contract: str, **members: Any) -> dict[str, Any]:
        received.append((contract, members))
        return {"contract": contract}

    client = SimpleNamespace(collections=SimpleNamespace(change=change))
    monkeypatch.setattr(Caller, "run", lambda _, work: asyncio.run(work(client)))
    monkeypatch.setattr(collections, "_show", lambda *_: None)
    return received


def test_describe__when_an_image_and_a_page_are_given__then_only_they_are_sent(changes: list[Any]) -> None:
    shown = ("--image", "https://example.com/2.png", "--link", "https://example.com")
    result = CliRunner().invoke(app, ["collections", "describe", CONTRACT, "--no-wait", *shown])

    assert result.exit_code == 0, result.output
    metadata = {"image": "https://example.com/2.png", "external_link": "https://example.com"}
    assert changes == [(CONTRACT, {"metadata": metadata})]


def test_describe__when_nothing_is_given__then_says_what_to_pass(changes: list[Any]) -> None:
    result = CliRunner().invoke(app, ["collections", "describe", CONTRACT])

    assert result.exit_code == 2
    assert "pass --description, --image or --link" in result.stderr
    assert changes == []
