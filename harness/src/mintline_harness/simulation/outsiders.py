"""Users who mint by wallets of their own, strangers who redeem any voucher they see, and another relayer.

::

    voucher ──▶ post its transaction │ post it twice │ post two │ send it past the api │ let it run out
       └──────▶ a stranger sends the same call: of this one, or of a custodial one that waits in the pool

    a writer of `broadcast.fifo` ──▶ says of a mint that it was refused, with a token that is not the mint's
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mintline.eth import mint_batch_calldata
from mintline.kinds.mint import sign_mint
from mintline.kinds.voucher import issue_voucher
from mintline.messages.codec import encode
from mintline.messages.parts import KeyRef
from mintline.messages.signed import SigningRefused
from mintline.records.operations import Mint
from mintline.refusals import RefusalCode
from mintline.resources import BROADCAST
from mintline.states import TERMINAL, MintStatus
from mintline.vouchers import calldata
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.problems import RequestRefused
from mintline_harness.simulation.accounts import CONTRACT, ISSUER, RELAYERS, own_address, signed_by, stray
from mintline_harness.simulation.calls import called, redemption
from mintline_harness.simulation.chain import Sent, SimulatedChain
from mintline_harness.simulation.contract import BATCH_GAS, LINE_GAS, REDEEM_GAS
from mintline_harness.simulation.process import Faults
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.signed_calls import SignedCall
from mintline_harness.simulation.tables import Tables

ISSUED_WITHIN = 900.0
"""Seconds after which a user looks no more for a voucher."""
DEEDS = ("post", "post", "repeat", "two", "send", "keep")
"""What a user does with a voucher."""
STRANGER = "stranger"
RIVAL = "rival"
"""Has the relayer's role, and mints as it likes."""
FORGERIES = ("token_id", "to", "metadata_digest")
"""What a made-up message says differently from the mint's record."""


