"""Copies are of one whole second, asked for at the rate that AWS allows, and waited for."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mintline.errors import Unavailable
from mintline.resources import MINTS, TRANSACTIONS
from mintline_ops.restore.copies import ABSENT_LOOKS, AT_ONCE, TRIES, Copies
from mintline_ops.restore.rules import chosen

AT = datetime(2026, 11, 30, 16, 5, tzinfo=UTC)
LATEST = AT.replace(microsecond=734_000)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Operation")


class DynamoDb:
    """Tables with a latest time of a fraction of a second; copies are told of after `absent` looks."""

    def __init__(self, *, absent: int = 0, throttled: int = 0) -> None:
        self._absent, self._throttled = absent, throttled
        self._asking = 0
        self.most_at_once = 0
        self.restored: dict[str, datetime] = {}
        self.looks = Counter[str]()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def describe_continuous_backups(self, **_: Any) -> Any:
        self._asking += 1
        self.most_at_once = max(self.most_at_once, self._asking)
        await asyncio.sleep(0)
        self._asking -= 1
        if self._throttled:
            self._throttled -= 1
            raise refused("ThrottlingException")
        times = {"EarliestRestorableDateTime": AT.replace(year=2025), "LatestRestorableDateTime": LATEST}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": times}}

    async def restore_table_to_point_in_time(self, **parameters: Any) -> None:
        if parameters["TargetTableName"] in self.restored:
            raise refused("TableAlreadyExistsException")
        self.restored[parameters["TargetTableName"]] = parameters["RestoreDateTime"]

    async def describe_table(self, **parameters: Any) -> Any:
        name = parameters["TableName"]
        if name in self.restored:
            self.looks[name] += 1
        if name not in self.restored or self.looks[name] <= self._absent:
            raise refused("ResourceNotFoundException")
        summary = {"RestoreDateTime": self.restored[name]}
        return {"Table": {"TableStatus": "ACTIVE", "RestoreSummary": summary}}

    def copies(self) -> Copies:
        return Copies(self, "acme", self.sleep)


async def test_copies__when_the_latest_time_has_a_fraction__then_they_are_of_its_whole_second() -> None:
    client = DynamoDb()
    copies = client.copies()

    at = await copies.moment([MINTS, TRANSACTIONS], None)
    created = await copies.make([MINTS, TRANSACTIONS], at)

    assert at == AT
    assert [copy.state for copy in created] == ["ACTIVE", "ACTIVE"]
    assert set(client.restored.values()) == {AT}


async def test_windows__when_there_are_many_tables__then_few_are_asked_for_at_a_time() -> None:
    client = DynamoDb(throttled=TRIES - 1)

    windows = await client.copies().windows(chosen(()))

    assert set(windows) == set(chosen(()))
    assert client.most_at_once == AT_ONCE
    assert client.slept == [1.0] * (TRIES - 1)


async def test_windows__when_aws_throttles_on__then_it_says_so() -> None:
    with pytest.raises(Unavailable, match="throttled: run it again"):
        await DynamoDb(throttled=TRIES).copies().windows([MINTS])


async def test_copy__when_it_was_just_asked_for__then_it_may_be_absent_for_a_while() -> None:
    client = DynamoDb(absent=ABSENT_LOOKS)

    (copy,) = await client.copies().make([MINTS], AT)
    client.looks.clear()
    (again,) = await client.copies().make([MINTS], AT)

    assert copy.state == again.state == "ACTIVE"


async def test_copy__when_it_stays_absent__then_it_says_so() -> None:
    with pytest.raises(Unavailable, match="is absent: run it again"):
        await DynamoDb(absent=ABSENT_LOOKS + 1).copies().make([MINTS], AT)
