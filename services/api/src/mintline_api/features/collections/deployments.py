"""Making a collection: an operation, which a relayer sends.

::

    idempotency key ──▶ id ──▶ metadata ──▶ authorization ──▶ operation and collection (the lock) ──▶ message
                                  1              2                         3                           4

The id is part of the collection's salt, so that its address is known before anything is on chain. Metadata is
stored under its digest: what a process leaves behind that dies before the third write, nobody reads.
"""

from mintline.authorizations import Authorization
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.messages.parts import Clone
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.records.operations import CollectionDeployment
from mintline.reveals import Reveal
from mintline_api.features.collections.accepting import accepted_fields, publish_metadata
from mintline_api.features.collections.context import CollectionsContext
from mintline_api.features.collections.models import CollectionRequest
from mintline_api.features.collections.problems import COLLECTIONS_NOT_CONFIGURED, EMPTY_MINT_WINDOW
from mintline_api.features.items.problems import WRONG_STANDARD
from mintline_api.features.operations.use_cases import Accepted, Intake, Submission
from mintline_api.http.problems import Fault, RequestRefused


async def accept_deployment(
    submission: Submission[CollectionRequest], *, context: CollectionsContext, intake: Intake
) -> Accepted[CollectionDeployment]:
    """Put a collection on record and have it deployed; a key's second request gets the first one's.

    It counts as a mint in the client's budget. Raises RequestRefused without a factory, for a window that is
    over, and for a budget that is used up.
    """
    operation_id = intake.operation_id("deploy", submission)
    earlier = await intake.made_before(CollectionDeployment, operation_id, submission)
    if earlier is not None:
        return earlier
    clone = _clone(submission, context, operation_id=operation_id)
    contract = address_of(clone)
    checkpoint = await context.collections.checkpoint()
    permit = await intake.permit(submission.sub, paying=None, client_id=submission.client_id)
    try:
        operation = CollectionDeployment(
            **accepted_fields(submission, intake, operation_id=operation_id, contract=contract),
            principal=submission.sub,
            clone=clone,
        )
        authorization = Authorization(envelope=submission.authorize(operation))
        request = submission.request
        digest = await publish_metadata(
            context, contract, name=request.name, symbol=request.symbol, metadata=request.metadata
        )
        collection = Collection(
            collection_id=scoped(intake.chain_id, contract),
            chain_id=intake.chain_id,
            contract=contract,
            name=request.name,
            symbol=request.symbol,
            # Before its own, whatever a reorg may do.
            deployed_block=0 if checkpoint is None else checkpoint.finalized_number,
            standard=request.standard or "erc721",
            # An item's metadata has a row from its first mint on.
            metadata_versions=request.standard == "erc1155",
            sponsored=request.open_to_users,
            clone=clone,
            status="deploying",
            metadata_digest=digest,
            reveal=None if request.reveal is None else Reveal(tokens=request.reveal.tokens),
            created_at=submission.now,
            next_token_id=1,
        )
        existing = await context.collections.deploy(collection, operation, authorization)
    except BaseException:
        intake.give_back(permit, submission.sub)
        raise
    context.registry.forget(contract)
    return await intake.created(
        operation, existing, unused=lambda _: intake.give_back(permit, submission.sub)
    )


def _clone(
    submission: Submission[CollectionRequest], context: CollectionsContext, *, operation_id: str
) -> Clone:
    """Return what the collection is to be made of; raises RequestRefused for what no factory makes."""
    factory, request = context.factory, submission.request
    if factory is None:
        raise RequestRefused(COLLECTIONS_NOT_CONFIGURED, "This deployment has no factory of collections.")
    _check_window(request, now=submission.now // 1000)
    _check_standard(request)
    implementation = factory.multi_token if request.standard == "erc1155" else factory.implementation
    if implementation is None:
        raise RequestRefused(
            COLLECTIONS_NOT_CONFIGURED, "This deployment's factory makes no ERC-1155 collections."
        )
    return Clone(
        factory=factory.address,
        implementation=implementation,
        principal=submission.sub,
        operation_id=operation_id,
        args=_args(request),
    )


def _args(request: CollectionRequest) -> CloneArgs:
    royalties, window = request.royalties, request.mint_window
    receiver = None if royalties is None else royalties.receiver
    return CloneArgs(
        name=request.name,
        symbol=request.symbol,
        owner=request.owner or receiver,
        royalty_receiver=receiver,
        royalty_bps=0 if royalties is None else royalties.bps,
        supply_cap=request.supply_cap or 0,
        mint_start=0 if window is None else window.start or 0,
        mint_end=0 if window is None else window.end or 0,
        soulbound=request.soulbound,
        metadata_commitment=None if request.reveal is None else request.reveal.commitment,
    )


def _check_standard(request: CollectionRequest) -> None:
    """Raise RequestRefused for what ERC-1155 collections do not have."""
    if request.standard != "erc1155":
        return
    if request.open_to_users:
        # The first mint of an item fixes its metadata.
        detail, pointer = "expected false: only its client mints in an ERC-1155 collection", "#/open_to_users"
    elif request.reveal is not None:
        detail, pointer = "expected none: the items of an ERC-1155 collection are not revealed", "#/reveal"
    else:
        return
    raise RequestRefused(WRONG_STANDARD, f"{pointer}: {detail}.", faults=[Fault(detail, pointer=pointer)])


def _check_window(request: CollectionRequest, *, now: int) -> None:
    window = request.mint_window
    if window is None or window.end is None:
        return
    fault = None
    if window.end <= now:
        fault = Fault("expected a time that is not over", pointer="#/mint_window/end")
    elif window.start is not None and window.end <= window.start:
        fault = Fault("expected an end after the start", pointer="#/mint_window")
    if fault is not None:
        raise RequestRefused(EMPTY_MINT_WINDOW, f"{fault.pointer}: {fault.detail}.", faults=[fault])
