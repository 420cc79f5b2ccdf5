"""Accepting a mint, once for each idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mintline.authorizations import Authorization
from mintline.canonical_json import canonical_json, digest_of
from mintline.records.collections import RegisteredContract
from mintline.records.keys import external_ref
from mintline.records.operations import Mint
from mintline.records.wallets import Wallet
from mintline.states import MintStatus
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.problems import SPONSORED_ONLY
from mintline_api.features.items.use_cases import Item, Items, asked_item, item_fields
from mintline_api.features.links.ports import LinkStore
from mintline_api.features.links.use_cases import linked_wallet
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.packing import MetadataPacker, Packing
from mintline_api.features.mints.problems import EXTERNAL_ID_USED, NOT_SPONSORED
from mintline_api.features.mints.recipients import FindRecipient, Recipient, Recipients
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.operations.ports import ExternalIdTaken
from mintline_api.features.operations.use_cases import Accepted, Intake, Permit, Submission
from mintline_api.features.uploads.use_cases import Uploads, resolved
from mintline_api.http.problems import Fault, RequestRefused
from mintline_api.limits.client_budgets import budgeted


@dataclass(frozen=True, slots=True, kw_only=True)
class MintIntake(Intake):
    """What it takes to accept a mint."""

    links: LinkStore
    token_ids: TokenIds
    packer: MetadataPacker
    recipients: Recipients
    gate: MintGate
    uploads: Uploads
    items: Items


async def accept_mint(submission: Submission[MintRequest], *, intake: MintIntake) -> Accepted[Mint]:
    """Create the mint and send it; a key's second request gets the first one's mint.

    What would refuse a new mint refuses no second request: its collection and wallets may be others by then.
    Once the mint is on record it is accepted, whatever becomes of its message: the sweep sends it then.
    The token id is the mint's for life, and part of what `authorize` has the enclaves sign for. It is given
    back if the request made no mint, unless that is unknown or a pack of metadata may have it. In an ERC-1155
    collection it is the mint's serial, and the request names the item.
    A relayer pays for a sponsored one, and a client's always is.
    Raises RequestRefused for an unknown contract or one that sponsors none, for a recipient that is none, for
    an upload that cannot be used, for a wallet that is being deleted or is not linked, when the key named
    another body, or when another mint of the caller's has the external id.
    """
    submission, find_recipient = intake.recipients.read(submission)
    contract = submission.request.contract or intake.default_collection
    mint_id = intake.operation_id("mint", submission)
    try:
        admitted = await _admit(submission, contract, find_recipient, intake)
    except RequestRefused:
        if (replayed := await intake.made_before(Mint, mint_id, submission)) is None:
            raise
        return replayed
    token_id = await intake.token_ids.take(contract)
    try:
        await intake.items.begin(
            contract,
            admitted.item,
            admitted.metadata,
            client_id=submission.sub,
            operation_id=mint_id,
            now=submission.now,
        )
        mint = _mint(submission, admitted, mint_id=mint_id, token_id=token_id, chain_id=intake.chain_id)
        envelope = submission.authorize(mint)
    except BaseException:
        intake.token_ids.give_back(contract, token_id)
        intake.give_back(admitted.permit, submission.sub)
        raise

    try:
        authorization, packing = await _with_metadata(envelope, mint, admitted, intake)
    except BaseException:
        # The token id may be in a pack by now, for this mint's metadata: it goes to no other.
        intake.give_back(admitted.permit, submission.sub)
        raise

    def spare_token_id() -> None:
        if packing is Packing.ALONE:
            intake.token_ids.give_back(contract, token_id)

    def unused(existing: Mint) -> None:
        intake.give_back(admitted.permit, submission.sub)
        if (existing.contract, existing.token_id) != (contract, token_id):
            spare_token_id()

    try:
        return await intake.create(mint, authorization, unused=unused)
    except ExternalIdTaken as taken:
        intake.give_back(admitted.permit, submission.sub)
        spare_token_id()
        raise _external_id_used(taken.mint_id) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Admitted:
    """A request that may be made: what its mint is of, and whose."""

    contract: str
    item: Item | None
    metadata: str
    """Canonical JSON."""
    recipient: Recipient
    wallet: Wallet | None
    """The wallet in custody that sends the mint."""
    sponsored: bool
    permit: Permit

    @property
    def custody(self) -> Literal["custodial", "self", "sponsored"]:
        """Who sends the mint's transaction."""
        if self.sponsored:
            return "sponsored"
        return "custodial" if self.wallet else "self"


async def _admit(
    submission: Submission[MintRequest], contract: str, find_recipient: FindRecipient, intake: MintIntake
) -> _Admitted:
    """Check everything that may refuse a new mint, and take its permit last; raises RequestRefused."""
    request, sub = submission.request, submission.sub
    collection = await intake.gate.pass_(
        contract, client_id=submission.client_id, now=submission.now, count=request.quantity or 1
    )
    sponsored = _is_sponsored(submission, collection)
    item = asked_item(collection, request.token_id, request.quantity)
    content = await resolved(request.metadata, asked_by=sub, uploads=intake.uploads)
    metadata = canonical_json(content.model_dump(mode="json", exclude_none=True))
    await intake.items.check(contract, item, metadata)
    if sponsored:
        wallet = None
        # Before any user or wallet is made.
        permit = await intake.permit(
            sub, paying=None, client_id=submission.client_id, contract=budgeted(collection)
        )
        try:
            recipient = await find_recipient()
        except BaseException:
            intake.give_back(permit, sub)
            raise
    else:
        wallet, to = await _wallets_of(request, sub=sub, intake=intake)
        permit = await intake.permit(sub, paying=wallet)
        recipient = Recipient(sub, to)
    return _Admitted(
        contract=contract,
        item=item,
        metadata=metadata,
        recipient=recipient,
        wallet=wallet,
        sponsored=sponsored,
        permit=permit,
    )


def _mint(
    submission: Submission[MintRequest], admitted: _Admitted, *, mint_id: str, token_id: int, chain_id: int
) -> Mint:
    request, wallet = submission.request, admitted.wallet
    return Mint(
        mint_id=mint_id,
        sub=admitted.recipient.sub,
        client_id=submission.client_id,
        external_id=request.external_id,
        tags=tuple(request.tags) if request.tags else None,
        status=MintStatus.ACCEPTED,
        chain_id=chain_id,
        contract=admitted.contract,
        to=admitted.recipient.to,
        custody=admitted.custody,
        sender=wallet.key() if wallet else None,
        metadata_digest=digest_of(admitted.metadata),
        request_digest=submission.digest(),
        trace=submission.trace,
        token_id=token_id,
        **item_fields(admitted.item),
        created_at=submission.now,
        updated_at=submission.now,
    )


async def _with_metadata(
    envelope: bytes, mint: Mint, admitted: _Admitted, intake: MintIntake
) -> tuple[Authorization, Packing]:
    """Return what the mint's user authorized, after its metadata was packed if that of others was."""
    if admitted.item is not None:
        # An item's metadata is stored by now.
        return Authorization(envelope=envelope), Packing.ALONE
    assert mint.token_id is not None
    names = [mint.mint_id]
    if mint.external_id is not None:
        names.append(external_ref(mint.asked_by, mint.external_id))
    packing = await intake.packer.pack(names, mint.contract, mint.token_id, admitted.metadata)
    packed = packing is Packing.PACKED
    return Authorization(envelope=envelope, metadata=admitted.metadata, packed=packed), packing


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
