"""Bugs to plant, each by wiring a faulty variant of one part: a harness that misses them proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mintline.chain.calls import Call, CallReverted, Overrides
from mintline.chain.node import Node
from mintline.messages.codec import AnyMessage
from mintline.messages.intents import IssueVoucher, SignMint
from mintline.messages.signed import SigningRefused
from mintline.queue_port import QueuesPort, Received
from mintline.records.index import Transfer
from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction, TransactionKey, address_of, carried_by
from mintline.refusals import problem_of
from mintline.resource_types import Queue
from mintline.states import MintStatus, TransactionState, may
from mintline_broadcaster.broadcaster import Adapters, Broadcaster
from mintline_broadcaster.ports import MintMoved, SignedTransaction
from mintline_builder.batch_claims import LineClaim
from mintline_builder.claims import Advance, Claim, OperationClaim
from mintline_builder.ports import NotCommitted
from mintline_harness.simulation.calls import called
from mintline_harness.simulation.chain import TRANSFER_GAS
from mintline_harness.simulation.contract import Batch
from mintline_harness.simulation.parts import Parts
from mintline_harness.simulation.planted_events import SavingFirst, TellingAtOnce, Unmarked
from mintline_harness.simulation.planted_index import (
    AnyAttemptWillDo,
    ClosingFailedBatches,
    MarkingNothing,
    Unconditional,
    Unfenced,
)
from mintline_harness.simulation.planted_items import AddingAgain, BlindToSerials, LeasingTwice
from mintline_harness.simulation.planted_lines import (
    BelievingLines,
    LeavingOut,
    ReplacingChunks,
)
from mintline_harness.simulation.process import Process
from mintline_harness.simulation.watched import IndexedTransactionStore
from mintline_indexer.chain_port import Block, Event, Tips
from mintline_indexer.node_chain import NodeChain
from mintline_testkit.builder.tables import MemoryAccounts, MemoryTables


class DeletingFirst:
    """Deletes each message as it is received: a crash in the handler loses it."""

    def __init__(self, queues: QueuesPort) -> None:
        self._queues = queues

    async def receive(self, queue: Queue, *, limit: int = 10, wait: int = 20) -> list[Received]:
        """Receive, and delete at once."""
        batch = await self._queues.receive(queue, limit=limit, wait=wait)
        for received in batch:
            await self._queues.delete(received)
        return batch

    async def delete(self, received: Received) -> None:
        """Do nothing: it is gone."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)


class RecordApart:
    """Gives mints their nonces first, and creates the transactions' records in a second write."""

    def __init__(self, process: Process, tables: MemoryTables) -> None:
        self._accounts = process.port(_Halves(tables))

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write twice what must be written once."""
        await self._accounts.apply(advances)
        await self._accounts.record(advances)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accounts, name)


class _Halves(MemoryAccounts):
    async def apply(self, advances: Sequence[Advance]) -> None:
        claims = [claim for advance in advances for claim in advance.claims]
        lost = frozenset(claim.item for claim in claims if not self._holds(claim))
        transactions = [transaction for advance in advances for transaction in advance.transactions()]
        taken = frozenset(
            address_of(transaction.sender_id)
            for transaction in transactions
            if transaction.key in self.tables.transactions
        )
        if lost or taken:
            raise NotCommitted(lost=lost, taken=taken)
        for claim, transaction in zip(claims, transactions, strict=True):
            self._apply(claim, transaction)
            del self.tables.transactions[transaction.key]

    async def record(self, advances: Sequence[Advance]) -> None:
        for advance in advances:
            for transaction in advance.transactions():
                self.tables.transactions[transaction.key] = transaction


class ClaimingTwice(MemoryAccounts):
    """Reserves a nonce for a mint whatever has become of the mint since it was read."""

    def _holds(self, claim: Claim) -> bool:
        return isinstance(claim, OperationClaim) or super()._holds(claim)


def claim_twice(process: Process, tables: MemoryTables) -> Any:
    """Have a builder claim mints without a condition."""
    return process.port(ClaimingTwice(tables))


class ClaimingLinesTwice(MemoryAccounts):
    """Has a batch carry mints whatever has become of them since they were read."""

    async def claim(self, batch: Transaction, claims: Sequence[LineClaim]) -> frozenset[str]:
        """Claim without a condition."""
        for claim in claims:
            stored = self.tables.mints[claim.mint.mint_id]
            self.tables.mints[stored.mint_id] = stored.evolve(**claim.update(batch))
        return frozenset(claim.mint.mint_id for claim in claims)


def claim_lines_twice(process: Process, tables: MemoryTables) -> Any:
    """Have a builder claim the mints of a batch without a condition."""
    return process.port(ClaimingLinesTwice(tables))


class DroppingHalves(MemoryAccounts):
    """Takes it that a batch whose claims were cut off is another builder's business."""

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        """Return a batch that is claiming as if it went on."""
        transaction = await super().transaction(place)
        half = transaction is not None and transaction.claiming
        return (
            transaction.evolve(state=TransactionState.SUBMITTED)
            if transaction is not None and half
            else transaction
        )


