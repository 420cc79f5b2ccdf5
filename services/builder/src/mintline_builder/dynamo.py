"""The builder's tables on DynamoDB: a reservation writes account, mints and transactions at once."""

from __future__ import annotations

from collections.abc import Sequence

from mintline.authorizations import Authorization
from mintline.aws.authorizations import find_authorization
from mintline.aws.dynamo import (
    Change,
    Check,
    Clause,
    Contended,
    Dynamo,
    Item,
    TransactionCancelled,
    Update,
)
from mintline.aws.records import OPEN, read, to_item, transition
from mintline.aws.standing import created, filling, read_mint, read_transaction, transaction_key
from mintline.errors import Conflict
from mintline.records import Mint, Problem, scoped, token_ref
from mintline.resources import ACCOUNTS, MINTS, TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline.transaction_records import Place, Transaction
from mintline_builder.ports import (
    Account,
    Advance,
    Claim,
    MintClaim,
    NotCommitted,
    VoucherClaim,
    account_item,
    unmined,
)

_REFUSED = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"
_UNMINED = (
    Clause("on_record", "nonce", "exists"),
    Clause("did_not_succeed", "outcome", "ne", ("succeeded",)),
    Clause("did_not_fail", "outcome", "ne", ("failed",)),
)
"""`unmined`, as a condition."""


