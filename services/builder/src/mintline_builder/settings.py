"""What the builder reads from its environment."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from mintline.authorizations import KEPT
from mintline.chain.answers import MIN_TIP
from mintline.chain.gas import TRANSACTION_GAS_CAP, GasBound
from mintline.chain.settings import GasSettings
from mintline.eth import GWEI
from mintline.fields import Wei
from mintline.key_subjects import MAX_RELAYERS
from mintline.messages.parts import KeyRef
from mintline_builder.config import BuilderConfig
from mintline_builder.fees import FeePolicy
from mintline_builder.funding_policy import Refill, TopUpPolicy


class Settings(GasSettings):
    """Fees are in wei per gas, times in seconds."""

    issuer: KeyRef
    """The key that signs vouchers."""
    treasury: KeyRef
    """The key that pays for top-ups."""
    relayers: tuple[KeyRef, ...] = Field(default=(), max_length=MAX_RELAYERS)
    """The keys that send sponsored mints and pay for them; without any they wait."""
    relayer: KeyRef | None = None
    """The one such key, as earlier versions named it; read if `relayers` is not set."""
    relayer_min_balance: Wei = 0
    """The treasury tops a relayer up that holds less than this, in wei."""
    relayer_target_balance: Wei = 0
    """What it then holds, in wei; 0: relayers get no top-ups, as with a policy document that allows none."""
    top_up_mints: int = Field(default=20, ge=1, le=1000)
    """How many mints' gas a top-up brings, at the fees of that moment."""
    max_top_up_mints: int = Field(default=200, ge=1)
    """The same at most, for a wallet that needs the next top-up within a minute of the last."""
    max_top_up: Wei = 10**18
    """The most that one top-up brings, in wei; within what the enclave's policy allows."""
    user_gas_budget: Wei = 10**19
    """What top-ups bring one wallet in a UTC day, in wei; its mints wait for the next day then."""
    max_transaction_cost: Wei = 5 * 10**17
    """The most that one transaction of a wallet may ask a top-up for, in wei; the enclave's policy has the
    same."""
    voucher_ttl: int = Field(default=24 * 3600, ge=600)
    """How long a voucher may be redeemed."""
    max_wait: int = Field(default=24 * 3600, ge=0, le=KEPT)
    """How long a mint may wait for what somebody has to act on, such as a paused collection; then it is
    rejected. Within the enclave's `grace`, or the user's token has expired by then."""
    max_chain_skew: int = Field(default=12 * 3600, ge=60)
    """How far the chain's time may be from this host's; with `voucher_ttl`, within the enclave's
    `max_voucher_ttl`. Mints wait while it is farther."""
    max_gas: int = Field(default=1_000_000, gt=0)
    """The highest gas limit of a mint; within what the enclave's policy allows."""
    max_deploy_gas: int = Field(default=8_000_000, gt=0)
    """The highest gas limit of a collection's deployment; within what the enclave's policy allows."""
    max_recipient_gas: int = Field(default=200_000, ge=0)
    """What the code of a recipient may use of it, on top of a mint to an address without code."""
    max_batch: int = Field(default=250, ge=1, le=500)
    """The most mints in one batch; within what the enclave's policy allows."""
    batch_wait: float = Field(default=0.5, ge=0, le=10)
    """Seconds for which the first mint of a batch waits for others."""
    max_batch_gas: int = Field(default=TRANSACTION_GAS_CAP, gt=0)
    """The highest gas limit of a batch; within what the enclave's policy allows, and the chain's blocks."""
    min_priority_fee: int = Field(default=MIN_TIP, ge=0)
    max_priority_fee: int = Field(default=5 * GWEI, ge=0)
    max_fee: int = Field(default=200 * GWEI, gt=0)
    """Mints wait while the base fee asks for more."""
    concurrency: int = Field(default=768, ge=1, le=4096)
    """Messages handled at a time."""

    @model_validator(mode="after")
    def _relayers_make_sense(self) -> Self:
        if len({key.address for key in self.relayers}) < len(self.relayers):
            raise ValueError("relayers: an address must not be named twice")
        if self.relayer_min_balance > self.relayer_target_balance:
            raise ValueError("relayer_min_balance must not be above relayer_target_balance")
        return self

    @property
    def pool(self) -> tuple[KeyRef, ...]:
        """The relayers, by whichever name."""
        return self.relayers or ((self.relayer,) if self.relayer is not None else ())

    def gas_bounds(self) -> dict[str, GasBound]:
        """Return the bounds of this service by the names of their settings."""
        own = {
            "max_gas": self.max_gas,
            "max_deploy_gas": self.max_deploy_gas,
            "max_batch_gas": self.max_batch_gas,
        }
        return {**super().gas_bounds(), **{name: self.bound(name, most) for name, most in own.items()}}

    def config(self) -> BuilderConfig:
        """Return what the builder goes by."""
        bounds = self.gas_bounds()
        return BuilderConfig(
            chain_id=self.chain_id,
            issuer=self.issuer,
            voucher_ttl=self.voucher_ttl,
            max_wait=self.max_wait,
            max_chain_skew=self.max_chain_skew,
            treasury=self.treasury,
            relayers=self.pool,
            refill=Refill(below=self.relayer_min_balance, target=self.relayer_target_balance),
            top_ups=TopUpPolicy(
                mints=self.top_up_mints,
                max_mints=self.max_top_up_mints,
                max_value=self.max_top_up,
                max_cost=self.max_transaction_cost,
                day_budget=self.user_gas_budget,
            ),
            fees=FeePolicy(
                min_priority_fee=self.min_priority_fee,
                max_priority_fee=self.max_priority_fee,
                max_fee=self.max_fee,
            ),
            mint_gas=bounds["max_gas"],
            deploy_gas=bounds["max_deploy_gas"],
            transfer_gas=bounds["max_transfer_gas"],
            recipient_gas=self.max_recipient_gas,
            max_batch=self.max_batch,
            batch_wait=self.batch_wait,
            batch_gas=bounds["max_batch_gas"],
        )
