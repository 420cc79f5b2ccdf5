"""Compares what was accepted, what was minted and what is indexed: pure, over everything that was read.

What may be read at different moments of a running line is compared only up to the block that the index had
reached before anything else was read: up to there, records and chain must agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from mintline.clock import UnixSeconds
from mintline.records.index import Token, Transfer
from mintline.records.operations import Mint, Operation, RelayedTokenOperation, TokenOperation
from mintline.states import MintStatus
from mintline.text import bounded
from mintline_indexer.chain_port import (
    Event,
    ItemMintedEvent,
    ItemTransferEvent,
    MintedEvent,
    TransferEvent,
)
from mintline_indexer.kinds import TokenChanges
from mintline_indexer.kinds.token_operation import move_of
from mintline_indexer.reconciler.item_balances import NOTHING_HELD, HeldItems, wrong_balances
from mintline_indexer.store_port import TokenKey

SETTLED = (MintStatus.MINED, MintStatus.FINALIZED)
NAMED = 3
"""Tokens of one transaction that a finding names."""
ENDED_BADLY = (MintStatus.REJECTED, MintStatus.REVERTED)
ENDED = (*SETTLED, *ENDED_BADLY)


class Kind(StrEnum):
    """What a finding is; see `MEANING`."""

    IN_FLIGHT = "in_flight"
    WAITING = "waiting"
    AWAITS_WALLET = "awaits_wallet"
    NOT_INDEXED_YET = "not_indexed_yet"
    FOREIGN = "foreign"
    STUCK = "stuck"
    LOST = "lost"
    DOUBLED = "doubled"
    REUSED_ID = "reused_id"
    MISJUDGED = "misjudged"
    UNSETTLED = "unsettled"
    NOT_INDEXED = "not_indexed"
    PHANTOM = "phantom"
    WRONG_OWNER = "wrong_owner"
    WRONG_RECIPIENT = "wrong_recipient"
    WRONG_METADATA = "wrong_metadata"
    WRONG_ITEM = "wrong_item"
    WRONG_TRANSACTION = "wrong_transaction"
    WRONG_MINT = "wrong_mint"
    TRANSFER_MISSING = "transfer_missing"
    WRONG_BALANCE = "wrong_balance"
    UNREADABLE = "unreadable"

    @property
    def is_alarming(self) -> bool:
        """Whether somebody has to look: a difference, or a token that somebody else made."""
        return self is Kind.FOREIGN or self not in HARMLESS


MEANING: Mapping[Kind, str] = {
    Kind.IN_FLIGHT: "on its way",
    Kind.WAITING: "waits for what its record says",
    Kind.AWAITS_WALLET: "waits for its user's own wallet",
    Kind.NOT_INDEXED_YET: "minted above the index's head",
    Kind.FOREIGN: "made by no mint on record: by a holder of a role, or its mint's record is gone",
    Kind.STUCK: "has not moved for longer than it may",
    Kind.LOST: "recorded as mined, but its token is not on chain",
    Kind.DOUBLED: "more than one token, or a token with more than one mint",
    Kind.REUSED_ID: "has a token id that was given out before, as after a counter that was set back",
    Kind.MISJUDGED: "recorded as failed, but its token is on chain",
    Kind.UNSETTLED: "its token is indexed, but the mint does not say that it was mined",
    Kind.NOT_INDEXED: "minted below the index's head, but not in the index",
    Kind.PHANTOM: "in the index, but never minted on chain",
    Kind.WRONG_OWNER: "the index has another owner than the chain",
    Kind.WRONG_RECIPIENT: "minted to another address than was asked for",
    Kind.WRONG_METADATA: "minted with another metadata digest than was asked for",
    Kind.WRONG_ITEM: "another item, or another quantity of it, was minted than was asked for",
    Kind.WRONG_TRANSACTION: "the mint names another transaction or block than the chain",
    Kind.WRONG_MINT: "the index says that another mint made it",
    Kind.TRANSFER_MISSING: "recorded as transferred or burned, but chain or index do not have that",
    Kind.WRONG_BALANCE: "the index has another balance of an item than the chain",
    Kind.UNREADABLE: "stored, but its record cannot be read",
}
HARMLESS = frozenset({Kind.IN_FLIGHT, Kind.WAITING, Kind.AWAITS_WALLET, Kind.NOT_INDEXED_YET, Kind.FOREIGN})


@dataclass(frozen=True, slots=True)
class Finding:
    """One operation or token that is not simply done; `detail` says what was found."""

    kind: Kind
    detail: str
    mint_id: str | None = None
    """The id of the operation, of whichever kind."""
    contract: str | None = None
    token_id: int | None = None
    block: int | None = None

    @property
    def is_difference(self) -> bool:
        """Whether something is wrong."""
        return self.kind not in HARMLESS

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values; the token id as a decimal string."""
        token_id = None if self.token_id is None else str(self.token_id)
        return {**asdict(self), "kind": self.kind.value, "meaning": MEANING[self.kind], "token_id": token_id}


