"""Examples for the OpenAPI document."""

from __future__ import annotations

from datetime import UTC, datetime

from mintline_api.features.examples import WALLET
from mintline_api.features.links.models import (
    ChallengeRequest,
    LinkList,
    LinkRequest,
    LinkView,
    challenge_view,
)
from mintline_api.features.links.siwe import SiweMessage, compose
from mintline_api.features.links.use_cases import LIFETIME, STATEMENT, Challenged

_ISSUED_AT = datetime(2026, 11, 23, 1, 50, 54, 123_000, UTC)
_SIGN_IN = SiweMessage(
    domain="api.example.com",
    address=WALLET,
    uri="https://api.example.com",
    chain_id=31337,
    nonce="3f1c9a7be04d4b0f8f6a5d2c1e0b9a87",
    issued_at=_ISSUED_AT,
    expires_at=_ISSUED_AT + LIFETIME,
    statement=STATEMENT,
)
CHALLENGE_REQUEST_JSON = ChallengeRequest(address=WALLET).model_dump(mode="json", exclude_none=True)
CHALLENGE = challenge_view(Challenged(_SIGN_IN, compose(_SIGN_IN)))
LINK_REQUEST_JSON = LinkRequest(
    message=CHALLENGE.message,
    signature=bytes.fromhex("f2" * 32 + "5e" * 32 + "1b"),
).model_dump(mode="json")
LINK = LinkView(address=WALLET, chain_id=31337, kind="account", linked_at="2026-11-23T01:51:20.456Z")
LINKS = LinkList(items=[LINK])
