"""The ledger over DynamoDB; the writes of concurrent messages share requests."""

from __future__ import annotations

from contextlib import suppress

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update, Value
from mintline.aws.records import from_item, to_item, transition
from mintline.records import Attempt, Mint, Problem
from mintline.resources import ATTEMPTS, MINTS
from mintline.states import MintStatus
from mintline_broadcaster.ports import MintMoved, SignedTransaction


class DynamoLedger:
    """What was signed and sent, in the tables `attempts` and `mints`.

    ::

        attempts   not_on_record
        mints      is_built, reserved_nonce ──▶ still_submitted, attempts_unchanged ──▶ still_in_source
    """

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    async def record(self, transaction: SignedTransaction) -> None:
        """Write a transaction down; its hash names its content, so what is on record already is the same."""
        where = (Clause("not_on_record", "tx_hash", "missing"),)
        with suppress(ConditionFailed):
            await self._dynamo.write(Put(ATTEMPTS, to_item(transaction), where=where))

    async def get(self, mint_id: str) -> Mint | None:
        """Read a mint, consistently."""
        item = await self._dynamo.get(MINTS, {"mint_id": mint_id})
        return None if item is None else from_item(Mint, item)

    async def submit(self, mint_id: str, attempt: Attempt, *, nonce: int) -> None:
        """Move a built mint with that nonce to submitted, with its first attempt; raises MintMoved."""
        # A reorg's way back to submitted is the indexer's: here only a built mint will do.
        where = (
            Clause("is_built", "status", "eq", (MintStatus.BUILT.value,)),
            Clause("reserved_nonce", "nonce", "eq", (nonce,)),
        )
        written: Item = {"attempts": [_stored(attempt)], "submitted_at": attempt.at}
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

    async def reject(self, mint_id: str, problem: Problem, *, source: MintStatus, at: int) -> None:
        """End a mint that is still in `source`; raises MintMoved."""
        where = (Clause("still_in_source", "status", "eq", (source.value,)),)
        written: Item = {"problem": problem.model_dump(mode="json")}
        await self._write(mint_id, transition(mint_id, MintStatus.REJECTED, at=at, set=written, where=where))

    async def _write(self, mint_id: str, update: Update) -> None:
        try:
            await self._dynamo.write(update)
        except ConditionFailed as failed:
            if failed.item is not None:
                raise MintMoved(from_item(Mint, failed.item)) from None
            raise MintMoved(await self.get(mint_id)) from None


def _stored(attempt: Attempt) -> Value:
    stored: Value = attempt.model_dump(mode="json")
    return stored
