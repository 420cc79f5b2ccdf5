"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.eth import Transaction
from mintline.records import problems
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline.views.self_custody import UnsignedTransaction
from mintline.vouchers import calldata
from mintline_api.features.examples import (
    BLOCK_HASH,
    CONTRACT,
    CURSOR,
    DIGEST,
    METADATA_URL,
    MINT_ID,
    TX_HASH,
    WALLET,
)
from mintline_api.features.metadata.examples import METADATA
from mintline_api.features.mints.models import (
    MintLinks,
    MintList,
    MintRequest,
    MintView,
    RecipientView,
    Timeline,
    TransactionRequest,
    mint_view,
)
from mintline_api.features.operations.models import AttemptView, ProblemView
from mintline_api.features.uploads.models import MetadataRequest

MINT_REQUEST = MintRequest(metadata=MetadataRequest(**METADATA.model_dump()))
MINT_REQUEST_JSON = MINT_REQUEST.model_dump(mode="json", exclude_none=True)

ACCEPTED = MintView(
    mint_id=MINT_ID,
    status=MintStatus.ACCEPTED,
    chain_id=31337,
    contract=CONTRACT,
    token_id=None,
    quantity=None,
    serial=None,
    to=WALLET,
    recipient=RecipientView(address=WALLET, user=None),
    custody="custodial",
    wallet=WALLET,
    client_id=None,
    external_id=None,
    tags=[],
    metadata_digest=DIGEST,
    metadata_url=None,
    nonce=None,
    tx_hash=None,
    block_number=None,
    block_hash=None,
    timeline=Timeline(
        accepted_at="2026-11-23T01:50:54.123Z",
        built_at=None,
        issued_at=None,
        submitted_at=None,
        mined_at=None,
        finalized_at=None,
        cancel_requested_at=None,
    ),
    attempts=[],
    waiting=None,
    problem=None,
    self_custody=None,
    links=MintLinks(self=f"/v1/mints/{MINT_ID}", token=None),
)
MINED = ACCEPTED.model_copy(
    update={
        "status": MintStatus.MINED,
        "token_id": 1,
        "metadata_url": METADATA_URL,
        "nonce": 0,
        "tx_hash": TX_HASH,
        "block_number": 42,
        "block_hash": BLOCK_HASH,
        "timeline": Timeline(
            accepted_at="2026-11-23T01:50:54.123Z",
            built_at="2026-11-23T01:50:54.201Z",
            issued_at=None,
            submitted_at="2026-11-23T01:50:54.268Z",
            mined_at="2026-11-23T01:50:55.310Z",
            finalized_at=None,
            cancel_requested_at=None,
        ),
        "attempts": [
            AttemptView(
                tx_hash=TX_HASH,
                max_fee_per_gas=3_000_000_000,
                max_priority_fee_per_gas=1_000_000_000,
                at="2026-11-23T01:50:54.262Z",
            )
        ],
        "links": MintLinks(self=f"/v1/mints/{MINT_ID}", token=f"/v1/tokens/{CONTRACT}/1"),
    }
)
_STOPPED_AT = "2026-11-23T01:50:54.900Z"
CANCELLED = ACCEPTED.model_copy(
    update={
        "status": MintStatus.REJECTED,
        "timeline": ACCEPTED.timeline.model_copy(update={"cancel_requested_at": _STOPPED_AT}),
        "problem": ProblemView(**problems.CANCELLED.model_dump()),
    }
)
STOPPING = MINED.model_copy(
    update={
        "status": MintStatus.SUBMITTED,
        "block_number": None,
        "block_hash": None,
        "timeline": MINED.timeline.model_copy(update={"mined_at": None, "cancel_requested_at": _STOPPED_AT}),
    }
)
_ISSUED = Mint(
    mint_id=MINT_ID,
    sub="alice",
    status=MintStatus.SUBMITTED,
    chain_id=31337,
    contract=CONTRACT,
    to=WALLET,
    custody="self",
    metadata_digest=DIGEST,
    request_digest="",
    created_at=1_795_398_654_123,
    built_at=1_795_398_654_201,
    issued_at=1_795_398_654_268,
    submitted_at=1_795_398_661_310,
    updated_at=1_795_398_661_310,
    token_id=1,
    deadline=1_795_485_054,
    gas=120_000,
    voucher_signature=bytes.fromhex("7d" * 32 + "3a" * 32 + "1c"),
)
_REDEMPTION = Transaction(
    chain_id=31337,
    nonce=7,
    max_priority_fee_per_gas=100_000_000,
    max_fee_per_gas=2_100_000_000,
    gas=120_000,
    to=CONTRACT,
    value=0,
    data=calldata(_ISSUED),
)
TRANSACTION_REQUEST_JSON = TransactionRequest(raw=_REDEMPTION.signed(1, 2**255, 2**254)).model_dump(
    mode="json"
)
SELF_SUBMITTED = mint_view(
    _ISSUED,
    reader=_ISSUED.sub,
    public_url="https://api.example.com",
    transaction=UnsignedTransaction(
        chain_id=hex(_REDEMPTION.chain_id),
        from_=WALLET,
        to=CONTRACT,
        data=_REDEMPTION.data,
        gas=hex(_REDEMPTION.gas),
        max_fee_per_gas=hex(_REDEMPTION.max_fee_per_gas),
        max_priority_fee_per_gas=hex(_REDEMPTION.max_priority_fee_per_gas),
        nonce=hex(_REDEMPTION.nonce),
    ),
)
MINTS = MintList(items=[MINED], next_cursor=CURSOR)
