"""Which tables a restore touches, what runs on ECS, and which times and names it accepts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mintline.errors import Misconfigured, Unavailable
from mintline.resources import MINTS, TABLES, TOKENS, WALLETS
from mintline_ops.preflight.account import Refusal
from mintline_ops.restore.copies import Copies, copy_name, parse_time
from mintline_ops.restore.guards import running_services
from mintline_ops.restore.rules import RULES, chosen, replaced

AT = datetime(2026, 11, 30, 16, 5, tzinfo=UTC)


class Ecs:
    """A cluster with two pages of services."""

    def __init__(self, *counts: int, refused: str = "") -> None:
        self._counts = counts
        self._refused = refused

    async def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        assert service == "ecs"
        if self._refused:
            raise Refusal(self._refused)
        if operation == "list_services":
            at = int(parameters.get("nextToken", 0))
            following = {"nextToken": str(at + 1)} if at + 1 < len(self._counts) else {}
            return {"serviceArns": [str(at)], **following}
        (number,) = parameters["services"]
        count = self._counts[int(number)]
        return {
            "services": [
                {"serviceName": f"s{number}", "desiredCount": count, "runningCount": 0, "pendingCount": 0}
            ]
        }


class Tables:
    """DynamoDB, of which each table has a window of times and a copy of `restored`."""

    def __init__(self, latest: datetime | None = AT, *, restored: datetime = AT) -> None:
        self._latest = latest
        self._restored = restored

    async def describe_continuous_backups(self, **_: Any) -> Any:
        times = {"EarliestRestorableDateTime": AT, "LatestRestorableDateTime": self._latest}
        described = times if self._latest is not None else {}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": described}}

    async def describe_table(self, **_: Any) -> Any:
        return {"Table": {"TableStatus": "ACTIVE", "RestoreSummary": {"RestoreDateTime": self._restored}}}


def test_rules__when_a_table_is_declared__then_one_says_what_a_restore_may_do_with_it() -> None:
    assert set(RULES) == set(TABLES)
    assert all(rule.why for rule in RULES.values())


def test_tables__when_none_is_named__then_those_that_the_chain_does_not_give_are_restored() -> None:
    assert MINTS in chosen(())
    assert TOKENS not in chosen(())
    assert chosen(["wallets", "mints"]) == [WALLETS, MINTS]


@pytest.mark.parametrize(
    ("names", "cause"), [(["mint"], "no table 'mint'"), (["tokens"], "index rebuild --repair")]
)
def test_tables__when_one_cannot_be_restored__then_it_says_why(names: list[str], cause: str) -> None:
    with pytest.raises(Misconfigured, match=cause):
        chosen(names)


@pytest.mark.parametrize(
    ("name", "cause"), [("wallets", "only what it lacks"), ("drops", "none of the tables")]
)
def test_replace__when_a_table_may_not_be_set_back__then_it_says_why(name: str, cause: str) -> None:
    assert replaced(["mints"], [MINTS, WALLETS]) == {MINTS}
    with pytest.raises(Misconfigured, match=cause):
        replaced([name], [MINTS, WALLETS])


@pytest.mark.parametrize("text", ["yesterday", "2026-11-30T16:05:00", ""])
def test_time__when_it_has_no_zone_or_is_none__then_it_is_refused(text: str) -> None:
    assert parse_time("latest") is None
    assert parse_time("2026-11-30T17:05:00.5+01:00") == AT
    with pytest.raises(Misconfigured, match="pass a time with its zone"):
        parse_time(text)


async def test_services__when_some_run__then_they_are_named() -> None:
    assert await running_services(Ecs(0, 2, 1), "acme") == ["s1", "s2"]
    assert await running_services(Ecs(0, 0), "acme") == []
    assert await running_services(Ecs(refused="ClusterNotFoundException"), "acme") == []


async def test_services__when_aws_does_not_say__then_nothing_is_taken_for_stopped() -> None:
    with pytest.raises(Unavailable, match="AccessDenied"):
        await running_services(Ecs(refused="AccessDenied"), "acme")


async def test_moment__when_no_copy_could_be_of_it__then_it_says_which_table_and_when() -> None:
    copies = Copies(Tables(), "acme")
    assert await copies.moment([MINTS], None) == AT
    with pytest.raises(Misconfigured, match="mints can be restored to between 2026-11-30T16:05:00Z"):
        await copies.moment([MINTS], AT.replace(minute=4))
    with pytest.raises(Misconfigured, match="no point-in-time recovery: mints"):
        await Copies(Tables(None), "acme").moment([MINTS], AT)


async def test_copy__when_it_is_of_another_moment__then_it_is_refused() -> None:
    (copy,) = await Copies(Tables(), "acme").states([MINTS], AT)
    assert (copy.name, copy.state) == (copy_name(MINTS, "acme", AT), "ACTIVE")
    assert copy.name == "acme-mints.at-20261130T160500Z"
    with pytest.raises(Misconfigured, match="delete it"):
        await Copies(Tables(restored=AT.replace(minute=4)), "acme").states([MINTS], AT)
