"""What clients get of wallets in custody."""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Address
from mintline.records import Wallet
from mintline_api.http.models import Time, View, rfc3339, rfc3339_or_none


class WalletView(View):
    """The caller's wallet in custody."""

    address: Address
    chain_id: int
    created_at: Time
    deletes_at: Time | None = Field(
        description="When the wallet's key is destroyed, if it is to be: nothing is minted with it any more."
    )


def wallet_view(wallet: Wallet) -> WalletView:
    """Return the public form of a wallet."""
    return WalletView(
        address=wallet.address,
        chain_id=wallet.chain_id,
        created_at=rfc3339(wallet.created_at),
        deletes_at=rfc3339_or_none(wallet.deletes_at),
    )
