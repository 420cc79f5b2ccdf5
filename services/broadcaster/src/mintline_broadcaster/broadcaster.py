"""The broadcaster, assembled from its adapters: the service and the simulation run the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import structlog

from mintline.errors import Rejected
from mintline.messages.codec import AnyMessage
from mintline.messages.signed import Broadcast, SelfRedeem, SigningRefused, VoucherIssued
from mintline.messages.work import ReviewMint
from mintline.queue_port import SendingPort
from mintline.resources import BROADCAST
from mintline_broadcaster.config import BroadcasterConfig
from mintline_broadcaster.handlers import broadcast, refuse, review
from mintline_broadcaster.instrumented import (
    InstrumentedChain,
    InstrumentedOutbox,
    InstrumentedTransactionStore,
    InstrumentedVoucherStore,
)
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.monitor import TransactionMonitor
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.on_record import OutcomeRefused
from mintline_broadcaster.ports import ChainClient, TransactionStore, VoucherStore
from mintline_broadcaster.signed_bytes import verify_signed_bytes, verify_voucher_signature
from mintline_broadcaster.sweep import Sweeper
from mintline_broadcaster.vouchers import issue, relay

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The implementations of a broadcaster's ports."""

    store: TransactionStore
    vouchers: VoucherStore
    chain: ChainClient
    outbox: SendingPort


class Broadcaster:
    """Handles the messages of `broadcast.fifo`, and sweeps; `now` returns Unix milliseconds."""

    def __init__(
        self,
        adapters: Adapters,
        config: BroadcasterConfig,
        *,
        metrics: Metrics,
        now: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
    ) -> None:
        self._store = InstrumentedTransactionStore(adapters.store, metrics)
        self._vouchers = InstrumentedVoucherStore(adapters.vouchers, metrics)
        self._chain = InstrumentedChain(adapters.chain, metrics)
        self._outbox = InstrumentedOutbox(adapters.outbox, metrics)
        self._metrics = metrics
        self._config = config
        self._now = now
        self._sleep = sleep
        self._rng = rng
        self._noops = Noops(chain=self._chain, outbox=self._outbox, caps=config.caps, gas=config.transfer_gas)
        self._monitor = TransactionMonitor(
            store=self._store,
            chain=self._chain,
            outbox=self._outbox,
            noops=self._noops,
            caps=config.caps,
            patience=config.patience,
            metrics=metrics,
        )
        self._sweeper = Sweeper(
            store=self._store,
            chain=self._chain,
            monitor=self._monitor,
            outbox=self._outbox,
            chain_id=config.chain_id,
            patience=config.patience,
            metrics=metrics,
            now=now,
        )

    async def handle(self, message: AnyMessage) -> None:
        """Do what a message asks for; raises what its handler does, and Rejected for another's message.

        A message that contradicts its mint's record changes nothing, and is logged.
        """
        try:
            await self._handle(message)
        except OutcomeRefused as refused:
            self._metrics.outcomes_refused.inc()
            log.warning(
                "mint_outcome_refused", mint_id=refused.mint_id, kind=message.type, differs=refused.field
            )
            raise

    async def _handle(self, message: AnyMessage) -> None:
        store, vouchers, chain, outbox = self._store, self._vouchers, self._chain, self._outbox
        noops, caps, now = self._noops, self._config.caps, self._now()
        match message:
            case Broadcast():
                verify_signed_bytes(message)
                await broadcast(
                    message, store=store, chain=chain, outbox=outbox, noops=noops, caps=caps, now=now
                )
            case VoucherIssued():
                verify_voucher_signature(message, issuer=self._config.issuer)
                await issue(message, vouchers=vouchers, now=now)
            case SelfRedeem():
                try:
                    await relay(message, store=store, vouchers=vouchers, chain=chain, now=now)
                finally:
                    self._sweeper.wake(message.mint_id)
            case SigningRefused():
                await refuse(message, store=store, chain=chain, outbox=outbox, noops=noops, now=now)
            case ReviewMint():
                await review(message, store=store, monitor=self._monitor, now=now)
            case _:
                raise Rejected("message_misrouted", f"{message.type} does not belong on {BROADCAST.name}")

    async def sweep(self, stop: asyncio.Event) -> None:
        """Sweep until `stop`; a pass that is cut off is no loss, as the next one, anywhere, starts over."""
        interval = self._config.sweep_interval
        await self._sweeper.run(stop, interval=interval, sleep=self._sleep, rng=self._rng)
