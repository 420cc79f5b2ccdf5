"""The store that a rebuild fills: operations and transactions as they were before the chain decided."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from mintline.aws.dynamo import Item
from mintline.canonical_json import canonical_json
from mintline.records.transactions import Transaction, as_far_as_any, carried_by
from mintline.resources import BALANCES, MINTS, TOKENS, TRANSFERS
from mintline.states import MintStatus, TransactionState
from mintline_indexer.dynamo_items import balance_item, token_item, transfer_item
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.in_memory_store import InMemoryStore
from mintline_indexer.store_port import Attempted, TokenKey
from mintline_ops.index.items import ItemKey, keyed, outcome_item

OUTCOME = ("tx_hash", "block_number", "block_hash", "problem")


class ReplayStore(InMemoryStore):
    """A store in memory that knows operations and transactions as they were before the chain decided."""

    live: DynamoStore

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        """Return what the transactions are attempts at, and bring that in with what it is for."""
        attempted = await self.live.attempts(tx_hashes)
        ids = {attempt.mint_id for attempt in attempted.values() if attempt.mint_id is not None}
        places = {attempt.key for attempt in attempted.values() if attempt.key is not None}
        for transaction in (await self.live.transactions(places)).values():
            self._undecide(transaction)
            ids |= set(transaction.operations)
        await self._bring_in(ids)
        return attempted

    async def vouchers(self, keys: Sequence[TokenKey]) -> dict[TokenKey, str]:
        """Return whose vouchers are for these tokens, and bring those mints in."""
        vouchers = await self.live.vouchers(keys)
        await self._bring_in(vouchers.values())
        return vouchers

    async def _bring_in(self, operation_ids: Iterable[str]) -> None:
        new = set(operation_ids) - {operation.operation_id for operation in self.kept()}
        operations = await self.live.operations(sorted(new))
        carrying = {
            place for operation in operations.values() if (place := carried_by(operation)) is not None
        }
        for transaction in (await self.live.transactions(carrying - self.transaction_table.keys())).values():
            self._undecide(transaction)
        for operation in operations.values():
            undecided: dict[str, object] = dict.fromkeys(OUTCOME) | {"status": MintStatus.SUBMITTED}
            if carried_by(operation) in self.transaction_table:
                # The rest is read off its transaction.
                undecided |= {"status": MintStatus.BUILT, "attempts": ()}
            self.keep(operation.evolve(**undecided))

    def _undecide(self, transaction: Transaction) -> None:
        """Take a transaction in as it was before it was mined; of one that is there, new attempts."""
        known = self.transaction_table.get(transaction.key)
        undecided = dict.fromkeys(("outcome", "not_made", *OUTCOME)) | {"state": TransactionState.SUBMITTED}
        self.transaction_table[transaction.key] = (
            transaction.evolve(**undecided) if known is None else known.evolve(attempts=transaction.attempts)
        )

    def items(self) -> Iterator[tuple[ItemKey, Item]]:
        """Yield the index as the tables would hold it."""
        for token in self.token_table.values():
            yield keyed(TOKENS, token_item(token))
        for balance in self.balance_table.values():
            yield keyed(BALANCES, balance_item(balance))
        for transfer in self.transfer_table.values():
            yield keyed(TRANSFERS, transfer_item(transfer))
        for operation in self.kept():
            if (outcome := outcome_item(as_far_as_any(operation, self.transaction_table))) is not None:
                yield keyed(MINTS, outcome)

    def digest(self) -> str:
        """Return the SHA-256 of every item in the order of keys: alike for indexes that are alike."""
        hashed = hashlib.sha256()
        for _, item in sorted(self.items(), key=lambda pair: pair[0]):
            hashed.update(canonical_json(item).encode() + b"\n")
        return hashed.hexdigest()
