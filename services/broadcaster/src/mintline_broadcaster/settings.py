"""The broadcaster's settings."""

from __future__ import annotations

from pydantic import Field

from mintline.chain.settings import ChainSettings
from mintline.fields import Wei

GWEI = 10**9


class BroadcasterSettings(ChainSettings):
    """Read from `MINTLINE_…`; see README.md."""

    fee_cap: Wei = 500 * GWEI
    """The most that a replacement may offer, in wei per gas; not above the enclave's policy."""
    priority_fee_cap: Wei = 50 * GWEI
    """The same for the priority fee."""
    concurrency: int = Field(default=256, ge=1)
    """Messages in handling at a time."""
