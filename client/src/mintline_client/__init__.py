"""A client of Mintline's API: `AsyncMintline`, `Mintline` without an event loop, `verify_webhook`."""

from mintline_client.aio import AsyncMintline
from mintline_client.api import Retries
from mintline_client.errors import (
    Conflicting,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    Refused,
    TryLater,
    Unauthenticated,
)
from mintline_client.sync import Mintline
from mintline_client.webhooks import verify_webhook

__all__ = [
    "AsyncMintline",
    "Conflicting",
    "Fault",
    "Forbidden",
    "Invalid",
    "Mintline",
    "NotFound",
    "Problem",
    "Refused",
    "Retries",
    "TryLater",
    "Unauthenticated",
    "verify_webhook",
]