def unreadable(table: str, key: str, reason: object, *, mint_id: str | None = None) -> Finding:
    """Return the finding that a record is stored and cannot be read."""
    return Finding(Kind.UNREADABLE, f"{table} {key}: {bounded(str(reason), 300)}", mint_id=mint_id)


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is compared, in the order in which it was read.

    `first` and `last` are the range of blocks; `last` is at most the head that the index had before. `now` is
    in Unix seconds, `patience` in seconds.
    """

    first: int
    last: int
    head: int
    mints: Sequence[Mint]
    tokens: Sequence[Token]
    events: Sequence[Event]
    """Of all blocks from `first` on that were there when they were read, in order."""
    now: UnixSeconds
    patience: float
    token_operations: Sequence[TokenOperation] = ()
    transfers: Sequence[Transfer] = ()
    """What the index has of the events by which these were done."""
    held: HeldItems = NOTHING_HELD
    """Balances of items by the index and by the chain."""
    unreadable: Sequence[Finding] = ()
    """What is stored and could not be read: it is missing from the others."""


@dataclass(slots=True)
class Minted:
    """A token as the chain tells it; of an item, what one mint made of it, by the mint's serial."""

    made: TransferEvent | ItemMintedEvent
    moves: list[TransferEvent] = field(default_factory=list)
    digest: bytes | None = None

    def owner(self, block: int) -> str | None:
        """Return its owner after a block, None if it is burned."""
        return next(
            (move for move in reversed(self.moves) if move.block_number <= block), self.made
        ).recipient


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came out; `counts` are of the range."""

    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> list[Finding]:
        """What is wrong."""
        return [finding for finding in self.findings if finding.is_difference]


def reconcile(books: Books) -> Reconciliation:
    """Explain every mint and token that is not accepted, minted and indexed alike."""
    minted = _minted(books.events)
    in_range = {key: found for key, found in minted.items() if _within(found.made.block_number, books)}
    by_token: dict[TokenKey, list[Mint]] = {}
    by_transaction: dict[bytes, dict[int | None, Mint]] = {}
    for mint in books.mints:
        if mint.token_id is not None:
            by_token.setdefault(TokenKey(mint.contract, mint.token_id), []).append(mint)
        for attempt in mint.attempts:
            by_transaction.setdefault(attempt.tx_hash, {})[mint.token_id] = mint
    tokens = {TokenKey(token.contract, token.token_id): token for token in books.tokens}
    findings = [
        *_of_mints(books, minted),
        *_of_minted(books, minted, tokens, by_token, by_transaction),
        *_of_index(books, minted, tokens, by_token),
        *_of_token_operations(books),
        *_of_balances(books),
        *books.unreadable,
    ]
    counts = Counter({"accepted": len(books.mints), "minted": len(in_range)})
    counts["indexed"] = sum(_within(token.minted_block, books) for token in books.tokens)
    counts["burned"] = sum(found.owner(books.last) is None for found in in_range.values())
    counts.update(f"mints_{mint.status.value}" for mint in books.mints)
    counts.update(f"{one.kind}s_{one.status.value}" for one in books.token_operations)
    counts.update(finding.kind.value for finding in findings)
    return Reconciliation(dict(counts), tuple(findings))


def _within(block: int, books: Books) -> bool:
    return books.first <= block <= books.last


def _minted(events: Iterable[Event]) -> dict[TokenKey, Minted]:
    minted: dict[TokenKey, Minted] = {}
    for event in events:
        if isinstance(event, ItemTransferEvent):
            continue
        if isinstance(event, ItemMintedEvent):
            minted[TokenKey(event.contract, event.serial)] = Minted(event, digest=event.metadata_digest)
            continue
        key = TokenKey(event.contract, event.token_id)
        if isinstance(event, MintedEvent):
            if key in minted:
                minted[key].digest = event.metadata_digest
        elif event.sender is None:
            minted[key] = Minted(event, [event])
        elif key in minted:
            minted[key].moves.append(event)
    return minted


def _of_mints(books: Books, minted: Mapping[TokenKey, Minted]) -> Iterator[Finding]:
    for mint in books.mints:
        key = None if mint.token_id is None else TokenKey(mint.contract, mint.token_id)
        on_chain = minted.get(key) if key is not None else None
        about: dict[str, Any] = {
            "mint_id": mint.mint_id,
            "contract": mint.contract,
            "token_id": mint.token_id,
        }
        if mint.status in SETTLED:
            if on_chain is None and mint.block_number is not None and _within(mint.block_number, books):
                detail = f"{mint.status.value} in block {mint.block_number}"
                yield Finding(Kind.LOST, detail, block=mint.block_number, **about)
        elif mint.status not in ENDED_BADLY and on_chain is None:
            yield _on_its_way(mint, books, about)


def _of_balances(books: Books) -> Iterator[Finding]:
    for wrong in wrong_balances(books.held):
        contract, token_id, holder = wrong.key
        detail = f"{holder or 'the supply'}: {wrong.indexed}, not {wrong.on_chain}"
        yield Finding(
            Kind.WRONG_BALANCE, detail, contract=contract, token_id=token_id, block=books.held.block
        )


def _of_token_operations(books: Books) -> Iterator[Finding]:
    """Compare transfers and burns with the chain's events and the index's transfers."""
    changes = TokenChanges.of(books.events)
    indexed = {_move_key(transfer) for transfer in books.transfers}
    for operation in books.token_operations:
        about: dict[str, Any] = {
            "mint_id": operation.operation_id,
            "contract": operation.contract,
            "token_id": operation.token_id,
        }
        move = done_by(operation, changes)
        if operation.status in SETTLED:
            block = operation.block_number
            if block is None or not _within(block, books):
                continue
            if move is None or (move.tx_hash, move.block_hash) != (operation.tx_hash, operation.block_hash):
                detail = f"{operation.status.value} in block {block}, and not on chain"
                yield Finding(Kind.TRANSFER_MISSING, detail, block=block, **about)
            elif _move_key(move) not in indexed:
                detail = f"in transaction 0x{move.tx_hash.hex()}, and not in the index"
                yield Finding(Kind.TRANSFER_MISSING, detail, block=block, **about)
        elif move is not None:
            if _within(move.block_number, books):
                kind = Kind.MISJUDGED if operation.status in ENDED_BADLY else Kind.UNSETTLED
                yield Finding(kind, _ended(operation), block=move.block_number, **about)
        elif operation.status not in ENDED_BADLY:
            yield _on_its_way(operation, books, about)


def done_by(operation: TokenOperation, changes: TokenChanges) -> TransferEvent | ItemTransferEvent | None:
    """Return the event by which a transaction of its own did what an operation asked for, if one did."""
    own = (operation.tx_hash, *(attempt.tx_hash for attempt in operation.attempts))
    moves = (move_of(operation, tx_hash, changes) for tx_hash in own if tx_hash is not None)
    return next((move for move in moves if move is not None), None)


def _move_key(move: TransferEvent | ItemTransferEvent | Transfer) -> tuple[object, ...]:
    place = (move.tx_hash, move.block_hash, move.log_index)
    quantity = None if isinstance(move, TransferEvent) else move.quantity
    return (*place, move.contract, move.token_id, move.sender, move.recipient, quantity)


def _on_its_way(operation: Operation, books: Books, about: Mapping[str, Any]) -> Finding:
    still = books.now - operation.updated_at / 1000
    detail = f"{operation.status.value} for {still:.0f} s"
    if operation.status is MintStatus.ISSUED and _may_be_redeemed(operation, books.now):
        return Finding(Kind.AWAITS_WALLET, detail, **about)
    if operation.waiting is not None:
        return Finding(Kind.WAITING, f"{detail}: {operation.waiting.code}", **about)
    patient = still <= books.patience or _is_awaiting_its_deadline(operation, books)
    return Finding(Kind.IN_FLIGHT if patient else Kind.STUCK, detail, **about)


def _is_awaiting_its_deadline(operation: Operation, books: Books) -> bool:
    """Tell whether a holder's signature keeps it from its end: until it expires, anyone may send that."""
    if not isinstance(operation, RelayedTokenOperation):
        return False
    return (operation.deadline or 0) > books.now - books.patience


