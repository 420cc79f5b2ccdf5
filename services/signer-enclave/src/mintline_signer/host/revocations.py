"""Revocations from the table to the enclave: read every few seconds, all of them again for a new connection.

Nothing here proves or forges one: the api signed them, and the enclave verifies that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import structlog
from pydantic import ValidationError

from mintline.aws.dynamo import Dynamo, Item
from mintline.errors import MintlineError
from mintline.resources import REVOCATIONS
from mintline.tasks import repeatedly
from mintline_signer.protocol import Revocation

log = structlog.get_logger()

HandOver: TypeAlias = Callable[[Sequence[Revocation]], Awaitable[None]]
"""Gives revocations to the enclave; raises Unavailable unless it takes them."""

_PAGE = 1000


class DynamoRevocations:
    """The table of revocations, as one chain's hosts read it."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int) -> None:
        self._dynamo = dynamo
        self._chain = str(chain_id)

    async def read(self) -> list[Revocation]:
        """Return every revocation on record; raises Retryable. What is none is left out."""
        revocations: list[Revocation] = []
        start: Item | None = None
        while True:
            page = await self._dynamo.query(REVOCATIONS, partition=self._chain, limit=_PAGE, start=start)
            revocations += [read for item in page.items if (read := _revocation(item)) is not None]
            start = page.next
            if start is None:
                return revocations


def _revocation(item: Item) -> Revocation | None:
    names = {"subject": "sub", "revoked_before": "revoked_before", "statement": "statement"}
    try:
        return Revocation.model_validate({ours: item.get(theirs) for ours, theirs in names.items()})
    except ValidationError:
        log.warning("revocation_unreadable")
        return None


class RevocationFeed:
    """Hands over what is new on record; `known` is what a new connection is given."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Sequence[Revocation]]],
        *,
        every: float,
        passed: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._read = read
        self._every = every
        self._passed = passed
        self._known: Mapping[str, Revocation] = {}
        self._handed: dict[str, Revocation] = {}

    def known(self) -> list[Revocation]:
        """Return what was on record when it was read last."""
        return list(self._known.values())

    async def keep(
        self,
        hand_over: HandOver,
        stop: asyncio.Event,
        *,
        sleep: Callable[[float], Awaitable[None]],
        rng: random.Random,
    ) -> None:
        """Look at once, and then again and again until `stop` is set."""
        await self.once(hand_over)
        await repeatedly(partial(self.once, hand_over), stop, every=self._every, sleep=sleep, rng=rng)

    async def once(self, hand_over: HandOver) -> float:
        """Read the table and hand over what is new; return the seconds until the next time.

        A failure is told and changes nothing: signing goes on, and the next time catches up.
        """
        try:
            self._known = {revocation.subject: revocation for revocation in await self._read()}
            new = [
                revocation
                for revocation in self._known.values()
                if self._handed.get(revocation.subject) != revocation
            ]
            if new:
                await hand_over(new)
                log.info("revocations_handed_over", count=len(new))
            self._handed = dict(self._known)
        except MintlineError as error:
            log.warning("revocations_not_handed_over", reason=str(error))
            self._passed(False)  # noqa: FBT003 - how it went
        else:
            self._passed(True)  # noqa: FBT003 - how it went
        return self._every
