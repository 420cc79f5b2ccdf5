"""SQS as the queue port: every send, delete and visibility change rides in a batch of up to ten."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mintline.aws.errors import translated
from mintline.aws.session import LONG_POLL_SECONDS
from mintline.batcher import Batcher
from mintline.errors import Conflict, MintlineError, Unavailable
from mintline.messages.codec import encode, members_of
from mintline.messages.parts import Message
from mintline.queue_port import Received
from mintline.resource_types import Queue
from mintline.retry_budget import RetryBudget
from mintline.text import bounded

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

__all__ = ["Depth", "Queues", "Received", "SendRefused"]

BATCH_ITEMS = 10
BATCH_BYTES = 256 * 1024
MESSAGE_BYTES = 1024 * 1024
"""SQS's limit for a message, its attributes included.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
ATTEMPTS = 4
"""How often an entry that SQS failed by its own fault is tried."""

CALL_SECONDS = 15.0
"""How long a request may take, the SDK's retries included: its own bound fits the long poll."""

DELETE_TRICKLE = 0.025
"""How long a handled message may wait for another one to be deleted with: its group is locked until then."""

_SYSTEM_ATTRIBUTES: Any = ["ApproximateReceiveCount", "MessageGroupId", "SentTimestamp"]
_Operation: TypeAlias = Literal["send", "delete", "visibility"]
_Entry: TypeAlias = dict[str, Any]


class SendRefused(MintlineError):  # noqa: N818 - the family is named for what happened
    """SQS refused a message for what it is, such as its size: sending it again cannot help."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Approximate message counts of one queue."""

    visible: int
    in_flight: int


