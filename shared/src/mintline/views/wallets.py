"""The public forms of wallets: those in custody, and users' own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mintline.fields import Address
from mintline.records.wallets import Link, Wallet
from mintline.views.base import Time, View, rfc3339, rfc3339_or_none


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


class LinkView(View):
    """A wallet of the caller's own."""

    address: Address
    chain_id: int
    kind: Literal["account", "contract"] = Field(description="`contract` for one that signs by EIP-1271.")
    linked_at: Time


def link_view(link: Link) -> LinkView:
    """Return the public form of a link."""
    return LinkView(
        address=link.address, chain_id=link.chain_id, kind=link.kind, linked_at=rfc3339(link.linked_at)
    )
