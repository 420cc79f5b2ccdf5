"""The builder's tables on DynamoDB.

An account's item holds `next_nonce` (a number), `top_up` (a map), `top_up_nonce`, the treasury nonce of that
top-up once more, for a condition to name, and `topping_chain` while it is not known to be settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from mintline.authorizations import Authorization
from mintline.aws.authorizations import find_authorization
from mintline.aws.dynamo import (
    Change,
    Clause,
    ConditionFailed,
    Contended,
    Dynamo,
    Item,
    TransactionCancelled,
    Update,
)
from mintline.aws.records import read, to_item, transition
from mintline.records import Mint, Problem, scoped, token_ref
from mintline.resources import ACCOUNTS, MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_builder.ports import (
    RENEWABLE,
    Account,
    Advance,
    Claim,
    MintClaim,
    NotCommitted,
    TopUpClaim,
    VoucherClaim,
    account_item,
)

_TOPPING_UP = ACCOUNTS.index("topping_up")
_REFUSED = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"


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
        names: list[str] = []
        for advance in advances:
            changes.append(self._advance(advance))
            names.append(account_item(advance.sender))
            for index, claim in enumerate(advance.claims):
                changes.append(self._claim(claim, advance.first + index))
                names.append(claim.item)
        try:
            await self._dynamo.transact(changes)
        except Contended:
            raise NotCommitted(moved={}, busy=True) from None
        except TransactionCancelled as cancelled:
            raise _refusal(advances, names, cancelled) from None

    async def topping_up(self, *, limit: int) -> list[str]:
        """Return up to `limit` wallets whose top-up is not known to be settled."""
        page = await self._dynamo.query(
            ACCOUNTS, index=_TOPPING_UP, partition=str(self._chain_id), limit=limit
        )
        return [str(item["account_id"]).partition("#")[2] for item in page.items]

    async def settle(self, wallet: str, nonce: int) -> None:
        """Note that a wallet's top-up with that treasury nonce is settled."""
        where = (Clause("that_top_up", "top_up_nonce", "eq", (nonce,)),)
        with suppress(ConditionFailed):
            await self._dynamo.write(
                Update(ACCOUNTS, self._key(wallet), remove=("topping_chain",), where=where)
            )

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

    def _claim(self, claim: Claim, nonce: int) -> Update:
        if isinstance(claim, MintClaim):
            return _built(claim, nonce)
        return self._top_up(claim, nonce)

    def _top_up(self, claim: TopUpClaim, nonce: int) -> Update:
        clause = (
            Clause("settled", "top_up_nonce", "missing")
            if claim.replaces is None
            else Clause("settled", "top_up_nonce", "eq", (claim.replaces,))
        )
        return Update(
            ACCOUNTS,
            self._key(claim.wallet),
            set={
                "top_up": to_item(claim.top_up(nonce)),
                "top_up_nonce": nonce,
                "gas_day": claim.gas_day,
                "gas_given": str(claim.gas_given),
                "topping_chain": str(self._chain_id),
            },
            where=(clause,),
        )


def _built(claim: MintClaim, nonce: int) -> Update:
    """Return the mint's transition: from accepted, or from where it has the nonce that is spent."""
    return transition(
        claim.mint_id,
        MintStatus.BUILT,
        at=claim.at,
        set={
            "nonce": nonce,
            "deadline": claim.deadline,
            "gas": claim.gas,
            "fees": to_item(claim.fees),
            "built_at": claim.at,
        },
        remove=("metadata", "submitted_at", "waiting"),
        where=_source(claim.spent),
    )


def _source(spent: int | None) -> tuple[Clause, ...]:
    """Return where a mint must be that the builder moves: a nonce that still counts is not its to touch."""
    if spent is None:
        return (Clause("still_accepted", "status", "eq", (MintStatus.ACCEPTED.value,)),)
    return (
        Clause("still_renewable", "status", "in", tuple(status.value for status in RENEWABLE)),
        Clause("nonce_spent", "nonce", "eq", (spent,)),
    )


def _refusal(
    advances: Sequence[Advance], names: Sequence[str], cancelled: TransactionCancelled
) -> NotCommitted:
    """Say which conditions failed, from the reasons, which come in the order of the changes."""
    senders = {account_item(advance.sender): advance.sender for advance in advances}
    moved: dict[str, int | None] = {}
    lost: set[str] = set()
    # A mint's claim and a sender's own item never share a name, and a wallet's top-up is never in one
    # transaction with the wallet's own nonce.
    for name, reason in zip(names, cancelled.reasons, strict=True):
        if reason.code != _REFUSED:
            continue
        if name in senders:
            stored = None if reason.item is None else reason.item.get("next_nonce")
            moved[senders[name]] = stored if isinstance(stored, int) else None
        else:
            lost.add(name)
    busy = any(reason.code == _CONFLICT for reason in cancelled.reasons)
    return NotCommitted(moved=moved, lost=frozenset(lost), busy=busy)


class DynamoMints:
    """Mint records, and what their users authorized."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def get(self, mint_id: str) -> Mint | None:
        """Read one mint."""
        item = await self._dynamo.get(MINTS, {"mint_id": mint_id})
        return None if item is None else read(Mint, MINTS, item, self._set_aside)

    async def authorization(self, mint: Mint) -> Authorization:
        """Return what a mint's user authorized."""
        return await find_authorization(self._dynamo, mint, self._set_aside)

    async def reject(self, mint_id: str, problem: Problem, *, at: int, spent: int | None = None) -> None:
        """End an accepted mint, or one whose nonce is spent."""
        written: Item = {"problem": to_item(problem)}
        await self._dynamo.write(
            transition(mint_id, MintStatus.REJECTED, at=at, set=written, where=_source(spent))
        )

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
