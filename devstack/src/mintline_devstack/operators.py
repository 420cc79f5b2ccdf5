"""The local stack's operator: a user in the group of operators, and the app client by which they sign in."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from mintline.scopes import OPERATOR_SCOPES, OPERATORS
from mintline_devstack.known import Operator

USERNAME = "operator"
CLIENT_NAME = "mintline-operators"


async def ensure_operator(
    cognito: Any, known: Operator | None, *, user_pool_id: str, console: Sequence[str]
) -> Operator:
    """Return the operator, made at the first start and for the state of an earlier version.

    The login page returns to the addresses of `console` alone, which may be others at each start.
    """
    operator = known or await _create(cognito, user_pool_id)
    await cognito.update_user_pool_client(
        UserPoolId=user_pool_id,
        ClientId=operator.client_id,
        ClientName=CLIENT_NAME,
        ExplicitAuthFlows=["ALLOW_REFRESH_TOKEN_AUTH"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=list(OPERATOR_SCOPES),
        SupportedIdentityProviders=["COGNITO"],
        CallbackURLs=list(console),
        LogoutURLs=list(console),
        PreventUserExistenceErrors="ENABLED",
        EnableTokenRevocation=True,
    )
    return operator


async def _create(cognito: Any, user_pool_id: str) -> Operator:
    """Make the group, the user and the app client; a repetition after a crash finds what is there."""
    created = await cognito.create_user_pool_client(UserPoolId=user_pool_id, ClientName=CLIENT_NAME)
    password = f"Aa1-{secrets.token_urlsafe(15)}"
    await _unless_there(cognito.create_group(UserPoolId=user_pool_id, GroupName=OPERATORS))
    await _unless_there(
        cognito.admin_create_user(UserPoolId=user_pool_id, Username=USERNAME, MessageAction="SUPPRESS")
    )
    await cognito.admin_set_user_password(
        UserPoolId=user_pool_id, Username=USERNAME, Password=password, Permanent=True
    )
    await cognito.admin_add_user_to_group(UserPoolId=user_pool_id, Username=USERNAME, GroupName=OPERATORS)
    return Operator(client_id=created["UserPoolClient"]["ClientId"], username=USERNAME, password=password)


async def _unless_there(call: Any) -> None:
    try:
        await call
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("GroupExistsException", "UsernameExistsException"):
            raise