def _may_be_redeemed(operation: Operation, now: UnixSeconds) -> bool:
    return isinstance(operation, Mint) and operation.deadline is not None and operation.deadline > now


def _of_minted(
    books: Books,
    minted: Mapping[TokenKey, Minted],
    tokens: Mapping[TokenKey, Token],
    by_token: Mapping[TokenKey, Sequence[Mint]],
    by_transaction: Mapping[bytes, Mapping[int | None, Mint]],
) -> Iterator[Finding]:
    for key, found in minted.items():
        made = found.made
        if made.block_number < books.first:
            continue
        about: dict[str, Any] = {**key._asdict(), "block": made.block_number}
        senders = by_transaction.get(made.tx_hash, {})
        mints = by_token.get(key, ())
        if senders and key.token_id not in senders:
            named = list(senders.items())[:NAMED]
            detail = f"its transaction was to mint token {' and '.join(str(each) for each, _ in named)}"
            yield Finding(Kind.DOUBLED, detail, mint_id=named[0][1].mint_id, **about)
        if made.block_number > books.head:
            yield Finding(Kind.NOT_INDEXED_YET, f"the index was at block {books.head}", **about)
        elif made.block_number > books.last:
            continue
        elif (maker := _maker(mints, found)) is not None:
            yield from _of_outcome(maker, found, about)
            yield from _others(mints, maker, about)
        elif mints or not senders:
            yield from _foreign(found, mints, tokens.get(key), about)


