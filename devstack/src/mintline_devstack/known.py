"""What a local stack's first start made, as its state folder remembers it for every later one."""

from __future__ import annotations

import secrets
from typing import Any

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_serializer

from mintline.fields import Address
from mintline.frozen import Frozen
from mintline.messages.parts import KeyRef
from mintline_devstack.run_marker import RunMark
from mintline_devstack.state_folder import StateFolder
from mintline_ops.platform_keys import AuthorizationKeyRef
from mintline_ops.run_file import corrupt, read_json


class UserPool(Frozen):
    """The Cognito pool, its app client and its demo user."""

    user_pool_id: str
    client_id: str
    username: str
    password: str


class DemoClient(Frozen):
    """The machine client of the local stack: what a company's backend would have."""

    client_id: str
    secret: str


class Operator(Frozen):
    """A person of the group of operators, and the app client by which they sign in."""

    client_id: str
    username: str
    password: str


class KnownFactory(Frozen):
    """The factory of collections, and the code of its collections."""

    address: Address
    implementation: Address
    multi_token: Address | None = None
    """The code of its ERC-1155 collections. None only while it is being made, as in an earlier state."""


class Known(Frozen):
    """What the first start made."""

    version: int = 1
    pool: UserPool
    issuer: KeyRef
    treasury: KeyRef
    relayer: KeyRef | None = None
    """The first relayer. None only while it is being made, as in the state of an earlier version."""
    more_relayers: tuple[KeyRef, ...] = ()
    """The others."""
    demo_client: DemoClient | None = None
    """None only while it is being made, as in the state of an earlier version."""
    operator: Operator | None = None
    """Likewise."""
    admin: Address
    """Administers the contract; a development account, which the node signs for."""
    contract: Address
    deployed_block: int
    factory: KnownFactory | None = None
    """Of the collections that clients create. None only while it is being made, as in an earlier state."""
    api_url: str
    """What the contract's URIs begin with."""
    cursor_secret: SecretStr = Field(min_length=32)
    """Seals the api's cursors, so that those of an earlier run stay good."""
    email_secret: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_urlsafe(48)), min_length=32
    )
    """Names the users that the api makes for e-mail addresses; new in the state of an earlier version."""
    authorization_key: AuthorizationKeyRef | None = Field(
        default=None, validation_alias=AliasChoices("authorization_key", "sealing")
    )
    """None only while it is being made; `sealing` in the state of an earlier version."""
    wallet_key: str = ""
    """The ARN of the KMS key that wraps new wallets' keys, as of the last start."""
    jwks: dict[str, Any] = Field(default_factory=dict)
    """The pool's signing keys, as they were at the last start."""
    intake_key: str = ""
    """The public half of the intake key, as it was at the last start."""
    last_run: RunMark | None = None

    @property
    def relayers(self) -> tuple[KeyRef, ...]:
        """All relayers."""
        return (*(() if self.relayer is None else (self.relayer,)), *self.more_relayers)

    @field_serializer("cursor_secret", "email_secret", when_used="json")
    def _revealed(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


def load_known(state: StateFolder) -> Known | None:
    """Return what an earlier start remembered, or None; raises Misconfigured when it is damaged."""
    if not state.known.exists():
        return None
    try:
        return Known.model_validate(read_json(state.known))
    except ValidationError as error:
        raise corrupt(state.known, error.errors(include_url=False, include_input=False)[0]["msg"]) from None
