"""What the builder asks of each kind of operation, and what several kinds do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Generic, NoReturn, TypeVar

import structlog

from mintline.authorizations import Authorization
from mintline.clock import UnixSeconds, to_ms
from mintline.errors import Deferred, Rejected
from mintline.kinds import dedup_id, first_intent, group_of
from mintline.messages.parts import Clone, Fees
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, carried_by
from mintline.refusals import RefusalCode, problem_of
from mintline.resources import SIGN
from mintline_builder.batches import Batches
from mintline_builder.claims import OperationClaim
from mintline_builder.collection_simulation import CollectionSimulator
from mintline_builder.config import BuilderConfig
from mintline_builder.funding_policy import FundingCheck
from mintline_builder.funds import Funds
from mintline_builder.gatherer import Gatherer
from mintline_builder.ports import Accounts, ChainReader, Collections, MetadataPublisher, Operations, Outbox
from mintline_builder.reserver import Reserver
from mintline_builder.simulation import Simulator
from mintline_builder.token_simulation import TokenSimulator

LAGGING_NODE_WAIT = 5.0
"""Seconds after which a nonce that a node does not know to be used is asked for again."""
TOP_UP_WAIT = 1.0
"""Seconds after which an operation that waits for its wallet's top-up looks again."""

log = structlog.get_logger(__name__)

OperationT = TypeVar("OperationT", bound=Operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all kinds build with."""

    config: BuilderConfig
    accounts: Accounts
    operations: Operations
    collections: Collections
    metadata: MetadataPublisher
    outbox: Outbox
    reserver: Reserver
    funds: Funds
    simulator: Simulator
    token_simulator: TokenSimulator
    collection_simulator: CollectionSimulator
    chain: ChainReader
    batches: Batches
    gatherer: Gatherer
    fees: Callable[[], Awaitable[Fees]]
    chain_time: Callable[[], Awaitable[int]]
    """Unix seconds of the latest block: what the contract holds a deadline against."""
    clock: Callable[[], UnixSeconds]


@dataclass(frozen=True, slots=True)
class Built(Generic[OperationT]):
    """An operation as it is on record once it is built."""

    operation: OperationT
    carrier: Transaction | None = None
    """The transaction that carries it, if it was just created: it need not be read."""


class OperationKind(ABC, Generic[OperationT]):
    """A kind of operation.

    Every step before an operation is `built` can be repeated. `build` and `renew` raise Rejected for what can
    never succeed, Waiting for what waits for somebody to act, another Deferred for what goes on by itself,
    and Conflict if another delivery was faster.
    """

    renewable: ClassVar[bool] = False
    """Whether it gets another nonce when another transaction has used its own for good."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    async def build(self, operation: OperationT, authorization: Authorization) -> Built[OperationT]:
        """Take an accepted operation to `built`, and return it as it then is on record."""

    async def renew(self, operation: OperationT, authorization: Authorization) -> Built[OperationT]:
        """Take an operation whose nonce is spent back to `built` with another; return it as then recorded."""
        del authorization
        raise NotImplementedError(operation.kind)

    @abstractmethod
    async def send_on(self, built: Built[OperationT], authorization: Authorization) -> None:
        """Have a built operation signed, the same each time: a crash may have come before the send."""

    async def aclose(self) -> None:
        """Wait for what is under way."""


class SingleKind(OperationKind[OperationT]):
    """A kind whose transaction carries one operation."""

    async def send_on(self, built: Built[OperationT], authorization: Authorization) -> None:
        """Send the intent that the operation's transaction stands for."""
        operation, carrier = built.operation, built.carrier
        if carrier is None and (place := carried_by(operation)) is not None:
            carrier = await self.context.accounts.transaction(place)
        if carrier is None:
            return
        intent = first_intent(carrier, [operation], authorization.envelope)
        await self.context.outbox.send(SIGN, intent, group=group_of(intent), dedup=dedup_id(intent))
        log.info(event(operation, "built"), nonce=operation.nonce, token_id=str(operation.token_id))


class OwnWalletKind(SingleKind[OperationT]):
    """A kind whose transaction is sent, and paid for, by its user's own wallet in custody."""

    async def reserve(
        self,
        operation: OperationT,
        *,
        gas: int,
        fees: Fees,
        floor: int,
        deadline: int | None = None,
        clone: Clone | None = None,
    ) -> Built[OperationT]:
        """Reserve the wallet's next nonce for an operation, and return it as it then is on record.

        `floor` is how many of the wallet's transactions are mined.
        """
        assert operation.sender is not None
        at = to_ms(self.context.clock())
        claim = OperationClaim(operation, deadline, gas, fees, at, clone=clone)
        nonce = await self.context.reserver.reserve(operation.sender.address, claim, floor=floor)
        place = carried_by(operation)
        if place is not None:
            log.warning("nonce_renewed", spent=place.nonce, nonce=nonce)
        carrier = claim.transaction(nonce)
        return Built(claim.built(carrier), carrier)

    async def wait_for_funds(self, operation: OperationT, funding: FundingCheck) -> NoReturn:
        """Start a top-up of the operation's wallet."""
        assert operation.sender is not None
        await self.context.funds.top_up(
            operation.sender.address, funding, trace=operation.trace, operation_id=operation.operation_id
        )
        raise Deferred("the wallet waits for gas money", retry_after=TOP_UP_WAIT)


def event(operation: Operation, what: str) -> str:
    """Return the name of a log line about an operation: `mint_built`, say."""
    return f"{operation.kind}_{what}"


def require_chain(operation: Operation, config: BuilderConfig) -> None:
    """Raise Rejected for an operation of another chain."""
    if operation.chain_id != config.chain_id:
        noun = operation.kind.removeprefix("relayed_")
        raise Rejected(f"{noun}_malformed", f"The {noun} is not one that this builder can build.")


def unauthorized() -> Rejected:
    """Return the refusal of an operation whose authorization is not on record, or not any more.

    It is not kept for longer than an enclave would sign by it (`mintline.authorizations`).
    """
    missing = problem_of(RefusalCode.AUTHORIZATION_MISSING)
    return Rejected(missing.code, missing.reason)
