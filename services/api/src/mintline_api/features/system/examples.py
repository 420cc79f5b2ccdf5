"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.admin import readiness_report
from mintline_api.features.system.models import Readiness, SignInView

READY = Readiness(**readiness_report({"dynamodb": "ok", "sqs": "ok", "jwks": "ok"}))
NOT_READY = Readiness(**readiness_report({"dynamodb": "ok", "sqs": "timeout", "jwks": "ok"}))
SIGN_IN = SignInView(
    resource="https://api.example.com",
    authorization_servers=["https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE"],
    scopes_supported=["openid", "mintline/mints:create", "mintline/mints:read"],
    bearer_methods_supported=["header"],
    resource_documentation="https://api.example.com/docs",
    authorization_endpoint="https://example.auth.us-east-1.amazoncognito.com/oauth2/authorize",
    token_endpoint="https://example.auth.us-east-1.amazoncognito.com/oauth2/token",  # noqa: S106 - an address
    client_id="7k2m5q8t1v4x7z0b3d6f9h2j5l",
    user_scopes=["openid", "mintline/mints:create", "mintline/mints:read"],
)