def drop_halves(process: Process, tables: MemoryTables) -> Any:
    """Have a builder drop batches that are half claimed."""
    return process.port(DroppingHalves(tables))


class BlamingAll:
    """Takes it that what makes a batch revert is the fault of each of its lines."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._blamed: dict[int, CallReverted] = {}

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas of a batch unless one of its lines was in one that reverted."""
        batch = called(call.data)
        ids = [token_id for token_id, _, _ in batch.lines] if isinstance(batch, Batch) else []
        for token_id in ids:
            if token_id in self._blamed:
                raise self._blamed[token_id]
        try:
            return await self._node.estimate_gas(call, overrides, most=most)
        except CallReverted as reverted:
            self._blamed |= dict.fromkeys(ids, reverted)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


class ForgettingClaims:
    """Takes it that no mint depends on a nonce that a no-op or a stranger has."""

    def __init__(self, adapters: Adapters) -> None:
        self._ledger = adapters.store

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        """Return the mints as if nothing carried them."""
        operations = await self._ledger.operations(ids)
        return {mint_id: mint.evolve(nonce=None) for mint_id, mint in operations.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def forget_claims(adapters: Adapters) -> Adapters:
    """Have a broadcaster close nonces whose mints still wait for them."""
    ledger: Any = ForgettingClaims(adapters)
    return replace(adapters, store=ledger)


class FixedTransferGas:
    """Takes it that every transfer needs what it needed once, to any recipient."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas of a transfer without asking."""
        if not call.data:
            return TRANSFER_GAS
        return await self._node.estimate_gas(call, overrides, most=most)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


class SendingFirst:
    """Sends each transaction, and writes it down afterwards."""

    def __init__(self, adapters: Adapters) -> None:
        self._ledger, self._chain = adapters.store, adapters.chain

    async def record(self, signed: SignedTransaction) -> None:
        """Send what is only to be written down."""
        await self._chain.send_raw(signed.raw)
        await self._ledger.record(signed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def send_first(adapters: Adapters) -> Adapters:
    """Have a broadcaster send before it writes ahead."""
    ledger: Any = SendingFirst(adapters)
    return replace(adapters, store=ledger)


class BlindToParents(NodeChain):
    """Takes every block for the child of the one that was seen before it at its height."""

    def __init__(self, node: Any, rpc: Any) -> None:
        super().__init__(node, rpc)
        self._seen: dict[int, bytes] = {}

    async def tips(self) -> Tips:
        """Return the tips, their parents as remembered."""
        tips = await super().tips()
        return Tips(self._adopted(tips.latest), tips.finalized)

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        """Return a block, its parent as remembered."""
        block = await super().block(ref, full=full)
        return None if block is None else self._adopted(block)

    def _adopted(self, block: Block) -> Block:
        known = self._seen.setdefault(block.number, block.hash)
        parent = self._seen.get(block.number - 1, block.parent_hash)
        self._seen[block.number] = block.hash if known != block.hash else known
        return replace(block, parent_hash=parent)


class Credulous(NodeChain):
    """Takes for final what one node says, however many there are."""

    @property
    def several(self) -> bool:
        """Pretend that there is nobody else to ask."""
        return False


class Gullible(NodeChain):
    """Takes it that a block holds no events when a node has none, whatever the header's bloom says."""

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        """Find nothing."""
        del block, contracts
        return ()


class Unforgetting(NodeChain):
    """Remembers that there was no block, after there is one."""

    def __init__(self, node: Any, rpc: Any) -> None:
        super().__init__(node, rpc)
        self._missing: set[int | bytes] = set()

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        """Return a block unless it was missing once."""
        block = None if ref in self._missing else await super().block(ref, full=full)
        if block is None:
            self._missing.add(ref)
        return block


class BlindToTokens(IndexedTransactionStore):
    """Never finds a token in the index that nothing ties to its mint."""

    async def minting(self, mint: Mint) -> Transfer | None:
        """Find nothing."""
        del mint
        return None


class BelievingMessages(Broadcaster):
    """Ends a mint as a message about it says, whatever the mint's record says."""

    async def handle(self, message: AnyMessage) -> None:
        """Reject the mint that a refusal names, without comparing the two."""
        intent = message.intent if isinstance(message, SigningRefused) else None
        if not isinstance(message, SigningRefused) or not isinstance(intent, SignMint | IssueVoucher):
            await super().handle(message)
            return
        mint = await self._store.get(intent.mint_id)
        if mint is None or not may(mint.status, MintStatus.REJECTED):
            return
        place = carried_by(mint)
        carried = None if place is None else await self._store.transaction(place)
        with suppress(MintMoved):
            await self._store.reject(mint, problem_of(message.code), at=self._now(), carried=carried)


BUGS: Mapping[str, Parts] = MappingProxyType(
    {
        "delete-before-commit": Parts(consumed=DeletingFirst),
        "record-outside-the-transaction": Parts(accounts=RecordApart),
        "claim-without-condition": Parts(accounts=claim_twice),
        "claim-lines-without-condition": Parts(accounts=claim_lines_twice),
        "drop-half-claimed-batches": Parts(accounts=drop_halves),
        "blame-every-line": Parts(builder_chain=BlamingAll),
        "close-failed-batches": Parts(index_store=ClosingFailedBatches),
        "close-before-letting-go": Parts(broadcasting=forget_claims),
        "status-off-any-attempt": Parts(index_store=AnyAttemptWillDo),
        "top-up-with-fixed-gas": Parts(builder_chain=FixedTransferGas),
        "send-before-write-ahead": Parts(broadcasting=send_first),
        "outcome-from-the-message": Parts(broadcaster=BelievingMessages),
        "ignore-the-parent-hash": Parts(indexed_chain=BlindToParents),
        "believe-one-node": Parts(indexed_chain=Credulous),
        "believe-empty-logs": Parts(indexed_chain=Gullible),
        "remember-missing-blocks": Parts(indexed_chain=Unforgetting),
        "overlook-strangers": Parts(ledger=BlindToTokens),
        "drop-the-cursor-condition": Parts(index_store=Unconditional),
        "replace-the-chunk": Parts(lines=ReplacingChunks),
        "leave-missing-lines-out": Parts(operations=LeavingOut),
        "believe-lines": Parts(authorizer=BelievingLines),
        "write-without-fence": Parts(index_store=Unfenced),
        "undo-without-marking": Parts(index_store=MarkingNothing),
        "lease-serials-twice": Parts(token_ids=LeasingTwice),
        "add-quantities-again": Parts(index_store=AddingAgain),
        "mix-serials-up": Parts(indexed_chain=BlindToSerials),
        "save-before-telling": Parts(follower=SavingFirst),
        "append-without-marks": Parts(event_log=Unmarked),
        "tell-before-acceptance": Parts(follower=TellingAtOnce),
    }
)
