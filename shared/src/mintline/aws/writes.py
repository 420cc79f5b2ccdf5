"""Single-item writes to DynamoDB, batched by the cheapest request that says each of them exactly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from botocore.exceptions import ClientError

from mintline.aws import changes
from mintline.aws.changes import Change, Delete, Put, Update
from mintline.aws.errors import error_code, writing
from mintline.aws.items import decode_item
from mintline.aws.outcomes import ConditionFailed
from mintline.batcher import Batcher
from mintline.errors import MintlineError, Throttled, Unwritable
from mintline.retry_budget import RetryBudget

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

log = structlog.get_logger()

WRITE_BATCH = 25
WRITE_BYTES = 512 * 1024
"""Far below DynamoDB's 16 MB: a body above 1 MiB would hold up the event loop while it is sent."""
ATTEMPTS = 8
"""Tries of what DynamoDB left undone for lack of capacity, about 6 seconds in all."""
REQUESTS_AT_ONCE = 8
"""Of one call of `write_each`."""
RETRIES_AT_ONCE = 100
"""The budget's burst: as many as the AWS SDK's own retries have."""

_MEMBER = 200
"""Bytes that a member of a list is taken for."""

_RETRIED = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "InternalServerError",
        "TransactionConflict",
    }
)


class BackOff:
    """Waits with full jitter before each attempt but the first, as long as there is a budget for it."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]], rng: random.Random) -> None:
        self._sleep = sleep
        self._rng = rng
        self._budget = RetryBudget(burst=RETRIES_AT_ONCE)

    async def before(self, attempt: int) -> bool:
        """Wait before attempt number `attempt`, counted from 0; tell whether to make it."""
        if attempt and not self._budget.spend():
            return False
        await self.pause(attempt)
        return True

    async def pause(self, attempt: int) -> None:
        """Wait only: for what competes with other writers, which is no sign of too much load."""
        if attempt:
            await self._sleep(self._rng.uniform(0, min(2.0, 0.1 * 2**attempt)))

    def succeeded(self) -> None:
        """Note a request with nothing left to do."""
        self._budget.earn()


class Writes:
    """Writes changes one by one as far as callers can tell, many to a request as far as AWS can."""

    def __init__(self, client: DynamoDBClient, prefix: str, *, linger: float, back_off: BackOff) -> None:
        self._client = client
        self._prefix = prefix
        self._back_off = back_off
        self._plain: Batcher[Put | Delete, None] = Batcher(
            self._plain_batch, max_items=WRITE_BATCH, max_weight=WRITE_BYTES, weight=_weight, linger=linger
        )
        self._conditional: Batcher[tuple[Change, Any], None] = Batcher(
            self._conditional_batch,
            max_items=WRITE_BATCH,
            max_weight=WRITE_BYTES,
            weight=lambda pair: _weight(pair[0]),
            linger=linger,
        )

    async def write(self, change: Put | Update | Delete) -> None:
        """Carry out one change; ConditionFailed, with the item as it was, if a clause does not hold."""
        if isinstance(change, Put | Delete) and changes.is_plain(change):
            return await self._plain.submit(change)
        statement = changes.statement(change, self._prefix)
        if statement is None:
            await self.alone(change)
            return None
        return await self._conditional.submit((change, statement))

    async def write_each(self, batch: Sequence[Put | Update | Delete]) -> Sequence[BaseException | None]:
        """Carry out changes of different items, each by itself; return what each failed with, or None.

        They are known at once, so they fill their requests without waiting for company.
        """
        results: list[BaseException | None] = [None] * len(batch)
        statements: dict[int, Any] = {}
        plain: list[int] = []
        single: list[int] = []
        for i, change in enumerate(batch):
            if changes.is_plain(change):
                plain.append(i)
            elif (statement := changes.statement(change, self._prefix)) is not None:
                statements[i] = statement
            else:
                single.append(i)
        places = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def send(
            indices: Sequence[int], request: Callable[[], Awaitable[Sequence[BaseException | None]]]
        ) -> None:
            async with places:
                try:
                    outcomes = await request()
                except MintlineError as error:
                    outcomes = [error] * len(indices)
            for i, outcome in zip(indices, outcomes, strict=True):
                results[i] = outcome

        sending = [
            send(part, partial(self._plain_batch, [_plain(batch[i]) for i in part]))
            for part in _full([(i, _weight(batch[i])) for i in plain])
        ]
        sending += [
            send(part, partial(self._conditional_batch, [(batch[i], statements[i]) for i in part]))
            for part in _full([(i, _weight(batch[i])) for i in statements])
        ]
        sending += [send([i], partial(self._alone_batch, batch[i])) for i in single]
        await asyncio.gather(*sending)
        return results

    async def _alone_batch(self, change: Change) -> Sequence[BaseException | None]:
        return [await self._outcome(self.alone(change))]

    async def alone(self, change: Change, *, retried: bool = False, **more: Any) -> Any:
        """Carry out one change by the single-item API and return its response.

        `retried` says that it may have been carried out already, its answer lost.
        """
        arguments = changes.expression(change, self._prefix) | more
        try:
            with writing():
                match change:
                    case Put():
                        return await self._client.put_item(**arguments)
                    case Update():
                        return await self._client.update_item(**arguments)
                    case _:
                        return await self._client.delete_item(**arguments)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            response: Any = error.response
            refusal = _refusal(change, response.get("Item"), retried=retried or _was_retried(response))
            if refusal is not None:
                raise refusal from None
            return response

    async def insert(self, put: Put) -> None:
        """Create an item by PartiQL's INSERT; ConditionFailed if its key exists."""
        absent = changes.Clause("new_item", put.table.partition.name, "missing")
        change = Put(put.table, put.item, where=(absent,))
        statement: Any = changes.statement(change, self._prefix)
        try:
            with writing():
                await self._client.execute_statement(**statement)
        except ClientError as error:
            if error_code(error) not in ("DuplicateItemException", "ConditionalCheckFailedException"):
                raise
            response: Any = error.response
            refusal = _refusal(change, response.get("Item"), retried=_was_retried(response))
            if refusal is not None:
                raise refusal from None

    async def aclose(self) -> None:
        """Send what is pending and wait for what is in flight."""
        await asyncio.gather(self._plain.aclose(), self._conditional.aclose())

    async def _plain_batch(self, batch: Sequence[Put | Delete]) -> Sequence[BaseException | None]:
        results: list[BaseException | None] = [None] * len(batch)
        for indices in _rounds(batch):
            try:
                error = await self._plain_round([batch[i] for i in indices])
            except Unwritable:
                # One is at fault, and only alone does it show which; plain writes may be repeated.
                for i in indices:
                    results[i] = await self._outcome(self.alone(batch[i]))
                continue
            for i in indices:
                results[i] = error
        return results

    async def _plain_round(self, batch: Sequence[Put | Delete]) -> MintlineError | None:
        """Write distinct items. What stays undone fails all of them: plain writes may be repeated."""
        if len(batch) == 1:
            await self.alone(batch[0])
            return None
        requests: dict[str, Any] = {}
        for change in batch:
            name = change.table.table_name(self._prefix)
            requests.setdefault(name, []).append(changes.write_request(change))
        for attempt in range(ATTEMPTS):
            if not await self._back_off.before(attempt):
                break
            with writing():
                response = await self._client.batch_write_item(RequestItems=requests)
            requests = dict(response.get("UnprocessedItems") or {})
            if not requests:
                self._back_off.succeeded()
                return None
        return Throttled("BatchWriteItem: unprocessed items")

    async def _conditional_batch(self, batch: Sequence[tuple[Change, Any]]) -> Sequence[BaseException | None]:
        results: list[BaseException | None] = [None] * len(batch)
        for indices in _rounds([change for change, _ in batch]):
            remaining = indices
            for attempt in range(ATTEMPTS):
                if not await self._back_off.before(attempt):
                    break
                remaining = await self._execute(batch, remaining, results, retried=attempt > 0)
                if not remaining:
                    self._back_off.succeeded()
                    break
        return results

    async def _execute(
        self,
        batch: Sequence[tuple[Change, Any]],
        indices: Sequence[int],
        results: list[BaseException | None],
        *,
        retried: bool,
    ) -> list[int]:
        """Run statements, note their outcomes in `results` and return those to run again."""
        try:
            with writing():
                response = await self._client.batch_execute_statement(
                    Statements=[batch[i][1] for i in indices]
                )
        except Unwritable:
            # One is at fault, and only alone does it show which.
            for i in indices:
                results[i] = await self._outcome(self.alone(batch[i][0], retried=retried))
            return []
        retried = retried or _was_retried(response)
        again: list[int] = []
        for i, outcome in zip(indices, response["Responses"], strict=True):
            error: Any = outcome.get("Error")
            code = error.get("Code") if error else None
            change = batch[i][0]
            if code is None:
                results[i] = None
            elif code == "ConditionalCheckFailed" or (code == "DuplicateItem" and error.get("Item")):
                results[i] = _refusal(change, error.get("Item"), retried=retried)
            elif code == "DuplicateItem":
                # AWS does not promise to send the item in the way along: the single-item API does.
                results[i] = await self._outcome(self.alone(change, retried=retried))
            elif code in _RETRIED:
                results[i] = Throttled(f"BatchExecuteStatement: {code}")
                again.append(i)
            else:
                # PartiQL is a convenience: what it refuses, the single-item API decides.
                log.warning("partiql_statement_refused", code=code, table=change.table.name)
                results[i] = await self._outcome(self.alone(change))
        return again

    async def _outcome(self, attempt: Awaitable[None]) -> BaseException | None:
        try:
            await attempt
        except Exception as error:  # noqa: BLE001 - the outcome of one write among many
            return error
        return None


