"""The builder's configuration, from its settings."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.chain.gas import TRANSACTION_GAS_CAP, GasBound
from mintline.messages.parts import KeyRef
from mintline_builder.fees import FeePolicy
from mintline_builder.funding_policy import NO_REFILL, Refill, TopUpPolicy

DEPLOY_GAS = GasBound("MINTLINE_MAX_DEPLOY_GAS", 8_000_000)
BATCH_GAS = GasBound("MINTLINE_MAX_BATCH_GAS", TRANSACTION_GAS_CAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderConfig:
    """A builder's configuration. Times are in seconds.

    `issuer` signs the vouchers. `mint_gas` bounds the gas limit of a mint, `transfer_gas` that of a top-up;
    `recipient_gas` is how much gas a recipient's own code may use of what the platform pays for.
    """

    chain_id: int
    issuer: KeyRef
    voucher_ttl: int
    max_wait: int = 24 * 3600
    """How long a mint may wait for somebody to act, from its acceptance."""
    max_chain_skew: int = 12 * 3600
    """How far the chain's clock may be from ours, by which the enclave judges deadlines: it has no chain."""
    treasury: KeyRef
    relayers: tuple[KeyRef, ...] = ()
    """Send the batches of sponsored mints; without any they wait."""
    refill: Refill = NO_REFILL
    top_ups: TopUpPolicy
    fees: FeePolicy
    mint_gas: GasBound
    transfer_gas: GasBound
    recipient_gas: int
    max_batch: int = 100
    """Mints in one batch at most."""
    batch_wait: float = 0.2
    """Seconds for which the first mint of a batch waits for others."""
    deploy_gas: GasBound = DEPLOY_GAS
    """Bounds the gas limit of a collection's deployment."""
    batch_gas: GasBound = BATCH_GAS
    """Bounds the gas limit of a batch; what it may cost is what any transaction may."""
