"""Nonces on DynamoDB: a reservation writes operations and their transactions at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from mintline.aws.dynamo import (
    Change,
    Clause,
    Contended,
    Dynamo,
    Item,
    TransactionCancelled,
    Update,
)
from mintline.aws.operations import (
    claiming,
    created,
    primary_key,
    read_transaction,
    sealing,
)
from mintline.aws.records import OPEN, read, to_item, transition
from mintline.errors import Conflict, Unavailable
from mintline.records.keys import scoped, signature_turn_key
from mintline.records.locks import SignatureTurn
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey, address_of
from mintline.resources import ACCOUNTS, TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_builder.batch_claims import BatchClaim, LineClaim
from mintline_builder.claims import (
    Advance,
    Claim,
    OperationClaim,
    RelayedClaim,
    TopUpClaim,
)
from mintline_builder.dynamo_conditions import DID_NOT_SUCCEED, UNMINED, leaving, source_clauses
from mintline_builder.ports import Account, NotCommitted

_REFUSED = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"


class DynamoAccounts:
    """The accounts of one chain."""

    def __init__(self, dynamo: Dynamo, chain_id: int, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def get(self, address: str) -> Account | None:
        item = await self._dynamo.get(ACCOUNTS, self._key(address))
        return None if item is None else read(Account, ACCOUNTS, item, self._set_aside)

    async def signature_turn(self, contract: str, wallet: str) -> SignatureTurn | None:
        key = signature_turn_key(self._chain_id, contract, wallet)
        item = await self._dynamo.get(ACCOUNTS, {"account_id": key})
        return None if item is None else read(SignatureTurn, ACCOUNTS, item, self._set_aside)

    async def last_nonce(self, sender: str) -> int | None:
        page = await self._dynamo.query(
            TRANSACTIONS, partition=scoped(self._chain_id, sender), forward=False, limit=1
        )
        nonces = [nonce for item in page.items if isinstance(nonce := item["nonce"], int)]
        return next(iter(nonces), None)

    async def next_nonce(self, sender: str, mined: int) -> int:
        """Return the nonce after those on record: usually by two reads that share a request with others."""
        sender_id = scoped(self._chain_id, sender)
        places = [
            TransactionKey(sender_id, mined),
            *([TransactionKey(sender_id, mined - 1)] if mined else []),
        ]
        first, *before = await asyncio.gather(
            *(self._dynamo.get(TRANSACTIONS, primary_key(place)) for place in places)
        )
        if first is None and None not in before:
            return mined
        last = await self.last_nonce(sender)
        return mined if last is None else last + 1

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write all or nothing, in one TransactWriteItems."""
        changes: list[Change] = []
        names: list[str | TransactionKey] = []
        for advance in advances:
            for claim, transaction in zip(advance.claims, advance.transactions(), strict=True):
                claimed = self._claimed(claim, transaction.nonce)
                changes += [created(transaction), *claimed]
                # A nonce that has a transaction already is no claim's fault, but its sender's count is wrong.
                names += [transaction.key, *(claim.item for _ in claimed)]
        try:
            await self._dynamo.transact(changes)
        except Contended:
            raise NotCommitted(busy=True) from None
        except TransactionCancelled as cancelled:
            raise _refusal(names, cancelled) from None

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        return await read_transaction(self._dynamo, place, self._set_aside)

    def _key(self, address: str) -> Item:
        return {"account_id": scoped(self._chain_id, address)}

    def _claimed(self, claim: Claim, nonce: int) -> list[Change]:
        """Return the writes of what has got a nonce."""
        match claim:
            case RelayedClaim():
                return [*_built(claim, nonce), _turn(claim)]
            case OperationClaim():
                return _built(claim, nonce)
            case BatchClaim():
                return []
            case TopUpClaim():
                return [self._named(claim, nonce)]

    def _named(self, claim: TopUpClaim, nonce: int) -> Update:
        where = (
            Clause("settled", "top_up_nonce", "missing")
            if claim.replaces is None
            else Clause("settled", "top_up_nonce", "eq", (claim.replaces,))
        )
        written = claim.update(nonce) | {"gas_given": str(claim.gas_given)}
        return Update(ACCOUNTS, self._key(claim.wallet), set=written, where=(where,))

    async def claim(self, batch: Transaction, claims: Sequence[LineClaim]) -> frozenset[str]:
        """Have a batch carry mints, by one TransactWriteItems: again without the lost ones if there are any.

        Each checks that the batch is still `claiming`: none is claimed for a batch that is sealed.
        """
        won: set[str] = set()
        left = list(claims)
        while left:
            spent = sorted({claim.spent for claim in left if claim.spent is not None})
            carriers = [_left(place, left) for place in spent]
            lines: list[Change] = list(_lines(left, batch))
            try:
                await self._dynamo.transact([*lines, claiming(batch), *carriers])
            except Contended:
                raise Unavailable(f"batch {batch.key.name}: other writers kept interfering") from None
            except TransactionCancelled as cancelled:
                refused = [None if why.code != _REFUSED else why.item or {} for why in cancelled.reasons]
                if refused[len(left)] is not None:
                    raise Conflict(f"batch {batch.key.name} is not to be claimed for") from None
                mined = {
                    place
                    for place, why in zip(spent, refused[len(left) + 1 :], strict=True)
                    if why is not None
                }
                won |= {
                    claim.mint.mint_id
                    for claim, item in zip(left, refused, strict=False)
                    if item is not None and _carries(batch, item)
                }
                left = [
                    claim
                    for claim, item in zip(left, refused, strict=False)
                    if item is None and claim.spent not in mined
                ]
            else:
                return frozenset(won | {claim.mint.mint_id for claim in left})
        return frozenset(won)

    async def seal(self, batch: Transaction) -> None:
        """Write what a batch carries for good: by a transaction, as all that the builder writes there."""
        try:
            await self._dynamo.transact([sealing(batch)])
        except Contended:
            raise Unavailable(f"batch {batch.key.name}: other writers kept interfering") from None


