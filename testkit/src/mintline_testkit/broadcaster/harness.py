"""The broadcaster's handlers over ports in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.chain.gas import GasBound
from mintline.eth import ETHER, GWEI
from mintline.kinds import meaning_of, operation_ids
from mintline.messages.codec import AnyMessage, decode
from mintline.messages.intents import AnyIntent, SignMint, SignNoop, SignRelayed, SignTopUp
from mintline.messages.signed import Broadcast, SigningRefused
from mintline.messages.work import ReviewMint
from mintline.records.index import Transfer
from mintline.records.operations import Mint
from mintline.records.transactions import TopUpPayload, Transaction, transaction_key_of
from mintline.resource_types import Queue
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.config import Patience
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.handlers import broadcast, refuse, review
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.monitor import TransactionMonitor
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.sweep import Sweeper
from mintline_testkit.broadcaster.intents import read, sign
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.chain import FakeChain
from mintline_testkit.queues import MemoryQueues

NOW = 1_700_000_000_000
GAS = GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000)
PATIENCE = Patience(check_after=20, replace_after=5, stage_deadline=60)


@dataclass
class Harness:
    """The broadcaster's handlers over ports in memory."""

    now: int = NOW
    store: MemoryTransactionStore = field(default_factory=MemoryTransactionStore)
    chain: FakeChain = field(
        default_factory=lambda: FakeChain(decode=read, default_balance=ETHER, yields=True)
    )
    caps: FeeCaps = field(default_factory=lambda: FeeCaps(100 * GWEI, 50 * GWEI))

    def __post_init__(self) -> None:
        self.queues = MemoryQueues(clock=lambda: self.now / 1000)
        self.chain.clock = lambda: self.now / 1000
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)

    def noops(self, *, chain: Any = None, outbox: Any = None) -> Noops:
        """Return what fills nonces with no-ops."""
        return Noops(chain=chain or self.chain, outbox=outbox or self.queues, caps=self.caps, gas=GAS)

    def monitor(self, *, store: Any = None, chain: Any = None, outbox: Any = None) -> TransactionMonitor:
        """Return what follows open transactions; ports that are named replace the harness's own."""
        return TransactionMonitor(
            store=store or self.store,
            chain=chain or self.chain,
            outbox=outbox or self.queues,
            noops=self.noops(chain=chain, outbox=outbox),
            caps=self.caps,
            patience=PATIENCE,
            metrics=self.metrics,
        )

    def sweeper(self, **ports: Any) -> Sweeper:
        """Return a sweeper as a copy of the broadcaster has it."""
        return Sweeper(
            store=ports.get("store") or self.store,
            chain=ports.get("chain") or self.chain,
            monitor=self.monitor(**ports),
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

    def reserved(self, intent: AnyIntent, **changes: Any) -> Transaction:
        """Put the record of an intent's nonce on record, as the builder leaves it."""
        place = transaction_key_of(intent.signer, intent.nonce)
        payload: dict[str, Any] = {"kind": "noop", "filling_at": 0}
        if isinstance(intent, SignMint):
            deadline = intent.voucher.deadline
            payload = {"kind": "mint", "operations": (intent.mint_id,), "deadline": deadline}
        elif isinstance(intent, SignTopUp):
            top_up = TopUpPayload(recipient=intent.recipient, value=intent.value)
            payload = {"kind": "top_up", "top_up": top_up}
        elif not isinstance(intent, SignNoop):
            payload = {"kind": intent.type.removeprefix("sign_"), "operations": operation_ids(intent)}
        if isinstance(intent, SignRelayed):
            payload |= {"clone": intent.clone, "deadline": intent.deadline}
        fields: dict[str, Any] = {
            "sender_id": place.sender_id,
            "nonce": intent.nonce,
            "signer": intent.signer,
            "gas": intent.gas,
            "fees": intent.fees,
            "meaning": meaning_of(intent),
            "trace": intent.trace,
            "reserved_at": 0,
            "updated_at": 0,
            **payload,
        }
        transaction = Transaction(**{**fields, **changes})
        self.store.transactions[place] = transaction
        return transaction

    def built(self, intent: SignMint, **changes: Any) -> Mint:
        """Put the intent's mint on record with its transaction and authorization, as the builder leaves them.

        `changes` may also be of what a mint's status is read off.
        """
        if changes.get("status") is MintStatus.ACCEPTED:
            changes["nonce"] = None
        if changes.get("custody") == "self" or changes.get("nonce", intent.nonce) is None:
            return self._stored(intent, **changes)
        carried: dict[str, Any] = {}
        attempts = changes.pop("attempts", ())
        status = changes.pop("status", MintStatus.BUILT)
        if attempts:
            carried |= {"attempts": attempts, "submitted_at": attempts[0].at}
        carried |= {"updated_at": changes["updated_at"]} if "updated_at" in changes else {}
        if status is MintStatus.SUBMITTED:
            carried["state"] = TransactionState.SUBMITTED
        elif status in (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED):
            failed = status is MintStatus.REVERTED
            carried["state"] = TransactionState.MINED
            if status is MintStatus.FINALIZED:
                carried["state"] = TransactionState.FINAL
            carried["outcome"] = "failed" if failed else "succeeded"
        elif status is MintStatus.REJECTED:
            carried["filling_at"] = 0
        if "cancel_requested_at" in changes:
            carried["filling_at"] = changes["cancel_requested_at"]
        named = {name: changes[name] for name in ("nonce", "mint_id") if name in changes}
        self.reserved(intent.evolve(**named), **carried)
        rejected = status is MintStatus.REJECTED
        return self._stored(intent, status=MintStatus.REJECTED if rejected else MintStatus.BUILT, **changes)

    def _stored(self, intent: SignMint, **changes: Any) -> Mint:
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
            "trace": intent.trace,
        }
        mint = Mint(**{**fields, **changes})
        if (key := authorizations.key_of(mint)) is not None:
            self.store.authorizations[key] = Authorization(envelope=intent.authorization)
        self.store.mints[mint.mint_id] = mint
        return self.mint(intent.evolve(mint_id=mint.mint_id))

    def mint(self, intent: SignMint | SignNoop) -> Mint:
        """Return the intent's mint as it stands."""
        assert intent.mint_id is not None
        return self.stands(intent.mint_id)

    def stands(self, mint_id: str) -> Mint:
        """Return a mint as it stands."""
        mint = self.store.standing(mint_id)
        assert mint is not None
        return mint

    def transaction(self, intent: AnyIntent) -> Transaction:
        """Return the record of an intent's nonce."""
        return self.store.transactions[transaction_key_of(intent.signer, intent.nonce)]

    def mined(self, intent: AnyIntent, *, succeeded: bool = True) -> None:
        """Have the index know that the latest attempt of the intent's transaction is mined."""
        record = self.transaction(intent)
        self.store.transactions[record.key] = record.evolve(
            state=TransactionState.MINED,
            outcome="succeeded" if succeeded else "failed",
            tx_hash=record.attempts[-1].tx_hash,
            block_number=self.chain.number,
            block_hash=bytes(32),
            mined_at=self.now,
            updated_at=self.now,
        )

    async def broadcast(self, intent: AnyIntent) -> None:
        """Handle a signed intent; what carries no mint is on record by then, as it always is."""
        self._known(intent)
        await self.handle(sign(intent))

    def _known(self, intent: AnyIntent) -> None:
        place = transaction_key_of(intent.signer, intent.nonce)
        if not isinstance(intent, SignMint) and place not in self.store.transactions:
            self.reserved(intent)

    async def refuse(self, intent: AnyIntent, code: str = "policy_fee", reason: str = "") -> None:
        """Handle the refusal of an intent by the enclave."""
        self._known(intent)
        await self.handle(SigningRefused(intent=intent, code=code, reason=reason))

    async def handle(
        self, message: AnyMessage, *, store: Any = None, chain: Any = None, outbox: Any = None
    ) -> None:
        """Handle a message; ports that are named replace the harness's own."""
        store, chain, outbox = store or self.store, chain or self.chain, outbox or self.queues
        noops = self.noops(chain=chain, outbox=outbox)
        if isinstance(message, Broadcast):
            ports = {"store": store, "chain": chain, "outbox": outbox, "noops": noops}
            await broadcast(message, **ports, caps=self.caps, now=self.now)
        elif isinstance(message, ReviewMint):
            monitor = self.monitor(store=store, chain=chain, outbox=outbox)
            await review(message, store=store, monitor=monitor, now=self.now)
        else:
            assert isinstance(message, SigningRefused)
            await refuse(message, store=store, chain=chain, outbox=outbox, noops=noops, now=self.now)

    def change(self, intent: AnyIntent, **fields: Any) -> None:
        """Change the record of an intent's nonce, as another service would."""
        record = self.transaction(intent)
        self.store.transactions[record.key] = record.evolve(**fields)

    def stop(self, intent: SignMint) -> None:
        """Have the mint's user stop it, after it was sent."""
        stored = self.store.mints[intent.mint_id]
        self.store.mints[intent.mint_id] = stored.evolve(cancel_requested_at=self.now, updated_at=self.now)
        self.change(intent, filling_at=self.now, updated_at=self.now)

    def renewed(self, intent: SignMint) -> None:
        """Have the mint get another nonce, the intent's, as the builder gives it."""
        stored = self.store.mints[intent.mint_id]
        attempts = self.mint(intent).attempts
        self.store.mints[intent.mint_id] = stored.evolve(nonce=intent.nonce, attempts=attempts)
        self.reserved(intent, first_attempt=len(attempts), reserved_at=self.now, updated_at=self.now)

    def open(self) -> list[Transaction]:
        """Return the transactions whose nonce is not used for good."""
        return [
            transaction
            for transaction in self.store.transactions.values()
            if transaction.state is not TransactionState.FINAL
        ]

    def finalize(self) -> None:
        """Make everything mined so far final, and have the index know of it."""
        self.store.indexed = self.chain.finalize()

    def redeemed(self, intent: SignMint, *, block: int) -> Transfer:
        """Have the index know the intent's token, as a stranger's transaction made it."""
        transfer = Transfer(
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
        self.store.mintings[transfer.contract, transfer.token_id] = transfer
        self.store.digests[transfer.contract, transfer.token_id] = intent.voucher.metadata_digest
        return transfer

    async def sent_to(self, queue: Queue) -> list[Any]:
        """Take every message out of a queue; a test knows which kinds it put there."""
        messages = []
        while batch := await self.queues.receive(queue, wait=0):
            for received in batch:
                messages.append(decode(received.body))
                await self.queues.delete(received)
        return messages
