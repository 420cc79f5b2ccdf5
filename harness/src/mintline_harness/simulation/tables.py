"""The tables, once: what each service's in-memory port reads and writes is the same dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.records.operations import Mint, Operation, TokenOperation
from mintline_api.features.bulk.records import BulkRecord
from mintline_broadcaster.ports import SignedTransaction
from mintline_harness.simulation.accounts import CHAIN_ID, CONTRACT, ITEMS, ITEMS_CLONE, USERS, link_of
from mintline_harness.simulation.lagging import Lag, LaggingTable
from mintline_harness.simulation.watched import (
    IndexedTransactionStore,
    Moves,
    SignedAttempts,
    WatchedOperations,
    WatchedTransactions,
)
from mintline_testkit.api.index import MemoryIndex
from mintline_testkit.api.index import MemoryMetadata as MemoryPacks
from mintline_testkit.api.operations import MemoryMints, MemoryTokenIds
from mintline_testkit.api.users import MemoryPoolUsers
from mintline_testkit.api.wallets import MemoryLinks, MemoryWallets
from mintline_testkit.broadcaster.vouchers import MemoryVoucherStore
from mintline_testkit.builder.tables import MemoryMetadata, MemoryTables
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore


class Tables:
    """Every table, bucket and secret of one simulated deployment."""

    def __init__(
        self,
        broken: Callable[[str], None],
        lag: Lag,
        *,
        index_store: type[MemoryStore] = MemoryStore,
        ledger: type[IndexedTransactionStore] = IndexedTransactionStore,
        token_ids: type[MemoryTokenIds] = MemoryTokenIds,
    ) -> None:
        self.moves = Moves()
        self.mints = WatchedOperations[Mint](broken, lag, self.moves)
        self.token_operations = WatchedOperations[TokenOperation](broken, lag, self.moves)
        self.transactions = WatchedTransactions(broken, lag, self.moves)
        self.signed = LaggingTable[bytes, SignedTransaction](lag)
        self.wallets = MemoryWallets()
        self.index = MemoryIndex()
        self.builder = MemoryTables(
            mints=self.mints, token_operations=self.token_operations, transactions=self.transactions
        )
        self.token_ids = token_ids({CONTRACT: 1})
        self.metadata = MemoryMetadata()
        self.requests: dict[str, BulkRecord] = {}
        self.packs = MemoryPacks()
        self.item_texts = MemoryPacks()
        self.store = index_store(
            mint_table=self.mints,
            token_operation_table=self.token_operations,
            transaction_table=self.transactions,
            attempt_table=SignedAttempts(self.signed),
        )
        self.ledger = ledger(
            mints=self.mints,
            token_operations=self.token_operations,
            transactions=self.transactions,
            signed=self.signed,
        )
        self.ledger.store = self.store
        self.moves.standing = self.ledger.operation
        self.api_mints = MemoryMints()
        self.api_mints.items = self.mints
        self.api_mints.token_operations = self.token_operations
        self.api_mints.transactions = self.transactions
        self.api_mints.authorizations = self.builder.authorizations = self.ledger.authorizations
        self.vouchers = MemoryVoucherStore(self.ledger)
        self.pool_users = MemoryPoolUsers()
        self.links = MemoryLinks(chain_id=CHAIN_ID)
        self.links.items = {link.link_id: link for link in map(link_of, USERS)}
        self.collections = MemoryCollectionRegistry({CONTRACT: 1})
        self.index.collections[CONTRACT] = Collection(
            collection_id=scoped(CHAIN_ID, CONTRACT),
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            name="Simulated",
            symbol="SIM",
            deployed_block=1,
            sponsored=True,
            next_token_id=1,
        )

    def hold_items(self) -> None:
        """Hold an ERC-1155 collection of the factory."""
        self.builder.clones[ITEMS] = ITEMS_CLONE
        self.token_ids.counters[ITEMS] = 1
        self.collections.deployed[ITEMS] = 1
        self.index.collections[ITEMS] = Collection(
            collection_id=scoped(CHAIN_ID, ITEMS),
            chain_id=CHAIN_ID,
            contract=ITEMS,
            name=ITEMS_CLONE.args.name,
            symbol=ITEMS_CLONE.args.symbol,
            deployed_block=1,
            standard="erc1155",
            sponsored=True,
            clone=ITEMS_CLONE,
            next_token_id=1,
        )

    def operation(self, operation_id: str) -> Operation | None:
        """Return an operation as it is stored."""
        return self.mints.get(operation_id) or self.token_operations.get(operation_id)

    def stored(self) -> Iterator[Operation]:
        """Return all operations as they are stored; a scan of the tables would lag."""
        for _, operation in chain(self.mints.items(), self.token_operations.items()):
            yield operation

    def standing(self) -> Iterator[Operation]:
        """Return all operations as they stand now; a scan of the tables would lag."""
        for operation_id in chain(self.mints, self.token_operations):
            operation = self.ledger.operation(operation_id)
            assert operation is not None
            yield operation
