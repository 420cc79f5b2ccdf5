"""Where access tokens are had, for clients that know the API's address alone."""

from __future__ import annotations

from mintline.scopes import MACHINE_SCOPES, OPENID, USER_SCOPES
from mintline_api.features.system.models import SignInView
from mintline_api.settings import Settings


def sign_in_document(settings: Settings) -> SignInView:
    """Return the protected resource metadata (RFC 9728, section 2), with where people sign in."""
    sign_in = settings.sign_in()
    user_scopes = [OPENID, *(scope.value for scope in USER_SCOPES)]
    machine_scopes = [scope.value for scope in MACHINE_SCOPES]
    return SignInView(
        resource=settings.public_url,
        authorization_servers=[sign_in.issuer],
        scopes_supported=list(dict.fromkeys(user_scopes + machine_scopes)),
        bearer_methods_supported=["header"],
        resource_documentation=f"{settings.public_url}/docs",
        authorization_endpoint=sign_in.authorization_endpoint,
        token_endpoint=sign_in.token_endpoint,
        client_id=sign_in.client_id,
        user_scopes=user_scopes,
    )
