"""What clients get of their own wallets: links, and the challenges that lead to them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mintline.fields import Address, HexBytes
from mintline.views.wallets import LinkView, link_view
from mintline_api.features.links.use_cases import Challenged
from mintline_api.http.models import Input, Time, View, rfc3339

__all__ = [
    "ChallengeRequest",
    "ChallengeView",
    "LinkList",
    "LinkRequest",
    "LinkView",
    "WalletPath",
    "challenge_view",
    "link_view",
]


class ChallengeView(View):
    """What a wallet has to sign to be linked."""

    message: str = Field(description="The text to sign, as it is (EIP-4361).")
    domain: str
    address: Address
    uri: str
    chain_id: int
    nonce: str
    issued_at: Time
    expires_at: Time


def challenge_view(challenged: Challenged) -> ChallengeView:
    """Return the public form of a challenge."""
    message = challenged.message
    assert message.expires_at is not None
    return ChallengeView(
        message=challenged.text,
        domain=message.domain,
        address=message.address,
        uri=message.uri,
        chain_id=message.chain_id,
        nonce=message.nonce,
        issued_at=rfc3339(int(message.issued_at.timestamp() * 1000)),
        expires_at=rfc3339(int(message.expires_at.timestamp() * 1000)),
    )


class LinkList(View):
    """The caller's own wallets, oldest first."""

    items: list[LinkView]


class ChallengeRequest(Input):
    """Which wallet to link, and where its user is asked to sign."""

    address: Address
    domain: Annotated[str, Field(max_length=255)] | None = Field(
        default=None, description="The site that asks, as the browser names it; this API's own if absent."
    )


class LinkRequest(Input):
    """A challenge, signed."""

    message: str = Field(max_length=4096, description="The text that was signed: EIP-4361.")
    signature: Annotated[HexBytes, Field(max_length=16_384)] = Field(
        description="By `personal_sign`: 65 bytes of an account, up to 16 KB of a contract wallet."
    )


class WalletPath(Input):
    """Names a linked wallet."""

    address: Address = Field(description="The wallet's address.")
