"""No-ops: zero wei to oneself, which use a nonce that nothing else will use."""

from __future__ import annotations

from mintline.chain.calls import Call
from mintline.chain.gas import GasBound
from mintline.errors import Rejected, Unavailable
from mintline.intents import dedup_id, group_of
from mintline.messages import Fees, KeyRef, SignMint, SignNoop, SignTopUp
from mintline.queueing import SendingPort
from mintline.resources import SIGN
from mintline_broadcaster.fees import FeeCaps, bump, capped
from mintline_broadcaster.ports import Chain

ESTIMATE_AGE = 60_000
"""Milliseconds for which one estimate serves every sender's no-ops: only a fork of the chain changes it."""


class Noops:
    """Has no-ops signed; `gas` bounds their gas limit."""

    def __init__(self, *, chain: Chain, outbox: SendingPort, caps: FeeCaps, gas: GasBound) -> None:
        self._chain = chain
        self._outbox = outbox
        self._caps = caps
        self._gas = gas
        self._estimated: tuple[int, int] | None = None
        """When, in Unix milliseconds, and how much."""

    async def fill_nonce(self, intent: SignMint | SignTopUp, *, now: int) -> None:
        """Have the nonce of a dead mint or top-up filled by a no-op, so that later ones can be mined.

        It outbids the dead transaction itself as far as the caps allow, should a node hold that after all.
        `now` is in Unix milliseconds. Raises Retryable if the chain does not tell what gas it needs.
        """
        await self._send(
            SignNoop(
                trace=intent.trace,
                signer=intent.signer,
                chain_id=intent.chain_id,
                nonce=intent.nonce,
                gas=await self._limit(intent.signer.address, now=now),
                fees=bump(intent.fees, self._caps) or capped(intent.fees, self._caps),
                attempt=intent.attempt + 1,
                mint_id=intent.mint_id if isinstance(intent, SignMint) else None,
            )
        )

    async def fill_gap(self, signer: KeyRef, nonce: int, fees: Fees, *, now: int) -> None:
        """Have a nonce filled that was reserved for something which is not on its way; raises as above."""
        gas = await self._limit(signer.address, now=now)
        await self._send(
            SignNoop(signer=signer, chain_id=signer.chain_id, nonce=nonce, gas=gas, fees=fees, attempt=1)
        )

    async def _limit(self, sender: str, *, now: int) -> int:
        if self._estimated is None or not 0 <= now - self._estimated[0] < ESTIMATE_AGE:
            try:
                needed = await self._chain.estimate_gas(Call(sender=sender, to=sender, data=b""))
            except Rejected as refusal:
                raise Unavailable(f"a no-op of {sender} cannot be estimated: {refusal.reason}") from refusal
            self._estimated = (now, self._gas.limit(needed, "A no-op"))
        return self._estimated[1]

    async def _send(self, noop: SignNoop) -> None:
        await self._outbox.send(SIGN, noop, group=group_of(noop), dedup=dedup_id(noop))
