"""What a user asks to be done with a token of a factory's collection: the wallet signs, a relayer pays.

::

    turn is another's that is under way ──▶ wait for its block
    turn is free ──▶ counter by the chain ──▶ simulation ──▶ turn, nonce and record in one write

A wallet signs one thing at a time in a collection: its signature names a counter that the contract moves on,
so the next one's is known once the one before is mined, or can never be. Two copies of the builder that
find the turn free write it under the condition that it is still the one they saw.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import structlog

from mintline.authorizations import Authorization
from mintline.chain.calls import Call
from mintline.clock import to_ms
from mintline.errors import Deferred, Unavailable
from mintline.holder_signatures import nonces_calldata
from mintline.records.locks import SignatureTurn
from mintline.records.operations import RelayedTokenOperation
from mintline.states import MintStatus
from mintline_builder.claims import RelayedClaim
from mintline_builder.kinds.base import Built, Context, SingleKind, require_chain, unauthorized
from mintline_builder.relayers import Payer
from mintline_builder.token_simulation import HolderSignature, TokenCall
from mintline_builder.waiting import CHAIN_TIME_SKEWED, Waiting

SIGNATURE_TTL = 3600
"""Seconds for which a holder's signature is good at most, by the chain's clock or ours, whichever is ahead.

So long a transaction may take, and so long may a stopped one keep its wallet's next one waiting."""
TURN_WAIT = 1.0
"""Seconds after which an operation looks again whose wallet has another one under way."""
SETTLED_AFTER = 60.0
"""Seconds after its end at which one that did nothing no longer says what the counter is at least."""
GAS = 120_000
"""What one is taken to need when a relayer is picked, until the first has shown it."""
_WORD = 32

log = structlog.get_logger(__name__)

RelayedT = TypeVar("RelayedT", bound=RelayedTokenOperation)


class RelayedKind(SingleKind[RelayedT]):
    """A call of the collection by a relayer, with the wallet's signature in it.

    It gets one nonce and no other. Its signature is good once, for any sender: so two of one request could
    both happen only if they named two counters, and the enclave signs no second one.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._usual_gas = GAS

    @abstractmethod
    def call(self, operation: RelayedT, signed: HolderSignature) -> TokenCall:
        """Return what the relayer calls."""

    async def build(self, operation: RelayedT, authorization: Authorization) -> Built[RelayedT]:
        """Wait for the wallet's turn, simulate the very call, and take turn and nonce."""
        context = self.context
        context.batches.relayers.require()
        require_chain(operation, context.config)
        if not authorization.envelope:
            raise unauthorized()
        clone = await context.collections.clone(operation.contract)
        if clone is None:
            raise Unavailable(f"what {operation.contract} was made of is not on record")
        turn = await context.accounts.signature_turn(operation.contract, operation.wallet.address)
        sender, least = await self._previous(turn, operation)
        counter = await self._counter(operation, least)
        deadline = await self._deadline()
        fees = await context.fees()
        payer = await self._payer(operation, self._usual_gas * fees.max_fee_per_gas, sender)
        signed = HolderSignature(payer.key.address, counter, deadline)
        gas = await context.token_simulator.gas(self.call(operation, signed))
        self._usual_gas = gas
        if not payer.affords(gas * fees.max_fee_per_gas):
            raise Deferred("the relayer cannot pay for the call", retry_after=TURN_WAIT)
        claim = RelayedClaim(
            operation,
            deadline,
            gas,
            fees,
            to_ms(context.clock()),
            relayer=payer.key,
            clone=clone,
            counter=counter,
            replaces=None if turn is None else turn.operation_id,
        )
        with context.funds.held(payer.key.address):
            nonce = await context.reserver.reserve(payer.key.address, claim, floor=payer.funding.mined)
        carrier = claim.transaction(nonce)
        built = claim.built(carrier)
        assert isinstance(built, type(operation))
        return Built(built, carrier)

    async def _previous(self, turn: SignatureTurn | None, operation: RelayedT) -> tuple[str | None, int]:
        """Return the relayer that must send this one, None for any, and the least counter that it can have.

        Raises Deferred while what had the turn before is under way. One that is mined and not final keeps its
        relayer for the next one: should a reorg take its block back, their nonces keep their order.
        """
        if turn is None or turn.operation_id == operation.operation_id:
            return None, 0
        before = await self.context.operations.get(turn.operation_id)
        if before is None:
            return None, 0
        match before.status:
            case MintStatus.MINED:
                return None if before.sender is None else before.sender.address, turn.counter + 1
            case MintStatus.FINALIZED:
                return None, turn.counter + 1
            case MintStatus.REJECTED | MintStatus.REVERTED:
                # A reorg may have taken back the one before it as well, and the counter with that: then this
                # one failed, and its counter is not reached. A node that is merely behind catches up soon.
                settled = self.context.clock() - before.updated_at / 1000 > SETTLED_AFTER
                return None, 0 if settled else turn.counter
            case _:
                raise Deferred(f"{turn.operation_id} of the wallet is under way", retry_after=TURN_WAIT)

    async def _counter(self, operation: RelayedT, least: int) -> int:
        """Return the wallet's counter in the collection; raises Deferred if the node is behind."""
        wallet = operation.wallet.address
        call = Call(sender=wallet, to=operation.contract, data=nonces_calldata(wallet))
        result = await self.context.chain.call(call)
        if len(result) != _WORD:
            # Without code a call succeeds, and returns nothing.
            raise Unavailable(f"the node has no counter of {wallet} at {operation.contract}")
        counter = int.from_bytes(result, "big")
        if counter < least:
            raise Deferred("the node does not have the wallet's latest block yet", retry_after=TURN_WAIT)
        return counter

    async def _deadline(self) -> int:
        """Return the signature's deadline, in Unix seconds; raises Waiting as for a voucher's."""
        context = self.context
        chain, ours = await context.chain_time(), int(context.clock())
        if abs(chain - ours) > context.config.max_chain_skew:
            log.error("chain_time_skewed", chain_time=chain, skew=chain - ours)
            raise Waiting(CHAIN_TIME_SKEWED)
        return max(chain, ours) + min(SIGNATURE_TTL, context.config.voucher_ttl)

    async def _payer(self, operation: RelayedT, cost: int, sender: str | None) -> Payer:
        """Return the relayer that sends it: `sender` if that is still one of ours."""
        relayers = self.context.batches.relayers
        others = frozenset(key.address for key in relayers.keys if key.address != sender)
        barred = others if sender is not None and relayers.owns(sender) else frozenset()
        return await relayers.pick(operation.contract, cost, barred=barred)
