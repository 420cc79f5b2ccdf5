"""Linked wallets in DynamoDB.

::

    challenges   open, of_this_user, not_expired ─▶ ChallengeSpent
    links        first_link | still_this_users   ─▶ read again, AddressTaken if it is another user's
"""

from __future__ import annotations

from mintline.aws.dynamo import Clause, ConditionFailed, Delete, Dynamo, Put, TransactionCancelled
from mintline.aws.records import read, readable, to_item
from mintline.errors import Unavailable
from mintline.records.keys import scoped
from mintline.records.wallets import Challenge, Link
from mintline.resources import CHALLENGES, LINKS
from mintline.set_aside import SetAside
from mintline_api.features.links.ports import AddressTaken, ChallengeSpent

(_OF_USER,) = LINKS.indexes
_TRIES = 3
_PAGE = 100
_REFUSED = "ConditionalCheckFailed"


class DynamoLinks:
    """The links of one chain."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def challenge(self, challenge: Challenge) -> None:
        """Keep a challenge; the table drops it some time after it expires."""
        await self._dynamo.write(Put(CHALLENGES, to_item(challenge)))

    async def link(self, link: Link, *, now: int) -> Link:
        """Spend the challenge and link the address in one transaction."""
        spend = Delete(
            CHALLENGES,
            {"nonce": link.nonce},
            where=(
                Clause("open", "nonce", "exists"),
                Clause("of_this_user", "sub", "eq", (link.sub,)),
                Clause("not_expired", "expires", "gt", (now,)),
            ),
        )
        for _ in range(_TRIES):
            present = await self.get(link.address)
            if present is not None and present.sub != link.sub:
                raise AddressTaken("the address is another user's")
            if present is not None and present.nonce == link.nonce:
                # An earlier try of this very request, whose answer was lost.
                return present
            if present is None:
                lock = Clause("first_link", "link_id", "missing")
            else:
                lock = Clause("still_this_users", "sub", "eq", (link.sub,))
            try:
                await self._dynamo.transact([spend, Put(LINKS, to_item(link), where=(lock,))])
            except TransactionCancelled as cancelled:
                spent, moved = (reason.code == _REFUSED for reason in cancelled.reasons)
                if spent and not moved:
                    raise ChallengeSpent("the challenge is not open") from None
            else:
                return link
        raise Unavailable("the link kept being changed")

    async def get(self, address: str) -> Link | None:
        item = await self._dynamo.get(LINKS, {"link_id": scoped(self._chain_id, address)})
        return None if item is None else read(Link, LINKS, item, self._set_aside)

    async def of_user(self, sub: str) -> tuple[Link, ...]:
        """Return a user's links, oldest first; the index lags behind the table by moments."""
        page = await self._dynamo.query(LINKS, index=_OF_USER, partition=sub, limit=_PAGE)
        links = readable(Link, LINKS, page.items, self._set_aside)
        of_chain = (link for _, link in links if link.chain_id == self._chain_id)
        return tuple(sorted(of_chain, key=lambda link: (link.linked_at, link.address)))

    async def unlink(self, address: str, *, sub: str) -> bool:
        own = Clause("of_this_user", "sub", "eq", (sub,))
        try:
            await self._dynamo.write(
                Delete(LINKS, {"link_id": scoped(self._chain_id, address)}, where=(own,))
            )
        except ConditionFailed:
            return False
        return True