def _maker(mints: Sequence[Mint], found: Minted) -> Mint | None:
    """Return which of the mints with a token's id made it, None if none did.

    That is the mint whose recipient and digest the token has, or else one that is recorded as mined: its
    record is what is wrong then. Of several it is the one that names the token's transaction.
    """
    made = found.made

    def order(mint: Mint) -> tuple[bool, bool, bool, bool]:
        settled = mint.status in SETTLED
        return (not _owns(mint, found), mint.tx_hash != made.tx_hash, not settled, mint.status in ENDED_BADLY)

    first = min(mints, key=order, default=None)
    return first if first is not None and (_owns(first, found) or first.status in SETTLED) else None


def _owns(mint: Mint, found: Minted) -> bool:
    return (found.made.recipient, found.digest) == (mint.to, mint.metadata_digest) and _is_of_item(
        mint, found
    )


def _is_of_item(mint: Mint, found: Minted) -> bool:
    """Tell whether a mint's item and quantity are those that were minted; it has none in ERC-721."""
    made = found.made
    of = (made.token_id, made.quantity) if isinstance(made, ItemMintedEvent) else (None, None)
    return of == (mint.item_id, mint.quantity)


def _others(mints: Sequence[Mint], maker: Mint, about: Mapping[str, Any]) -> Iterator[Finding]:
    """Tell of the mints that have the same token id as the one that made the token."""
    for mint in mints:
        if mint is maker:
            continue
        kind = Kind.DOUBLED if mint.status in SETTLED else Kind.REUSED_ID
        yield Finding(kind, f"{_ended(mint)}; {maker.mint_id} made it", mint_id=mint.mint_id, **about)


