"""What a holder signs and a relayer carries, for a token of ERC-721 or for tokens of an ERC-1155 item.

One place tells the two apart: `quantity` is None for ERC-721.
"""

from __future__ import annotations

from typing import NamedTuple

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
        place = (chain_id, contract)
        if self.to is None:
            return self._burn_hash(*place)
        return self._transfer_hash(self.to, *place)

    def _transfer_hash(self, to: str, chain_id: int, contract: str) -> bytes:
        if self.quantity is None:
            return transfer_hash(
                chain_id=chain_id,
                contract=contract,
                holder=self.holder,
                to=to,
                token_id=self.token_id,
                counter=self.counter,
                deadline=self.deadline,
            )
        return item_transfer_hash(
            chain_id=chain_id,
            contract=contract,
            holder=self.holder,
            to=to,
            token_id=self.token_id,
            quantity=self.quantity,
            counter=self.counter,
            deadline=self.deadline,
        )

    def _burn_hash(self, chain_id: int, contract: str) -> bytes:
        if self.quantity is None:
            return burn_hash(
                chain_id=chain_id,
                contract=contract,
                holder=self.holder,
                token_id=self.token_id,
                counter=self.counter,
                deadline=self.deadline,
            )
        return item_burn_hash(
            chain_id=chain_id,
            contract=contract,
            holder=self.holder,
            token_id=self.token_id,
            quantity=self.quantity,
            counter=self.counter,
            deadline=self.deadline,
        )

    def calldata(self, signature: bytes) -> bytes:
        """Return the calldata of the call that carries the signature, 65 bytes."""
        if self.to is None:
            return self._burn_calldata(signature)
        return self._transfer_calldata(self.to, signature)

    def _transfer_calldata(self, to: str, signature: bytes) -> bytes:
        if self.quantity is None:
            return transfer_by_signature_calldata(
                holder=self.holder,
                to=to,
                token_id=self.token_id,
                counter=self.counter,
                deadline=self.deadline,
                signature=signature,
            )
        return transfer_item_calldata(
            holder=self.holder,
            to=to,
            token_id=self.token_id,
            quantity=self.quantity,
            counter=self.counter,
            deadline=self.deadline,
            signature=signature,
        )

    def _burn_calldata(self, signature: bytes) -> bytes:
        if self.quantity is None:
            return burn_by_signature_calldata(
                holder=self.holder,
                token_id=self.token_id,
                counter=self.counter,
                deadline=self.deadline,
                signature=signature,
            )
        return burn_item_calldata(
            holder=self.holder,
            token_id=self.token_id,
            quantity=self.quantity,
            counter=self.counter,
            deadline=self.deadline,
            signature=signature,
        )
