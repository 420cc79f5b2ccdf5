"""The broadcaster's settings."""

from __future__ import annotations

from pydantic import Field, SecretStr

from mintline.fields import Wei
from mintline.settings import ServiceSettings

GWEI = 10**9


class BroadcasterSettings(ServiceSettings):
    """Read from `MINTLINE_…`; see README.md."""

    chain_id: int = Field(gt=0)
    rpc_urls: tuple[SecretStr, ...] = Field(min_length=1)
    """The chain's nodes in order of preference; secret, since providers put API keys into them."""
    rpc_timeout: float = Field(default=10.0, gt=0)
    """Seconds for one exchange with a node."""
    fee_cap: Wei = 500 * GWEI
    """The most that a replacement may offer, in wei per gas; not above the enclave's policy."""
    priority_fee_cap: Wei = 50 * GWEI
    """The same for the priority fee."""
    concurrency: int = Field(default=256, ge=1)
    """Messages in handling at a time."""
