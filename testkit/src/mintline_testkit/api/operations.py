"""The API's operations, token ids and outbox in memory."""

from __future__ import annotations

import asyncio

from mintline.authorizations import Authorization, Key, key_of
from mintline.messages.signed import SelfRedeem
from mintline.messages.work import BuildLines, BuildMint, ReviewMint
from mintline.records.keys import created_key, external_ref
from mintline.records.operations import CollectionOperation, Mint, Operation, TokenOperation
from mintline.records.problems import Problem
from mintline.records.transactions import (
    Transaction,
    TransactionKey,
    as_far_as,
    as_far_as_any,
    carried_by,
    may_still_be_stopped,
)
from mintline.states import TERMINAL, MintStatus, may
from mintline_api.features.operations.ports import ExternalIdTaken, OperationT
from mintline_api.features.pages import Page
from mintline_testkit.api.pages import page_of


class MemoryMints:
    """Mints in a dict, and the transactions that carry them in another."""

    def __init__(self) -> None:
        self.items: dict[str, Mint] = {}
        """As they are stored: see `as_far_as`."""
        self.token_operations: dict[str, TokenOperation] = {}
        """Transfers and burns, which lie in the same table."""
        self.collection_operations: dict[str, CollectionOperation] = {}
        """Deployments and changes of collections, which lie in the same table."""
        self.transactions: dict[TransactionKey, Transaction] = {}
        self.authorizations: dict[Key, Authorization] = {}
        self.external_ids: dict[str, str] = {}

    async def create(self, operation: OperationT, authorization: Authorization) -> OperationT | None:
        key = key_of(operation)
        assert key is not None
        self.authorizations.setdefault(key, authorization)
        existing = await self.operation(operation.operation_id)
        if existing is not None:
            assert isinstance(existing, type(operation))
            return existing
        self._keep(operation)
        return None

    def _keep(self, operation: Operation) -> None:
        if isinstance(operation, Mint):
            if operation.external_id is not None:
                name = external_ref(operation.asked_by, operation.external_id)
                if (taken_by := self.external_ids.setdefault(name, operation.mint_id)) != operation.mint_id:
                    raise ExternalIdTaken(taken_by)
            self.items[operation.mint_id] = operation
        elif isinstance(operation, TokenOperation):
            self.token_operations[operation.operation_id] = operation

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands."""
        operation: Operation | None = self.token_operations.get(operation_id)
        if operation is None:
            operation = self.collection_operations.get(operation_id)
        return (
            self._standing(operation_id) if operation is None else as_far_as_any(operation, self.transactions)
        )

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it stands."""
        return self._standing(mint_id)

    def _standing(self, mint_id: str) -> Mint | None:
        mint = self.items.get(mint_id)
        place = None if mint is None else carried_by(mint)
        return mint if mint is None or place is None else as_far_as(mint, self.transactions.get(place))

    async def cancel(self, operation: OperationT, problem: Problem, *, at: int) -> OperationT:
        operation_id = operation.operation_id
        stored_as = self.token_operations if isinstance(operation, TokenOperation) else self.items
        current = stored_as[operation_id]
        place = carried_by(operation)
        carried = None if place is None else self.transactions.get(place)
        stored = operation.status if carried is None else MintStatus.BUILT
        there = (current.status, current.nonce, current.cancel_requested_at) == (
            stored,
            operation.nonce,
            None,
        )
        there = there and may(operation.status, MintStatus.REJECTED)
        if there and (carried is None or may_still_be_stopped(operation, carried)):
            fields: dict[str, object] = {"cancel_requested_at": at, "updated_at": at}
            if operation.status is not MintStatus.SUBMITTED:
                fields |= {"status": MintStatus.REJECTED, "problem": problem}
            self._keep(current.evolve(**fields))
            if place is not None and carried is not None:
                self.transactions[place] = carried.evolve(filling_at=carried.filling_at or at, updated_at=at)
        present = await self.operation(operation_id)
        return present if isinstance(present, type(operation)) else operation

    async def under_way(self, wallet: str, contract: str) -> tuple[TokenOperation, ...]:
        """Return a wallet's transfers and burns of a contract's tokens whose nonce is not final."""
        standing = [
            as_far_as_any(operation, self.transactions) for operation in self.token_operations.values()
        ]
        return tuple(
            operation
            for operation in standing
            if (operation.holder.address, operation.contract) == (wallet, contract)
            and operation.nonce is not None
            and operation.status not in TERMINAL
        )

    async def ids_of(self, sub: str, *, limit: int, after: str | None) -> Page[str]:
        mine = [
            (created_key(m.created_at, m.mint_id), m.mint_id) for m in self.items.values() if m.sub == sub
        ]
        return page_of(mine, limit=limit, after=after, newest_first=True)

    async def ids_of_client(self, client_id: str, *, limit: int, after: str | None) -> Page[str]:
        ids = [
            (created_key(m.created_at, m.mint_id), m.mint_id)
            for m in self.items.values()
            if m.client_id == client_id
        ]
        return page_of(ids, limit=limit, after=after, newest_first=True)

    async def id_by_external_id(self, asked_by: str, external_id: str) -> str | None:
        """Return the id of the mint that has a name."""
        return self.external_ids.get(external_ref(asked_by, external_id))

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        mints = (m for m in self.items.values() if m.contract == contract and m.status not in TERMINAL)
        return max((m.token_id for m in mints if m.token_id is not None and m.token_id in ids), default=None)


class MemoryTokenIds:
    """Counters in a dict; each contract's begins at 1."""

    def __init__(self, counters: dict[str, int] | None = None) -> None:
        self.counters = {} if counters is None else counters
        self.leases: list[tuple[str, int]] = []

    async def upcoming(self, contract: str) -> int:
        return self.counters.setdefault(contract, 1)

    async def advance(self, contract: str, to: int) -> None:
        """Move forward."""
        self.counters[contract] = max(to, self.counters.setdefault(contract, 1))

    async def lease(self, contract: str, count: int) -> int:
        await asyncio.sleep(0)
        first = self.counters.setdefault(contract, 1)
        self.counters[contract] += count
        self.leases.append((contract, count))
        return first


class MemoryOutbox:
    """A line that remembers what it was given, unless it is made to fail."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.sent: list[tuple[str, BuildMint]] = []
        self.lines: list[BuildLines] = []
        self.reviews: list[ReviewMint] = []
        self.redeemed: list[tuple[int, SelfRedeem]] = []

    async def build(self, message: BuildMint, *, group: str) -> None:
        """Remember the message."""
        self._fail()
        self.sent.append((group, message))

    async def build_lines(self, message: BuildLines) -> None:
        """Remember the message."""
        self._fail()
        self.lines.append(message)

    async def review(self, message: ReviewMint) -> None:
        """Remember the message."""
        self._fail()
        self.reviews.append(message)

    async def redeem(self, message: SelfRedeem, *, at: int) -> None:
        """Remember a user's transaction."""
        self._fail()
        self.redeemed.append((at, message))

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure
