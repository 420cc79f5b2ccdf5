"""The tables, once: what each service's in-memory port reads and writes is the same dictionaries.

Every write of a mint or a transaction is held against its state machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from coincurve import PublicKey
from pydantic import SecretStr

from mintline import key_subjects
from mintline.acceptance import Certificate
from mintline.authorizations import MISSING, Authorization, Key
from mintline.aws.key_stores import secret_name
from mintline.aws.keys import GeneratedKey
from mintline.aws.lines import EXTERNAL_ID_USED
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.errors import Rejected
from mintline.eth import Transaction, address_of_public_key, keccak256
from mintline.kinds.batch import line_digest
from mintline.lines import LinesChunk
from mintline.messages.intents import SignBatch
from mintline.messages.parts import Clone, KeyRef
from mintline.records.collections import Collection
from mintline.records.index import Transfer
from mintline.records.keys import scoped
from mintline.records.operations import Mint, Operation, TokenOperation
from mintline.records.transactions import Place, carried_by
from mintline.records.transactions import Transaction as TransactionRecord
from mintline.records.wallets import Link, Wallet
from mintline.states import MintStatus, TransactionState, stored_sources, transaction_may
from mintline_api.features.bulk.records import BulkRecord
from mintline_broadcaster.ports import Final, SignedTransaction
from mintline_harness.simulation.chain import TRANSFER_GAS, Sent, read
from mintline_harness.simulation.lagging import Lag, LaggingTable
from mintline_indexer.store_port import Attempted, TokenKey
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.protocol import LinesProof, WrappedKey
from mintline_testkit.api.index import MemoryIndex
from mintline_testkit.api.index import MemoryMetadata as MemoryPacks
from mintline_testkit.api.operations import MemoryMints, MemoryTokenIds
from mintline_testkit.api.users import MemoryPoolUsers
from mintline_testkit.api.wallets import MemoryLinks, MemoryWallets
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.broadcaster.vouchers import MemoryVoucherStore
from mintline_testkit.builder.tables import MemoryMetadata, MemoryTables
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore
from mintline_testkit.signer import Authority

CHAIN_ID = 31337
CLONE = Clone(
    factory="0x" + "f1" * 20,
    implementation="0x" + "c1" * 20,
    principal="simulated",
    operation_id="deploy_simulated",
    args=CloneArgs(name="Simulated", symbol="SIM"),
)
"""What a factory made the collection of, in schedules in which holders' signatures move its tokens."""
CONTRACT = address_of(CLONE)
ITEMS_CLONE = Clone(
    factory=CLONE.factory,
    implementation="0x" + "c2" * 20,
    principal="simulated",
    operation_id="deploy_items",
    args=CloneArgs(name="Items", symbol="ITM"),
)
ITEMS = address_of(ITEMS_CLONE)
"""The ERC-1155 collection, in schedules that have one."""
PREFIX = "mintline"
_WRAPPED = b"wrapped:"
USERS = ("user-0", "user-1", "user-2")


OperationT = TypeVar("OperationT", bound=Operation)


class WatchedOperations(LaggingTable[str, OperationT]):
    """Operations by id, as they are stored; `broken` is told of what the state machine does not allow."""

    def __init__(self, broken: Callable[[str], None], lag: Lag, moves: Moves) -> None:
        super().__init__(lag)
        self._broken = broken
        self._moves = moves

    def __setitem__(self, operation_id: str, operation: OperationT) -> None:
        before = self.get(operation_id)
        if before is None:
            if operation.status is not MintStatus.ACCEPTED and operation.problem != EXTERNAL_ID_USED:
                self._broken(f"{operation_id} began as {operation.status}")
        elif before.status is not operation.status and not _stored_may(before, operation):
            self._broken(f"{operation_id} went from {before.status} to {operation.status}")
        with self._moves.watching([operation_id]):
            super().__setitem__(operation_id, operation)


class WatchedTransactions(LaggingTable[Place, TransactionRecord]):
    """Transactions by sender and nonce; `broken` likewise."""

    def __init__(self, broken: Callable[[str], None], lag: Lag, moves: Moves) -> None:
        super().__init__(lag)
        self._broken = broken
        self._moves = moves

    def __setitem__(self, place: Place, transaction: TransactionRecord) -> None:
        before = self.get(place)
        if before is None:
            if transaction.state is not TransactionState.RESERVED:
                self._broken(f"{place} began as {transaction.state}")
        elif not _same_load(before, transaction):
            self._broken(f"nonce {place} was given to {before.operations} and {transaction.operations}")
        elif before.state is not transaction.state and not transaction_may(before.state, transaction.state):
            self._broken(f"{place} went from {before.state} to {transaction.state}")
        with self._moves.watching(transaction.operations):
            super().__setitem__(place, transaction)


