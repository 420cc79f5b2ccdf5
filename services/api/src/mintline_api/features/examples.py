"""The examples of the OpenAPI document: values of the very models that they illustrate."""

from __future__ import annotations

from datetime import UTC, datetime

from mintline import records
from mintline.eth import Transaction
from mintline.records import Mint
from mintline.states import MintStatus
from mintline.vouchers import calldata
from mintline_api.features.links.models import LinkList, LinkView, challenge_view
from mintline_api.features.links.siwe import SiweMessage, compose
from mintline_api.features.links.use_cases import LIFETIME, STATEMENT, Challenged
from mintline_api.features.mints.self_custody_models import UnsignedTransaction
from mintline_api.inputs import (
    Attribute,
    ChallengeRequest,
    LinkRequest,
    Metadata,
    MintRequest,
    TransactionRequest,
)
from mintline_api.views import (
    AttemptView,
    IndexView,
    MintLinks,
    MintList,
    MintView,
    ProblemView,
    Readiness,
    Timeline,
    TokenList,
    TokenMint,
    TokenSummary,
    TokenView,
    TransferList,
    TransferView,
    WalletView,
    mint_view,
)

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MINT_ID = "mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
CURSOR = "p0q1r2s3t4u5v6w7x8y9zAMDAwMDE3OTUzMTcwNTQxMjMjbWludF83SDJL"
_DIGEST = bytes.fromhex("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
_TX_HASH = bytes.fromhex("5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060")
_BLOCK_HASH = bytes.fromhex("88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6")
_METADATA_URL = f"https://api.example.com/v1/metadata/{CONTRACT}/1"

METADATA = Metadata(
    name="Aurora #1",
    description="The first light of the season.",
    image="ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
    attributes=[
        Attribute(trait_type="Colour", value="green"),
        Attribute(trait_type="Kp index", value=7, display_type="number", max_value=9),
    ],
)
MINT_REQUEST = MintRequest(metadata=METADATA)
MINT_REQUEST_JSON = MINT_REQUEST.model_dump(mode="json", exclude_none=True)

ACCEPTED = MintView(
    mint_id=MINT_ID,
    status=MintStatus.ACCEPTED,
    chain_id=31337,
    contract=CONTRACT,
    token_id=None,
    to=WALLET,
    custody="custodial",
    wallet=WALLET,
    metadata_digest=_DIGEST,
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
        "metadata_url": _METADATA_URL,
        "nonce": 0,
        "tx_hash": _TX_HASH,
        "block_number": 42,
        "block_hash": _BLOCK_HASH,
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
                tx_hash=_TX_HASH,
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
        "problem": ProblemView(**records.CANCELLED.model_dump()),
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
    metadata_digest=_DIGEST,
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
USER_WALLET = WalletView(
    address=WALLET, chain_id=31337, created_at="2026-11-23T01:50:54.001Z", deletes_at=None
)
_ISSUED_AT = datetime(2026, 11, 23, 1, 50, 54, 123_000, UTC)
_SIGN_IN = SiweMessage(
    domain="api.example.com",
    address=WALLET,
    uri="https://api.example.com",
    chain_id=31337,
    nonce="3f1c9a7be04d4b0f8f6a5d2c1e0b9a87",
    issued_at=_ISSUED_AT,
    expires_at=_ISSUED_AT + LIFETIME,
    statement=STATEMENT,
)
CHALLENGE_REQUEST_JSON = ChallengeRequest(address=WALLET).model_dump(mode="json", exclude_none=True)
CHALLENGE = challenge_view(Challenged(_SIGN_IN, compose(_SIGN_IN)))
LINK_REQUEST_JSON = LinkRequest(
    message=CHALLENGE.message,
    signature=bytes.fromhex("f2" * 32 + "5e" * 32 + "1b"),
).model_dump(mode="json")
LINK = LinkView(address=WALLET, chain_id=31337, kind="account", linked_at="2026-11-23T01:51:20.456Z")
LINKS = LinkList(items=[LINK])
INDEX = IndexView(
    head_block=44, head_timestamp="2026-11-23T01:50:57.000Z", finalized_block=40, lag_seconds=0.8
)
SUMMARY = TokenSummary(
    chain_id=31337,
    contract=CONTRACT,
    token_id=1,
    owner=WALLET,
    burned=False,
    metadata_digest=_DIGEST,
    metadata_url=_METADATA_URL,
    minted_block=42,
    block_number=42,
    tx_hash=_TX_HASH,
    finality="pending",
)
TOKEN = TokenView(
    **SUMMARY.model_dump(),
    metadata=MINT_REQUEST_JSON["metadata"],
    metadata_verified=True,
    mint=TokenMint(mint_id=MINT_ID, status=MintStatus.MINED),
    index=INDEX,
)
TOKENS = TokenList(items=[SUMMARY], next_cursor=None, index=INDEX)
TRANSFERS = TransferList(
    items=[
        TransferView(
            from_=None,
            to=WALLET,
            block_number=42,
            block_hash=_BLOCK_HASH,
            log_index=0,
            tx_hash=_TX_HASH,
            timestamp="2026-11-23T01:50:55.000Z",
            finality="pending",
        )
    ],
    next_cursor=None,
    index=INDEX,
)
READY = Readiness(status="ready", checks={"dynamodb": "ok", "sqs": "ok", "jwks": "ok"})
NOT_READY = Readiness(status="not_ready", checks={"dynamodb": "ok", "sqs": "timeout", "jwks": "ok"})
COLLECTION_METADATA = {"name": "Aurora", "symbol": "AUR"}
