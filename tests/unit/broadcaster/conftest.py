from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.chain.gas import GasBound
from mintline.eth import keccak256, to_checksum_address
from mintline.memory import MemoryQueues
from mintline.messages import (
    AnyIntent,
    AnyMessage,
    Broadcast,
    Fees,
    KeyRef,
    ReviewMint,
    SigningRefused,
    SignMint,
    SignNoop,
    SignTopUp,
    Voucher,
    decode,
    encode,
)
from mintline.records import Mint, Transfer
from mintline.resources import Queue
from mintline.states import MintStatus
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.handlers import broadcast, refuse, review
from mintline_broadcaster.memory import Decoded, MemoryChain, MemoryLedger
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.policy import Patience
from mintline_broadcaster.sweep import Sweeper
from mintline_broadcaster.watch import Watch

CONTRACT = to_checksum_address("0x" + "c0" * 20)
GWEI = 10**9
NOW = 1_700_000_000_000
GAS = GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000)
PATIENCE = Patience(look_after=20, replace_after=5, stage_deadline=60)


def key_of(number: int) -> KeyRef:
    address = to_checksum_address(keccak256(b"wallet %d" % number)[12:])
    return KeyRef(address=address, subject=f"user-{number}", chain_id=31337, secret_id=f"wallet-{number}")


def sign(intent: AnyIntent) -> Broadcast:
    """Sign as deterministically as the enclave does; the chain in memory reads the intent back."""
    raw = encode(intent).encode()
    return Broadcast(trace=intent.trace, intent=intent, raw=raw, tx_hash=keccak256(raw))


def read(raw: bytes) -> Decoded:
    intent = decode(raw)
    assert isinstance(intent, SignMint | SignNoop | SignTopUp)
    value = intent.value if isinstance(intent, SignTopUp) else 0
    return Decoded(intent.signer.address, intent.nonce, intent.gas, intent.fees, value)


def mint_intent(
    nonce: int = 0,
    *,
    sender: int = 0,
    fees: int = 10 * GWEI,
    tip: int = GWEI,
    gas: int = 120_000,
    attempt: int = 0,
) -> SignMint:
    voucher = Voucher(
        token_id=nonce + 1, to=key_of(sender).address, metadata_digest=bytes(32), deadline=2_000_000_000
    )
    return SignMint(
        trace="00-trace",
        signer=key_of(sender),
        chain_id=31337,
        nonce=nonce,
        gas=gas,
        fees=Fees(max_fee_per_gas=fees, max_priority_fee_per_gas=tip),
        attempt=attempt,
        mint_id=f"mint_{sender}_{nonce}",
        contract=CONTRACT,
        voucher=voucher,
        authorization=b"\x02sealed for mint %d of %d" % (nonce, sender),
    )


def top_up_intent(nonce: int = 0, *, fees: int = 10 * GWEI, value: int = 10**15) -> SignTopUp:
    return SignTopUp(
        signer=key_of(99),
        chain_id=31337,
        nonce=nonce,
        gas=21_000,
        fees=Fees(max_fee_per_gas=fees, max_priority_fee_per_gas=GWEI),
        recipient=key_of(0).address,
        value=value,
    )


def noop_intent(nonce: int = 0, *, fees: int = 10 * GWEI, attempt: int = 1) -> SignNoop:
    mint = mint_intent(nonce)
    return SignNoop(
        signer=mint.signer,
        chain_id=31337,
        nonce=nonce,
        gas=21_000,
        fees=Fees(max_fee_per_gas=fees, max_priority_fee_per_gas=GWEI),
        attempt=attempt,
        mint_id=mint.mint_id,
    )


