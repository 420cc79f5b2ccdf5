"""The ledger over DynamoDB; the writes of concurrent messages share requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from mintline.aws.authorizations import find_authorization
from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update, Value
from mintline.aws.records import OPEN, from_item, read, readable, to_item, token_place, transition
from mintline.errors import Unavailable, Unreadable
from mintline.fields import Bytes32
from mintline.messages import Frozen, SignMint
from mintline.records import (
    Attempt,
    Mint,
    Problem,
    Token,
    Transfer,
    created_key,
    token_ref,
)
from mintline.resources import ATTEMPTS, CHECKPOINTS, MINTS, TOKENS, TRANSFERS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_broadcaster.ports import Final, MintMoved, OpenMint, OpenTransaction, SignedTransaction
from mintline_broadcaster.sweeping import next_sweep

_OPEN_MINTS = MINTS.index("open")
_OPEN_TRANSACTIONS = ATTEMPTS.index("open")
_ON_RECORD = (Clause("on_record", "tx_hash", "exists"),)


class _FinalItem(Frozen):
    """What a checkpoint says of the newest final block."""

    finalized_number: int
    finalized_timestamp: int
    finalized_hash: Bytes32


class DynamoLedger:
    """What was signed and sent, in the tables `attempts` and `mints`.

    ::

        attempts   not_on_record ──▶ on_record
        mints      is_built, reserved_nonce, its_… ──▶ still_submitted, attempts_unchanged ──▶ still_in_source
                   swept by: still_there, not_moved, not_swept; closed by: still_rejected
                   ended by its token: still_in_source ──▶ by_this_transaction
    """

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def record(self, transaction: SignedTransaction) -> None:
        """Write a transaction down; its hash names its content, so what is on record already is the same."""
        item = _transaction_item(transaction)
        try:
            await self._dynamo.write(Put(ATTEMPTS, item, where=(Clause("new", "tx_hash", "missing"),)))
        except ConditionFailed:
            if transaction.intent is not None:
                opened: Item = {"open_chain": item["open_chain"]}
                await self._dynamo.write(
                    Update(ATTEMPTS, _transaction_key(transaction.tx_hash), set=opened, where=_ON_RECORD)
                )

    async def get(self, mint_id: str) -> Mint | None:
        """Read a mint, consistently."""
        item = await self._dynamo.get(MINTS, {"mint_id": mint_id})
        return None if item is None else read(Mint, MINTS, item, self._set_aside)

    async def envelope(self, mint: Mint) -> bytes:
        """Return a mint's authorization envelope, read consistently."""
        return (await find_authorization(self._dynamo, mint, self._set_aside)).envelope

    async def submit(self, intent: SignMint, attempt: Attempt, *, earlier: tuple[Attempt, ...] = ()) -> None:
        """Move the intent's mint, built with its nonce, to submitted; raises MintMoved."""
        mint_id = intent.mint_id
        # A reorg's way back to submitted is the indexer's: here only a built mint will do.
        where = (
            Clause("is_built", "status", "eq", (MintStatus.BUILT.value,)),
            Clause("reserved_nonce", "nonce", "eq", (intent.nonce,)),
            *_its_own(intent),
        )
        # Only a submitted mint's attempts change, so the earlier ones are still what the caller read.
        attempts: list[Value] = [_stored(one) for one in (*earlier, attempt)]
        written: Item = {"attempts": attempts, "submitted_at": attempt.at}
        await self._write(
            mint_id, transition(mint_id, MintStatus.SUBMITTED, at=attempt.at, set=written, where=where)
        )

    async def add_attempt(self, mint: Mint, attempt: Attempt) -> None:
        """Append to the attempts of a submitted mint, if they are still `mint`'s; raises MintMoved."""
        known: list[Value] = [_stored(earlier) for earlier in mint.attempts]
        update = Update(
            MINTS,
            {"mint_id": mint.mint_id},
            set={"attempts": [*known, _stored(attempt)], "updated_at": attempt.at},
            where=(
                Clause("still_submitted", "status", "eq", (MintStatus.SUBMITTED.value,)),
                Clause("attempts_unchanged", "attempts", "eq", (known,)),
            ),
        )
        await self._write(mint.mint_id, update)

    async def reject(
        self, mint_id: str, problem: Problem, *, source: MintStatus, at: int, unfilled: bool = False
    ) -> None:
        """End a mint that is still in `source`; raises MintMoved."""
        where = (Clause("still_in_source", "status", "eq", (source.value,)),)
        written: Item = {"problem": problem.model_dump(mode="json")}
        update = transition(
            mint_id, MintStatus.REJECTED, at=at, set=written, where=where, stays_open=unfilled
        )
        await self._write(mint_id, update)

    async def close_mint(self, mint_id: str) -> None:
        """Take a rejected mint out of the index of open ones."""
        where = (Clause("still_rejected", "status", "eq", (MintStatus.REJECTED.value,)),)
        await self._write(mint_id, Update(MINTS, {"mint_id": mint_id}, remove=(OPEN,), where=where))

    async def open_mints(self, shard: str, *, after: OpenMint | None, limit: int) -> list[OpenMint]:
        """Return up to `limit` open mints of a shard, oldest first."""
        start: Item | None = None
        if after is not None:
            key = created_key(after.created_at, after.mint_id)
            start = {"mint_id": after.mint_id, "open_shard": shard, "created_key": key}
        page = await self._dynamo.query(MINTS, index=_OPEN_MINTS, partition=shard, limit=limit, start=start)
        keys = (str(item["created_key"]).partition("#") for item in page.items)
        return [OpenMint(mint_id, int(created_at)) for created_at, _, mint_id in keys]

    async def read_mints(self, mint_ids: Iterable[str]) -> dict[str, Mint]:
        """Read the mints that exist, a hundred a request; those that are unreadable are set aside."""
        items = await asyncio.gather(*(self._dynamo.get(MINTS, {"mint_id": one}) for one in mint_ids))
        found = readable(Mint, MINTS, (item for item in items if item is not None), self._set_aside)
        return {mint.mint_id: mint for _, mint in found}

    async def mark_swept(self, mint: Mint, *, at: int) -> None:
        """Note that a mint is sent on, if nobody did since `mint` was read; raises MintMoved."""
        swept = ("missing", ()) if mint.swept_at is None else ("eq", (mint.swept_at,))
        update = Update(
            MINTS,
            {"mint_id": mint.mint_id},
            set={"swept_at": at, "sweeps": next_sweep(mint)},
            where=(
                Clause("still_there", "status", "eq", (mint.status.value,)),
                Clause("not_moved", "updated_at", "eq", (mint.updated_at,)),
                Clause("not_swept", "swept_at", *swept),
            ),
        )
        await self._write(mint.mint_id, update)

    async def read_transactions(self, tx_hashes: Iterable[bytes]) -> dict[bytes, SignedTransaction]:
        """Read the transactions that are on record, likewise."""
        keys: list[Item] = [_transaction_key(tx_hash) for tx_hash in tx_hashes]
        items = await asyncio.gather(*(self._dynamo.get(ATTEMPTS, key) for key in keys))
        there = (item for item in items if item is not None)
        found = readable(SignedTransaction, ATTEMPTS, there, self._set_aside)
        return {transaction.tx_hash: transaction for _, transaction in found}

    async def open_transactions(self, *, after: OpenTransaction | None, limit: int) -> list[OpenTransaction]:
        """Return up to `limit` top-ups and no-ops whose nonce is not final, oldest first."""
        partition = str(self._chain_id)
        start: Item | None = None
        if after is not None:
            position: Item = {"open_chain": partition, "sent_key": _sent_key(after.at, after.tx_hash)}
            start = {**_transaction_key(after.tx_hash), **position}
        page = await self._dynamo.query(
            ATTEMPTS, index=_OPEN_TRANSACTIONS, partition=partition, limit=limit, start=start
        )
        keys = (str(item["sent_key"]).partition("#0x") for item in page.items)
        return [OpenTransaction(bytes.fromhex(tx_hash), int(at)) for at, _, tx_hash in keys]

    async def close(self, tx_hash: bytes) -> None:
        """Note that the nonce of a top-up or no-op is final."""
        await self._dynamo.write(
            Update(ATTEMPTS, _transaction_key(tx_hash), remove=("open_chain",), where=_ON_RECORD)
        )

    async def final(self) -> Final:
        """Return the newest block that is final and indexed; raises Unavailable while that is not valid."""
        item = await self._dynamo.get(CHECKPOINTS, {"chain": str(self._chain_id)})
        if item is None:
            return Final()
        try:
            found = from_item(_FinalItem, item)
        except Unreadable as error:
            raise Unavailable(f"checkpoints {self._chain_id} is not valid: {error}") from error
        return Final(found.finalized_number, found.finalized_timestamp, found.finalized_hash)

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

    async def mine(self, mint: Mint, minting: Transfer, *, at: int) -> None:
        """Move a mint that is still in `mint`'s state to mined."""
        where = (Clause("still_in_source", "status", "eq", (mint.status.value,)),)
        written: Item = {
            "tx_hash": "0x" + minting.tx_hash.hex(),
            "block_number": minting.block_number,
            "block_hash": "0x" + minting.block_hash.hex(),
            "mined_at": at,
        }
        update = transition(
            mint.mint_id, MintStatus.MINED, at=at, set=written, remove=("problem",), where=where
        )
        await self._write(mint.mint_id, update)

    async def finalize(self, mint_id: str, minting: Transfer, *, at: int) -> None:
        """Move a mint that this transfer's transaction mined to finalized."""
        where = (Clause("by_this_transaction", "tx_hash", "eq", ("0x" + minting.tx_hash.hex(),)),)
        update = transition(mint_id, MintStatus.FINALIZED, at=at, set={"finalized_at": at}, where=where)
        await self._write(mint_id, update)

    async def _write(self, mint_id: str, update: Update) -> None:
        try:
            await self._dynamo.write(update)
        except ConditionFailed as failed:
            if failed.item is not None:
                raise MintMoved(read(Mint, MINTS, failed.item, self._set_aside)) from None
            raise MintMoved(await self.get(mint_id)) from None


def _its_own(intent: SignMint) -> tuple[Clause, ...]:
    """Return that the mint's record says what the intent does: `check_intent`, as conditions of a write."""
    said: Item = {
        "chain_id": intent.chain_id,
        "contract": intent.contract,
        "sender": to_item(intent.signer),
        "gas": intent.gas,
        **to_item(intent.voucher),
    }
    return tuple(Clause(f"its_{name}", name, "eq", (value,)) for name, value in said.items())


def _stored(attempt: Attempt) -> Value:
    stored: Value = attempt.model_dump(mode="json")
    return stored


def _transaction_key(tx_hash: bytes) -> Item:
    return {"tx_hash": "0x" + tx_hash.hex()}


def _sent_key(at: int, tx_hash: bytes) -> str:
    return f"{at:015d}#0x{tx_hash.hex()}"


def _transaction_item(transaction: SignedTransaction) -> Item:
    item: Item = {**to_item(transaction), "raw": transaction.raw}
    if transaction.intent is not None:
        item["open_chain"] = str(transaction.chain_id)
        item["sent_key"] = _sent_key(transaction.at, transaction.tx_hash)
    return item