def _built(claim: OperationClaim[Any], nonce: int) -> list[Change]:
    """Return the operation's transition; its transaction is among the open ones now, instead of itself."""
    written: Item = {"nonce": nonce, "built_at": claim.at}
    if claim.deadline is not None:
        written["deadline"] = claim.deadline
    before = None
    if claim.relayer is not None:
        written["sender"] = to_item(claim.relayer)
        before = claim.operation.sender
    if isinstance(claim, RelayedClaim):
        written["counter"] = claim.counter
    moved = _transition(claim.operation, written, claim.at, source_clauses(claim.spent, before))
    if claim.spent is None:
        return [moved]
    return [moved, leaving(claim.spent, [claim.operation.operation_id], where=UNMINED)]


def _left(batch: TransactionKey, claims: Iterable[LineClaim]) -> Update:
    """Return the write that has the mints which go to another batch leave this one."""
    names = [claim.mint.mint_id for claim in claims if claim.spent == batch]
    return leaving(batch, names, where=DID_NOT_SUCCEED)


def _turn(claim: RelayedClaim) -> Update:
    """Return the write that gives an operation its wallet's turn, unless another one has got it since."""
    where = (
        Clause("first_turn", "operation_id", "missing")
        if claim.replaces is None
        else Clause("turn_is_over", "operation_id", "eq", (claim.replaces,))
    )
    return Update(ACCOUNTS, {"account_id": claim.turn_key}, set=to_item(claim.turn()), where=(where,))


def _lines(claims: Iterable[LineClaim], batch: Transaction) -> Iterator[Update]:
    """Yield the transition of each mint; those of new mints share all but their key (`expressions`)."""
    new: dict[int, Update] = {}
    for claim in claims:
        if claim.spent is not None or claim.mint.attempts:
            yield _line(claim, batch)
            continue
        alike = new.get(claim.at)
        if alike is None:
            alike = new[claim.at] = _line(claim, batch)
        yield replace(alike, key={"mint_id": claim.mint.mint_id})


def _line(claim: LineClaim, batch: Transaction) -> Update:
    """Return the transition of a mint that a batch is to carry."""
    written: Item = {"nonce": batch.nonce, "built_at": claim.at, "sender": to_item(batch.signer)}
    return _transition(claim.mint, written, claim.at, source_clauses(claim.spent, claim.mint.sender))


def _transition(operation: Operation, written: Item, at: int, where: tuple[Clause, ...]) -> Update:
    if operation.attempts:
        written["attempts"] = [to_item(attempt) for attempt in operation.attempts]
    gone = ("metadata", "waiting", OPEN)
    moved = MintStatus.BUILT
    return transition(operation.operation_id, moved, at=at, set=written, remove=gone, where=where)


def _carries(batch: Transaction, item: Item) -> bool:
    """Tell whether a mint's item says that it is in the batch."""
    sender = item.get("sender")
    address = sender.get("address") if isinstance(sender, dict) else None
    actual = (item.get("status"), item.get("nonce"), address)
    return actual == (MintStatus.BUILT.value, batch.nonce, batch.signer.address)


def _refusal(names: Sequence[str | TransactionKey], cancelled: TransactionCancelled) -> NotCommitted:
    """Say which conditions failed, from the reasons, which come in the order of the changes."""
    refused = [name for name, reason in zip(names, cancelled.reasons, strict=True) if reason.code == _REFUSED]
    return NotCommitted(
        taken=frozenset(address_of(name.sender_id) for name in refused if isinstance(name, TransactionKey)),
        lost=frozenset(name for name in refused if isinstance(name, str)),
        busy=any(reason.code == _CONFLICT for reason in cancelled.reasons),
    )
