"""Vouchers in their users' hands, over DynamoDB.

::

    mints   self_custody, its_contract, its_{the voucher's fields} ──▶ still_waiting (, attempts_unchanged)
"""

from __future__ import annotations

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Update, Value
from mintline.aws.records import read, to_item, transition
from mintline.messages.signed import VoucherIssued
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.resources import MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_broadcaster.ports import MintMoved
from mintline_broadcaster.vouchers import WAITING

_STILL_WAITING = Clause("still_waiting", "status", "in", tuple(status.value for status in WAITING))


class DynamoVoucherStore:
    """Self-custody mints in the table `mints`."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def issue(self, issued: VoucherIssued, *, at: int) -> None:
        intent, mint_id = issued.intent, issued.intent.mint_id
        where = (
            Clause("is_built", "status", "eq", (MintStatus.BUILT.value,)),
            Clause("self_custody", "custody", "eq", ("self",)),
            Clause("its_chain", "chain_id", "eq", (intent.chain_id,)),
            Clause("its_contract", "contract", "eq", (intent.contract,)),
            *(Clause(f"its_{name}", name, "eq", (value,)) for name, value in to_item(intent.voucher).items()),
        )
        written: Item = {"voucher_signature": "0x" + issued.signature.hex(), "issued_at": at}
        await self._write(mint_id, transition(mint_id, MintStatus.ISSUED, at=at, set=written, where=where))

    async def attempt(self, mint: Mint, attempt: Attempt) -> None:
        known: list[Value] = [to_item(earlier) for earlier in mint.attempts]
        unchanged = Clause("attempts_unchanged", "attempts", "eq", (known,))
        update = Update(
            MINTS,
            {"mint_id": mint.mint_id},
            set={"attempts": [*known, to_item(attempt)], "updated_at": attempt.at},
            where=(_STILL_WAITING, unchanged),
        )
        await self._write(mint.mint_id, update)

    async def taken(self, mint_id: str, *, at: int) -> None:
        """Note that a node has taken a transaction; raises MintMoved."""
        await self._waiting(
            mint_id,
            {"status": MintStatus.SUBMITTED.value, "submitted_at": at, "updated_at": at},
            remove=("problem",),
        )

    async def refused(self, mint_id: str, problem: Problem, *, at: int) -> None:
        """Note why a node refused a transaction; raises MintMoved."""
        await self._waiting(mint_id, {"problem": to_item(problem), "updated_at": at})

    async def _waiting(self, mint_id: str, written: Item, *, remove: tuple[str, ...] = ()) -> None:
        where = (_STILL_WAITING,)
        await self._write(
            mint_id, Update(MINTS, {"mint_id": mint_id}, set=written, remove=remove, where=where)
        )

    async def _write(self, mint_id: str, update: Update) -> None:
        try:
            await self._dynamo.write(update)
        except ConditionFailed as failed:
            item = failed.item or await self._dynamo.get(MINTS, {"mint_id": mint_id})
            mint = None if item is None else read(Mint, MINTS, item, self._set_aside)
            raise MintMoved(mint) from None
