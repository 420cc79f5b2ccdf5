"""Users in the Cognito user pool, whose sign-in alias is the verified e-mail address.

Source: AdminCreateUser, AdminGetUser and ListUsers in Amazon Cognito's API reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mintline.aws.errors import error_code, translated
from mintline.errors import Unavailable
from mintline_api.features.users.emails import Email
from mintline_api.features.users.ports import PoolUser

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient
    from types_aiobotocore_cognito_idp.type_defs import AttributeTypeTypeDef

_EXISTS = frozenset({"UsernameExistsException", "AliasExistsException"})
_ABSENT = "UserNotFoundException"


class CognitoUsers:
    """One user pool. `email_verified`: whether the addresses of new users count as verified."""

    def __init__(
        self, cognito: CognitoIdentityProviderClient, *, user_pool_id: str, email_verified: bool
    ) -> None:
        self._cognito = cognito
        self._pool = user_pool_id
        self._email_verified = "true" if email_verified else "false"

    async def by_sub(self, sub: str) -> PoolUser | None:
        """Return the user with this `sub`, which AdminGetUser does not take in a pool with user names."""
        with translated():
            response = await self._cognito.list_users(
                UserPoolId=self._pool, Filter=f'sub = "{_quoted(sub)}"', Limit=1
            )
        for user in response.get("Users", []):
            attributes = _attributes(user.get("Attributes", []))
            if attributes.get("sub") == sub:
                return _user(attributes, user.get("UserCreateDate"))
        return None

    async def by_address(self, email: Email) -> PoolUser | None:
        """Return the user whose alias the address is.

        A pool without aliases takes it for a user name, which says nothing about who reads that mailbox.
        """
        attributes, created = await self._get(email.address)
        # The pool may compare without regard to case.
        same = attributes.get("email", "").lower() == email.address.lower()
        verified = attributes.get("email_verified", "").lower() == "true"
        return _user(attributes, created) if same and verified else None

    async def by_name(self, email: Email) -> PoolUser | None:
        attributes, created = await self._get(email.name)
        return _user(attributes, created) if attributes else None

    async def create(self, email: Email) -> PoolUser | None:
        """Make the user of an address; the password that Cognito makes up is known to nobody."""
        try:
            with translated():
                response = await self._cognito.admin_create_user(
                    UserPoolId=self._pool,
                    Username=email.name,
                    UserAttributes=[
                        {"Name": "email", "Value": email.address},
                        {"Name": "email_verified", "Value": self._email_verified},
                    ],
                    MessageAction="SUPPRESS",
                )
        except ClientError as error:
            if error_code(error) in _EXISTS:
                return None
            raise
        user = response["User"]
        return _user(_attributes(user.get("Attributes", [])), user.get("UserCreateDate"))

    async def _get(self, username: str) -> tuple[dict[str, str], datetime | None]:
        """Return a user's attributes and when they were made; no attributes if there is no such user."""
        try:
            with translated():
                user = await self._cognito.admin_get_user(UserPoolId=self._pool, Username=username)
        except ClientError as error:
            if error_code(error) == _ABSENT:
                return {}, None
            raise
        return _attributes(user.get("UserAttributes", [])), user.get("UserCreateDate")


def _attributes(listed: Iterable[AttributeTypeTypeDef]) -> dict[str, str]:
    return {attribute["Name"]: attribute.get("Value", "") for attribute in listed}


def _user(attributes: dict[str, str], created: datetime | None) -> PoolUser:
    if "sub" not in attributes or created is None:
        raise Unavailable("the user pool answered with a user without `sub` or creation date")
    return PoolUser(sub=attributes["sub"], created_at=int(created.timestamp() * 1000))


def _quoted(value: str) -> str:
    """Return a value as a filter's text has it: quotation marks are escaped by a backslash."""
    return value.replace("\\", "\\\\").replace('"', '\\"')
