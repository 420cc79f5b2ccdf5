"""What a holder signs and a relayer carries, for a token of ERC-721 or for tokens of an ERC-1155 item.

One place tells the two apart: `quantity` is None for ERC-721.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mintline.holder_signatures import (
    burn_by_signature_calldata,
    burn_hash,
    transfer_by_signature_calldata,
    transfer_hash,
)
from mintline.item_calls import burn_item_calldata, item_burn_hash, item_transfer_hash, transfer_item_calldata


class HolderCall(NamedTuple):
    """A transfer, or a burn if `to` is None."""

    holder: str
    to: str | None
    token_id: int
    """In an ERC-1155 collection, the item's."""
    quantity: int | None
    counter: int
    """The holder's `nonces` in the collection."""
    deadline: int
    """Unix seconds."""

    def typed_data(self, *, chain_id: int, contract: str) -> bytes:
        """Return the EIP-712 digest that the holder signs, 32 bytes."""
        return self._form().digest(chain_id=chain_id, contract=contract, **self._given())

    def calldata(self, signature: bytes) -> bytes:
        """Return the calldata of the call that carries the signature, 65 bytes."""
        return self._form().calldata(signature=signature, **self._given())

    def _form(self) -> _Form:
        return _FORMS[self.to is None, self.quantity is not None]

    def _given(self) -> dict[str, Any]:
        """Return what is given of the fields: a burn has no `to`, and a token of ERC-721 no `quantity`."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class _Form(NamedTuple):
    """What is signed, and the call that carries the signature."""

    digest: Callable[..., bytes]
    calldata: Callable[..., bytes]


_FORMS = {
    (False, False): _Form(transfer_hash, transfer_by_signature_calldata),
    (True, False): _Form(burn_hash, burn_by_signature_calldata),
    (False, True): _Form(item_transfer_hash, transfer_item_calldata),
    (True, True): _Form(item_burn_hash, burn_item_calldata),
}
"""By whether it is a burn, and whether it is of tokens of an item."""
