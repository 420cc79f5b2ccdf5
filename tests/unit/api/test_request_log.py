"""What the line about a request says of who sent it, and why it was refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import EventDict

from mintline.gateway import REQUEST_HEADER
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[EventDict]:
    capture = LogCapture()
    with monkeypatch.context():
        structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
        entries: list[EventDict] = capture.entries
    return entries


@pytest.fixture(autouse=True)
def structlog_defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def the_line(logged: list[EventDict]) -> EventDict:
    (line,) = (line for line in logged if line["event"] == "http_request")
    return line


async def test_line__when_the_token_is_good__names_its_user_and_no_problem(
    harness: Harness, client: MemoryClient, logged: list[EventDict]
) -> None:
    await client.request("GET", "/v1/wallet", headers=harness.headers("alice"))

    line = the_line(logged)
    assert line["sub"] == "alice"
    assert "problem" not in line
    assert "gateway" not in line


async def test_line__when_the_token_is_refused__says_why_and_names_nobody(
    harness: Harness, client: MemoryClient, logged: list[EventDict]
) -> None:
    response = await client.request("GET", "/v1/wallet", headers={"Authorization": "Bearer not-a-token"})

    line = the_line(logged)
    assert (response.status, line["problem"]) == (401, response.json()["code"])
    assert "sub" not in line
    assert "not-a-token" not in str(logged)


async def test_line__when_a_verified_users_request_is_refused__has_both(
    harness: Harness, client: MemoryClient, logged: list[EventDict]
) -> None:
    response = await client.request("GET", "/v1/mints/mint_" + "0" * 26, headers=harness.headers("alice"))

    line = the_line(logged)
    assert (line["sub"], line["problem"]) == ("alice", response.json()["code"])


@pytest.mark.parametrize(
    ("given", "logged_as"),
    [
        ("JKJaXmPLvHcESHA=", "JKJaXmPLvHcESHA="),
        ("x" * 65, None),
        ("with space", None),
        ('a"b', None),
        ("", None),
    ],
)
async def test_line__when_the_gateway_gave_the_request_an_id__has_it_and_nothing_that_is_none(
    client: MemoryClient, logged: list[EventDict], given: str, logged_as: str | None
) -> None:
    await client.request("GET", "/v1/unknown", headers={REQUEST_HEADER: given})

    assert the_line(logged).get("gateway") == logged_as
