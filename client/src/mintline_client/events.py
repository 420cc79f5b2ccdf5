"""The log of what happened to the caller's resources: read in pages, or as a stream that goes on by itself.

Source: the event stream format of the HTML standard, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypedDict

import aiohttp

from mintline.errors import Unavailable
from mintline_client.api import Api
from mintline_client.errors import Unauthenticated, error_of

PATH = "/v1/events"
RECONNECT_SECONDS = 1.0
SILENCE_SECONDS = 60.0
"""A stream without a byte for so long is broken: the API sends a comment every 15 seconds."""


class EventResource(TypedDict):
    """What an event is about."""

    type: str
    id: str


class Event(TypedDict):
    """Something that happened: `data` is the resource as its GET gives it."""

    id: str
    """The same for a repetition of the same event."""
    type: str
    created_at: Any
    sequence: int
    """Rising for each resource."""
    resource: EventResource
    data: dict[str, Any]


class EventPage(TypedDict):
    """Part of the log: `next` is what to read after it."""

    events: list[Event]
    next: str
    more: bool


class Events:
    """The caller's events. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def read(
        self,
        *,
        after: str | None = None,
        types: Iterable[str] = (),
        limit: int | None = None,
        principal: str | None = None,
    ) -> EventPage:
        """Return the events after a cursor, oldest first; `types` are the wanted ones, all if empty.

        `principal` is whose log it is, for administrators: `operators`, or the id of a user or client.
        """
        query = {"after": after, "type": ",".join(types) or None, "limit": limit, "principal": principal}
        page: EventPage = await self._api.get(PATH, query)
        return page

    async def list(
        self, *, after: str | None = None, types: Iterable[str] = (), principal: str | None = None
    ) -> AsyncIterator[Event]:
        """Return each event from a cursor up to now."""
        wanted = tuple(types)
        while True:
            page = await self.read(after=after, types=wanted, principal=principal)
            for event in page["events"]:
                yield event
            after = page["next"]
            if not page["more"]:
                return

    async def stream(
        self, *, after: str | None = None, types: Iterable[str] = (), principal: str | None = None
    ) -> AsyncIterator[tuple[str, Event]]:
        """Return each event with its cursor, and wait for those to come, without end.

        A stream that breaks is continued after the last event, or where it began. Store the cursor with what
        you did for the event: `after=cursor` continues there. Raises Refused for what the API refuses.
        """
        wanted = tuple(types)
        renewed = False
        while True:
            try:
                async for cursor, event in self._connected(after, wanted, principal):
                    after, renewed = cursor, False
                    if event is not None:
                        yield cursor, event
            except Unauthenticated:
                if renewed:
                    raise
                # The token ended meanwhile.
                await self._api.headers(fresh=True)
                renewed = True
            except Unavailable as away:
                await asyncio.sleep(away.retry_after or RECONNECT_SECONDS)

    async def _connected(
        self, after: str | None, types: tuple[str, ...], principal: str | None
    ) -> AsyncIterator[tuple[str, Event | None]]:
        """Yield each event with its cursor, and cursors without an event, such as that where it begins."""
        headers = {**await self._api.headers(), "Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = after
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=SILENCE_SECONDS)
        query = {"type": ",".join(types)} if types else {}
        query |= {"principal": principal} if principal is not None else {}
        try:
            async with self._api.http.get(
                self._api.url + PATH, params=query, headers=headers, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise error_of(response.status, await _problem(response))
                parser = SseParser()
                async for line in response.content:
                    for cursor, data in parser.feed(line):
                        yield cursor, None if data is None else json.loads(data)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the event stream broke: {error or type(error).__name__}") from None
        await asyncio.sleep(RECONNECT_SECONDS)


async def _problem(response: aiohttp.ClientResponse) -> Any:
    try:
        return await response.json(content_type=None)
    except ValueError:
        return None


class SseParser:
    """Puts the lines of an event stream together."""

    def __init__(self) -> None:
        self._id = ""
        self._data: list[str] = []
        self._moved = False

    def feed(self, line: bytes) -> Iterator[tuple[str, str | None]]:
        """Take one line; return the id and data of the event that it ends, if any.

        A block without data is no event, but its id is where a reader continues: then the data are None.
        """
        text = line.decode().rstrip("\r\n")
        if not text:
            if self._data:
                yield self._id, "\n".join(self._data)
            elif self._moved:
                yield self._id, None
            self._data, self._moved = [], False
            return
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id, self._moved = value, True
        elif name == "data":
            self._data.append(value)