def _same_load(before: TransactionRecord, after: TransactionRecord) -> bool:
    """Tell whether a transaction is for what it was for: a batch may lose operations until it is signed."""
    if before.kind == "batch" and before.state is TransactionState.RESERVED and not before.attempts:
        return set(after.operations) <= set(before.operations)
    same = (before.operations, before.meaning) == (after.operations, after.meaning)
    return same and not (after.claiming and not before.claiming)


class Moves:
    """Tells how operations move by what is written on their own record or on their transaction's."""

    def __init__(self) -> None:
        self.standing: Callable[[str], Operation | None] = lambda _: None
        self.told: Callable[[Operation, Operation], None] = lambda *_: None
        """Hears of every write that concerns an operation: how it stood, and how it stands."""

    @contextmanager
    def watching(self, ids: Iterable[str]) -> Iterator[None]:
        """Compare the operations before and after a write."""
        before = [operation for operation in map(self.standing, ids) if operation is not None]
        yield
        for operation in before:
            after = self.standing(operation.operation_id)
            assert after is not None
            self.told(operation, after)


def _stored_may(before: Operation, after: Operation) -> bool:
    """Tell whether a record may move so: undone, a mint that a transaction carries is built again."""
    undone = (before.status, after.status) == (MintStatus.MINED, MintStatus.BUILT)
    return before.status in stored_sources(after.status) or (undone and carried_by(after) is not None)


class SignedAttempts(dict[bytes, Attempted]):
    """The attempts table as the indexer reads it."""

    def __init__(self, signed: dict[bytes, SignedTransaction]) -> None:
        super().__init__()
        self._signed = signed

    def __contains__(self, tx_hash: object) -> bool:
        return tx_hash in self._signed

    def __getitem__(self, tx_hash: bytes) -> Attempted:
        signed = self._signed[tx_hash]
        if signed.mint_id is not None:
            return Attempted(mint_id=signed.mint_id, at=signed.at, own=True)
        return Attempted(place=Place(scoped(signed.chain_id, signed.sender), signed.nonce), at=signed.at)


class IndexedTransactionStore(MemoryTransactionStore):
    """A broadcaster's ledger that reads of the index what the indexer wrote."""

    store: MemoryStore

    async def final(self) -> Final:
        """Return the newest block that is final and indexed."""
        if (progress := self.store.progress) is None:
            return Final()
        block = progress.finalized
        return Final(block.number, block.timestamp, block.hash)

    async def minting(self, mint: Mint) -> Transfer | None:
        """Return the transfer that made a mint's token."""
        if mint.token_id is None:
            return None
        return await self.store.minting(TokenKey(mint.contract, mint.token_id))

    async def minted_digest(self, mint: Mint) -> bytes | None:
        """Return the metadata digest that a mint's token was made with."""
        assert mint.token_id is not None
        token = self.store.token_table.get(TokenKey(mint.contract, mint.token_id))
        return None if token is None else token.metadata_digest


class SponsoredAuthorizations:
    """The authorizations of a batch's mints, as the signer's host reads them."""

    def __init__(
        self, stored: Mapping[Key, Authorization], chunks: Mapping[tuple[str, int], LinesChunk]
    ) -> None:
        self._stored = stored
        self._chunks = chunks

    async def of(self, batch: SignBatch) -> list[bytes]:
        """Return the authorization of each line, in order; empty where there is none."""
        keys = [(line.mint_id, line_digest(batch, line)) for line in batch.mints]
        return [self._stored.get(key, MISSING).envelope for key in keys]

    async def proofs_of(self, batch: SignBatch) -> list[LinesProof]:
        """Return what proves the lines of requests for many mints: each chunk once."""
        named = {(line.request.request_id, line.request.chunk) for line in batch.mints if line.request}
        kept = [chunk for name in sorted(named) if (chunk := self._chunks.get(name)) is not None]
        fields = LinesProof.model_fields
        return [LinesProof(**{name: getattr(chunk, name) for name in fields}) for chunk in kept]


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
        self.links.items = {link.link_id: link for link in map(_link, USERS)}
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


@lru_cache(maxsize=256)
def key_of(subject: str, number: int = 0) -> GeneratedKey:
    """Return a key that is the same in every run: making one costs as much as signing."""
    secret = keccak256(f"{subject}#{number}".encode())
    address = address_of_public_key(PublicKey.from_secret(secret).format(compressed=False))
    return GeneratedKey(address=address, wrapped=_WRAPPED + secret)


