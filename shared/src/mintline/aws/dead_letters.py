"""What operators do with dead letters: look at them, send them back to their queue, drop them.

A FIFO queue hands out at most ten messages of a group before it wants them settled. So a look shows the first
ten of each sender, whereas redriving and dropping, which settle as they go, reach all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mintline.aws.errors import translated
from mintline.errors import Unavailable
from mintline.messages.codec import members_of
from mintline.resource_types import Queue
from mintline.text import bounded

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

HOLD = 60
"""Seconds for which a message that was read is hidden from others, if we fail to put it back."""
BATCH = 10
MOST = 1_000
"""Messages that one command takes into its hands at most."""
ROUNDS = 3
"""How often named messages are searched for: another reader may hold them at first."""
PAUSE = 1.0
"""Seconds between two rounds."""
PUT_BACK_SECONDS = 5.0
"""How long one who is cancelled still waits for messages to be put back."""
BY_SQS = "max_receives"
"""The code of a message that SQS itself moved: it killed its consumer each time."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter and its reason; `sent_at` is when, in Unix seconds."""

    message_id: str
    origin: str
    group: str
    body: str
    code: str
    reason: str
    digest: str
    """Of the traceback: errors of one kind from one place share it."""
    trace: str
    sent_at: float
    receipt: str

    @property
    def message(self) -> dict[str, Any]:
        """The body's JSON object; an empty one if it is none."""
        return members_of(self.body)

    @property
    def content(self) -> tuple[str, str]:
        """What a message keeps when it is redriven and dead-lettered again: group and body."""
        return self.group, self.body

    def to_json(self) -> dict[str, Any]:
        """Return the letter without its body."""
        return {
            "message_id": self.message_id,
            "origin": self.origin,
            "type": self.message.get("type"),
            "mint_id": self.message.get("mint_id"),
            "group": self.group,
            "code": self.code,
            "reason": self.reason,
            "digest": self.digest,
            "trace": self.trace,
            "sent_at": self.sent_at,
        }


async def in_rounds(
    settle: Callable[[Collection[str] | None], Awaitable[list[DeadLetter]]],
    ids: Collection[str] | None,
    *,
    sleep: Callable[[float], Awaitable[None]],
) -> list[DeadLetter]:
    """Have `settle` redrive or drop the letters named, again for those that it did not find; returns them.

    `ids` of None means all, in one round.
    """
    settled = await settle(ids)
    left = set(ids or ())
    for _ in range(ROUNDS - 1):
        left -= {letter.message_id for letter in settled}
        if not left:
            break
        await sleep(PAUSE)
        settled += await settle(left)
    return settled


