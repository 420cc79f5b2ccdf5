"""The broadcaster's configuration, from its settings."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.chain.gas import GasBound
from mintline_broadcaster.fees import FeeCaps


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a record that does not move is left alone, in seconds and in blocks."""

    check_after: float
    """Seconds after which a transaction that is not mined is sent again, and again."""
    replace_after: int
    """Blocks after which the first missing one is replaced at higher fees."""
    stage_deadline: float
    """Seconds for which a mint may be accepted or built, and the transactions behind a gap wait."""

    @property
    def check_milliseconds(self) -> int:
        """The first in milliseconds."""
        return int(self.check_after * 1000)

    @property
    def stage_milliseconds(self) -> int:
        """The last in milliseconds."""
        return int(self.stage_deadline * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcasterConfig:
    """A broadcaster's configuration: `issuer` signs vouchers, `transfer_gas` bounds the gas of no-ops."""

    chain_id: int
    issuer: str
    caps: FeeCaps
    transfer_gas: GasBound
    patience: Patience
    sweep_interval: float
    """Seconds between two passes over what is open; four times as many while nothing is."""
