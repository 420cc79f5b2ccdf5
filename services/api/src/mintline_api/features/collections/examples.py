"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.messages.parts import Clone, CollectionChange
from mintline.records.collections import CloneState, PendingChange, RegisteredContract
from mintline.records.keys import scoped
from mintline.records.operations import CollectionCall, CollectionDeployment
from mintline.reveals import Reveal
from mintline.states import MintStatus
from mintline.views.collections import collection_summary
from mintline_api.features.collections.models import (
    CollectionList,
    CollectionMetadata,
    CollectionPatch,
    CollectionRequest,
    ImportRequest,
    RoyaltiesRequest,
)
from mintline_api.features.collections.reads import CollectionFacts
from mintline_api.features.collections.views import collection_view
from mintline_api.features.examples import BLOCK_HASH, CONTRACT, CURSOR, DIGEST, RECIPIENT, TX_HASH, WALLET

PUBLIC_URL = "https://api.example.com"
_CLIENT = "3n4b5urk1ft4fl3mg5e62d9ado"
_AT = 1_795_398_654_123
_DEPLOYMENT_ID = "deploy_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
_CHANGE_ID = "administer_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
_METADATA = CollectionMetadata(description="Tickets of the season.", image="https://example.com/tickets.png")
COLLECTION_REQUEST_JSON = CollectionRequest(
    name="Season tickets",
    symbol="SEAT",
    royalties=RoyaltiesRequest(receiver=WALLET, bps=500),
    supply_cap=5_000,
    metadata=_METADATA,
).model_dump(mode="json", exclude_none=True)
PATCH_JSON = CollectionPatch(paused=True).model_dump(mode="json", exclude_none=True)
IMPORT_JSON = ImportRequest(contract=CONTRACT, from_block=19_426_587).model_dump(mode="json")

CLONE = Clone(
    factory=RECIPIENT,
    implementation=CONTRACT,
    principal=_CLIENT,
    operation_id=_DEPLOYMENT_ID,
    args=CloneArgs(
        name="Season tickets",
        symbol="SEAT",
        owner=WALLET,
        royalty_receiver=WALLET,
        royalty_bps=500,
        supply_cap=5_000,
    ),
)
_ADDRESS = address_of(CLONE)
_READY = RegisteredContract(
    collection_id=scoped(31337, _ADDRESS),
    chain_id=31337,
    contract=_ADDRESS,
    name="Season tickets",
    symbol="SEAT",
    deployed_block=42,
    clone=CLONE,
    metadata_digest=DIGEST,
    created_at=_AT,
)
_DEPLOYMENT = CollectionDeployment(
    mint_id=_DEPLOYMENT_ID,
    status=MintStatus.ACCEPTED,
    chain_id=31337,
    contract=_ADDRESS,
    request_digest="",
    created_at=_AT,
    updated_at=_AT,
    principal=_CLIENT,
    clone=CLONE,
)
_MINED = {"status": MintStatus.MINED, "tx_hash": TX_HASH, "block_number": 42, "block_hash": BLOCK_HASH}


def _facts(
    collection: RegisteredContract, change: CollectionChange | None = None, *, deployed: bool = True
) -> CollectionFacts:
    deployment = _DEPLOYMENT.evolve(**_MINED) if deployed else _DEPLOYMENT
    if change is None:
        return CollectionFacts(collection, deployment, None, collection)
    call = CollectionCall(
        mint_id=_CHANGE_ID,
        status=MintStatus.ACCEPTED,
        chain_id=31337,
        contract=_ADDRESS,
        request_digest="",
        created_at=_AT,
        updated_at=_AT,
        principal=_CLIENT,
        clone=CLONE,
        change=change,
    )
    changing = collection.evolve(pending=PendingChange(operation_id=_CHANGE_ID, change=change))
    return CollectionFacts(changing, deployment, call, changing)


DEPLOYING = collection_view(
    _facts(_READY.evolve(status="deploying"), deployed=False),
    minted=None,
    reader=_CLIENT,
    public_url=PUBLIC_URL,
)
READY = collection_view(_facts(_READY), minted=1_200, reader=_CLIENT, public_url=PUBLIC_URL)
PAUSING = collection_view(
    _facts(_READY, CollectionChange(action="pause")), minted=1_200, reader=_CLIENT, public_url=PUBLIC_URL
)
FREEZING = collection_view(
    _facts(_READY, CollectionChange(action="freeze")), minted=1_200, reader=_CLIENT, public_url=PUBLIC_URL
)
_COMMITTED = CLONE.evolve(args=CLONE.args.model_copy(update={"metadata_commitment": DIGEST}))
REVEALING = collection_view(
    _facts(
        _READY.evolve(
            clone=_COMMITTED,
            reveal=Reveal(tokens=5_000, salt=TX_HASH, operation_id=_CHANGE_ID, revealed_at=_AT),
        ),
        CollectionChange(action="refresh_metadata", first_token=1, last_token=5_000),
    ),
    minted=1_200,
    reader=_CLIENT,
    public_url=PUBLIC_URL,
)
FROZEN = collection_view(
    _facts(_READY.evolve(state=CloneState(frozen=True))), minted=1_200, reader=_CLIENT, public_url=PUBLIC_URL
)
_FOREIGN = RegisteredContract(
    collection_id=scoped(31337, CONTRACT),
    chain_id=31337,
    contract=CONTRACT,
    name="Aurora",
    symbol="AUR",
    deployed_block=19_426_587,
    read_only=True,
)
IMPORTED = collection_view(
    CollectionFacts(_FOREIGN, None, None, _FOREIGN), minted=None, reader=_CLIENT, public_url=PUBLIC_URL
)
COLLECTIONS = CollectionList(items=[collection_summary(_READY)], next_cursor=CURSOR)
