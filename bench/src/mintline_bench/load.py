"""The load: many users post mints over HTTP, as fast as the pipeline takes them, and wait for their ends."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar

import aiohttp

from mintline.errors import MintlineError, Unavailable
from mintline.states import TERMINAL, MintStatus
from mintline.tasks import results_of
from mintline_client import AsyncMintline
from mintline_client.api import ONCE

RETRY_PAUSE = 0.2
"""Seconds between tries of a POST that got no answer; the same Idempotency-Key makes it safe."""

SAMPLE = 10
"""Mints that are looked at while their run is measured: each look is two requests of the API to AWS."""


@dataclass(slots=True)
class Posted:
    """One mint that the API accepted. Times are Unix seconds; `name` is unique to the mint."""

    mint_id: str
    user: int
    name: str
    started: float
    answered: float
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> MintStatus:
        """Return the last status seen."""
        return MintStatus(self.body.get("status", MintStatus.ACCEPTED))

    def at(self, stage: str) -> float | None:
        """Return when the mint reached `stage`, by its own record, or None."""
        stamp = self.body.get("timeline", {}).get(f"{stage}_at")
        return None if stamp is None else datetime.fromisoformat(stamp).timestamp()


def metadata_of(name: str, number: int) -> dict[str, Any]:
    """Return the metadata of one mint."""
    return {
        "name": name,
        "description": "One of many, minted to see how many fit into a second.",
        "image": "ipfs://bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "attributes": [{"trait_type": "number", "value": number}],
    }


def arrivals(count: int, *, rate: float) -> list[float]:
    """Return when so many come, in seconds from the beginning: a Poisson process, always the same one."""
    rng = random.Random(f"arrivals {rate}")  # noqa: S311 - reproducible on purpose
    return list(itertools.accumulate(rng.expovariate(rate) for _ in range(count)))


class Driver:
    """Posts and follows mints for a set of users; `tokens` holds one access token for each.

    It posts by itself, and reads by the Python client. Posts are what is measured: the load generator shares
    the processors with the services, and counts its repetitions in `retries`.
    """

    path: ClassVar[str] = "/v1/mints"

    def __init__(
        self, session: aiohttp.ClientSession, *, api_url: str, tokens: Sequence[str], deadline: float
    ) -> None:
        self.session = session
        self.api = api_url.rstrip("/")
        self.tokens = tokens
        self.deadline = deadline
        self.run = uuid.uuid4().hex[:12]
        self.retries = 0

    async def post_all(self, mints: int, *, in_flight: int) -> list[Posted]:
        """Post `mints` mints, `in_flight` at a time, users in turn; returns when all are accepted."""
        return await results_of(range(mints), self.post, at_once=in_flight)

    async def post_at_rate(self, mints: int, *, rate: float) -> list[Posted]:
        """Post `rate` mints a second, whether or not those before were accepted; returns when all are.

        They come as independent users do: the gaps between them vary by chance, and are the same each time.
        Each counts as started at its moment, so that waiting for a late driver or a slow API is in its times.
        """
        loop = asyncio.get_running_loop()
        first, began = loop.time(), time.time()

        async def post_at(number: int, at: float) -> Posted:
            await asyncio.sleep(first + at - loop.time())
            return await self.post(number, started=began + at)

        return await asyncio.gather(
            *(post_at(number, at) for number, at in enumerate(arrivals(mints, rate=rate)))
        )

    async def post(self, number: int, *, started: float | None = None) -> Posted:
        """Post one mint until it is accepted; raises Unavailable past the deadline.

        `started` is its beginning in Unix seconds, now if it is None.
        """
        user = number % len(self.tokens)
        name = f"bench {self.run} {number}"
        metadata = metadata_of(name, number)
        started = time.time() if started is None else started
        accepted = await self.accept(
            self.path, {"metadata": metadata, **self.more(number)}, user=user, key=f"{self.run}-{number}"
        )
        mint = self.accepted(accepted, user=user, metadata=metadata)
        return Posted(mint["mint_id"], user, name, started, time.time(), mint)

    async def accept(self, path: str, body: object, *, user: int, key: str) -> dict[str, Any]:
        """Post a request until it is accepted, and return the response.

        Raises Unavailable past the deadline.
        """
        headers = {"authorization": f"Bearer {self.tokens[user]}", "idempotency-key": key}
        while True:
            try:
                async with self.session.post(f"{self.api}{path}", json=body, headers=headers) as response:
                    text = await response.text()
                    if response.status == 202:
                        accepted: dict[str, Any] = await response.json()
                        return accepted
                    if response.status < 500 and response.status != 429 and not self.is_passing(text):
                        raise Unavailable(f"POST {path} was answered {response.status}: {text[:300]}")
            except (aiohttp.ClientError, TimeoutError) as error:
                text = str(error) or type(error).__name__
            if time.time() > self.deadline:
                raise Unavailable(f"POST {path} was not accepted in time; the last answer: {text[:300]}")
            self.retries += 1
            await asyncio.sleep(RETRY_PAUSE)

    def is_passing(self, problem: str) -> bool:
        """Tell whether the cause of a refusal goes by itself, given its problem document."""
        del problem
        return False

    def more(self, number: int) -> Mapping[str, Any]:
        """Return what a request has in addition to its metadata."""
        del number
        return {}

    def accepted(self, body: Mapping[str, Any], *, user: int, metadata: object) -> Mapping[str, Any]:
        """Return an accepted mint as `GET /v1/mints` shows one."""
        del user, metadata
        return body

    async def settle(self, posted: Sequence[Posted], *, pause: float = 1.0) -> None:
        """Wait until a sample of the mints has ended, one mint after another, or the deadline has passed.

        It asks so little that what is measured meanwhile is the services' work; `follow` is to come after.
        """
        step = -(-len(posted) // SAMPLE)
        for mint in posted[:: -step or None]:
            while not await self.has_ended(mint):
                if time.time() >= self.deadline:
                    return
                await asyncio.sleep(pause)

    async def has_ended(self, mint: Posted) -> bool:
        """Return whether a mint has ended, as far as the API answers."""
        headers = {"authorization": f"Bearer {self.tokens[mint.user]}"}
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.session.get(f"{self.api}/v1/mints/{mint.mint_id}", headers=headers) as response:
                if response.status == HTTPStatus.OK:
                    return MintStatus((await response.json())["status"]) in TERMINAL
        return False

    async def follow(self, posted: Sequence[Posted], *, pause: float = 5.0) -> None:
        """Poll until every mint has ended or the deadline has passed; bodies are updated in place.

        Times come from the mints themselves, so polling seldom costs no precision and spares the API.
        """
        waiting = {mint.mint_id: mint for mint in posted}
        while waiting and time.time() < self.deadline:
            await asyncio.sleep(pause)
            users = sorted({mint.user for mint in waiting.values()})
            for page in await asyncio.gather(*(self.list_mints(user) for user in users)):
                for body in page:
                    mint = waiting.get(body["mint_id"])
                    if mint is None:
                        continue
                    mint.body = body
                    if mint.status in TERMINAL:
                        del waiting[mint.mint_id]

    async def collect(self, posted: Sequence[Posted]) -> None:
        """Read what `follow` has not, once nothing is measured any more."""

    def query(self) -> Mapping[str, str]:
        """Return which of a user's mints are looked at."""
        return {}

    async def list_mints(self, user: int) -> list[dict[str, Any]]:
        """Return a user's mints, as far as the API answers."""
        views: list[dict[str, Any]] = []
        with suppress(MintlineError):
            async for mint in self.caller(user).mints.list(**self.query()):
                views.append(dict(mint))  # noqa: PERF401 - what came before a failure counts
        return views

    def caller(self, user: int) -> AsyncMintline:
        """Return the API for a user, each request by one try: what fails is asked for again by `follow`."""
        return AsyncMintline(self.api, token=self.tokens[user], http=self.session, retries=ONCE)