class DynamoAccounts:
    """The accounts of one chain."""

    def __init__(self, dynamo: Dynamo, chain_id: int, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def get(self, address: str) -> Account | None:
        """Read one account."""
        item = await self._dynamo.get(ACCOUNTS, self._key(address))
        return None if item is None else read(Account, ACCOUNTS, item, self._set_aside)

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write all or nothing, in one TransactWriteItems."""
        changes: list[Change] = []
        names: list[str | Place] = []
        for advance in advances:
            changes.append(self._advance(advance))
            names.append(account_item(advance.sender))
            for claim, transaction in zip(advance.claims, advance.transactions(), strict=True):
                claimed = self._claimed(claim, transaction.nonce)
                changes += [created(transaction), *claimed]
                # A nonce that has a transaction already is no claim's fault, but its sender's count is wrong.
                names += [transaction.place, *(claim.item for _ in claimed)]
        try:
            await self._dynamo.transact(changes)
        except Contended:
            raise NotCommitted(moved={}, busy=True) from None
        except TransactionCancelled as cancelled:
            raise _refusal(advances, names, cancelled) from None

    async def transaction(self, place: Place) -> Transaction | None:
        """Read one transaction."""
        return await read_transaction(self._dynamo, place, self._set_aside)

    def _key(self, address: str) -> Item:
        return {"account_id": scoped(self._chain_id, address)}

    def _advance(self, advance: Advance) -> Update:
        clause = (
            Clause("first_use", "next_nonce", "missing")
            if advance.expected is None
            else Clause("nonce_unmoved", "next_nonce", "eq", (advance.expected,))
        )
        return Update(
            ACCOUNTS, self._key(advance.sender), set={"next_nonce": advance.next_nonce}, where=(clause,)
        )

    def _claimed(self, claim: Claim, nonce: int) -> list[Change]:
        """Return the writes of what has got a nonce."""
        if isinstance(claim, MintClaim):
            return _built(claim, nonce)
        where = (
            Clause("settled", "top_up_nonce", "missing")
            if claim.replaces is None
            else Clause("settled", "top_up_nonce", "eq", (claim.replaces,))
        )
        written = claim.update(nonce) | {"gas_given": str(claim.gas_given)}
        return [Update(ACCOUNTS, self._key(claim.wallet), set=written, where=(where,))]


def _built(claim: MintClaim, nonce: int) -> list[Change]:
    """Return the mint's transition; its transaction is among the open ones now, instead of itself."""
    written: Item = {"nonce": nonce, "deadline": claim.deadline, "built_at": claim.at}
    if claim.mint.attempts:
        written["attempts"] = [to_item(attempt) for attempt in claim.mint.attempts]
    moved = transition(
        claim.mint.mint_id,
        MintStatus.BUILT,
        at=claim.at,
        set=written,
        remove=("metadata", "waiting", OPEN),
        where=_source(claim.spent),
    )
    if claim.spent is None:
        return [moved]
    return [moved, Check(TRANSACTIONS, transaction_key(claim.spent), where=_UNMINED)]


def _source(spent: Place | None) -> tuple[Clause, ...]:
    """Return where a mint must be that the builder moves: a nonce that still counts is not its to touch."""
    if spent is None:
        return (Clause("still_accepted", "status", "eq", (MintStatus.ACCEPTED.value,)),)
    return (
        Clause("still_built", "status", "eq", (MintStatus.BUILT.value,)),
        Clause("nonce_spent", "nonce", "eq", (spent.nonce,)),
        # One that is to be stopped ends with the nonce that it has.
        Clause("not_stopped", "cancel_requested_at", "missing"),
    )


def _refusal(
    advances: Sequence[Advance], names: Sequence[str | Place], cancelled: TransactionCancelled
) -> NotCommitted:
    """Say which conditions failed, from the reasons, which come in the order of the changes."""
    senders = {account_item(advance.sender): advance.sender for advance in advances}
    moved: dict[str, int | None] = {}
    lost: set[str] = set()
    known: dict[str, Place] = {}
    # A mint's claim and a sender's own item never share a name, and a wallet's top-up is never in one
    # transaction with the wallet's own nonce.
    for name, reason in zip(names, cancelled.reasons, strict=True):
        if reason.code != _REFUSED:
            continue
        if isinstance(name, Place):
            known[name.sender_id] = name
        elif name in senders:
            stored = None if reason.item is None else reason.item.get("next_nonce")
            moved.setdefault(senders[name], stored if isinstance(stored, int) else None)
        else:
            lost.add(name)
    busy = any(reason.code == _CONFLICT for reason in cancelled.reasons)
    taken = {
        advance.sender: place
        for advance in advances
        if advance.sender not in moved
        and (place := known.get(advance.transactions()[0].sender_id)) is not None
    }
    return NotCommitted(moved=moved, lost=frozenset(lost), busy=busy, taken=taken)


class DynamoMints:
    """Mint records, and what their users authorized."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def get(self, mint_id: str) -> Mint | None:
        """Read one mint as it stands."""
        return await read_mint(self._dynamo, mint_id, self._set_aside)

    async def authorization(self, mint: Mint) -> Authorization:
        """Return what a mint's user authorized."""
        return await find_authorization(self._dynamo, mint, self._set_aside)

    async def reject(self, mint_id: str, problem: Problem, *, at: int, spent: Place | None = None) -> None:
        """End an accepted mint, or one whose nonce is spent."""
        written: Item = {"problem": to_item(problem)}
        ended = transition(mint_id, MintStatus.REJECTED, at=at, set=written, where=_source(spent))
        if spent is None:
            await self._dynamo.write(ended)
            return
        carrier = await read_transaction(self._dynamo, spent, self._set_aside)
        if carrier is None or not unmined(carrier):
            raise Conflict(f"{mint_id} moved on")
        await self._dynamo.transact([ended, filling(carrier, at=at)])

    async def wait(self, mint_id: str, problem: Problem) -> None:
        """Note what an accepted mint waits for."""
        written: Item = {"waiting": to_item(problem)}
        await self._dynamo.write(Update(MINTS, {"mint_id": mint_id}, set=written, where=_source(None)))

    async def offer(self, mint: Mint, claim: VoucherClaim) -> None:
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
                where=_source(None),
            )
        )


def _token_ref(mint: Mint) -> str:
    assert mint.token_id is not None
    return token_ref(mint.chain_id, mint.contract, mint.token_id)
