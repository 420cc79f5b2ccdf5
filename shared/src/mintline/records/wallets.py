"""Wallets in custody, and the users' own that are linked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mintline.fields import Address, HexBytes
from mintline.frozen import Frozen
from mintline.messages.parts import KeyRef

WALLET_CACHE_SECONDS = 60
"""How long the api may go on with a wallet as it was."""


class Wallet(Frozen):
    """A user's key in custody: its address, and where its wrapped private half is stored."""

    wallet_id: str
    sub: str
    chain_id: int
    address: Address
    secret_id: str
    ready: bool
    """False until the wrapped key is in its store; `wrapped` holds it meanwhile."""
    wrapped: HexBytes | None = Field(default=None, repr=False)
    kms_key: str | None = None
    """The ARN of the KMS key that wrapped it; on record only as long as `wrapped` is."""
    created_at: int
    previous_secret_id: str | None = None
    """Where the wrapped key was before it was moved to another store: that copy is still there."""
    moved_at: int | None = None
    deletes_at: int | None = None
    """When the key is destroyed: from the moment that this is set, nothing is minted with it."""
    reassigned_to: str | None = None
    """The `sub` that has the address now, or is being given it: nothing is minted with this record's key."""
    reassigned_from: str | None = None
    """The `sub` that had the address before."""

    def key(self) -> KeyRef:
        """Return the reference by which messages name this key."""
        return KeyRef(
            address=self.address, subject=self.sub, chain_id=self.chain_id, secret_id=self.secret_id
        )


class Link(Frozen):
    """A user's own wallet, which proved itself; one address has one user at a time."""

    link_id: str
    """`{chain_id}#{address}`: the key, so the lock too."""
    sub: str
    chain_id: int
    address: Address
    kind: Literal["account", "contract"]
    """A contract proves itself by EIP-1271, and sends no transaction of its own."""
    nonce: str
    """The challenge that it answered."""
    linked_at: int


class Challenge(Frozen):
    """What a wallet has to sign to be linked; good for one link."""

    nonce: str
    sub: str
    expires: int
    """Unix seconds. The table deletes the item some time later, so the write checks this."""