class Queues:
    """The queues of one deployment, named by `prefix`.

    `linger` (seconds) is how long a request may wait for company while others are in flight.
    """

    def __init__(
        self,
        sqs: SQSClient,
        prefix: str,
        *,
        linger: float = 0.02,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._sqs = sqs
        self._prefix = prefix
        self._linger = linger
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._budget = RetryBudget()
        self._urls: dict[str, asyncio.Task[str]] = {}
        self._batchers: dict[tuple[_Operation, str], Batcher[_Entry, None]] = {}

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        """Enqueue a message. Raises SendRefused, or Retryable when SQS does not take it now.

        Messages of one group reach SQS in the order of their calls, unless SQS fails one for a time.
        """
        await self._send(queue.queue_name(self._prefix), encode(message), group=group, dedup=dedup)

    async def receive(
        self, queue: Queue, *, limit: int = 10, wait: int = LONG_POLL_SECONDS
    ) -> list[Received]:
        with translated():
            response = await self._sqs.receive_message(
                QueueUrl=await self._url(queue.queue_name(self._prefix)),
                MaxNumberOfMessages=min(limit, BATCH_ITEMS),
                WaitTimeSeconds=wait,
                MessageSystemAttributeNames=_SYSTEM_ATTRIBUTES,
                # Should the answer get lost, the SDK's retry under this id gets the same messages.
                ReceiveRequestAttemptId=uuid.uuid4().hex,
            )
        return [_received(queue, message) for message in response.get("Messages", [])]

    async def delete(self, received: Received) -> None:
        """Remove a handled message; Conflict if its receipt has run out."""
        batcher = self._batcher("delete", received.queue.queue_name(self._prefix))
        await batcher.submit({"ReceiptHandle": received.receipt})

    async def change_visibility(self, received: Received, seconds: int) -> None:
        """Hide a message for `seconds` (≤ 43,200) from now; Conflict if its receipt has run out."""
        batcher = self._batcher("visibility", received.queue.queue_name(self._prefix))
        await batcher.submit({"ReceiptHandle": received.receipt, "VisibilityTimeout": seconds})

    async def dead_letter(self, received: Received, *, code: str, reason: str, digest: str | None) -> None:
        """Copy a message to its dead-letter queue with why it is there, then delete it.

        A crash between the two leaves it in both; the deduplication id keeps the copy single. A body that
        leaves too little room for that says less of why: it must not come back without end.
        """
        attributes = {
            "code": code,
            "reason": reason,
            "origin": received.queue.name,
            "receive_count": str(received.receive_count),
            "message_id": received.message_id,
            "digest": digest or "",
            "trace": _trace_of(received.body),
        }
        await self._send(
            received.queue.dead_letter_name(self._prefix),
            received.body,
            group=received.group,
            dedup=received.message_id,
            attributes=_fitting(attributes, MESSAGE_BYTES - len(received.body.encode())),
        )
        await self._delete_quietly(received)

    async def renew(self, received: Received) -> None:
        await self._send(
            received.queue.queue_name(self._prefix),
            received.body,
            group=received.group,
            dedup=f"renew:{received.message_id}",
        )
        await self._delete_quietly(received)

    async def depth(self, queue: Queue, *, dead_letters: bool = False) -> Depth:
        """Return how many messages wait and how many are in flight, as SQS approximates it."""
        name = queue.dead_letter_name(self._prefix) if dead_letters else queue.queue_name(self._prefix)
        with translated():
            response = await self._sqs.get_queue_attributes(
                QueueUrl=await self._url(name),
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
        attributes = response["Attributes"]
        return Depth(
            visible=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )

    async def ping(self, queue: Queue) -> None:
        """Check that SQS answers and that the queue exists: a readiness check."""
        with translated():
            await self._sqs.get_queue_url(QueueName=queue.queue_name(self._prefix))

    async def aclose(self) -> None:
        """Send what is pending and wait for what is in flight."""
        await asyncio.gather(*(batcher.aclose() for batcher in self._batchers.values()))

    async def _send(
        self, name: str, body: str, *, group: str, dedup: str, attributes: dict[str, str] | None = None
    ) -> None:
        entry: _Entry = {"MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": dedup}
        if attributes:
            entry["MessageAttributes"] = {
                key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
            }
        await self._batcher("send", name).submit(entry)

    async def _delete_quietly(self, received: Received) -> None:
        # A receipt that has run out only means that a duplicate will come: the copy is safe already.
        with suppress(Conflict):
            await self.delete(received)

    def _batcher(self, operation: _Operation, name: str) -> Batcher[_Entry, None]:
        batcher = self._batchers.get((operation, name))
        if batcher is None:
            batcher = self._batchers[operation, name] = Batcher(
                partial(self._flush, operation, name),
                max_items=BATCH_ITEMS,
                max_weight=BATCH_BYTES,
                weight=_weight,
                group=_group,
                linger=self._linger,
                trickle=DELETE_TRICKLE if operation == "delete" else 0.0,
            )
        return batcher

    async def _flush(
        self, operation: _Operation, name: str, entries: Sequence[_Entry]
    ) -> Sequence[BaseException | None]:
        url = await self._url(name)
        results: list[BaseException | None] = [None] * len(entries)
        remaining = list(range(len(entries)))
        for attempt in range(ATTEMPTS):
            if attempt:
                if not self._budget.spend():
                    break
                await self._sleep(self._rng.uniform(0, 0.2 * 2**attempt))
            response = await self._call(operation, url, [{"Id": str(i), **entries[i]} for i in remaining])
            remaining = []
            for fault in response.get("Failed", []):
                index = int(fault["Id"])
                if fault.get("SenderFault"):
                    results[index] = _refusal(operation, fault)
                else:
                    results[index] = Unavailable(f"SQS {operation}: {fault.get('Code')}")
                    remaining.append(index)
            for entry in response.get("Successful", []):
                results[int(entry["Id"])] = None
            if not remaining:
                self._budget.earn()
                break
        return results

    async def _call(self, operation: _Operation, url: str, entries: list[Any]) -> Any:
        with translated():
            async with asyncio.timeout(CALL_SECONDS):
                return await self._request(operation, url, entries)

    async def _request(self, operation: _Operation, url: str, entries: list[Any]) -> Any:
        match operation:
            case "send":
                return await self._sqs.send_message_batch(QueueUrl=url, Entries=entries)
            case "delete":
                return await self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            case "visibility":
                return await self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    async def _url(self, name: str) -> str:
        task = self._urls.get(name)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._urls[name] = asyncio.create_task(self._look_up(name))
        return await asyncio.shield(task)

    async def _look_up(self, name: str) -> str:
        with translated():
            async with asyncio.timeout(CALL_SECONDS):
                return (await self._sqs.get_queue_url(QueueName=name))["QueueUrl"]


def _trace_of(body: str) -> str:
    """Return a message's `traceparent`, or nothing if the body is no message that has one."""
    trace = members_of(body).get("trace")
    return trace if isinstance(trace, str) else ""


def _fitting(attributes: dict[str, str], room: int) -> dict[str, str]:
    """Return the first attributes that go into `room` bytes, each bounded."""
    fitting: dict[str, str] = {}
    for name, value in attributes.items():
        cut = bounded(value)
        room -= len(name) + len("String") + len(cut.encode())
        if room < 0:
            break
        if cut:
            fitting[name] = cut
    return fitting


def _group(entry: _Entry) -> str | None:
    group: str | None = entry.get("MessageGroupId")
    return group


def _weight(entry: _Entry) -> int:
    body = entry.get("MessageBody")
    if body is None:
        return 0
    return len(body.encode()) + sum(
        len(name) + len(attribute["DataType"]) + len(attribute["StringValue"].encode())
        for name, attribute in entry.get("MessageAttributes", {}).items()
    )


def _refusal(operation: _Operation, fault: Any) -> MintlineError:
    text = f"SQS {operation}: {fault.get('Code')}: {fault.get('Message', '')}"
    return SendRefused(text) if operation == "send" else Conflict(text)


def _received(queue: Queue, message: Any) -> Received:
    attributes = message["Attributes"]
    return Received(
        queue=queue,
        body=message["Body"],
        receipt=message["ReceiptHandle"],
        message_id=message["MessageId"],
        group=attributes["MessageGroupId"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=int(attributes["SentTimestamp"]) / 1000,
    )