class DeadLetters:
    """The dead-letter queues of one deployment."""

    def __init__(self, sqs: SQSClient, prefix: str) -> None:
        self._sqs = sqs
        self._prefix = prefix

    async def waiting(self, queue: Queue) -> int:
        """Return about how many messages there are."""
        url = await self._url(queue.dead_letter_name(self._prefix))
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with translated():
            response = await self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(response["Attributes"][name]) for name in names)

    async def peek(self, queue: Queue, *, limit: int) -> list[DeadLetter]:
        """Return the first messages, at most ten of a group, and put them back."""
        url = await self._url(queue.dead_letter_name(self._prefix))
        letters: list[DeadLetter] = []
        try:
            async for batch in self._take(queue, url, limit):
                letters += batch
        finally:
            await self._put_back(url, letters)
        return letters

    async def redrive(
        self,
        queue: Queue,
        ids: Collection[str] | None = None,
        *,
        limit: int = MOST,
        sent: Callable[[Sequence[DeadLetter]], None] = lambda _: None,
    ) -> list[DeadLetter]:
        """Send messages back to the queue that they come from, in order, each under its own group.

        Their deduplication ids are new, so that SQS does not take them for what it saw when they first came;
        sent twice, because a process died in between, they are still one. `ids` of None means all. What is
        dead-lettered again at once, as its cause was not fixed, stays: each message is sent back once.
        `sent` hears of each batch as soon as it is in its queue, whatever becomes of the next.
        """
        back = await self._url(queue.queue_name(self._prefix))
        settled: list[DeadLetter] = []
        gone: set[tuple[str, str]] = set()
        async with aclosing(self._chosen(queue, ids, limit, but=gone)) as chosen:
            async for url, batch in chosen:
                taken = await self._send(back, batch)
                sent(taken)
                gone |= {letter.content for letter in taken}
                await self._delete(url, taken)
                settled += taken
        return settled

    async def drop(
        self, queue: Queue, ids: Collection[str] | None = None, *, limit: int = MOST
    ) -> list[DeadLetter]:
        """Delete messages for good. `ids` of None means all."""
        settled: list[DeadLetter] = []
        async with aclosing(self._chosen(queue, ids, limit)) as chosen:
            async for url, batch in chosen:
                await self._delete(url, batch)
                settled += batch
        return settled

    async def _chosen(
        self,
        queue: Queue,
        ids: Collection[str] | None,
        limit: int,
        *,
        but: Collection[tuple[str, str]] = (),
    ) -> AsyncGenerator[tuple[str, list[DeadLetter]]]:
        """Yield the selected messages, to be settled before the next; put back the others at the end.

        Those that could not be settled are put back as well: close it at once when it is left early.

        `but` is read again for each batch: contents that are not wanted.
        """
        url = await self._url(queue.dead_letter_name(self._prefix))
        others: list[DeadLetter] = []
        chosen: list[DeadLetter] = []
        left = limit if ids is None else len(ids)
        try:
            async for batch in self._take(queue, url, limit if ids is None else MOST):
                wanted = (letter for letter in batch if ids is None or letter.message_id in ids)
                chosen = [letter for letter in wanted if letter.content not in but]
                others += [letter for letter in batch if letter not in chosen]
                if chosen:
                    yield url, chosen
                left -= len(chosen)
                chosen = []
                if left <= 0:
                    break
        finally:
            await self._put_back(url, [*others, *chosen])

    async def _take(self, queue: Queue, url: str, limit: int) -> AsyncIterator[list[DeadLetter]]:
        left = min(limit, MOST)
        while left > 0:
            with translated():
                response = await self._sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=min(BATCH, left),
                    VisibilityTimeout=HOLD,
                    WaitTimeSeconds=1,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["MessageGroupId", "SentTimestamp"],
                )
            batch = [_letter(queue, message) for message in response.get("Messages", [])]
            if not batch:
                return
            left -= len(batch)
            yield batch

    async def _send(self, url: str, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        entries: list[Any] = [
            {
                "Id": str(place),
                "MessageBody": letter.body,
                "MessageGroupId": letter.group,
                "MessageDeduplicationId": f"redrive:{letter.message_id}",
            }
            for place, letter in enumerate(letters)
        ]
        with translated():
            response = await self._sqs.send_message_batch(QueueUrl=url, Entries=entries)
        return [letters[int(entry["Id"])] for entry in response.get("Successful", [])]

    async def _delete(self, url: str, letters: Sequence[DeadLetter]) -> None:
        if letters:
            with translated():
                response = await self._sqs.delete_message_batch(QueueUrl=url, Entries=_entries(letters))
            if failed := response.get("Failed", []):
                raise Unavailable(f"{len(failed)} messages could not be deleted: {failed[0].get('Code')}")

    async def _put_back(self, url: str, letters: Sequence[DeadLetter]) -> None:
        """Let others have messages at once, to the end even if the caller is cancelled."""
        task = asyncio.create_task(self._show_again(url, letters))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait((task,), timeout=PUT_BACK_SECONDS)
            if not task.cancel() and not task.cancelled():
                task.exception()  # Seen: they are hidden until HOLD ends.
            raise

    async def _show_again(self, url: str, letters: Sequence[DeadLetter]) -> None:
        for start in range(0, len(letters), BATCH):
            entries = [entry | {"VisibilityTimeout": 0} for entry in _entries(letters[start : start + BATCH])]
            with translated():
                await self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    async def _url(self, name: str) -> str:
        with translated():
            return (await self._sqs.get_queue_url(QueueName=name))["QueueUrl"]


def _entries(letters: Sequence[DeadLetter]) -> list[Any]:
    return [{"Id": str(place), "ReceiptHandle": letter.receipt} for place, letter in enumerate(letters)]


def _letter(queue: Queue, message: Any) -> DeadLetter:
    attributes = {
        name: bounded(value["StringValue"]) for name, value in message.get("MessageAttributes", {}).items()
    }
    return DeadLetter(
        message_id=message["MessageId"],
        origin=attributes.get("origin", queue.name),
        group=message["Attributes"]["MessageGroupId"],
        body=message["Body"],
        code=attributes.get("code", BY_SQS),
        reason=attributes.get("reason", f"received {queue.max_receives} times"),
        digest=attributes.get("digest", ""),
        trace=attributes.get("trace", ""),
        sent_at=int(message["Attributes"]["SentTimestamp"]) / 1000,
        receipt=message["ReceiptHandle"],
    )
