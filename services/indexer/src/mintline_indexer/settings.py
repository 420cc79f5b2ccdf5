"""The indexer's settings."""

from __future__ import annotations

from pydantic import Field

from mintline.chain.settings import ChainSettings


class IndexerSettings(ChainSettings):
    """Read from `MINTLINE_…`; see README.md."""

    poll_interval: float = Field(default=0.5, gt=0)
    """Seconds between two looks at the chain's head."""
    takeover_after: float = Field(default=15.0, gt=1)
    """Seconds of a silent checkpoint after which a standby becomes the writer."""
    instance: str | None = Field(default=None, min_length=1, max_length=128)
    """Names this copy across restarts, so that it need not wait for itself; None makes up a name."""
    backfill_range: int = Field(default=2_000, gt=0)
    """The most blocks whose events are asked for at once; halved when the node refuses."""
    backfill_whole_blocks: int = Field(default=5_000, ge=0)
    """How many of the newest final blocks a backfill reads whole, to notice mints that reverted."""
