"""The builder, made of its adapters: whoever runs it, its service or a simulation, gets the same one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from mintline.errors import Rejected
from mintline.messages import AnyMessage, BuildMint, Fees, FundWallet, RenewNonce
from mintline.tracing import OFF, Tracer
from mintline_builder import handlers
from mintline_builder.fees import offer
from mintline_builder.funds import Funds
from mintline_builder.metrics import Metrics
from mintline_builder.policy import Policy
from mintline_builder.ports import Accounts, Chain, Metadata, Mints, Outbox
from mintline_builder.reserver import Reserver
from mintline_builder.simulation import Simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The world, as a builder meets it."""

    accounts: Accounts
    mints: Mints
    metadata: Metadata
    chain: Chain
    outbox: Outbox


class Builder:
    """Handles the messages of `build.fifo`.

    `now` is in Unix seconds, `clock` in seconds from anywhere.
    """

    def __init__(
        self,
        adapters: Adapters,
        policy: Policy,
        *,
        metrics: Metrics,
        now: Callable[[], float],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
        tracer: Tracer = OFF,
    ) -> None:
        self._chain = adapters.chain
        self._metrics = metrics
        self._now = now
        self._fee_policy = policy.fees
        self.reserver = Reserver(
            accounts=adapters.accounts,
            chain_nonce=adapters.chain.transaction_count,
            sleep=sleep,
            rng=rng,
            conflicts=metrics.conflicts.inc,
            jumps=metrics.jumps.inc,
            tracer=tracer,
        )
        self.funds = Funds(
            treasury=policy.treasury,
            policy=policy.top_ups,
            gas=policy.transfer_gas,
            accounts=adapters.accounts,
            reserver=self.reserver,
            chain=adapters.chain,
            fees=self._fees,
            outbox=adapters.outbox,
            metrics=metrics,
            clock=now,
        )
        preparation = self._preparation(adapters, policy, clock)
        self._build, self._renew = (
            partial(
                handler,
                terms=policy.terms,
                mints=adapters.mints,
                preparation=preparation,
                reserver=self.reserver,
                outbox=adapters.outbox,
                metrics=metrics,
                clock=now,
            )
            for handler in (handlers.build, handlers.renew)
        )

    def _preparation(
        self, adapters: Adapters, policy: Policy, clock: Callable[[], float]
    ) -> handlers.Preparation:
        return handlers.Preparation(
            fees=self._fees,
            chain_time=self._chain_time,
            simulator=Simulator(
                adapters.chain,
                chain_id=policy.terms.chain_id,
                issuer=policy.terms.issuer.address,
                clock=clock,
                gas=policy.mint_gas,
                recipient_gas=policy.recipient_gas,
            ),
            funds=self.funds,
            metadata=adapters.metadata,
        )

    async def handle(self, message: AnyMessage) -> None:
        """Do what a message asks for; raises what its handler does, and Rejected for another's message."""
        match message:
            case BuildMint():
                await self._build(message)
            case RenewNonce():
                await self._renew(message)
            case FundWallet():
                await handlers.fund(message, funds=self.funds)
            case _:
                raise Rejected("message_misrouted", f"{message.type} is not for the builder.")

    async def aclose(self) -> None:
        """Wait for the reservations under way."""
        await self.reserver.aclose()

    async def _chain_time(self) -> int:
        time = await self._chain.time()
        self._metrics.chain_time_skew.set(time - self._now())
        return time

    async def _fees(self) -> Fees:
        return offer(await self._chain.fees(), self._fee_policy)
