"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.states import MintStatus
from mintline_api.features.bulk.models import BulkRequest, BulkView, LineRequest, bulk_view
from mintline_api.features.bulk.records import BulkRecord
from mintline_api.features.examples import CONTRACT, RECIPIENT
from mintline_api.features.metadata.examples import METADATA
from mintline_api.features.mints.models import RecipientRequest
from mintline_api.features.uploads.models import MetadataRequest

REQUEST_ID = "bulk_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
_CONTENT = MetadataRequest(**METADATA.model_dump())
BULK_REQUEST = BulkRequest(
    mints=[
        LineRequest(
            recipient=RecipientRequest(email="alice@example.com"), metadata=_CONTENT, external_id="order-1001"
        ),
        LineRequest(recipient=RecipientRequest(address=RECIPIENT), metadata=_CONTENT, tags=["spring"]),
    ]
)
BULK_REQUEST_JSON = BULK_REQUEST.model_dump(mode="json", exclude_none=True)
_RECORD = BulkRecord(
    request_id=REQUEST_ID,
    asked_by="shop",
    contract=CONTRACT,
    count=2,
    request_digest="",
    created_at=1_795_398_654_123,
)
ACCEPTED: BulkView = bulk_view(_RECORD, {MintStatus.ACCEPTED: 2})
MINED: BulkView = bulk_view(_RECORD, {MintStatus.SUBMITTED: 1, MintStatus.MINED: 1})