def key_ref(subject: str) -> KeyRef:
    """Return the reference to a platform key."""
    address = key_of(subject).address
    secret_id = secret_name(PREFIX, CHAIN_ID, address)
    return KeyRef(address=address, subject=subject, chain_id=CHAIN_ID, secret_id=secret_id)


def stray(subject: str, address: str, nonce: int, *, fee: int) -> Sent:
    """Return a transaction of a user's wallet that the line did not make; `fee` is in wei per gas."""
    number = next(number for number in range(16) if key_of(subject, number).address == address)
    return _signed(key_of(subject, number), address, nonce, fee=fee, gas=TRANSFER_GAS, data=b"")


def own_address(user: str) -> str:
    """Return the address of a wallet that is its user's own."""
    return key_of(f"own:{user}").address


def signed_by(user: str, to: str, nonce: int, *, fee: int, gas: int, data: bytes) -> Sent:
    """Return a call that a user's own wallet signed; `fee` is in wei per gas."""
    return _signed(key_of(f"own:{user}"), to, nonce, fee=fee, gas=gas, data=data)


def _link(user: str) -> Link:
    address = own_address(user)
    return Link(
        link_id=scoped(CHAIN_ID, address),
        sub=user,
        chain_id=CHAIN_ID,
        address=address,
        kind="account",
        nonce="",
        linked_at=0,
    )


def _signed(by: GeneratedKey, to: str, nonce: int, *, fee: int, gas: int, data: bytes) -> Sent:
    key = SigningKey(bytearray(by.wrapped.removeprefix(_WRAPPED)))
    body = Transaction(
        chain_id=CHAIN_ID,
        nonce=nonce,
        max_priority_fee_per_gas=fee // 2,
        max_fee_per_gas=fee,
        gas=gas,
        to=to,
        value=0,
        data=data,
    )
    signature = key.sign(body.signing_hash())
    return read(body.signed(signature.y_parity, signature.r, signature.s))


ISSUER = key_ref(key_subjects.ISSUER)
TREASURY = key_ref(key_subjects.TREASURY)
RELAYERS = tuple(key_ref(key_subjects.relayer(number)) for number in (1, 2))


class Custody:
    """KMS and the store of wrapped keys: makes keys, keeps them, unwraps them."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}
        self._kept: dict[str, tuple[str, bytes]] = {
            ref.secret_id: (ref.subject, key_of(ref.subject).wrapped) for ref in (ISSUER, TREASURY, *RELAYERS)
        }

    async def generate(self, sub: str) -> GeneratedKey:
        """Make a key for a user, another one at each call."""
        number = self._made.get(sub, 0)
        self._made[sub] = number + 1
        return key_of(sub, number)

    async def keep(self, wallet: Wallet) -> None:
        """Keep a wallet's wrapped key; the first one stays."""
        assert wallet.wrapped is not None
        self._kept.setdefault(wallet.secret_id, (wallet.sub, wallet.wrapped))

    def secret_id(self, address: str) -> str:
        """Return where the wrapped key of an address is kept."""
        return secret_name(PREFIX, CHAIN_ID, address)

    async def read(self, key: KeyRef) -> WrappedKey:
        """Return a wrapped key, as the signer's host reads it."""
        kept = self._kept.get(key.secret_id)
        if kept is None or kept[0] != key.subject:
            raise Rejected("key_unknown", "There is no such key.")
        return WrappedKey(address=key.address, subject=key.subject, chain_id=key.chain_id, wrapped=kept[1])

    async def unwrap(self, key: WrappedKey) -> bytearray:
        """Return the private key, as the enclave gets it from KMS."""
        return bytearray(key.wrapped.removeprefix(_WRAPPED))

    async def certify(self, certificate: Certificate) -> Certificate:
        """Have the intake key sign, as the api does."""
        return authority().certify(certificate)

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Return the authorization key's private half, which the enclave has KMS unwrap as well."""
        del ciphertext, context
        return bytearray(authority().plaintext())


@lru_cache(maxsize=1)
def authority() -> Authority:
    """Return the user pool, the authorization key and the intake key, which take a while to make."""
    return Authority(chain_id=CHAIN_ID)


@lru_cache(maxsize=64)
def token_of(sub: str, now: int) -> SecretStr:
    """Return a user's access token."""
    return SecretStr(authority().token(sub, now=now))
