"""Mints on record: showing them to the user who asked for them, and cancelling one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from mintline.errors import Unavailable, Unreadable
from mintline.messages.work import ReviewMint
from mintline.records.operations import Mint
from mintline.records.problems import CANCELLED
from mintline.states import MintStatus
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.problems import UNKNOWN_MINT
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import Outbox
from mintline_api.features.operations.problems import NOT_CANCELLABLE
from mintline_api.features.operations.use_cases import TRIES
from mintline_api.features.pages import PageRequest
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()

_PAGES_PER_REQUEST = 5
_FILTER_WINDOW = 100
UNSENT = frozenset({MintStatus.ACCEPTED, MintStatus.BUILT})
"""Nothing of a mint in these states has reached a node, nor can it any more once it is rejected."""
_TOO_LATE = {
    MintStatus.ISSUED: "Its voucher is in your hands: do not redeem it, and it expires.",
    MintStatus.MINED: "It is on chain.",
    MintStatus.FINALIZED: "It is on chain.",
    MintStatus.REVERTED: "It was mined, and failed.",
}


@dataclass(frozen=True, slots=True)
class MintPage:
    """Some of a user's mints; `after` continues the list, None at its end."""

    mints: tuple[Mint, ...]
    after: str | None


async def get_mint(mint_id: str, *, sub: str, mints: MintStore) -> Mint:
    """Return a mint that the caller asked for, or that is the caller's; any other is as unknown as none."""
    mint = await mints.get(mint_id)
    if mint is None or sub not in (mint.sub, mint.asked_by):
        raise RequestRefused(UNKNOWN_MINT, "Mint not found.")
    return mint


async def _readable(mint_id: str, mints: MintStore) -> Mint | None:
    """Return a mint; None for an unreadable record, which must not hide the user's others."""
    try:
        return await mints.get(mint_id)
    except Unreadable:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMints:
    """Asks for part of a user's mints, or of those that a client asked for; the filters may be None."""

    sub: str
    client: bool
    status: MintStatus | None
    tag: str | None
    page: PageRequest

    def lists(self, mint: Mint) -> bool:
        """Tell whether a mint is the caller's, and passes the filters."""
        return (
            (mint.client_id if self.client else mint.sub) == self.sub
            and self.status in (None, mint.status)
            # A user finds nothing by what a client calls a mint.
            and (self.tag is None or (self.tag in (mint.tags or ()) and mint.asked_by == self.sub))
        )


async def list_mints(command: ListMints, *, mints: MintStore) -> MintPage:
    """Return a page of the caller's mints, newest first.

    A mint whose record is unreadable is left out. The filter looks at a bounded number of mints, so a page
    may be short, even empty, and still have a next.
    """
    limit, after = command.page.limit, command.page.after
    listed: list[Mint] = []
    window = limit if command.status is None and command.tag is None else _FILTER_WINDOW
    ids = mints.ids_of_client if command.client else mints.ids_of
    for _ in range(_PAGES_PER_REQUEST):
        page = await ids(command.sub, limit=window, after=after)
        read = await asyncio.gather(*(_readable(mint_id, mints) for _, mint_id in page.items))
        for (position, _), mint in zip(page.items, read, strict=True):
            after = position
            if mint is None or not command.lists(mint):
                continue
            listed.append(mint)
            if len(listed) == limit:
                last = page.items[-1][0]
                return MintPage(tuple(listed), after if page.more or position != last else None)
        if not page.more:
            return MintPage(tuple(listed), None)
    return MintPage(tuple(listed), after)


async def find_mint(external_id: str, command: ListMints, *, mints: MintStore) -> MintPage:
    """Return the mint that the caller gave an external id, if it passes the filters too."""
    mint_id = await mints.id_by_external_id(command.sub, external_id)
    mint = None if mint_id is None else await mints.get(mint_id)
    return MintPage(() if mint is None or not command.lists(mint) else (mint,), None)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A mint as it is after it was to be stopped; `ended` if that ended it just now."""

    mint: Mint
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMint:
    """Asks for a mint of the user's to be stopped; `now` is in Unix milliseconds."""

    mint_id: str
    sub: str
    trace: str
    now: int


async def cancel_mint(
    command: CancelMint, *, mints: MintStore, outbox: Outbox, nudges: Nudges | None = None
) -> Cancellation:
    """Stop a mint of the caller's, or ask for that.

    One that was sent may be mined all the same: a no-op then competes for its nonce, and what is mined
    decides. Safe to repeat. Raises RequestRefused for a mint that is on chain,
    whose voucher its user holds, that shares a transaction with others, or that a client asked for, which
    alone may stop it.
    """
    mint_id, now = command.mint_id, command.now
    mint = await get_mint(mint_id, sub=command.sub, mints=mints)
    if mint.asked_by != command.sub:
        raise RequestRefused(NOT_CANCELLABLE, "A machine client asked for the mint, and alone may cancel it.")
    for _ in range(TRIES):
        if mint.status is MintStatus.REJECTED:
            break
        if mint.status in _TOO_LATE or (mint.custody == "self" and mint.status not in UNSENT):
            why = _TOO_LATE.get(mint.status, _TOO_LATE[MintStatus.ISSUED])
            raise RequestRefused(NOT_CANCELLABLE, f"The mint is {mint.status.value}. {why}")
        if mint.custody == "sponsored" and mint.nonce is not None:
            raise RequestRefused(NOT_CANCELLABLE, "The mint shares its transaction with others.")
        if mint.cancel_requested_at is not None:
            break
        mint = await mints.cancel(mint, CANCELLED, at=now)
    else:
        raise Unavailable("the mint kept moving")
    if mint.nonce is not None and mint.problem in (None, CANCELLED):
        # Sent on every request: a crash may have come between the record and the message.
        review = ReviewMint(mint_id=mint_id, trace=command.trace)
        await (nudges or Nudges()).send(outbox.review(review), mint_id=mint_id)
    ended = mint.status is MintStatus.REJECTED and mint.cancel_requested_at == now
    log.info("mint_cancelled" if ended else "mint_cancel_asked", mint_id=mint_id, status=mint.status.value)
    return Cancellation(mint, ended)
