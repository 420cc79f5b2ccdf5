"""Whether a transfer or a burn would succeed, and what gas it needs, before anything is reserved for it.

The node runs the very call, by the wallet that is to make it, with that wallet's balance overridden: whether
it can pay is checked later. A call that carries the wallet's signature is run by the relayer before there is
one: an override gives the wallet code that takes any signature (ERC-1271), which the collection then asks
instead of recovering a signer.

A recipient with code is asked whether it takes the token, and its code may use a bounded amount of gas more
than a recipient without code takes, since the platform pays for it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from mintline.chain.calls import Call, CallReverted, Override
from mintline.chain.gas import GasBound
from mintline.errors import Deferred, Rejected, Unavailable
from mintline.eth import burn_calldata, to_checksum_address, transfer_calldata
from mintline.holder_calls import HolderCall
from mintline.holder_signatures import SIGNATURE_BYTES
from mintline_builder.ports import ChainReader
from mintline_builder.waiting import COLLECTION_PAUSED, Waiting, gas_limit

RECOVERY_GAS = 5_000
"""More than recovering a signer takes beyond asking the code that a simulation puts in its place."""
STALE_WAIT = 1.0
"""Seconds after which a call is simulated again whose counter or deadline was another block's."""
TAKES_ANY_SIGNATURE = bytes.fromhex("631626ba7e60e01b60005260206000f3")
"""Code that returns ERC-1271's magic value to every call: PUSH4, shifted to the left of a word, returned."""
_ANY_SIGNATURE = bytes([1]) * SIGNATURE_BYTES
_NOT_OWNER = frozenset({"ERC721NonexistentToken", "ERC721InsufficientApproval", "ERC721IncorrectOwner"})
_STALE = frozenset({"InvalidAccountNonce", "SignatureExpired"})


@dataclass(frozen=True, slots=True)
class HolderSignature:
    """A signature that a holder is still to make, and the relayer that is to send it."""

    relayer: str
    counter: int
    """The holder's `nonces` in the collection."""
    deadline: int
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class TokenCall:
    """What is to be done with a wallet's token; `kind` names it for the user."""

    kind: str
    contract: str
    holder: str
    """The wallet."""
    token_id: int
    data: bytes
    to: str | None = None
    """Who is to get the token; None where nobody is."""
    signed: HolderSignature | None = None
    """The signature that it carries, and who sends it; None for a call by the wallet itself."""
    quantity: int | None = None
    """How many tokens of an ERC-1155 item; None for a token of ERC-721."""

    @property
    def sender(self) -> str:
        """Who makes the call."""
        return self.holder if self.signed is None else self.signed.relayer

    def to_nobody(self) -> TokenCall:
        """Return the same with a new recipient without code."""
        nobody = to_checksum_address(secrets.token_bytes(20))
        if self.signed is None:
            return transfer_call(self.contract, sender=self.holder, to=nobody, token_id=self.token_id)
        return relayed_call(
            self.contract,
            holder=self.holder,
            to=nobody,
            token_id=self.token_id,
            signed=self.signed,
            quantity=self.quantity,
        )

    def overrides(self) -> dict[str, Override]:
        """Return what a simulation takes for true."""
        rich = {self.sender: Override(balance=2**127)}
        return rich if self.signed is None else rich | {self.holder: Override(code=TAKES_ANY_SIGNATURE)}


def transfer_call(contract: str, *, sender: str, to: str, token_id: int) -> TokenCall:
    """Return the transfer of a token (`safeTransferFrom`)."""
    data = transfer_calldata(sender=sender, to=to, token_id=token_id)
    return TokenCall("transfer", contract, sender, token_id, data, to)


def burn_call(contract: str, *, sender: str, token_id: int) -> TokenCall:
    """Return the burn of a token."""
    return TokenCall("burn", contract, sender, token_id, burn_calldata(token_id))