def _foreign(
    found: Minted, mints: Sequence[Mint], token: Token | None, about: Mapping[str, Any]
) -> Iterator[Finding]:
    """Tell of a token that no mint on record made, and of those that have its id."""
    detail = f"in transaction 0x{found.made.tx_hash.hex()}"
    if token is not None and token.mint_id is not None:
        detail += f"; the index names {token.mint_id}"
        if token.mint_id not in {mint.mint_id for mint in mints}:
            for mint in mints:
                yield Finding(Kind.REUSED_ID, _ended(mint), mint_id=mint.mint_id, **about)
            yield Finding(Kind.FOREIGN, f"{detail}, which is not on record", **about)
            return
    names = " and ".join(
        f"{mint.mint_id}, which is {mint.status.value} and did not make it" for mint in mints
    )
    yield Finding(Kind.FOREIGN, f"{detail}; its id is that of {names}" if names else detail, **about)


def _ended(operation: Operation) -> str:
    code = operation.problem.code if operation.problem else ""
    return f"{operation.status.value} {code}".strip()


def _of_outcome(mint: Mint, found: Minted, about: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare the record of the mint that made a token with it; `about` tells of the token."""
    made = found.made
    about = {**about, "mint_id": mint.mint_id}
    if mint.status in ENDED_BADLY:
        yield Finding(Kind.MISJUDGED, _ended(mint), **about)
    elif mint.status not in SETTLED:
        yield Finding(Kind.UNSETTLED, mint.status.value, **about)
    elif (mint.tx_hash, mint.block_hash) != (made.tx_hash, made.block_hash):
        detail = f"it was made in block 0x{made.block_hash.hex()} by 0x{made.tx_hash.hex()}"
        yield Finding(Kind.WRONG_TRANSACTION, detail, **about)
    if made.recipient != mint.to:
        yield Finding(Kind.WRONG_RECIPIENT, f"{made.recipient}, not {mint.to}", **about)
    if not _is_of_item(mint, found):
        yield Finding(Kind.WRONG_ITEM, f"not {mint.quantity} of item {mint.item_id}", **about)
    if found.digest != mint.metadata_digest:
        digest = "none" if found.digest is None else f"0x{found.digest.hex()}"
        yield Finding(Kind.WRONG_METADATA, f"{digest}, not 0x{mint.metadata_digest.hex()}", **about)


def _of_index(
    books: Books,
    minted: Mapping[TokenKey, Minted],
    tokens: Mapping[TokenKey, Token],
    by_token: Mapping[TokenKey, Sequence[Mint]],
) -> Iterator[Finding]:
    for key, found in minted.items():
        made = found.made
        block = made.block_number
        indexed = TokenKey(made.contract, made.token_id)
        if _within(block, books) and indexed not in tokens:
            detail = f"in transaction 0x{found.made.tx_hash.hex()}"
            yield Finding(Kind.NOT_INDEXED, detail, **key._asdict(), block=block)
    for key, token in tokens.items():
        if token.standard == "erc1155" or not _within(token.minted_block, books):
            # An item has no owner and no mint of its own.
            continue
        about: dict[str, Any] = {**key._asdict(), "block": token.minted_block, "mint_id": token.mint_id}
        on_chain = minted.get(key)
        if on_chain is None:
            yield Finding(Kind.PHANTOM, f"by transaction 0x{token.tx_hash.hex()}", **about)
            continue
        owner = on_chain.owner(books.last)
        if token.block_number <= books.last and owner != token.owner:
            yield Finding(Kind.WRONG_OWNER, f"{token.owner}, not {owner}", **about)
        maker = _maker(by_token.get(key, ()), on_chain)
        if maker is not None and token.mint_id not in (None, maker.mint_id):
            yield Finding(Kind.WRONG_MINT, f"not {maker.mint_id}", **about)
