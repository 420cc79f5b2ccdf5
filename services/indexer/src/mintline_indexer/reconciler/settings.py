"""What the reconciler reads from its environment."""

from __future__ import annotations

from pydantic import Field

from mintline.chain.settings import ChainSettings


class ReconcilerSettings(ChainSettings):
    """`MINTLINE_RECONCILE_EVERY` sets `reconcile_every`, and so on."""

    reconcile_every: float = Field(default=0.0, ge=0)
    """Seconds from one pass to the next; 0 makes one pass and ends."""
    reconcile_blocks: int = Field(default=1_000, ge=1, le=100_000)
    """How many of the newest final blocks the first pass checks; later ones begin no later than it ended."""
    reconcile_patience: float = Field(default=900.0, ge=0)
    """Seconds for which a mint may stay in one status before it is `stuck`."""
