"""No-ops: zero wei to oneself, which use a nonce that nothing else will use."""

from __future__ import annotations

from mintline.chain.calls import Call
from mintline.chain.gas import GasBound
from mintline.errors import Rejected, Unavailable
from mintline.kinds import dedup_id, group_of
from mintline.messages.intents import SignNoop
from mintline.messages.parts import Fees
from mintline.queue_port import SendingPort
from mintline.records.transactions import Transaction
from mintline.resources import SIGN
from mintline_broadcaster.fees import FeeCaps, bump, capped
from mintline_broadcaster.intents import fees_of
from mintline_broadcaster.ports import ChainClient

ESTIMATE_AGE = 60_000
"""Milliseconds for which one estimate serves every sender's no-ops: only a fork of the chain changes it."""


class Noops:
    """Has no-ops signed; `gas` bounds their gas limit."""

    def __init__(self, *, chain: ChainClient, outbox: SendingPort, caps: FeeCaps, gas: GasBound) -> None:
        self._chain = chain
        self._outbox = outbox
        self._caps = caps
        self._gas = gas
        self._estimated: tuple[int, int] | None = None
        """When, in Unix milliseconds, and how much."""

    async def fill(self, transaction: Transaction, *, now: int, fees: Fees | None = None) -> None:
        """Have a transaction's nonce filled by a no-op, so that later ones can be mined.

        At `fees`, or else outbidding the attempts before it as far as the caps allow, should a node hold one
        of them after all. `now` is in Unix milliseconds. Raises Retryable if the chain does not tell what gas
        it needs.
        """
        if fees is None:
            before = fees_of(transaction)
            fees = bump(before, self._caps) or capped(before, self._caps)
        signer = transaction.signer
        noop = SignNoop(
            trace=transaction.trace,
            signer=signer,
            chain_id=signer.chain_id,
            nonce=transaction.nonce,
            gas=await self._limit(signer.address, now=now),
            fees=fees,
            # Never the first: it must not wait behind the sender's first attempts, which may wait for it.
            attempt=max(1, transaction.next_attempt),
            mint_id=transaction.operations[0] if len(transaction.operations) == 1 else None,
        )
        await self._outbox.send(SIGN, noop, group=group_of(noop), dedup=dedup_id(noop))

    async def _limit(self, sender: str, *, now: int) -> int:
        if self._estimated is None or not 0 <= now - self._estimated[0] < ESTIMATE_AGE:
            try:
                needed = await self._chain.estimate_gas(Call(sender=sender, to=sender, data=b""))
            except Rejected as refusal:
                raise Unavailable(f"a no-op of {sender} cannot be estimated: {refusal.reason}") from refusal
            self._estimated = (now, self._gas.limit(needed, "A no-op"))
        return self._estimated[1]
