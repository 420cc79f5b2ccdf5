"""Mints, and the counters of their token ids, in DynamoDB."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pydantic import Field

from mintline.authorizations import Authorization
from mintline.aws.authorizations import keep_authorization
from mintline.aws.dynamo import (
    Change,
    Clause,
    ConditionFailed,
    Contended,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.aws.operations import filling, read_mint, read_operation, read_transaction, with_transaction
from mintline.aws.records import (
    external_id_put,
    operation_item,
    read,
    readable,
    to_item,
    transition,
    unusable,
)
from mintline.errors import Unavailable, Unwritable
from mintline.frozen import Frozen
from mintline.records.keys import OPEN_SHARDS, external_ref, scoped
from mintline.records.locks import ExternalId
from mintline.records.operations import Mint, Operation
from mintline.records.problems import Problem
from mintline.records.transactions import carried_by, may_still_be_stopped
from mintline.resources import COLLECTIONS, EXTERNAL_IDS, MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_api.features.contracts.problems import unknown_contract
from mintline_api.features.operations.ports import ExternalIdTaken, OperationT
from mintline_api.features.pages import Page, newest_first, text_of

_BY_USER = MINTS.index("by_user")
_BY_CLIENT = MINTS.index("by_client")
_OPEN = MINTS.index("open")
_NEWEST_OPEN = 5
"""Mints of each shard of the open ones that are asked for the highest token id."""
_OPEN_PAGE = 25
"""Open operations of a shard that are looked through for mints at once."""
_OPEN_PAGES = 8
"""Such pages at most: behind as many transfers and burns no mint is looked for."""
_REFUSED = "ConditionalCheckFailed"
_MINT = "mint_"
"""What a mint's id begins with, and no other operation's."""


class DynamoMints:
    """The tables of mints and of their authorizations.

    ::

        authorizations   new_authorization ─▶ it stays as it is
        mints            new_mint          ─▶ the mint that is there
        external-ids     unused_name       ─▶ the mint that has the name (with the mint's, in one transaction)
    """

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def create(self, operation: OperationT, authorization: Authorization) -> OperationT | None:
        # First: a crash in between leaves an authorization that nobody reads, never a mint without its own.
        await keep_authorization(self._dynamo, operation, authorization)
        operation_id = operation.operation_id
        put = Put(MINTS, operation_item(operation), where=(Clause("new_mint", "mint_id", "missing"),))
        try:
            if isinstance(operation, Mint) and operation.external_id is not None:
                await self._create_named(operation, put)
            else:
                await self._dynamo.write(put)
        except ConditionFailed as lost:
            existing: Operation | None
            if lost.item is not None:
                existing = await with_transaction(self._dynamo, lost.item, self._set_aside)
            else:
                existing = await self.operation(operation_id)
            # An id begins with its kind.
            assert isinstance(existing, type(operation))
            return existing
        return None

    async def _create_named(self, mint: Mint, put: Put) -> None:
        """Create a mint together with its external id: a crash leaves both or neither.

        Raises ConditionFailed if the mint's id exists, else ExternalIdTaken if another mint has the name.
        """
        try:
            await self._together(put, external_id_put(mint))
        except TransactionCancelled as lost:
            (of_mint, of_name) = lost.reasons
            if of_mint.code == _REFUSED:
                raise ConditionFailed(put, of_mint.item) from None
            if of_name.item is None:
                raise Unavailable("the external id's record is not shown") from None
            raise ExternalIdTaken(
                read(ExternalId, EXTERNAL_IDS, of_name.item, self._set_aside).mint_id
            ) from None

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands now."""
        return await read_operation(self._dynamo, operation_id, self._set_aside)

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it stands now."""
        return await read_mint(self._dynamo, mint_id, self._set_aside)

    async def cancel(self, operation: OperationT, problem: Problem, *, at: int) -> OperationT:
        """Reject an operation that was not sent, or note on a submitted one that it is to be stopped.

        The nonce of a transaction that carries it is for a no-op from then on, by the same write.
        """
        place = carried_by(operation)
        carried = None if place is None else await read_transaction(self._dynamo, place, self._set_aside)
        if carried is not None and not may_still_be_stopped(operation, carried):
            return await self._again(operation)
        stored = operation.status if carried is None else MintStatus.BUILT
        still = (
            Clause("still_there", "status", "eq", (stored.value,)),
            Clause("first_request", "cancel_requested_at", "missing"),
            *(() if place is None else (Clause("its_nonce", "nonce", "eq", (place.nonce,)),)),
        )
        if operation.status is MintStatus.SUBMITTED:
            requested: Item = {"cancel_requested_at": at, "updated_at": at}
            update = Update(MINTS, {"mint_id": operation.operation_id}, set=requested, where=still)
        else:
            ended: Item = {"problem": to_item(problem), "cancel_requested_at": at}
            update = transition(operation.operation_id, MintStatus.REJECTED, at=at, set=ended, where=still)
        with suppress(ConditionFailed, TransactionCancelled):
            if carried is None:
                await self._dynamo.write(update)
            else:
                await self._together(update, filling(carried, at=at))
        return await self._again(operation)

    async def _again(self, operation: OperationT) -> OperationT:
        present = await self.operation(operation.operation_id)
        return present if isinstance(present, type(operation)) else operation

    async def _together(self, *changes: Change) -> None:
        try:
            await self._dynamo.transact(changes)
        except Contended:
            raise Unavailable("other writers kept moving the same records") from None

    async def ids_of(self, sub: str, *, limit: int, after: str | None) -> Page[str]:
        """Return a user's mint ids, newest first; the index lags behind `create` by moments."""
        return await newest_first(self._dynamo, MINTS, _BY_USER, sub, limit=limit, after=after)

    async def ids_of_client(self, client_id: str, *, limit: int, after: str | None) -> Page[str]:
        return await newest_first(self._dynamo, MINTS, _BY_CLIENT, client_id, limit=limit, after=after)

    async def id_by_external_id(self, asked_by: str, external_id: str) -> str | None:
        item = await self._dynamo.get(EXTERNAL_IDS, {"external_ref": external_ref(asked_by, external_id)})
        return None if item is None else read(ExternalId, EXTERNAL_IDS, item, self._set_aside).mint_id

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` in a collection that the newest open mints of all collections have."""
        shards = await asyncio.gather(*map(self._newest_open, range(OPEN_SHARDS)))
        keys: list[Item] = [{"mint_id": mint_id} for ids_of_shard in shards for mint_id in ids_of_shard]
        items = await asyncio.gather(*(self._dynamo.get(MINTS, key) for key in keys))
        present = (item for item in items if item is not None)
        return max(
            (
                mint.token_id
                for _, mint in readable(Mint, MINTS, present, self._set_aside)
                if mint.contract == contract and mint.token_id is not None and mint.token_id in ids
            ),
            default=None,
        )

    async def _newest_open(self, shard: int) -> list[str]:
        """Return the ids of a shard's newest open mints: the transfers and burns among them are no mints.

        Those name tokens that they did not take from a counter.
        """
        mint_ids: list[str] = []
        start: Item | None = None
        for _ in range(_OPEN_PAGES):
            page = await self._dynamo.query(
                MINTS, index=_OPEN, partition=str(shard), forward=False, limit=_OPEN_PAGE, start=start
            )
            ids = (text_of(item, "mint_id") for item in page.items)
            mint_ids += [mint_id for mint_id in ids if mint_id.startswith(_MINT)]
            start = page.next
            if start is None or len(mint_ids) >= _NEWEST_OPEN:
                break
        return mint_ids[:_NEWEST_OPEN]


class _Counter(Frozen):
    """The part of a collection that is counted."""

    next_token_id: int = Field(ge=0, strict=True)


class DynamoTokenIds:
    """The counters of one chain's collections."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def upcoming(self, contract: str) -> int:
        """Return what the counter stands at; raises Unusable if that cannot be read."""
        item = await self._dynamo.get(COLLECTIONS, self._key(contract))
        if item is None:
            raise unknown_contract(contract)
        return read(_Counter, COLLECTIONS, item, self._set_aside).next_token_id

    async def advance(self, contract: str, to: int) -> None:
        """Move the counter forward, never back."""
        behind = Clause("behind", "next_token_id", "lt", (to,))
        update = Update(COLLECTIONS, self._key(contract), set={"next_token_id": to}, where=(behind,))
        with suppress(ConditionFailed):
            # Alone, like the addition: the role has no permission for PartiQL here.
            await self._dynamo.update_returning(update)

    async def lease(self, contract: str, count: int) -> int:
        """Take token ids by one addition; raises Unusable for a counter that cannot be read.

        No other value can stand in for it: ids that are made up may be on other mints' records.
        """
        key = self._key(contract)
        # Only a number of 0 or more passes, as DynamoDB compares: what was damaged is not added to.
        countable = Clause("countable", "next_token_id", "ge", (0,))
        update = Update(COLLECTIONS, key, add={"next_token_id": count}, where=(countable,))
        try:
            item = await self._dynamo.update_returning(update)
        except ConditionFailed as lost:
            present = lost.item or await self._dynamo.get(COLLECTIONS, key)
            if present is None:
                raise unknown_contract(contract) from None
            read(_Counter, COLLECTIONS, present, self._set_aside)
            raise Unavailable("the counter of token ids was repaired meanwhile") from None
        except Unwritable as error:
            raise unusable(COLLECTIONS, key, error, self._set_aside) from None
        return read(_Counter, COLLECTIONS, item, self._set_aside).next_token_id - count

    def _key(self, contract: str) -> Item:
        return {"collection_id": scoped(self._chain_id, contract)}
