"""Copies of tables as they were at one moment, which DynamoDB makes beside them.

Source: Amazon DynamoDB Developer Guide, "Point-in-time recovery"; API reference, RestoreTableToPointInTime.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from mintline.aws.errors import error_code, translated
from mintline.errors import Misconfigured, Throttled, Unavailable
from mintline.resource_types import Table
from mintline.tasks import results_of

LATEST = "latest"
POLL = (0.5, 15.0)
"""Seconds between two looks at the copies, at first and at most: AWS takes minutes to hours for one."""
ABSENT_LOOKS = 6
"""Looks for which a copy that was asked for may be absent: DynamoDB tells of new tables a little later."""
AT_ONCE = 4
"""Requests for windows at a time: AWS allows ten a second."""
TRIES = 5
"""How often a window is asked for that is throttled, a second apart, each with the SDK's own retries."""


@dataclass(frozen=True, slots=True)
class Window:
    """The times to which a table can be restored; both None without point-in-time recovery."""

    earliest: datetime | None
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A table and its copy: `state` is DynamoDB's, or `absent`."""

    table: Table
    name: str
    state: str


def parse_time(text: str) -> datetime | None:
    """Return a time in UTC to the second, or None for `latest`; raises Misconfigured for any other text."""
    if text == LATEST:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Misconfigured(f"--to {text}: pass a time with its zone (2026-11-30T16:05:00Z) or latest")
    return at.astimezone(UTC).replace(microsecond=0)


def copy_name(table: Table, prefix: str, at: datetime) -> str:
    """Return the name of a table's copy: the table's, with the moment."""
    return f"{table.table_name(prefix)}.at-{at:%Y%m%dT%H%M%SZ}"


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies of some tables of a deployment."""

    client: Any
    prefix: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def windows(self, tables: Sequence[Table]) -> dict[Table, Window]:
        """Return to when each table can be restored."""
        windows = await results_of(tables, self._window, at_once=AT_ONCE)
        return dict(zip(tables, windows, strict=True))

    async def _window(self, table: Table) -> Window:
        for _ in range(TRIES):
            with suppress(Throttled), translated():
                response = await self.client.describe_continuous_backups(
                    TableName=table.table_name(self.prefix)
                )
                break
            await self.sleep(1.0)
        else:
            raise Unavailable("DescribeContinuousBackups is throttled: run it again")
        stated = response["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        return Window(
            _utc(stated.get("EarliestRestorableDateTime")), _utc(stated.get("LatestRestorableDateTime"))
        )

    async def moment(self, tables: Sequence[Table], at: datetime | None) -> datetime:
        """Return the one time, to the second, to which all these tables can be restored: `at`, or the latest.

        Raises Misconfigured if there is none.
        """
        windows = await self.windows(tables)
        none = [table.name for table, window in windows.items() if window.latest is None]
        if none:
            raise Misconfigured(f"no point-in-time recovery: {', '.join(none)}")
        latest = min(window.latest for window in windows.values() if window.latest is not None)
        moment = at or latest.replace(microsecond=0)
        for table, window in windows.items():
            assert window.earliest is not None, "it has a latest"
            assert window.latest is not None, "refused above"
            if not window.earliest <= moment <= window.latest:
                raise Misconfigured(
                    f"{table.name} can be restored to between {window.earliest:%FT%TZ} and "
                    f"{window.latest:%FT%TZ}, and not to {moment:%FT%TZ}"
                )
        return moment

    async def states(self, tables: Sequence[Table], at: datetime) -> list[Copy]:
        """Return the copies of that moment; raises Misconfigured if one is of another moment."""
        return list(await asyncio.gather(*(self._state(table, at) for table in tables)))

    async def make(self, tables: Sequence[Table], at: datetime) -> list[Copy]:
        """Have DynamoDB make those copies that there are not yet, and wait until all can be read."""
        for copy in await self.states(tables, at):
            if copy.state == "absent":
                await self._restore(copy, at)
        pause, longest = POLL
        looks = 0
        while True:
            looks += 1
            copies = await self.states(tables, at)
            if all(copy.state == "ACTIVE" for copy in copies):
                return copies
            expected = {"CREATING", "ACTIVE"} | ({"absent"} if looks <= ABSENT_LOOKS else set())
            for copy in copies:
                if copy.state not in expected:
                    raise Unavailable(f"{copy.name} is {copy.state}: run it again")
            await self.sleep(pause)
            pause = min(2 * pause, longest)

    async def _restore(self, copy: Copy, at: datetime) -> None:
        with translated():
            try:
                await self.client.restore_table_to_point_in_time(
                    SourceTableName=copy.table.table_name(self.prefix),
                    TargetTableName=copy.name,
                    RestoreDateTime=at,
                    BillingModeOverride="PAY_PER_REQUEST",
                    # Only scans read it.
                    GlobalSecondaryIndexOverride=[],
                )
            except ClientError as error:
                # A run before this one has just asked for it.
                if error_code(error) != "TableAlreadyExistsException":
                    raise

    async def check(self, tables: Sequence[Table], at: datetime) -> None:
        """Raise Misconfigured unless there is a copy of each table to read."""
        waiting = [copy for copy in await self.states(tables, at) if copy.state != "ACTIVE"]
        if waiting:
            names = ", ".join(copy.table.name for copy in waiting)
            raise Misconfigured(f"run mintline restore tables first: no copy of {at:%FT%TZ} of {names}")

    async def _state(self, table: Table, at: datetime) -> Copy:
        name = copy_name(table, self.prefix, at)
        with translated():
            try:
                response = await self.client.describe_table(TableName=name)
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return Copy(table, name, "absent")
        description = response["Table"]
        restored = _utc(description.get("RestoreSummary", {}).get("RestoreDateTime"))
        if restored is not None and restored.replace(microsecond=0) != at:
            raise Misconfigured(f"{name} is a copy of {restored:%FT%TZ}: delete it")
        return Copy(table, name, str(description["TableStatus"]))


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)
