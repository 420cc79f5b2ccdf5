"""The broadcaster's settings."""

from __future__ import annotations

from pydantic import Field

from mintline.chain.settings import GasSettings
from mintline.eth import GWEI
from mintline.fields import Wei
from mintline.messages.parts import KeyRef
from mintline_broadcaster.config import BroadcasterConfig, Patience
from mintline_broadcaster.fees import FeeCaps


class BroadcasterSettings(GasSettings):
    """Read from `MINTLINE_…`; see README.md."""

    issuer: KeyRef
    """The key that signs vouchers: a self-custody mint takes no other's signature."""
    fee_cap: Wei = 500 * GWEI
    """The most that a replacement may offer, in wei per gas; not above the enclave's policy."""
    priority_fee_cap: Wei = 50 * GWEI
    """The same for the priority fee."""
    sweep_interval: float = Field(default=15.0, gt=0)
    """Seconds between two passes over what is open; four times as many while nothing is."""
    stage_deadline: float = Field(default=60.0, gt=0)
    """Seconds for which a mint may be accepted or built before it is sent on again."""
    look_after: float = Field(default=20.0, gt=0)
    """Seconds for which a transaction that is not mined is left alone."""
    replace_after: int = Field(default=5, ge=1)
    """Blocks after which the first missing transaction of a sender is replaced at higher fees."""
    concurrency: int = Field(default=256, ge=1)
    """Messages in handling at a time."""

    def config(self) -> BroadcasterConfig:
        """Return the configuration of the broadcaster."""
        return BroadcasterConfig(
            chain_id=self.chain_id,
            issuer=self.issuer.address,
            caps=FeeCaps(self.fee_cap, self.priority_fee_cap),
            transfer_gas=self.gas_bounds()["max_transfer_gas"],
            patience=Patience(self.look_after, self.replace_after, self.stage_deadline),
            sweep_interval=self.sweep_interval,
        )
