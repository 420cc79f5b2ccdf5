"""Operations and collections on DynamoDB, as the builder reads them, and operations that get no nonce."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from mintline.authorizations import MISSING, Authorization, Key, key_of, on_record
from mintline.aws.authorizations import find_authorization, read_authorization
from mintline.aws.dynamo import (
    Change,
    Dynamo,
    Item,
    Update,
)
from mintline.aws.lines import create_mints, read_chunk
from mintline.aws.operations import (
    filling,
    read_operation,
    read_operations,
    read_transaction,
)
from mintline.aws.records import read, to_item, transition
from mintline.errors import Conflict, Unreadable
from mintline.lines import MAX_CHUNK
from mintline.messages.parts import Clone
from mintline.operation_ids import line_mint_id
from mintline.records.collections import RegisteredContract
from mintline.records.keys import scoped, token_ref
from mintline.records.operations import Mint, Operation
from mintline.records.problems import Problem
from mintline.records.transactions import TransactionKey
from mintline.resources import COLLECTIONS, MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_builder.claims import (
    VoucherClaim,
    may_be_renewed,
)
from mintline_builder.dynamo_conditions import DID_NOT_SUCCEED, leaving, source_clauses
from mintline_builder.ports import LinesOnRecord

MAX_REMEMBERED = 10_000
"""Collections whose proofs are remembered."""


class DynamoCollections:
    """The registered collections, as far as the builder needs them; what it read of one stays true."""

    def __init__(self, dynamo: Dynamo, chain_id: int, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()
        self._clones: dict[str, Clone | None] = {}

    async def clone(self, contract: str) -> Clone | None:
        """Return what a factory made a collection of."""
        if contract not in self._clones:
            item = await self._dynamo.get(COLLECTIONS, {"collection_id": scoped(self._chain_id, contract)})
            if item is None:
                return None
            record = read(RegisteredContract, COLLECTIONS, item, self._set_aside)
            if len(self._clones) >= MAX_REMEMBERED:
                del self._clones[next(iter(self._clones))]
            self._clones[contract] = record.clone
        return self._clones[contract]


class DynamoOperations:
    """Records of what was asked for, and what their users authorized."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def get(self, operation_id: str) -> Operation | None:
        return await read_operation(self._dynamo, operation_id, self._set_aside)

    async def lines(self, request_id: str, chunk: int) -> LinesOnRecord:
        """Return the mints of a chunk, of which those that are missing are created first."""
        kept = await read_chunk(self._dynamo, request_id, chunk, self._set_aside)
        if kept is None:
            ids = [line_mint_id(request_id, chunk, number) for number in range(MAX_CHUNK)]
            operations = await read_operations(self._dynamo, ids, self._set_aside)
            return LinesOnRecord(_mints_of(operations, ids), MISSING)
        ids = list(kept.mint_ids)
        operations = await read_operations(self._dynamo, ids, self._set_aside)
        missing = frozenset(number for number, mint_id in enumerate(ids) if mint_id not in operations)
        if missing:
            await create_mints(self._dynamo, kept.mints(missing))
            again = [ids[number] for number in sorted(missing)]
            operations |= await read_operations(self._dynamo, again, self._set_aside)
        return LinesOnRecord(_mints_of(operations, ids), Authorization(envelope=kept.envelope))

    async def authorization(self, operation: Operation) -> Authorization:
        """Return what an operation's user authorized."""
        return await find_authorization(self._dynamo, operation, self._set_aside)

    async def with_authorization(
        self, operation_id: str, digest: bytes | None
    ) -> tuple[Operation, Authorization] | None:
        """Return an operation as it stands with its authorization, read at once if `digest` is right."""
        if digest is None:
            operation, authorization = await self.get(operation_id), None
        else:
            operation, authorization = await asyncio.gather(
                self.get(operation_id), self._authorization_under((operation_id, digest))
            )
        if operation is None:
            return None
        if (
            authorization is None
            or on_record(operation) is not None
            or key_of(operation) != (operation_id, digest)
        ):
            authorization = await self.authorization(operation)
        return operation, authorization

    async def _authorization_under(self, key: Key) -> Authorization | None:
        # What is unreadable is asked for again, and raised, if it is the operation's.
        with suppress(Unreadable):
            return await read_authorization(self._dynamo, key, self._set_aside)
        return None

    async def reject(
        self, operation_id: str, problem: Problem, *, at: int, spent: TransactionKey | None = None
    ) -> None:
        """End an accepted operation, or one whose nonce is spent."""
        written: Item = {"problem": to_item(problem)}
        if spent is None:
            where = source_clauses(None)
            await self._dynamo.write(
                transition(operation_id, MintStatus.REJECTED, at=at, set=written, where=where)
            )
            return
        carrier = await read_transaction(self._dynamo, spent, self._set_aside)
        if carrier is None or not may_be_renewed(carrier):
            raise Conflict(f"{operation_id} moved on")
        left: Change = filling(carrier, at=at)
        where = source_clauses(spent)
        if carrier.kind == "batch":
            # Others of its mints may go on yet.
            left = leaving(spent, [operation_id], where=DID_NOT_SUCCEED)
            where = source_clauses(spent, carrier.signer)
        ended = transition(operation_id, MintStatus.REJECTED, at=at, set=written, where=where)
        await self._dynamo.transact([ended, left])

    async def wait(self, operation_id: str, problem: Problem) -> None:
        written: Item = {"waiting": to_item(problem)}
        await self._dynamo.write(
            Update(MINTS, {"mint_id": operation_id}, set=written, where=source_clauses(None))
        )

    async def build_voucher(self, mint: Mint, claim: VoucherClaim) -> None:
        """Take an accepted self-custody mint to `built`, findable by its token from now on."""
        await self._dynamo.write(
            transition(
                claim.mint_id,
                MintStatus.BUILT,
                at=claim.at,
                set={
                    "token_ref": _token_ref(mint),
                    "deadline": claim.deadline,
                    "gas": claim.gas,
                    "built_at": claim.at,
                },
                remove=("metadata", "waiting"),
                where=source_clauses(None),
            )
        )


def _mints_of(operations: Mapping[str, Operation], ids: Sequence[str]) -> tuple[Mint, ...]:
    mints = (operations.get(mint_id) for mint_id in ids)
    return tuple(mint for mint in mints if isinstance(mint, Mint))


def _token_ref(mint: Mint) -> str:
    assert mint.token_id is not None
    return token_ref(mint.chain_id, mint.contract, mint.token_id)
