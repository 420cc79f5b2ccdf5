"""Accepting what a user asks for, once, whatever its kind.

::

    idempotency key ──▶ id ──▶ authorization, then record (the lock) ──▶ message
                                    1                                       2

If a process dies between the two, the next request with the key or the sweep sends the message. The id is
made of the key, so one conditional put is both the lock and the creation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeAlias, TypeVar, cast

import structlog
from pydantic import BaseModel

from mintline.authorizations import Authorization, key_of
from mintline.canonical_json import canonical_json
from mintline.messages.work import BuildMint
from mintline.operation_ids import ID_BYTES, keyed_operation_id, operation_id_from
from mintline.records.operations import Operation
from mintline.records.wallets import Wallet
from mintline.states import MintStatus
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.operations.message_groups import group_of
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import OperationStore, OperationT, Outbox
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.client_budgets import ClientBudgets, ClientPermit
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.rates import Rates

log = structlog.get_logger()

LOG_NAMES = {
    "relayed_transfer": "transfer",
    "relayed_burn": "burn",
    "deploy": "deployment",
    "administer": "collection_change",
}
"""What log events call a kind of operation, where that is not its own name."""
TRIES = 10
"""Reads of an operation that keeps moving while it is to be stopped."""

Permit: TypeAlias = int | ClientPermit | None
"""A user's window of writes, or a client's share of its budget; None if nothing is counted."""
RequestT = TypeVar("RequestT", bound=BaseModel)
OtherT = TypeVar("OtherT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Generic[RequestT]):
    """A user's request for an operation; `key` is its idempotency key.

    `authorize` makes the envelope of the operation, `now` is in Unix milliseconds.
    """

    request: RequestT
    sub: str
    """Of the user who asks; of a client, its id."""
    client_id: str | None = None
    """The client that asks, None for a user."""
    key: str | None
    trace: str
    authorize: Callable[[Operation], bytes]
    now: int

    def asking(self, request: OtherT) -> Submission[OtherT]:
        """Return the same submission of a request that says more, such as what its path names."""
        return replace(cast("Submission[OtherT]", self), request=request)

    def digest(self) -> str:
        """Return the digest by which a repeated request is known to be the same (SHA-256, hex)."""
        body = canonical_json(self.request.model_dump(mode="json", exclude_none=True))
        return hashlib.sha256(body.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Accepted(Generic[OperationT]):
    """An accepted operation; `replayed` when the idempotency key had already made it."""

    operation: OperationT
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What it takes to accept an operation of any kind.

    `rates` and `gas` refuse new ones beyond what a user has, `client_budgets` beyond what a client has; no
    replay is counted.
    """

    chain_id: int
    default_collection: str
    collections: CollectionRegistry
    wallets: WalletDirectory
    operations: OperationStore
    outbox: Outbox
    entropy: Callable[[int], bytes]
    nudges: Nudges = field(default_factory=Nudges)
    rates: Rates | None = None
    gas: GasBudget | None = None
    client_budgets: ClientBudgets | None = None

    def operation_id(self, kind: str, submission: Submission[RequestT]) -> str:
        """Return the operation's id: the idempotency key's own, or a new one without a key."""
        if submission.key is None:
            return operation_id_from(kind, self.entropy(ID_BYTES))
        return keyed_operation_id(kind, self.chain_id, submission.sub, submission.key)

    async def permit(
        self,
        sub: str,
        *,
        paying: Wallet | None,
        client_id: str | None = None,
        contract: str | None = None,
        count: int = 1,
    ) -> Permit:
        """Return a permit for `count` more, for `give_back`; raises RequestRefused.

        A machine client's comes out of its budget, which says in which contracts it may mint; in those that
        it made it always may, and `contract` is None.
        """
        if client_id is not None:
            budgets = self.client_budgets
            return None if budgets is None else await budgets.take(client_id, contract, count)
        if self.gas is not None and paying is not None:
            await self.gas.check(paying.address)
        return None if self.rates is None else await self.rates.take(sub, count)

    def give_back(self, permit: Permit, sub: str, count: int = 1) -> None:
        """Return a permit for `count` operations that made nothing."""
        if isinstance(permit, ClientPermit):
            if self.client_budgets is not None:
                self.client_budgets.give_back(permit)
        elif self.rates is not None and permit is not None:
            self.rates.give_back(sub, permit, count)

    async def send(self, operation: Operation) -> None:
        """Send an accepted operation to the pipeline; if the message is lost, the sweep sends it."""
        key = key_of(operation)
        message = BuildMint(
            mint_id=operation.operation_id,
            trace=operation.trace,
            digest=key[1] if key is not None and key[0] == operation.operation_id else None,
        )
        await self.nudges.send(
            self.outbox.build(message, group=group_of(operation)), mint_id=operation.operation_id
        )

    async def create(
        self,
        operation: OperationT,
        authorization: Authorization,
        *,
        unused: Callable[[OperationT], None],
    ) -> Accepted[OperationT]:
        """Put an operation on record and send it, or return what its idempotency key made before.

        `unused` is called with that one: what was taken for a new one is not needed.
        """
        existing = await self.operations.create(operation, authorization)
        return await self.created(operation, existing, unused=unused)

    async def created(
        self,
        operation: OperationT,
        existing: OperationT | None,
        *,
        unused: Callable[[OperationT], None],
    ) -> Accepted[OperationT]:
        """Send an operation that was put on record, or return the `existing` one, as `create` does."""
        if existing is not None and not _is_this_try(existing, operation):
            unused(existing)
            return await self._replay(existing, operation.request_digest)
        created = existing or operation
        if created.status is MintStatus.ACCEPTED:
            await self.send(created)
        log.info(_log_event(created, "accepted"), **{f"{created.kind}_id": created.operation_id})
        return Accepted(created, replayed=False)

    async def made_before(
        self, record: type[OperationT], operation_id: str, submission: Submission[RequestT]
    ) -> Accepted[OperationT] | None:
        """Return what the idempotency key made before, None if that is nothing."""
        existing = await self.operations.operation(operation_id) if submission.key else None
        return await self._replay(existing, submission.digest()) if isinstance(existing, record) else None

    async def _replay(self, existing: OperationT, request_digest: str) -> Accepted[OperationT]:
        """Return what a key made before; raises RequestRefused if that was from another body.

        What is still `accepted` is sent again: a process may have died between the two writes.
        """
        if existing.request_digest != request_digest:
            raise RequestRefused(
                KEY_REUSED,
                f"This Idempotency-Key made {existing.operation_id} with another body: send a new key.",
            )
        if existing.status is MintStatus.ACCEPTED:
            await self.send(existing)
        log.info(_log_event(existing, "replayed"), **{f"{existing.kind}_id": existing.operation_id})
        return Accepted(existing, replayed=True)


def _log_event(operation: Operation, what: str) -> str:
    """Return the name of a log line about an operation: `mint_accepted`, say."""
    return f"{LOG_NAMES.get(operation.kind, operation.kind)}_{what}"


def _is_this_try(existing: Operation, operation: Operation) -> bool:
    """Tell whether a record is the one that this request wrote, by a try whose answer was lost.

    What it compares stays as it was created. A token id alone would not do: a counter may have been set back.
    """
    return (existing.contract, existing.token_id, existing.created_at, existing.trace) == (
        operation.contract,
        operation.token_id,
        operation.created_at,
        operation.trace,
    )
