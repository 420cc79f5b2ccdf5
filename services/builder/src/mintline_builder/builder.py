"""The builder, assembled from its adapters: the service and the simulation run the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from mintline.clock import Monotonic, UnixSeconds
from mintline.errors import Rejected
from mintline.messages.codec import AnyMessage
from mintline.messages.parts import Fees
from mintline.messages.work import BuildLines, BuildMint, FinishBatch, FundWallet, RenewNonce
from mintline.notices import Notices, NoticeStore
from mintline.tracing import OFF, Tracer
from mintline_builder import handlers
from mintline_builder.batches import Batches, BatchPorts
from mintline_builder.collection_simulation import CollectionSimulator
from mintline_builder.config import BuilderConfig
from mintline_builder.fees import quote_fees
from mintline_builder.funds import Funds
from mintline_builder.gatherer import Gatherer
from mintline_builder.handlers import Frame
from mintline_builder.kinds import Context, batch_kind_of, kinds_of
from mintline_builder.line_handlers import build_lines
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Accounts, ChainReader, Collections, MetadataPublisher, Operations, Outbox
from mintline_builder.relayers import Relayers
from mintline_builder.reserver import Reserver
from mintline_builder.simulation import Simulator
from mintline_builder.token_simulation import TokenSimulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The implementations of a builder's ports."""

    accounts: Accounts
    operations: Operations
    collections: Collections
    metadata: MetadataPublisher
    chain: ChainReader
    outbox: Outbox
    notices: NoticeStore


class Builder:
    """Handles the messages of `build.fifo`."""

    def __init__(
        self,
        adapters: Adapters,
        config: BuilderConfig,
        *,
        metrics: Metrics,
        now: Callable[[], UnixSeconds],
        clock: Callable[[], Monotonic],
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
        tracer: Tracer = OFF,
    ) -> None:
        self._chain = adapters.chain
        self._metrics = metrics
        self._now = now

        self.reserver = Reserver(
            accounts=adapters.accounts,
            sleep=sleep,
            rng=rng,
            conflicts=metrics.conflicts.inc,
            jumps=metrics.jumps.inc,
            tracer=tracer,
        )
        self._notices = notices = Notices(adapters.notices)
        self.funds = Funds(
            treasury=config.treasury,
            policy=config.top_ups,
            gas=config.transfer_gas,
            accounts=adapters.accounts,
            reserver=self.reserver,
            chain=adapters.chain,
            fees=self._fees,
            outbox=adapters.outbox,
            notices=notices,
            metrics=metrics,
            clock=now,
        )
        self.relayers = Relayers(
            config.relayers,
            refill=config.refill,
            funds=self.funds,
            notices=notices,
            metrics=metrics,
            clock=now,
        )
        self.batches = Batches(
            BatchPorts(
                accounts=adapters.accounts,
                operations=adapters.operations,
                collections=adapters.collections,
                metadata=adapters.metadata,
                outbox=adapters.outbox,
                chain=adapters.chain,
            ),
            config=config,
            reserver=self.reserver,
            funds=self.funds,
            relayers=self.relayers,
            fees=self._fees,
            metrics=metrics,
            now=now,
        )
        self._gatherer = Gatherer(
            self.batches.assemble, most=self.batches.room, linger=config.batch_wait, sleep=sleep
        )
        self._config = config
        self._kinds = kinds_of(self._context(adapters, config, clock))
        self._batch_kind = batch_kind_of(self._kinds)
        self._frame = Frame(
            config=config,
            operations=adapters.operations,
            kinds=self._kinds,
            metrics=metrics,
            clock=now,
        )

    def _context(self, adapters: Adapters, config: BuilderConfig, clock: Callable[[], Monotonic]) -> Context:
        return Context(
            config=config,
            accounts=adapters.accounts,
            operations=adapters.operations,
            collections=adapters.collections,
            metadata=adapters.metadata,
            outbox=adapters.outbox,
            reserver=self.reserver,
            funds=self.funds,
            simulator=Simulator(
                adapters.chain,
                chain_id=config.chain_id,
                issuer=config.issuer.address,
                clock=clock,
                gas=config.mint_gas,
                recipient_gas=config.recipient_gas,
            ),
            token_simulator=TokenSimulator(
                adapters.chain, gas=config.mint_gas, recipient_gas=config.recipient_gas
            ),
            collection_simulator=CollectionSimulator(
                adapters.chain, deploy_gas=config.deploy_gas, change_gas=config.mint_gas
            ),
            chain=adapters.chain,
            batches=self.batches,
            gatherer=self._gatherer,
            fees=self._fees,
            chain_time=self._chain_time,
            clock=self._now,
        )

    async def handle(self, message: AnyMessage) -> None:
        """Do what a message asks for; raises what its handler does, and Rejected for another's message."""
        match message:
            case BuildLines():
                await build_lines(message, frame=self._frame, kind=self._batch_kind)
            case BuildMint():
                await handlers.build(message, frame=self._frame)
            case RenewNonce():
                await handlers.renew(message, frame=self._frame)
            case FundWallet():
                await handlers.fund(message, funds=self.funds, relayers=self.relayers)
            case FinishBatch():
                await handlers.finish(message, batches=self.batches, config=self._config)
            case _:
                raise Rejected("message_misrouted", f"{message.type} is not for the builder.")

    async def aclose(self) -> None:
        """Wait for what is under way, and for its reservations."""
        await asyncio.gather(*(kind.aclose() for kind in self._kinds.values()))
        await self.reserver.aclose()
        await self._notices.aclose()

    async def _chain_time(self) -> int:
        time = await self._chain.time()
        self._metrics.chain_time_skew.set(time - self._now())
        return time

    async def _fees(self) -> Fees:
        return quote_fees(await self._chain.fees(), self._config.fees)