@dataclass
class World:
    """The broadcaster's handlers over ports in memory."""

    now: int = NOW
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    chain: MemoryChain = field(default_factory=lambda: MemoryChain(read))
    caps: FeeCaps = field(default_factory=lambda: FeeCaps(100 * GWEI, 50 * GWEI))

    def __post_init__(self) -> None:
        self.queues = MemoryQueues(clock=lambda: self.now / 1000)
        self.chain.clock = lambda: self.now / 1000
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)

    def noops(self, *, chain: Any = None, outbox: Any = None) -> Noops:
        return Noops(chain=chain or self.chain, outbox=outbox or self.queues, caps=self.caps, gas=GAS)

    def watch(self, *, ledger: Any = None, chain: Any = None, outbox: Any = None) -> Watch:
        return Watch(
            ledger=ledger or self.ledger,
            chain=chain or self.chain,
            outbox=outbox or self.queues,
            noops=self.noops(chain=chain, outbox=outbox),
            caps=self.caps,
            patience=PATIENCE,
            metrics=self.metrics,
        )

    def sweeper(self, **ports: Any) -> Sweeper:
        return Sweeper(
            ledger=ports.get("ledger") or self.ledger,
            chain=ports.get("chain") or self.chain,
            watch=self.watch(**ports),
            outbox=ports.get("outbox") or self.queues,
            chain_id=31337,
            patience=PATIENCE,
            metrics=self.metrics,
            now=lambda: self.now,
        )

    async def sweep(self, *, after: float = 0) -> bool:
        """Let some seconds pass, and do one pass as a copy that has just started."""
        self.now += int(after * 1000)
        return await self.sweeper().sweep()

    def counted(self, name: str, **labels: str) -> float:
        """Return the value of one of the broadcaster's metrics."""
        return self.registry.get_sample_value(f"mintline_broadcaster_{name}", labels) or 0

    def built(self, intent: SignMint, **changes: Any) -> Mint:
        """Put the intent's mint on record, as the builder leaves it, beside its authorization."""
        fields: dict[str, Any] = {
            "mint_id": intent.mint_id,
            "sub": intent.signer.subject,
            "status": MintStatus.BUILT,
            "chain_id": intent.chain_id,
            "contract": intent.contract,
            "to": intent.voucher.to,
            "sender": intent.signer,
            "metadata_digest": bytes(32),
            "request_digest": "",
            "created_at": 0,
            "updated_at": 0,
            "nonce": intent.nonce,
            "token_id": intent.voucher.token_id,
            "deadline": intent.voucher.deadline,
            "gas": intent.gas,
            "fees": intent.fees,
            "trace": intent.trace,
        }
        mint = Mint(**{**fields, **changes})
        if (key := authorizations.key_of(mint)) is not None:
            self.ledger.authorizations[key] = Authorization(envelope=intent.authorization)
        self.ledger.mints[mint.mint_id] = mint
        return mint

    def mint(self, intent: SignMint | SignNoop) -> Mint:
        assert intent.mint_id is not None
        return self.ledger.mints[intent.mint_id]

    async def broadcast(self, intent: AnyIntent) -> None:
        await self.handle(sign(intent))

    async def refuse(self, intent: AnyIntent, code: str = "policy_fee", reason: str = "") -> None:
        await self.handle(SigningRefused(intent=intent, code=code, reason=reason))

    async def handle(
        self, message: AnyMessage, *, ledger: Any = None, chain: Any = None, outbox: Any = None
    ) -> None:
        ledger, chain, outbox = ledger or self.ledger, chain or self.chain, outbox or self.queues
        noops = self.noops(chain=chain, outbox=outbox)
        if isinstance(message, Broadcast):
            ports = {"ledger": ledger, "chain": chain, "outbox": outbox, "noops": noops}
            await broadcast(message, **ports, caps=self.caps, now=self.now)
        elif isinstance(message, ReviewMint):
            watch = self.watch(ledger=ledger, chain=chain, outbox=outbox)
            await review(message, ledger=ledger, chain=chain, noops=noops, watch=watch, now=self.now)
        else:
            assert isinstance(message, SigningRefused)
            await refuse(message, ledger=ledger, outbox=outbox, noops=noops, now=self.now)

    def finalize(self) -> None:
        """Make everything mined so far final, and have the index know of it."""
        self.ledger.indexed = self.chain.finalize()

    def redeemed(self, intent: SignMint, *, block: int) -> Transfer:
        """Have the index know the intent's token, as a stranger's transaction made it."""
        made = Transfer(
            chain_id=intent.chain_id,
            contract=intent.contract,
            token_id=intent.voucher.token_id,
            sender=None,
            recipient=intent.voucher.to,
            block_number=block,
            block_hash=bytes([block]) * 32,
            log_index=0,
            tx_hash=bytes([0xFE, block]) * 16,
            timestamp=block,
        )
        self.ledger.mintings[made.contract, made.token_id] = made
        self.ledger.digests[made.contract, made.token_id] = intent.voucher.metadata_digest
        return made

    async def sent_to(self, queue: Queue) -> list[AnyMessage]:
        """Take everything out of a queue."""
        messages = []
        while batch := await self.queues.receive(queue, wait=0):
            for received in batch:
                messages.append(decode(received.body))
                await self.queues.delete(received)
        return messages


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def make() -> Callable[..., SignMint]:
    return mint_intent


@pytest.fixture
def make_top_up() -> Callable[..., SignTopUp]:
    return top_up_intent


@pytest.fixture
def make_noop() -> Callable[..., SignNoop]:
    return noop_intent


@pytest.fixture
def signed() -> Callable[[AnyIntent], Broadcast]:
    return sign
