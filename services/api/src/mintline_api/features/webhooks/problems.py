"""Problems of webhooks."""

from __future__ import annotations

from mintline.webhooks.records import PENDING_TESTS, WEBHOOKS_OF_ONE
from mintline_api.http.problems import ProblemType

UNKNOWN_WEBHOOK = ProblemType(
    "unknown-webhook",
    404,
    "Webhook not found",
    "You have no webhook with this id. `GET /v1/webhooks` lists yours.",
)
WEBHOOK_URL = ProblemType(
    "webhook-url",
    422,
    "URL cannot be a webhook's",
    "Send a URL that begins with https://, with a host on the public Internet, without user, password and "
    "fragment, and with port 443 or one from 1024 on.",
)
TOO_MANY_WEBHOOKS = ProblemType(
    "too-many-webhooks",
    409,
    "Too many webhooks",
    f"You may have {WEBHOOKS_OF_ONE} webhooks. Delete one, or have one deliver more types of events.",
)
WEBHOOK_DISABLED = ProblemType(
    "webhook-disabled",
    409,
    "Webhook disabled",
    'Nothing is sent to a webhook that is disabled. Enable it first, by `PATCH` with `"status": "enabled"`.',
)
TESTS_PENDING = ProblemType(
    "webhook-tests-pending",
    409,
    "Tests not sent yet",
    f"{PENDING_TESTS} test events of this webhook are not in the event log yet. Repeat in a few seconds.",
)
