"""Transfers and burns of wallets in custody, in DynamoDB."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mintline.aws.dynamo import Dynamo
from mintline.aws.operations import read_operations
from mintline.aws.records import read, readable
from mintline.errors import Unreadable
from mintline.records.keys import scoped, signature_turn_key
from mintline.records.locks import SignatureTurn
from mintline.records.operations import TokenOperation
from mintline.records.transactions import Transaction
from mintline.resources import ACCOUNTS, TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.states import UNDECIDED, MintStatus

_LATEST = 25
"""Transactions of a wallet that are looked through: all that is under way is among its latest."""
_KINDS = frozenset({"transfer", "burn"})
_UNDER_WAY = frozenset({MintStatus.BUILT, MintStatus.SUBMITTED})


class DynamoTokenOperations:
    """The transactions of one chain's wallets, and the operations that they carry."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def under_way(self, wallet: str, contract: str) -> tuple[TokenOperation, ...]:
        """Return a wallet's transfers and burns that are built or sent; an unreadable record is left out."""
        own, signed = await asyncio.gather(self._sent_by(wallet), self._signed_by(wallet, contract))
        operations = await read_operations(self._dynamo, [*own, *signed], self._set_aside)
        return tuple(
            operation
            for operation in operations.values()
            if isinstance(operation, TokenOperation)
            and operation.contract == contract
            and operation.status in _UNDER_WAY
        )

    async def _signed_by(self, wallet: str, contract: str) -> list[str]:
        """Return the one operation that may be under way by a wallet's signature: each waits for the last."""
        key = signature_turn_key(self._chain_id, contract, wallet)
        item = await self._dynamo.get(ACCOUNTS, {"account_id": key})
        if item is None:
            return []
        with suppress(Unreadable):
            return [read(SignatureTurn, ACCOUNTS, item, self._set_aside).operation_id]
        return []

    async def _sent_by(self, wallet: str) -> list[str]:
        """Return those that a wallet sends itself, of its latest transactions."""
        page = await self._dynamo.query(
            TRANSACTIONS, partition=scoped(self._chain_id, wallet), forward=False, limit=_LATEST
        )
        transactions = readable(Transaction, TRANSACTIONS, page.items, self._set_aside)
        return [
            operation_id
            for _, transaction in transactions
            if transaction.kind in _KINDS and transaction.state in UNDECIDED
            for operation_id in transaction.operations
        ]
