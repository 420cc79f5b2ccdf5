"""What clients get of wallets in custody."""

from __future__ import annotations

from mintline.views.wallets import WalletView, wallet_view

__all__ = [
    "WalletView",
    "wallet_view",
]
