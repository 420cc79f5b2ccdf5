"""What clients send to move or burn a token in custody."""

from __future__ import annotations

from mintline.fields import Address, TokenId
from mintline_api.http.models import Input


class BurnRequest(Input):
    """Which token of the wallet in custody to burn."""

    contract: Address | None = None
    """The collection; this deployment's default if absent."""
    token_id: TokenId


class TransferRequest(BurnRequest):
    """Which token of the wallet in custody to send, and where to."""

    to: Address
