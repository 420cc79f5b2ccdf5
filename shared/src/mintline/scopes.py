"""OAuth scopes: what an access token lets its holder do.

Source: RFC 6749, section 3.3; "Scopes, M2M, and resource servers" in Amazon Cognito's developer guide.
"""

from __future__ import annotations

from enum import StrEnum

RESOURCE_SERVER = "mintline"
"""The identifier of the pool's resource server, with which every scope of ours begins."""
OPENID = "openid"
"""Lets the API ask the user pool whether a token still counts (`/oauth2/userInfo`)."""
OPERATORS = "operators"
"""The group of the user pool whose members may act as a machine client, by an app client that is for them."""
ACCOUNT_ADMIN = "aws.cognito.signin.user.admin"
"""Lets its holder change the user's password, attributes and second factor, or delete the user. Cognito gives
it to those who sign in directly, and to no client that does not list it. No token with it is accepted."""


class Scope(StrEnum):
    """A scope of the resource server, as tokens carry it."""

    MINTS_CREATE = f"{RESOURCE_SERVER}/mints:create"
    MINTS_READ = f"{RESOURCE_SERVER}/mints:read"
    WALLETS_MANAGE = f"{RESOURCE_SERVER}/wallets:manage"
    TOKENS_READ = f"{RESOURCE_SERVER}/tokens:read"
    TOKENS_TRANSFER = f"{RESOURCE_SERVER}/tokens:transfer"
    USERS_READ = f"{RESOURCE_SERVER}/users:read"
    USERS_WRITE = f"{RESOURCE_SERVER}/users:write"
    COLLECTIONS_WRITE = f"{RESOURCE_SERVER}/collections:write"
    WEBHOOKS_WRITE = f"{RESOURCE_SERVER}/webhooks:write"
    ADMIN = f"{RESOURCE_SERVER}/admin"

    @property
    def short(self) -> str:
        """Return the scope's name within the resource server."""
        return self.value.removeprefix(f"{RESOURCE_SERVER}/")


DESCRIPTIONS: dict[Scope, str] = {
    Scope.MINTS_CREATE: "Ask for mints, submit their signed transactions, and cancel them.",
    Scope.MINTS_READ: "Read the user's own mints.",
    Scope.WALLETS_MANAGE: "Read the user's wallet, and link and unlink wallets of their own.",
    Scope.TOKENS_READ: "Read tokens, owners and transfers.",
    Scope.TOKENS_TRANSFER: "Transfer and burn tokens of the user's wallet in custody.",
    Scope.USERS_READ: "Find users by e-mail address, and read their wallets' addresses.",
    Scope.USERS_WRITE: "Create users and their wallets.",
    Scope.COLLECTIONS_WRITE: "Create collections, and change those that it created.",
    Scope.WEBHOOKS_WRITE: "Read, create, change and replay webhooks.",
    Scope.ADMIN: "Manage machine clients and their budgets.",
}
USER_SCOPES = (
    Scope.MINTS_CREATE,
    Scope.MINTS_READ,
    Scope.WALLETS_MANAGE,
    Scope.TOKENS_READ,
    Scope.TOKENS_TRANSFER,
)
"""What a user's token may be given for."""
MACHINE_SCOPES = (
    Scope.MINTS_CREATE,
    Scope.MINTS_READ,
    Scope.TOKENS_READ,
    Scope.USERS_READ,
    Scope.USERS_WRITE,
    Scope.COLLECTIONS_WRITE,
    Scope.WEBHOOKS_WRITE,
    Scope.ADMIN,
)
"""What a machine client's token may be given for."""
OPERATOR_SCOPES: tuple[str, ...] = (OPENID, *MACHINE_SCOPES)
"""What an operator signs in with."""
SIGN_IN_SCOPES: tuple[str, ...] = (OPENID, *USER_SCOPES)
"""What a user signs in with."""
