"""What clients send and get of users."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from mintline.fields import Address
from mintline_api.features.users.emails import MAX_LENGTH
from mintline_api.features.users.use_cases import UserWithWallet
from mintline_api.http.models import Input, Time, View, rfc3339

EmailText = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "format": "email", "maxLength": MAX_LENGTH, "examples": ["ada@example.com"]}
    ),
]
"""An e-mail address as it was sent: `UserDirectory.email` reads it, whose refusal has a type of its own."""
Sub = Annotated[str, Field(pattern=r"^[A-Za-z0-9._|@+-]{1,128}$")]
"""A user's `sub` in the pool; with its colon, none of the platform's own names is one."""


class UserRequest(Input):
    """Whose user and wallet are to be there."""

    email: EmailText = Field(description="The user's e-mail address. Nothing is sent to it.")


class UsersQuery(Input):
    """Which user."""

    email: EmailText = Field(description="The user's e-mail address.")


class UserView(View):
    """A user of the pool. Their address is not shown: the caller knows it."""

    sub: str = Field(description="Names the user permanently; `recipient.user` of a mint.")
    wallet: Address | None = Field(description="Their wallet in custody; null until something needs it.")
    created_at: Time = Field(description="When the user was made in the pool.")


def user_view(account: UserWithWallet) -> UserView:
    """Return the public form of a user."""
    return UserView(sub=account.user.sub, wallet=account.wallet, created_at=rfc3339(account.user.created_at))
