"""Transfers and burns of wallets in custody, in DynamoDB."""

from __future__ import annotations

from mintline.aws.dynamo import Dynamo
from mintline.aws.records import readable
from mintline.aws.standing import read_operations
from mintline.records import TokenOperation, scoped
from mintline.resources import TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.states import UNDECIDED, MintStatus
from mintline.transaction_records import Transaction

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

    async def under_way(self, sender: str) -> tuple[TokenOperation, ...]:
        """Return a wallet's transfers and burns that are built or sent; an unreadable record is left out."""
        page = await self._dynamo.query(
            TRANSACTIONS, partition=scoped(self._chain_id, sender), forward=False, limit=_LATEST
        )
        transactions = readable(Transaction, TRANSACTIONS, page.items, self._set_aside)
        ids = [
            operation_id
            for _, one in transactions
            if one.kind in _KINDS and one.state in UNDECIDED
            for operation_id in one.operations
        ]
        found = await read_operations(self._dynamo, ids, self._set_aside)
        return tuple(
            one for one in found.values() if isinstance(one, TokenOperation) and one.status in _UNDER_WAY
        )
