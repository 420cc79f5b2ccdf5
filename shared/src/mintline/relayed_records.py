"""Transfers and burns that the wallet in custody signs (EIP-712) and a relayer sends and pays for."""

from __future__ import annotations

from typing import Literal

from mintline.fields import Address, Quantity
from mintline.messages import Frozen, KeyRef
from mintline.records import TokenOperation


class RelayedTokenOperation(TokenOperation):
    """One that the wallet signs (EIP-712) and a relayer sends, which is the `sender` from its nonce on.

    Of tokens of collections that a factory made: those contracts take their holders' signatures.
    """

    wallet: KeyRef
    """The user's wallet in custody."""
    counter: int | None = None
    """The wallet's `nonces` in the collection, which the signature names: it is good for one call."""
    deadline: int | None = None
    """Unix seconds; the contract refuses the signature after it."""
    quantity: Quantity | None = None
    """How many tokens of an ERC-1155 item, whose id is `token_id`; None for a token of ERC-721."""

    @property
    def holder(self) -> KeyRef:
        """The wallet that signs."""
        return self.wallet


class RelayedTransfer(RelayedTokenOperation):
    """A token is to be sent out of custody (`transferBySignature`)."""

    kind: Literal["relayed_transfer"] = "relayed_transfer"
    to: Address

    @property
    def recipient(self) -> str:
        """Who gets the token."""
        return self.to


class RelayedBurn(RelayedTokenOperation):
    """A token is to be burned (`burnBySignature`)."""

    kind: Literal["relayed_burn"] = "relayed_burn"


class SignatureTurn(Frozen):
    """Whose turn it is among what one wallet signs for one collection: the lock, one at a time.

    A signature names the wallet's counter in the collection, so a second one would have to guess it.
    """

    operation_id: str
    """The operation that had the latest turn; the next one has it once that has ended or is mined."""
    counter: int
    """What that operation's signature names."""


def signature_turn_key(chain_id: int, contract: str, wallet: str) -> str:
    """Return the key of a wallet's turn in a collection, in the table of accounts."""
    return f"{chain_id}#{contract}#{wallet}"
