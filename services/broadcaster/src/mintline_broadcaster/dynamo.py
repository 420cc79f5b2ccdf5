"""The transaction store over DynamoDB; the writes of concurrent messages share requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from mintline.aws.authorizations import find_authorization
from mintline.aws.dynamo import (
    Change,
    Clause,
    ConditionFailed,
    Contended,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.aws.operations import (
    created,
    filling,
    open_attributes,
    primary_key,
    read_operation,
    read_operations,
    read_transaction,
    with_transaction,
)
from mintline.aws.records import from_item, read, readable, to_item, token_place
from mintline.errors import Unavailable, Unreadable
from mintline.fields import Bytes32
from mintline.frozen import Frozen
from mintline.messages.intents import AnyIntent
from mintline.records.index import Token, Transfer
from mintline.records.keys import block_shards, created_key, token_ref
from mintline.records.operations import Attempt, Mint, Operation
from mintline.records.problems import Problem
from mintline.records.transactions import (
    Outcome,
    Transaction,
    TransactionKey,
    open_transaction,
    transaction_key_of,
)
from mintline.resources import ATTEMPTS, CHECKPOINTS, MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState, may
from mintline_broadcaster.ports import (
    Final,
    Minting,
    MintMoved,
    OpenMint,
    OpenTransaction,
    Seal,
    SignedTransaction,
    TransactionMoved,
)
from mintline_broadcaster.transaction_writes import (
    appending,
    closing,
    entering,
    finalizing,
    marking,
    marking_operation,
    mining,
    opening_again,
    rejecting,
    resealing,
)

PAGE = 500
_OPEN_MINTS = MINTS.index("open")
_MINTS_IN_BLOCK = MINTS.index("in_block")
_OPEN_TRANSACTIONS = TRANSACTIONS.index("open")


class _FinalItem(Frozen):
    """What a checkpoint says of the newest final block."""

    finalized_number: int
    finalized_timestamp: int
    finalized_hash: Bytes32


class DynamoTransactionStore:
    """What was signed and sent, in the tables `transactions`, `attempts` and `mints`.

    ::

        attempts      not_on_record ──▶ on_record
        transactions  is_reserved, is_sealed, its_{meaning, gas, signer}, not_filled ──▶ legal_source
                      one more attempt: still_there, undecided, attempts_unchanged, is_sealed, not_filled
                      sealed again by: is_reserved, is_sealed, its_meaning, not_filled
                      swept by: still_there, not_moved, not_swept; closed by: still_there, attempts_unchanged
        mints         ended by: still_there, its_nonce, together with its transaction's filling or sealing
                      ended by its token: still_there ──▶ by_this_transaction
    """

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def record(self, signed: SignedTransaction) -> None:
        """Write signed bytes down; their hash names them, so what is on record already is the same."""
        item: Item = {**to_item(signed), "raw": signed.raw}
        put = Put(ATTEMPTS, item, where=(Clause("new", "tx_hash", "missing"),))
        try:
            await self._dynamo.write(put)
        except ConditionFailed:
            return

    async def read_signed(self, tx_hashes: Iterable[bytes]) -> dict[bytes, SignedTransaction]:
        """Read the signed transactions that are on record; those that are unreadable are set aside."""
        keys: list[Item] = [{"tx_hash": "0x" + tx_hash.hex()} for tx_hash in tx_hashes]
        items = await asyncio.gather(*(self._dynamo.get(ATTEMPTS, key) for key in keys))
        there = (item for item in items if item is not None)
        records = readable(SignedTransaction, ATTEMPTS, there, self._set_aside)
        return {signed.tx_hash: signed for _, signed in records}

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        return await read_transaction(self._dynamo, place, self._set_aside)

    async def transactions_from(self, first: TransactionKey) -> list[Transaction]:
        open_ones: list[Transaction] = []
        start: Item | None = None
        while True:
            page = await self._dynamo.query(
                TRANSACTIONS,
                partition=first.sender_id,
                sort_from=first.nonce,
                limit=PAGE,
                start=start,
            )
            records = readable(Transaction, TRANSACTIONS, page.items, self._set_aside)
            open_ones += [record for _, record in records if record.state is not TransactionState.FINAL]
            if page.next is None:
                return open_ones
            start = page.next

    async def open_transactions(
        self, shard: str, *, after: OpenTransaction | None, limit: int
    ) -> list[OpenTransaction]:
        start: Item | None = None
        if after is not None:
            start = primary_key(after.key) | open_attributes(after.key, after.reserved_at)
        page = await self._dynamo.query(
            TRANSACTIONS, index=_OPEN_TRANSACTIONS, partition=shard, limit=limit, start=start
        )
        return [OpenTransaction(*open_transaction(str(item["open_key"]))) for item in page.items]

    async def enter(self, intent: AnyIntent, attempt: Attempt) -> None:
        place = transaction_key_of(intent.signer, intent.nonce)
        await self._move(entering(intent, attempt), place)

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> None:
        """Append to a transaction's attempts, if they are still these; raises TransactionMoved."""
        await self._move(appending(transaction, attempt), transaction.key)

    async def open_gap(self, transaction: Transaction) -> Transaction | None:
        """Create the record of a nonce that nobody reserved, or open one that was closed as filled."""
        with suppress(ConditionFailed):
            await self._dynamo.write(created(transaction))
            return transaction
        try:
            await self._dynamo.write(opening_again(transaction))
        except ConditionFailed:
            return None
        return await self.transaction(transaction.key)

    async def mark(self, transaction: Transaction, *, at: int) -> None:
        await self._move(marking(transaction, at=at), transaction.key)

    async def fill(self, transaction: Transaction, *, at: int) -> None:
        await self._move(filling(transaction, at=at), transaction.key)

    async def reseal(self, batch: Transaction, seal: Seal, *, at: int) -> None:
        await self._move(resealing(batch, seal, at=at), batch.key)

    async def close(self, transaction: Transaction, outcome: Outcome, *, at: int) -> None:
        await self._move(closing(transaction, outcome, at=at), transaction.key)

    async def get(self, operation_id: str) -> Operation | None:
        return await read_operation(self._dynamo, operation_id, self._set_aside)

    async def envelope(self, operation: Operation) -> bytes:
        """Return an operation's authorization envelope, read consistently."""
        return (await find_authorization(self._dynamo, operation, self._set_aside)).envelope

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        """Read the operations that exist, a hundred a request; unreadable ones are set aside."""
        return await read_operations(self._dynamo, ids, self._set_aside)

    async def reject(
        self,
        operation: Operation,
        problem: Problem,
        *,
        at: int,
        carried: Transaction | None = None,
        seal: Seal | None = None,
    ) -> None:
        if not may(operation.status, MintStatus.REJECTED):
            raise MintMoved(operation)
        name, update = operation.operation_id, rejecting(operation, problem, at=at)
        if carried is None:
            await self._write(name, update)
            return
        kept = filling(carried, at=at) if seal is None else resealing(carried, seal, at=at)
        await self._together(name, [update, kept])

    async def open_mints(self, shard: str, *, after: OpenMint | None, limit: int) -> list[OpenMint]:
        start: Item | None = None
        if after is not None:
            key = created_key(after.created_at, after.mint_id)
            start = {"mint_id": after.mint_id, "open_shard": shard, "created_key": key}
        page = await self._dynamo.query(MINTS, index=_OPEN_MINTS, partition=shard, limit=limit, start=start)
        keys = (str(item["created_key"]).partition("#") for item in page.items)
        return [OpenMint(mint_id, int(created_at)) for created_at, _, mint_id in keys]

    async def mark_swept(self, operation: Operation, *, at: int) -> None:
        await self._write(operation.operation_id, marking_operation(operation, at=at))

    async def final(self) -> Final:
        """Return the newest block that is final and indexed; raises Unavailable while that is not valid."""
        item = await self._dynamo.get(CHECKPOINTS, {"chain": str(self._chain_id)})
        if item is None:
            return Final()
        try:
            final = from_item(_FinalItem, item)
        except Unreadable as error:
            raise Unavailable(f"checkpoints {self._chain_id} is not valid: {error}") from error
        return Final(final.finalized_number, final.finalized_timestamp, final.finalized_hash)

    async def minting(self, mint: Mint) -> Transfer | None:
        """Return the transfer that made a mint's token, its oldest, read consistently."""
        if mint.token_id is None:
            return None
        ref = token_ref(mint.chain_id, mint.contract, mint.token_id)
        page = await self._dynamo.query(TRANSFERS, partition=ref, limit=1)
        return read(Transfer, TRANSFERS, page.items[0], self._set_aside) if page.items else None

    async def minted_digest(self, mint: Mint) -> bytes | None:
        """Return the metadata digest that a mint's token was made with, read consistently."""
        if mint.token_id is None:
            return None
        place = token_place(mint.chain_id, mint.contract, mint.token_id)
        item = await self._dynamo.get(TOKENS, place)
        return None if item is None else read(Token, TOKENS, item, self._set_aside).metadata_digest

    async def mined_by(self, tx_hash: bytes, block_number: int) -> list[Mint]:
        ids = await asyncio.gather(*map(self._mints_in, block_shards(block_number)))
        operations = await self.operations(mint_id for each in ids for mint_id in each)
        return [
            operation
            for operation in operations.values()
            if isinstance(operation, Mint) and operation.tx_hash == tx_hash
        ]

    async def _mints_in(self, shard: str) -> list[str]:
        ids: list[str] = []
        start: Item | None = None
        while True:
            page = await self._dynamo.query(
                MINTS, index=_MINTS_IN_BLOCK, partition=shard, limit=PAGE, start=start
            )
            ids += [str(item["mint_id"]) for item in page.items]
            if (start := page.next) is None:
                return ids

    async def mine(self, mint: Mint, minting: Minting, *, at: int) -> None:
        await self._write(mint.mint_id, mining(mint, minting, at=at))

    async def finalize(self, mint_id: str, minting: Minting, *, at: int) -> None:
        """Move a mint that this transfer's transaction mined to finalized."""
        await self._write(mint_id, finalizing(mint_id, minting, at=at))

    async def _write(self, operation_id: str, update: Update) -> None:
        try:
            await self._dynamo.write(update)
        except ConditionFailed as failed:
            if failed.item is not None:
                raise MintMoved(await with_transaction(self._dynamo, failed.item, self._set_aside)) from None
            raise MintMoved(await self.get(operation_id)) from None

    async def _together(self, operation_id: str, changes: list[Change]) -> None:
        try:
            await self._dynamo.transact(changes)
        except Contended:
            raise Unavailable("other writers kept moving the operation or its transaction") from None
        except TransactionCancelled:
            raise MintMoved(await self.get(operation_id)) from None

    async def _move(self, update: Update, place: TransactionKey) -> None:
        try:
            await self._dynamo.write(update)
        except ConditionFailed as failed:
            if failed.item is not None:
                raise TransactionMoved(
                    read(Transaction, TRANSACTIONS, failed.item, self._set_aside)
                ) from None
            raise TransactionMoved(await self.transaction(place)) from None
