"""Counts of writes, of gas and of machine clients' use, in DynamoDB.

::

    use of a client   fits (taken ≤ limit - amount) ─▶ the count as it is; first_use (no item) for the first
"""

from __future__ import annotations

from contextlib import suppress

from pydantic import Field

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update
from mintline.aws.records import read, unusable
from mintline.errors import Unavailable, Unreadable, Unwritable
from mintline.fields import Wei
from mintline.frozen import Frozen
from mintline.records.keys import scoped
from mintline.resources import ACCOUNTS, RATES
from mintline.set_aside import SetAside

_TRIES = 3
"""An item that is missing is created by somebody, and stays for days."""


class _Taken(Frozen):
    """The part of a rate's item that is counted."""

    taken: int = Field(ge=0, strict=True)


class DynamoRates:
    """The table of rates."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def add(self, rate_id: str, count: int, *, expires: int) -> int:
        """Add to a count and return what it is then; raises Unusable for one that cannot be read.

        That refuses one user's writes until the next minute, whose count is another item. To go on
        uncounted would lift the limit, and all copies would have to agree on any number in its place.
        """
        key: Item = {"rate_id": rate_id}
        update = Update(RATES, key, set={"expires": expires}, add={"taken": count})
        try:
            item = await self._dynamo.update_returning(update)
        except Unwritable as error:
            raise unusable(RATES, key, error, self._set_aside) from None
        return read(_Taken, RATES, item, self._set_aside).taken


class DynamoClientUse:
    """The table of rates, as the use of machine clients' budgets."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def take(self, use_id: str, amount: int, *, limit: int | None, expires: int) -> int | None:
        """Add to a count unless it would pass `limit`; return None if it was added, else the count as it is.

        Raises Unusable for a count that cannot be read: its client mints nothing until the window's end.
        """
        key: Item = {"rate_id": use_id}
        present = Clause("counted", "rate_id", "exists")
        fits = present if limit is None else Clause("fits", "taken", "le", (limit - amount,))
        for _ in range(_TRIES):
            try:
                await self._dynamo.write(Update(RATES, key, add={"taken": amount}, where=(fits,)))
            except Unwritable as error:
                raise unusable(RATES, key, error, self._set_aside) from None
            except ConditionFailed as lost:
                if lost.item is not None:
                    return read(_Taken, RATES, lost.item, self._set_aside).taken
            else:
                return None
            if limit is not None and amount > limit:
                return 0
            first = Put(
                RATES,
                {**key, "taken": amount, "expires": expires},
                where=(Clause("first_use", "rate_id", "missing"),),
            )
            try:
                await self._dynamo.write(first)
            except ConditionFailed:
                continue
            return None
        raise Unavailable("the count of a client's use kept being changed")

    async def give_back(self, use_id: str, amount: int) -> None:
        """Subtract what was added for a failed request; does nothing if the window is long over."""
        counted = Clause("counted", "taken", "ge", (amount,))
        with suppress(ConditionFailed):
            await self._dynamo.write(
                Update(RATES, {"rate_id": use_id}, add={"taken": -amount}, where=(counted,))
            )

    async def used(self, use_id: str) -> int:
        item = await self._dynamo.get(RATES, {"rate_id": use_id})
        return 0 if item is None else read(_Taken, RATES, item, self._set_aside).taken


class _GasGiven(Frozen):
    """The part of an account about its gas, absent before the first top-up."""

    gas_day: int = Field(default=0, strict=True)
    gas_given: Wei = 0


class DynamoGas:
    """The accounts table, as one chain's wallets' gas."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def gas_given(self, address: str) -> tuple[int, int]:
        """Return the last day on which a wallet got gas, and how much then (wei).

        What cannot be read is set aside and counts as none: the builder keeps the budget, and needs the same
        record for it.
        """
        item = await self._dynamo.get(ACCOUNTS, {"account_id": scoped(self._chain_id, address)})
        if item is None:
            return 0, 0
        with suppress(Unreadable):
            account = read(_GasGiven, ACCOUNTS, item, self._set_aside)
            return account.gas_day, account.gas_given
        return 0, 0
