"""Mints: accepting one, showing them to the user who asked for them, and cancelling one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import structlog

from mintline.authorizations import Authorization
from mintline.errors import Unavailable, Unreadable
from mintline.messages import ReviewMint
from mintline.records import CANCELLED, Mint, Wallet, canonical_json, digest_of
from mintline.states import MintStatus
from mintline_api.features.links.ports import LinkStore
from mintline_api.features.links.use_cases import linked_wallet
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.problems import UNKNOWN_MINT
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import Outbox
from mintline_api.features.operations.problems import NOT_CANCELLABLE
from mintline_api.features.operations.use_cases import TRIES, Accepted, Intake, Submission
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MintIntake(Intake):
    """What it takes to accept a mint."""

    links: LinkStore
    token_ids: TokenIds


async def accept_mint(
    submission: Submission[MintRequest], *, intake: MintIntake, sponsored: bool = False
) -> Accepted[Mint]:
    """Create the mint and send it; a key's second request gets the first one's mint.

    What would refuse a new mint refuses no second request: its collection and wallets may be others by then.
    Once the mint is on record it is accepted, whatever becomes of its message: the sweep sends it then.
    The token id is the mint's for life, and part of what `authorize` has the enclaves sign for. It is given
    back if the request made no mint, and not if that is unknown.
    A `sponsored` one is paid for by a relayer.
    Raises RequestRefused for an unknown contract, for a wallet that is being deleted or is not linked, or
    when the key named another body.
    """
    request, sub = submission.request, submission.sub
    contract = request.contract or intake.default_collection
    mint_id = intake.operation_id("mint", submission)
    try:
        await intake.collections.known(contract)
        wallet, to = await _wallets_of(request, sub=sub, intake=intake)
        permit = await intake.permit(sub, paying=None if sponsored else wallet)
    except RequestRefused:
        if (replayed := await intake.made_before(Mint, mint_id, submission)) is None:
            raise
        return replayed
    metadata = canonical_json(request.metadata.model_dump(mode="json", exclude_none=True))
    token_id = await intake.token_ids.take(contract)
    custody: Literal["custodial", "self", "sponsored"] = "custodial" if wallet else "self"
    try:
        mint = Mint(
            mint_id=mint_id,
            sub=sub,
            status=MintStatus.ACCEPTED,
            chain_id=intake.chain_id,
            contract=contract,
            to=to,
            custody="sponsored" if sponsored else custody,
            sender=wallet.key() if wallet and not sponsored else None,
            metadata_digest=digest_of(metadata),
            request_digest=submission.digest(),
            trace=submission.trace,
            token_id=token_id,
            created_at=submission.now,
            updated_at=submission.now,
        )
        authorization = Authorization(envelope=submission.authorize(mint), metadata=metadata)
    except BaseException:
        intake.token_ids.give_back(contract, token_id)
        intake.give_back(permit, sub)
        raise

    def unused(existing: Mint) -> None:
        intake.give_back(permit, sub)
        if (existing.contract, existing.token_id) != (contract, token_id):
            intake.token_ids.give_back(contract, token_id)

    return await intake.create(mint, authorization, unused=unused)


async def _wallets_of(request: MintRequest, *, sub: str, intake: MintIntake) -> tuple[Wallet | None, str]:
    """Return the wallet in custody that sends the mint, None with self-custody, and where it goes."""
    if request.custody == "self":
        return None, await linked_wallet(request.to, sub=sub, links=intake.links)
    wallet = await intake.wallets.usable(sub)
    return wallet, request.to or wallet.address


@dataclass(frozen=True, slots=True)
class MintPage:
    """Some of a user's mints; `after` continues the list, None at its end."""

    mints: tuple[Mint, ...]
    after: str | None


async def get_mint(mint_id: str, *, sub: str, mints: MintStore) -> Mint:
    """Return the caller's mint; another user's is as unknown as none."""
    mint = await mints.get(mint_id)
    if mint is None or mint.sub != sub:
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
    """Asks for part of a user's mints, only those in `status` if one is given."""

    sub: str
    status: MintStatus | None
    page: PageRequest


async def list_mints(command: ListMints, *, mints: MintStore) -> MintPage:
    """Return a page of the user's mints, newest first.

    A mint whose record is unreadable is left out. The filter looks at a bounded number of mints, so a page
    may be short, even empty, and still have a next.
    """
    sub, status, limit, after = command.sub, command.status, command.page.limit, command.page.after
    listed: list[Mint] = []
    window = limit if status is None else _FILTER_WINDOW
    for _ in range(_PAGES_PER_REQUEST):
        page = await mints.ids_of(sub, limit=window, after=after)
        read = await asyncio.gather(*(_readable(mint_id, mints) for _, mint_id in page.items))
        for (position, _), mint in zip(page.items, read, strict=True):
            after = position
            if mint is None or mint.sub != sub or (status is not None and mint.status is not status):
                continue
            listed.append(mint)
            if len(listed) == limit:
                last = page.items[-1][0]
                return MintPage(tuple(listed), after if page.more or position != last else None)
        if not page.more:
            return MintPage(tuple(listed), None)
    return MintPage(tuple(listed), after)


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
    whose voucher its user holds, or that shares a transaction with others.
    """
    mint_id, now = command.mint_id, command.now
    mint = await get_mint(mint_id, sub=command.sub, mints=mints)
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