def _refusal(change: Change, attributes: Any, *, retried: bool) -> ConditionFailed | None:
    """Return why a change was not carried out; None if an earlier try was, and only its answer got lost."""
    item = decode_item(attributes) if attributes else None
    if retried and changes.holds(change, item):
        return None
    return ConditionFailed(change, item)


def _was_retried(response: Any) -> bool:
    return bool(response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _weight(change: Change) -> int:
    item = change.item if isinstance(change, Put) else change.set if isinstance(change, Update) else {}
    weight = 512
    for value in item.values():
        if isinstance(value, str | bytes):
            weight += len(value)
        elif isinstance(value, list):
            weight += _MEMBER * len(value)
    return weight


def _full(weighed: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Split indices, each with its weight, into as few requests as there may be."""
    parts: list[list[int]] = []
    weight = 0
    for i, more in weighed:
        if not parts or len(parts[-1]) == WRITE_BATCH or weight + more > WRITE_BYTES:
            parts.append([])
            weight = 0
        parts[-1].append(i)
        weight += more
    return parts


def _plain(change: Change) -> Put | Delete:
    assert isinstance(change, Put | Delete)
    return change


def _rounds(batch: Sequence[Change]) -> list[list[int]]:
    """Split a batch into rounds that touch no item twice, keeping each item's own order."""
    rounds: list[list[int]] = []
    seen: dict[tuple[Any, ...], int] = {}
    for i, change in enumerate(batch):
        identity = changes.identity(change)
        turn = seen.get(identity, -1) + 1
        seen[identity] = turn
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(i)
    return rounds
