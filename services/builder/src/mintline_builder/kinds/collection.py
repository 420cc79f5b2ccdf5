"""What a principal asks to be done with a collection of theirs: a relayer sends it, and pays."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import structlog

from mintline.authorizations import Authorization
from mintline.clock import to_ms
from mintline.errors import Deferred
from mintline.messages.parts import Fees
from mintline.records.operations import CollectionOperation
from mintline.records.transactions import carried_by
from mintline_builder.claims import OperationClaim
from mintline_builder.kinds.base import Built, Context, SingleKind, require_chain, unauthorized
from mintline_builder.relayers import Payer
from mintline_builder.waiting import RELAYER_NOT_ALLOWED, Waiting

GAS = 400_000
"""What one is taken to need when a relayer is picked, until the first has shown it."""
AGAIN_AFTER = 1.0
"""Seconds after which one is tried again that costs more than its relayer has."""

log = structlog.get_logger(__name__)

CollectionOperationT = TypeVar("CollectionOperationT", bound=CollectionOperation)


class CollectionKind(SingleKind[CollectionOperationT]):
    """A call of a factory, or of a collection that it made, by a relayer of the pool."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._usual_gas = GAS

    @abstractmethod
    async def gas(self, operation: CollectionOperationT, relayer: str) -> int:
        """Return the gas limit with which a relayer's call succeeds now; raises as simulations do."""

    async def build(
        self, operation: CollectionOperationT, authorization: Authorization
    ) -> Built[CollectionOperationT]:
        """Pick a relayer, simulate the very call, and reserve a nonce of its."""
        context = self.context
        context.batches.relayers.require()
        require_chain(operation, context.config)
        if not authorization.envelope:
            raise unauthorized()
        return await self.reserve(operation)

    async def reserve(self, operation: CollectionOperationT) -> Built[CollectionOperationT]:
        """Reserve a relayer's next nonce for an operation, and return it as it then is on record."""
        context = self.context
        fees = await context.fees()
        payer, gas = await self._payer(operation, fees)
        claim = OperationClaim(operation, None, gas, fees, to_ms(context.clock()), relayer=payer.key)
        with context.funds.held(payer.key.address):
            nonce = await context.reserver.reserve(payer.key.address, claim, floor=payer.funding.mined)
        if (place := carried_by(operation)) is not None:
            log.warning("nonce_renewed", spent=place.nonce, nonce=nonce)
        carrier = claim.transaction(nonce)
        return Built(claim.built(carrier), carrier)

    async def _payer(self, operation: CollectionOperationT, fees: Fees) -> tuple[Payer, int]:
        """Return a relayer that may make the call and can pay for it, with the gas limit."""
        relayers, contract = self.context.batches.relayers, operation.contract
        barred: frozenset[str] = frozenset()
        while True:
            guessed = self._usual_gas * fees.max_fee_per_gas
            payer = await relayers.pick(contract, guessed, barred=barred)
            address = payer.key.address
            try:
                gas = await self.gas(operation, address)
            except Waiting as waiting:
                if waiting.problem != RELAYER_NOT_ALLOWED:
                    raise
                relayers.bar(contract, address)
                barred |= {address}
                continue
            self._usual_gas = gas
            if not payer.affords(gas * fees.max_fee_per_gas):
                raise Deferred("the relayer cannot pay for the call", retry_after=AGAIN_AFTER)
            return payer, gas
