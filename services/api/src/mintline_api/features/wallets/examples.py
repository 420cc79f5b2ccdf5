"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline_api.features.examples import WALLET
from mintline_api.features.wallets.models import WalletView

USER_WALLET = WalletView(
    address=WALLET, chain_id=31337, created_at="2026-11-23T01:50:54.001Z", deletes_at=None
)