def relayed_call(
    contract: str,
    *,
    holder: str,
    token_id: int,
    signed: HolderSignature,
    to: str | None = None,
    quantity: int | None = None,
) -> TokenCall:
    """Return the transfer of tokens by their holder's signature, a burn without `to`."""
    call = HolderCall(holder, to, token_id, quantity, signed.counter, signed.deadline)
    kind = "burn" if to is None else "transfer"
    return TokenCall(kind, contract, holder, token_id, call.calldata(_ANY_SIGNATURE), to, signed, quantity)


class TokenSimulator:
    """Simulates what wallets do with their tokens.

    `gas` bounds the gas limit, `recipient_gas` what a recipient's code may use of it on top of a transfer to
    an address without code.
    """

    def __init__(self, chain: ChainReader, *, gas: GasBound, recipient_gas: int) -> None:
        self._chain = chain
        self._gas = gas
        self._recipient_gas = recipient_gas

    async def gas(self, call: TokenCall) -> int:
        """Return the gas limit with which a call succeeds now.

        Raises Waiting while the collection is paused or asks for more gas than the bound allows, and Rejected
        if no gas limit does. Refusals take a majority of the nodes, as every estimate's do.
        """
        if not await self._chain.code(call.contract):
            # The contract is a registered one, so it is the node that lacks it.
            raise Unavailable(f"the node has no code at {call.contract}")
        purpose = f"A {call.kind}"
        if call.to is None or not await self._chain.code(call.to):
            return gas_limit(self._gas, await self._needed(call, self._gas), purpose)
        usual = gas_limit(self._gas, await self._needed(call.to_nobody(), self._gas), purpose)
        bound = replace(self._gas, most=min(usual + self._recipient_gas, self._gas.most))
        try:
            needed = await self._estimate(call, bound)
        except CallReverted as reverted:
            if reverted.revert is not None and reverted.revert.name in ("EnforcedPause", *_STALE):
                raise _refusal(call, reverted) from reverted
            # To an address without code it would have gone.
            raise Rejected(
                "recipient_refused",
                f"The recipient {call.to} is a contract that does not accept this token: {_said(reverted)}. "
                "Send another recipient.",
            ) from reverted
        if needed > bound.largest_estimate:
            raise Rejected(
                "recipient_gas_too_high",
                f"The recipient is a contract that uses too much gas: the transfer needs {needed}, and at "
                f"most {bound.largest_estimate} is allowed. Send a recipient that uses less, or one without "
                "code.",
            )
        return bound.limit(needed, f"{purpose} to this recipient")

    async def _needed(self, call: TokenCall, bound: GasBound) -> int:
        try:
            return await self._estimate(call, bound)
        except CallReverted as reverted:
            raise _refusal(call, reverted) from reverted

    async def _estimate(self, call: TokenCall, bound: GasBound) -> int:
        simulated = Call(sender=call.sender, to=call.contract, data=call.data)
        needed = await self._chain.estimate_gas(simulated, call.overrides(), most=bound.largest_estimate)
        return needed if call.signed is None else needed + RECOVERY_GAS


def _refusal(call: TokenCall, reverted: CallReverted) -> Rejected | Deferred:
    name = reverted.revert.name if reverted.revert else ""
    if name == "EnforcedPause":
        return Waiting(COLLECTION_PAUSED)
    if name in _STALE and call.signed is not None:
        return Deferred("the wallet's counter has moved on since it was read", retry_after=STALE_WAIT)
    if name == "InsufficientBalance":
        return Rejected(
            "not_owner",
            f"Field quantity: the wallet {call.holder} does not hold {call.quantity} of item {call.token_id} "
            "of this collection. Send at most what it holds.",
        )
    if name in _NOT_OWNER:
        return Rejected(
            "not_owner",
            f"Field token_id: the wallet {call.holder} does not hold token {call.token_id} of this "
            "collection. Send a token that it holds.",
        )
    return Rejected(f"{call.kind}_refused", f"The collection refuses the {call.kind}: {_said(reverted)}.")


def _said(reverted: CallReverted) -> str:
    return str(reverted.revert) if reverted.revert else "it reverts without a reason"
