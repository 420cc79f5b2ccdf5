"""Calls that carry a holder's signature, as clones take them (`MintlineClone.sol`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from coincurve import PublicKey

from mintline.eth import address_of_public_key, address_word, word
from mintline.holder_signatures import burn_hash, transfer_hash
from mintline_harness.simulation.contract import Effect, Moment, Revert, receiver_refusal

SIGNED_CALL_GAS = 70_000


@dataclass(frozen=True, slots=True)
class SignedCall:
    """The arguments of `transferBySignature`, or of `burnBySignature`, of which `to` is None."""

    holder: str
    to: str | None
    token_id: int
    counter: int
    deadline: int
    signature: bytes

    @property
    def gas(self) -> int:
        return SIGNED_CALL_GAS

    def refusal(self, moment: Moment) -> Revert | None:  # noqa: PLR0911 - one return for each error
        """Return why the contract refuses it, in the order of its checks."""
        if moment.timestamp > self.deadline:
            return Revert("SignatureExpired(uint256)", (word(self.deadline),))
        current = moment.tokens.counters.get(self.holder, 0)
        if current != self.counter:
            used = (address_word(self.holder), word(current))
            return Revert("InvalidAccountNonce(address,uint256)", used)
        collection = moment.collection
        if not moment.issued and signer_of(self, collection.chain_id, collection.address) != self.holder:
            return Revert("InvalidSignature(address)", (address_word(self.holder),))
        if collection.paused:
            return Revert("EnforcedPause()")
        owner = moment.tokens.owners.get(self.token_id)
        if owner is None:
            return Revert("ERC721NonexistentToken(uint256)", (word(self.token_id),))
        if owner != self.holder:
            arguments = (address_word(self.holder), word(self.token_id), address_word(owner))
            return Revert("ERC721IncorrectOwner(address,uint256,address)", arguments)
        return None if self.to is None else receiver_refusal(self.to, collection)

    def effects(self, moment: Moment) -> tuple[Effect, ...]:  # noqa: ARG002 - who sends it does not matter
        """Return the transfer, or the burn."""
        return (Effect(self.token_id, self.holder, self.to),)


@lru_cache(maxsize=4096)
def signer_of(call: SignedCall, chain_id: int, contract: str) -> str:
    """Return the address whose key made the signature in a call."""
    signed: dict[str, Any] = {
        "chain_id": chain_id,
        "contract": contract,
        "holder": call.holder,
        "token_id": call.token_id,
        "counter": call.counter,
        "deadline": call.deadline,
    }
    digest = burn_hash(**signed) if call.to is None else transfer_hash(**signed, to=call.to)
    signature = call.signature[:64] + bytes([call.signature[64] - 27])
    key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return address_of_public_key(key.format(compressed=False))
