"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline_api.features.examples import WALLET
from mintline_api.features.users.models import UserRequest, UserView

USER_REQUEST_JSON = UserRequest(email="ada@example.com").model_dump(mode="json")
USER = UserView(
    sub="9f1a7c1e-4b0d-4a55-8f0e-2d4c5a1b7e36", wallet=WALLET, created_at="2026-11-23T01:50:54.001Z"
)