@dataclass(slots=True)
class Outsiders:
    """Everyone who has a key that is not in custody. `ask` puts a question to any copy of the api."""

    tables: Tables
    chain: SimulatedChain
    faults: Faults
    rng: random.Random
    clock: Callable[[], float]
    note: Callable[[str, str], None]
    ask: Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[Any]]
    accepted: set[str]
    """Hears of every mint that was accepted."""
    queues: SimulatedQueues

    async def mint(self, user: str, number: int, at: float) -> None:
        """Ask for a voucher, and do one of all the things with it."""
        await asyncio.sleep(at)
        metadata = MetadataRequest(name=f"own mint {number}", image="https://example.com/a.png")
        request = MintRequest(custody="self", metadata=metadata)
        accepted = await self.ask(lambda api: api.mint(request, sub=user, key=f"own-{number}"))
        if accepted is None:
            self.note("client", f"gives up on own mint {number}")
            return
        mint_id = accepted.operation.mint_id
        self.accepted.add(mint_id)
        self.note("client", f"{mint_id} is accepted, for a wallet of the user's own")
        call = await self._voucher(mint_id)
        if call is None:
            return
        await asyncio.sleep(self.rng.choice([0.0, 3.0, 30.0]))
        deed = self.rng.choice(DEEDS)
        self.faults.count(f"vouchers: {deed}")
        self.note("client", f"has the voucher of {mint_id}: {deed}")
        if deed == "keep":
            return
        first = self._redeeming(user, call)
        if deed == "send":
            self._send(first)
            return
        await self._post(mint_id, user, first)
        if deed == "repeat":
            await asyncio.sleep(self.rng.choice([0.0, 1.0, 20.0]))
            await self._post(mint_id, user, first)
        elif deed == "two":
            await asyncio.sleep(self.rng.choice([0.0, 1.0, 20.0]))
            await self._post(mint_id, user, self._redeeming(user, call, ahead=self.rng.choice([0, 1])))

    async def _voucher(self, mint_id: str) -> bytes | None:
        """Wait for a voucher, and return the call that redeems it; None if there will be none."""
        until = self.clock() + ISSUED_WITHIN
        while self.clock() < until:
            mint = self.tables.mints[mint_id]
            if mint.voucher_signature is not None:
                return calldata(mint)
            if mint.status in TERMINAL:
                return None
            await asyncio.sleep(1)
        return None

    def _redeeming(self, user: str, call: bytes, *, ahead: int = 0) -> Sent:
        """Return a call that a user's own wallet signed, by its next nonce or one `ahead` of it."""
        nonce = self.chain.head.state.nonces.get(own_address(user), 0) + ahead
        fee = int(self.chain.base_fee * self.rng.choice([1, 2, 30]))
        return signed_by(user, CONTRACT, nonce, fee=fee, gas=REDEEM_GAS * 2, data=call)

    async def _post(self, mint_id: str, user: str, sent: Sent) -> None:
        try:
            await self.ask(lambda api: api.redeem(mint_id, sent.raw, sub=user))
        except RequestRefused as refusal:
            self.note("client", f"cannot post a transaction of {mint_id}: {refusal.detail}")

    def _send(self, sent: Sent) -> None:
        refusal = self.chain.admit(sent)
        self.note("client", f"sends {sent.place} past the line: {refusal or 'taken'}")

    def use_key_elsewhere(self, rng: random.Random) -> None:
        """Have someone send from a user's wallet, past the api: its nonces are not only ours any more."""
        wallets = [wallet for wallet in self.tables.wallets.items.values() if wallet.ready]
        if wallets:
            self._use_elsewhere(rng.choice(wallets).key())

    def use_relayer_elsewhere(self, rng: random.Random) -> None:
        """Have someone send from a relayer."""
        self._use_elsewhere(rng.choice(RELAYERS))

    def _use_elsewhere(self, key: KeyRef) -> None:
        nonce = self.chain.head.state.nonces.get(key.address, 0)
        sent = stray(key.subject, key.address, nonce, fee=self.chain.base_fee * 40)
        if self.chain.usurp(sent):
            self.faults.count("nonces used elsewhere")
            self.note("stranger", f"sends nonce {nonce} of {key.address}")

    def take_ids(self, rng: random.Random) -> None:
        """Have another relayer mint some of the ids that sponsored mints wait for."""
        tokens = self.chain.head.state.tokens.minted
        waiting = [
            mint.token_id
            for _, mint in self.tables.mints.items()
            if (mint.custody, mint.contract) == ("sponsored", CONTRACT)
            and mint.token_id is not None
            and mint.token_id not in tokens
        ]
        if not waiting:
            return
        taken = rng.sample(waiting, min(len(waiting), rng.choice([1, 1, 3])))
        lines = [(token_id, own_address(RIVAL), rng.randbytes(32)) for token_id in taken]
        nonce = self.chain.head.state.nonces.get(own_address(RIVAL), 0)
        data = mint_batch_calldata(lines)
        fee, gas = self.chain.base_fee * 40, BATCH_GAS + LINE_GAS * len(lines)
        if self.chain.usurp(signed_by(RIVAL, CONTRACT, nonce, fee=fee, gas=gas, data=data)):
            self.faults.count("token ids taken")
            self.note("rival", f"mints the tokens {taken}")

    async def forge(self, until: float, pace: float, rng: random.Random) -> None:
        """Have someone who may write to a queue say, about every `pace` seconds, that a mint was refused.

        The message is about another token, recipient or metadata than the mint's record: what anyone can make
        up, and may have had an enclave refuse.
        """
        while self.clock() < until:
            await asyncio.sleep(rng.expovariate(1 / pace))
            open_mints = [
                mint
                for mint in self.tables.standing()
                if isinstance(mint, Mint)
                and mint.status in (MintStatus.BUILT, MintStatus.SUBMITTED)
                and mint.deadline is not None
            ]
            if not open_mints or self.clock() >= until:
                continue
            mint = rng.choice(open_mints)
            changes: dict[str, object] = {
                "token_id": (mint.token_id or 0) + 1_000_000,
                "to": own_address(STRANGER),
                "metadata_digest": rng.randbytes(32),
            }
            differs = rng.choice(FORGERIES)
            intent = issue_voucher(mint, ISSUER, b"") if mint.custody == "self" else sign_mint(mint, b"")
            forged = intent.evolve(voucher=intent.voucher.evolve(**{differs: changes[differs]}))
            message = SigningRefused(intent=forged, code=RefusalCode.AUTHORIZATION_SUBJECT)
            self.queues.put(
                BROADCAST, encode(message), group=STRANGER, dedup=f"forged:{mint.mint_id}:{self.clock()}"
            )
            self.faults.count("forged messages")
            self.note("intruder", f"says that {mint.mint_id} was refused, with another {differs}")

    async def prey(self, until: float, pace: float) -> None:
        """Have a stranger redeem a voucher, or send a holder's signature, about every `pace` seconds."""
        while self.clock() < until:
            await asyncio.sleep(self.rng.expovariate(1 / pace))
            pool = [sent.body.data for sent in self.chain.pool.values()]
            seen = [data for data in pool if redemption(data) or isinstance(called(data), SignedCall)]
            seen += [
                calldata(mint) for _, mint in self.tables.mints.items() if mint.status is MintStatus.ISSUED
            ]
            if not seen or self.clock() >= until:
                continue
            nonce = self.chain.head.state.nonces.get(own_address(STRANGER), 0)
            fee = self.chain.base_fee * 40
            sent = signed_by(
                STRANGER, CONTRACT, nonce, fee=fee, gas=REDEEM_GAS * 2, data=self.rng.choice(seen)
            )
            if self.chain.usurp(sent):
                self.faults.count("front runs")
                self.note("stranger", f"sends a signature that it saw, by {sent.place}")
