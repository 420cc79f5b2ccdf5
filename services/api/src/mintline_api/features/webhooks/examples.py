"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.views.webhooks import attempt_view, created_webhook_view, webhook_view
from mintline.webhooks.records import Attempt, EncryptedSecret, Webhook, WebhookProgress
from mintline_api.features.examples import CURSOR
from mintline_api.features.webhooks.models import (
    AttemptList,
    ReplayRequest,
    TestView,
    WebhookChange,
    WebhookList,
    WebhookRequest,
)

WEBHOOK_ID = "wh_5d1f0a6be7c94d2f8a3b6c1e9f402d7a"
EVENT_ID = "evt_0c9f6a3ee54b4d0b8f4e1a2b3c4d5e6f"
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105 - an example
_POSITION = "0000000042003"
_WEBHOOK = Webhook(
    webhook_id=WEBHOOK_ID,
    principal="3n4b5urk1ft4fl3mg5e62d9ado",
    url="https://shop.example.com/mintline",
    types=("mint.finalized", "mint.rejected"),
    description="orders",
    secrets=(
        EncryptedSecret(
            sealed=b"",
            public_key="whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            created_at=1_795_398_654_123,
        ),
    ),
    created_at=1_795_398_654_123,
    updated_at=1_795_398_654_123,
)
_ATTEMPT = Attempt(
    webhook_id=WEBHOOK_ID,
    event_id=EVENT_ID,
    event_type="mint.finalized",
    at=1_795_398_660_456,
    number=1,
    status_code=204,
    latency_ms=38,
)
WEBHOOK_REQUEST_JSON = WebhookRequest(
    url=_WEBHOOK.url, types=["mint.finalized", "mint.rejected"], description="orders"
).model_dump(mode="json", exclude_none=True)
CHANGE_JSON = WebhookChange(status="enabled").model_dump(mode="json", exclude_none=True)
REPLAY_JSON = ReplayRequest(after=_POSITION).model_dump(mode="json")
WEBHOOK = webhook_view(_WEBHOOK, WebhookProgress(webhook_id=WEBHOOK_ID, cursor=_POSITION))
CREATED = created_webhook_view(_WEBHOOK, _SECRET)
WEBHOOKS = WebhookList(items=[WEBHOOK])
TEST = TestView(event_id=EVENT_ID)
ATTEMPTS = AttemptList(items=[attempt_view(_ATTEMPT)], next_cursor=CURSOR)
