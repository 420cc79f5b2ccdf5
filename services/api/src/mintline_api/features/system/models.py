"""Health and readiness, as clients get them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mintline_api.http.models import View


class Health(View):
    """Liveness."""

    status: Literal["ok"]


class Readiness(View):
    """Each dependency, `ok` or what is wrong with it; `missing` names those that are not `ok`."""

    status: Literal["ready", "not_ready"]
    missing: list[str]
    checks: dict[str, str]


class SignInView(View):
    """Where access tokens are had: the protected resource metadata of RFC 9728, and what Mintline adds."""

    resource: str = Field(description="This API.")
    authorization_servers: list[str] = Field(description="The user pool's issuer.")
    scopes_supported: list[str]
    bearer_methods_supported: list[Literal["header"]]
    resource_documentation: str
    authorization_endpoint: str = Field(
        description="Where users sign in, by the authorization code flow with PKCE."
    )
    token_endpoint: str = Field(description="Where codes and client credentials are exchanged for tokens.")
    client_id: str = Field(description="The public client by which users sign in; it has no secret.")
    user_scopes: list[str] = Field(description="What a user's token can be given for.")
