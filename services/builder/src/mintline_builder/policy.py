"""What a builder goes by."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.messages import KeyRef
from mintline_builder.fees import FeePolicy
from mintline_builder.funds import TopUpPolicy


@dataclass(frozen=True, slots=True)
class Terms:
    """What every mint is built by; `voucher_ttl` is in seconds, `issuer` signs the vouchers."""

    chain_id: int
    issuer: KeyRef
    voucher_ttl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a builder goes by; `gas_margin` is what an estimate gets on top, in percent."""

    terms: Terms
    treasury: KeyRef
    top_ups: TopUpPolicy
    fees: FeePolicy
    gas_margin: int
    max_gas: int
