"""`mintline collections holders|token|transfers|balance`: pages, limits, and what is shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from mintline_cli.caller import Caller
from mintline_cli.main import app
from mintline_client.accounts import Wallets
from mintline_client.collections import Collections
from mintline_client.tokens import Tokens
from mintline_testkit.constants import ALICE, CONTRACT
from tests.unit.client.test_client import Answer, Http, api_of

TRANSFER = {
    "token_id": "7",
    "from": None,
    "to": ALICE,
    "block_number": 5,
    "timestamp": "2026-11-30T12:00:00Z",
}


@dataclass
class Client:
    """The resources of a client whose answers are given in advance."""

    collections: Collections
    tokens: Tokens
    wallets: Wallets


Called: TypeAlias = Callable[..., tuple[Result, list[str]]]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Called:
    """Return what runs a command against given answers; returns its result and the URLs that it got."""

    def call(
        words: str, *answers: dict[str, Any], group: tuple[str, ...] = ("collections",)
    ) -> tuple[Result, list[str]]:
        http = Http(*(Answer(200, response) for response in answers))
        client = Client(Collections(api_of(http)), Tokens(api_of(http)), Wallets(api_of(http)))

        def run(_: Caller, work: Callable[[Client], Awaitable[Any]]) -> Any:
            async def worked() -> Any:
                return await work(client)

            return asyncio.run(worked())

        monkeypatch.setattr(Caller, "run", run)
        result = CliRunner().invoke(app, [*group, *words.split()])
        return result, [url for _, url, _, _ in http.sent]

    return call


def page(items: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"items": items, "next_cursor": cursor}


def test_holders__when_there_are_several_pages__then_all_are_listed_with_their_numbers(
    called: Called,
) -> None:
    first = {"owner": ALICE, "balance": 3, "more": False}
    two = {"owner": CONTRACT, "balance": 10_000, "more": True}
    result, urls = called(f"holders {CONTRACT}", page([first], "next"), page([two]))

    assert result.exit_code == 0
    assert (ALICE in result.output, "10000 or more" in result.output) == (True, True)
    assert urlsplit(urls[0]).path == f"/v1/collections/{CONTRACT}/holders"
    assert parse_qs(urlsplit(urls[1]).query)["cursor"] == ["next"]


def test_holders__when_there_are_more_than_the_limit__then_it_says_so_and_reads_no_further(
    called: Called,
) -> None:
    many = [{"owner": f"0x{number:040x}", "balance": 1, "more": False} for number in range(3)]
    result, urls = called(f"holders {CONTRACT} --limit 2 --json", page(many, "next"))
    listed = json.loads(result.stdout)
    assert ([each["owner"] for each in listed["holders"]], listed["more"]) == (
        [each["owner"] for each in many[:2]],
        True,
    )
    assert len(urls) == 1

    result, _ = called(f"holders {CONTRACT} --limit 2", page(many))
    assert "--limit N shows more" in result.output


def test_transfers__when_a_range_is_given__then_it_is_asked_for(called: Called) -> None:
    words = f"transfers {CONTRACT} --from-block 3 --to-time 2026-11-30T13:00:00+01:00"
    result, urls = called(words, page([TRANSFER, {**TRANSFER, "from": ALICE, "to": None}]))

    assert ("minted" in result.output, "burned" in result.output) == (True, True)
    query = parse_qs(urlsplit(urls[0]).query)
    assert (query["from_block"], query["to_time"]) == (["3"], ["2026-11-30T13:00:00+01:00"])
    assert "to_block" not in query
    assert "nothing was transferred" in called(f"transfers {CONTRACT}", page([]))[0].output


def test_balance__when_a_token_is_named__then_it_is_how_many_of_it_the_address_has(called: Called) -> None:
    result, urls = called(f"balance {CONTRACT} {ALICE.lower()}", {"balance": 3, "more": False})
    assert "3" in result.output
    assert urlsplit(urls[0]).path == f"/v1/owners/{ALICE}/balance"

    none = {"balance": 0, "more": False, "quantity": "0"}
    result, urls = called(f"balance {CONTRACT} {ALICE} --token-id 7", none)
    assert "no" in result.output
    assert urlsplit(urls[0]).path == f"/v1/owners/{ALICE}/balance"
    assert parse_qs(urlsplit(urls[0]).query) == {"contract": [CONTRACT], "token_id": ["7"]}
    some = {"balance": 1, "more": False, "quantity": str(2**80)}
    result, _ = called(f"balance {CONTRACT} {ALICE} --token-id 7", some)
    assert f"yes, {2**80}" in result.output
    result, _ = called(f"balance {CONTRACT} {ALICE} --token-id 7 --json", some)
    assert json.loads(result.stdout) == {**some, "holds": True}
    assert called(f"balance {CONTRACT} nobody")[0].exit_code == 2


def test_holders__when_a_token_is_named__then_they_are_those_of_the_token_with_their_amounts(
    called: Called,
) -> None:
    result, urls = called(
        f"holders {CONTRACT} --token-id 7", page([{"owner": ALICE, "quantity": str(2**80)}])
    )

    assert (ALICE in result.output, str(2**80) in result.output) == (True, True)
    assert urlsplit(urls[0]).path == f"/v1/tokens/{CONTRACT}/7/holders"


@pytest.mark.parametrize(
    ("token", "shown", "hidden"),
    [
        (
            {"standard": "erc1155", "supply": "9", "minted": "10", "item_cap": "500"},
            ["9", "10", "500"],
            "owner",
        ),
        (
            {"standard": "erc1155", "supply": "9", "minted": "10", "item_cap": None},
            ["cap", "none"],
            "unknown",
        ),
        ({"standard": "erc1155", "supply": "9", "minted": None, "item_cap": None}, ["unknown"], "none"),
        ({"standard": "erc721", "owner": ALICE}, [ALICE], "supply"),
        ({"standard": "erc721", "owner": None}, ["burned"], "supply"),
    ],
)
def test_token__when_shown__then_has_what_its_standard_says_of_it(
    called: Called, token: dict[str, Any], shown: list[str], hidden: str
) -> None:
    result, urls = called(f"token {CONTRACT} 7", {"contract": CONTRACT, "token_id": "7", **token})

    assert urlsplit(urls[0]).path == f"/v1/tokens/{CONTRACT}/7"
    assert [word for word in shown if word not in result.output] == []
    assert hidden not in result.output


def test_tokens__when_no_address_is_named__then_they_are_those_of_the_own_wallet(called: Called) -> None:
    owned = {"contract": CONTRACT, "metadata_url": "https://example.com/7"}
    listed = page(
        [{**owned, "token_id": "7", "quantity": None}, {**owned, "token_id": "9", "quantity": "40"}]
    )

    result, urls = called("tokens", {"address": ALICE}, listed, group=())
    assert [urlsplit(url).path for url in urls] == ["/v1/wallet", f"/v1/owners/{ALICE}/tokens"]
    assert [word for word in ("7", "9", "40", CONTRACT) if word not in result.output] == []

    result, urls = called(f"tokens {ALICE.lower()} --contract {CONTRACT} --json", listed, group=())
    assert urlsplit(urls[0]).path == f"/v1/owners/{ALICE}/tokens"
    assert parse_qs(urlsplit(urls[0]).query)["contract"] == [CONTRACT]
    assert json.loads(result.stdout) == {"owner": ALICE, "tokens": listed["items"], "more": False}
    assert called("tokens nobody", group=())[0].exit_code == 2
