"""Mints: accepting one, showing them to the user who asked for them, and cancelling one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import structlog

from mintline.authorizations import Authorization
from mintline.canonical_json import canonical_json, digest_of
from mintline.errors import Unavailable, Unreadable
from mintline.messages.work import ReviewMint
from mintline.records.collections import RegisteredContract
from mintline.records.operations import Mint
from mintline.records.problems import CANCELLED
from mintline.records.wallets import Wallet
from mintline.states import MintStatus
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.problems import SPONSORED_ONLY
from mintline_api.features.items.use_cases import Items, asked_item, item_fields
from mintline_api.features.links.ports import LinkStore
from mintline_api.features.links.use_cases import linked_wallet
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.problems import EXTERNAL_ID_USED, NOT_SPONSORED, UNKNOWN_MINT
from mintline_api.features.mints.recipients import Recipient, Recipients
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import ExternalIdTaken, Outbox
from mintline_api.features.operations.problems import NOT_CANCELLABLE
from mintline_api.features.operations.use_cases import TRIES, Accepted, Intake, Submission
from mintline_api.features.pages import PageRequest
from mintline_api.features.uploads.use_cases import Uploads, resolved
from mintline_api.http.problems import Fault, RequestRefused
from mintline_api.limits.client_budgets import budgeted

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
    recipients: Recipients
    gate: MintGate
    uploads: Uploads
    items: Items


async def accept_mint(submission: Submission[MintRequest], *, intake: MintIntake) -> Accepted[Mint]:
    """Create the mint and send it; a key's second request gets the first one's mint.

    What would refuse a new mint refuses no second request: its collection and wallets may be others by then.
    Once the mint is on record it is accepted, whatever becomes of its message: the sweep sends it then.
    The token id is the mint's for life, and part of what `authorize` has the enclaves sign for. It is given
    back if the request made no mint, and not if that is unknown. In an ERC-1155 collection it is the mint's
    serial, and the request names the item.
    A relayer pays for a sponsored one, and a client's always is.
    Raises RequestRefused for an unknown contract or one that sponsors none, for a recipient that is none, for
    an upload that cannot be used, for a wallet that is being deleted or is not linked, when the key named
    another body, or when another mint of the caller's has the external id.
    """
    submission, find_recipient = intake.recipients.read(submission)
    request, sub = submission.request, submission.sub
    contract = request.contract or intake.default_collection
    mint_id = intake.operation_id("mint", submission)
    try:
        collection = await intake.gate.pass_(
            contract, client_id=submission.client_id, now=submission.now, count=request.quantity or 1
        )
        sponsored = _is_sponsored(submission, collection)
        item = asked_item(collection, request.token_id, request.quantity)
        content = await resolved(request.metadata, asked_by=sub, uploads=intake.uploads)
        metadata = canonical_json(content.model_dump(mode="json", exclude_none=True))
        await intake.items.check(contract, item, metadata)
        if not sponsored:
            wallet, to = await _wallets_of(request, sub=sub, intake=intake)
            permit = await intake.permit(sub, paying=wallet)
            recipient = Recipient(sub, to)
        else:
            wallet = None
            # Before any user or wallet is made.
            permit = await intake.permit(
                sub,
                paying=None,
                client_id=submission.client_id,
                contract=budgeted(collection),
            )
            try:
                recipient = await find_recipient()
            except BaseException:
                intake.give_back(permit, sub)
                raise
    except RequestRefused:
        if (replayed := await intake.made_before(Mint, mint_id, submission)) is None:
            raise
        return replayed
    token_id = await intake.token_ids.take(contract)
    custody: Literal["custodial", "self", "sponsored"] = "custodial" if wallet else "self"
    try:
        await intake.items.begin(
            contract, item, metadata, client_id=sub, operation_id=mint_id, now=submission.now
        )
        mint = Mint(
            mint_id=mint_id,
            sub=recipient.sub,
            client_id=submission.client_id,
            external_id=request.external_id,
            tags=tuple(request.tags) if request.tags else None,
            status=MintStatus.ACCEPTED,
            chain_id=intake.chain_id,
            contract=contract,
            to=recipient.to,
            custody="sponsored" if sponsored else custody,
            sender=wallet.key() if wallet else None,
            metadata_digest=digest_of(metadata),
            request_digest=submission.digest(),
            trace=submission.trace,
            token_id=token_id,
            **item_fields(item),
            created_at=submission.now,
            updated_at=submission.now,
        )
        # An item's metadata is stored by now.
        to_store = None if item else metadata
        authorization = Authorization(envelope=submission.authorize(mint), metadata=to_store)
    except BaseException:
        intake.token_ids.give_back(contract, token_id)
        intake.give_back(permit, sub)
        raise

    def unused(existing: Mint) -> None:
        intake.give_back(permit, sub)
        if (existing.contract, existing.token_id) != (contract, token_id):
            intake.token_ids.give_back(contract, token_id)

    try:
        return await intake.create(mint, authorization, unused=unused)
    except ExternalIdTaken as taken:
        intake.give_back(permit, sub)
        intake.token_ids.give_back(contract, token_id)
        raise _external_id_used(taken.mint_id) from None


def _is_sponsored(submission: Submission[MintRequest], collection: RegisteredContract) -> bool:
    """Tell whether a relayer pays for a mint; raises RequestRefused for a custody that is not to be had."""
    custody = submission.request.custody
    if submission.client_id is not None:
        return True
    if collection.clone is not None and custody not in (None, "sponsored"):
        fault = Fault("expected sponsored, or nothing", pointer="#/custody")
        detail = f"#/custody: {collection.contract} takes sponsored mints alone."
        raise RequestRefused(SPONSORED_ONLY, detail, faults=[fault])
    if collection.clone is None and custody != "sponsored":
        return False
    if not collection.sponsored:
        raise _not_sponsored(collection.contract)
    return True


def _not_sponsored(contract: str) -> RequestRefused:
    fault = Fault("expected custodial or self", pointer="#/custody")
    return RequestRefused(
        NOT_SPONSORED, f"#/custody: the platform does not pay for mints of {contract}.", faults=[fault]
    )


def _external_id_used(mint_id: str) -> RequestRefused:
    fault = Fault(f"expected one that no other mint of yours has: {mint_id} has it", pointer="#/external_id")
    return RequestRefused(
        EXTERNAL_ID_USED, f"#/external_id: {mint_id} has it: send another one.", faults=[fault]
    )


async def _wallets_of(request: MintRequest, *, sub: str, intake: MintIntake) -> tuple[Wallet | None, str]:
    """Return the wallet in custody that sends the mint, None with self-custody, and where it goes."""
    if request.custody == "self":
        return None, await linked_wallet(request.destination, sub=sub, links=intake.links)
    wallet = await intake.wallets.usable(sub)
    return wallet, request.destination or wallet.address


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
