"""Whether a mint would succeed, and what gas it needs, before anything is reserved for it.

The voucher that the enclave will sign does not exist yet, so the simulation redeems one signed by a throwaway
key, which a state override makes an issuer: the contract runs as it will, from the signature check to the
receiver's `onERC721Received`.

Estimating costs a node ten times what running does. A recipient without code can only make a mint cheaper
than the worst case (an unused token id group, an empty balance), so that case is estimated once per contract
and each mint is then run with that gas. Recipients with code are estimated one by one, and their
code may use a bounded amount more than that case, since the platform pays for it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace

from coincurve import PrivateKey

from mintline.chain import collection
from mintline.chain.calls import Call, CallReverted, Override, Overrides
from mintline.chain.gas import GasBound
from mintline.clock import Monotonic
from mintline.errors import Rejected, Unavailable
from mintline.eth import (
    address_of_public_key,
    has_role_calldata,
    redeem_calldata,
    to_checksum_address,
    voucher_hash,
)
from mintline.messages.parts import Voucher
from mintline_builder.ports import ChainReader
from mintline_builder.waiting import COLLECTION_PAUSED, ISSUER_REVOKED, Waiting, gas_limit

PROFILE_AGE = 600.0
"""Seconds for which a contract's worst case is believed: only a fork of the chain changes it."""

ROLE_AGE = 2.0
"""Seconds for which the issuer's role at a contract is believed."""

RECIPIENT_REFUSED = (
    "recipient_refused",
    "The recipient is a contract that does not accept tokens of ERC-1155.",
)
_REASONS = {
    "ERC721InvalidReceiver": (
        "recipient_refused",
        "The recipient is a contract that does not accept this token.",
    ),
    "TransferToNonERC1155ReceiverImplementer": RECIPIENT_REFUSED,
    "ItemCapReached": (
        "item_full",
        "There may never be so many tokens of this item. Send a smaller quantity, or another token_id.",
    ),
}
CLOSED = {
    "SupplyCapReached": (
        "collection_full",
        "The collection has all the tokens that it may ever have. Mint in another one.",
    ),
    "MintWindowClosed": (
        "minting_closed",
        "The collection takes mints only between its first and its last moment of minting.",
    ),
}
"""By a clone's error: what it refuses to every mint."""


class TokenTaken(Unavailable):
    """The voucher's token is on chain, minted by the mint itself or by someone else."""


class Simulator:
    """Simulates redemptions on one chain.

    `issuer` is the address that signs the vouchers, `gas` bounds the gas limit of a mint. `recipient_gas` is
    how much more than a recipient without code a recipient with code may use, where the platform pays.
    """

    def __init__(
        self,
        chain: ChainReader,
        *,
        chain_id: int,
        issuer: str,
        clock: Callable[[], Monotonic],
        gas: GasBound,
        recipient_gas: int,
    ) -> None:
        self._chain = chain
        self._chain_id = chain_id
        self._clock = clock
        self._gas = gas
        self._recipient_gas = recipient_gas
        self._key = PrivateKey()
        throwaway = address_of_public_key(self._key.public_key.format(compressed=False))
        self._grant = {collection.roles_slot(collection.ISSUER_ROLE, throwaway): collection.GRANTED}
        self._issuer = issuer
        self._roles: dict[str, tuple[float, bool]] = {}
        self._profiles: dict[str, tuple[float, int]] = {}
        self._lock = asyncio.Lock()

    async def usual_gas(self, contract: str, sender: str) -> int:
        """Return the gas limit of a mint to a recipient without code.

        Raises Waiting if the contract mints to nobody now, and Unavailable if the node does not know it.
        """
        async with self._lock:
            now = self._clock()
            known = self._profiles.get(contract)
            if known is None or now - known[0] > PROFILE_AGE:
                known = (now, await self._estimate_worst(contract, sender))
                self._profiles[contract] = known
            return known[1]

    async def gas(self, contract: str, sender: str, voucher: Voucher, *, sponsored: bool = True) -> int:
        """Return the gas limit with which redeeming such a voucher succeeds now.

        If it is `sponsored`, the platform pays for what the recipient's own code does: that is bounded.
        Raises Waiting while the collection is paused or its issuer has no role, Rejected if no gas limit
        does, and TokenTaken if the voucher's token is on chain.
        """
        usual = await self.usual_gas(contract, sender)
        issues, code, suffices = await asyncio.gather(
            self._issues(contract, sender),
            self._chain.code(voucher.to),
            self._suffices(usual, contract, sender, voucher),
        )
        if not issues:
            raise Waiting(ISSUER_REVOKED)
        if code:
            most = min(usual + self._recipient_gas, self._gas.most) if sponsored else self._gas.most
            return await self._estimate(contract, sender, voucher, replace(self._gas, most=most))
        if not suffices:
            # A fork may have repriced it since: the next mint finds the new worst case.
            self._profiles.pop(contract, None)
            return gas_limit(self._gas, await self._needed(contract, sender, voucher), "A mint")
        return usual

    async def _issues(self, contract: str, sender: str) -> bool:
        """Tell whether the real issuer has its role at the contract, on the latest block or just before."""
        now = self._clock()
        known = self._roles.get(contract)
        if known is None or now - known[0] >= ROLE_AGE:
            data = has_role_calldata(collection.ISSUER_ROLE, self._issuer)
            result = await self._chain.call(Call(sender=sender, to=contract, data=data))
            known = (now, int.from_bytes(result, "big") == 1)
            self._roles[contract] = known
        return known[1]

    async def _estimate_worst(self, contract: str, sender: str) -> int:
        if not await self._chain.code(contract):
            # The contract is a registered one, so it is the node that lacks it.
            raise Unavailable(f"the node has no code at {contract}")
        nobody = to_checksum_address(secrets.token_bytes(20))
        voucher = Voucher(
            token_id=secrets.randbits(256),
            to=nobody,
            metadata_digest=secrets.token_bytes(32),
            deadline=2**63 - 1,
        )
        # Too much for nobody in particular is the chain's price, so mints wait until the bound is raised.
        return gas_limit(self._gas, await self._needed(contract, sender, voucher), "A mint")

    async def _estimate(self, contract: str, sender: str, voucher: Voucher, bound: GasBound) -> int:
        needed = await self._needed(contract, sender, voucher, most=bound.largest_estimate)
        if needed > bound.largest_estimate:
            raise Rejected(
                "recipient_gas_too_high",
                f"The recipient is a contract that uses too much gas: the mint needs {needed}, and at most "
                f"{bound.largest_estimate} is allowed. Send a recipient that uses less, or one without code.",
            )
        return bound.limit(needed, "A mint to this recipient")

    async def _needed(self, contract: str, sender: str, voucher: Voucher, *, most: int | None = None) -> int:
        try:
            return await self._chain.estimate_gas(
                self._redemption(contract, sender, voucher),
                self._overrides(contract, sender),
                most=self._gas.largest_estimate if most is None else most,
            )
        except CallReverted as reverted:
            raise refusal_of(reverted) from reverted

    async def _suffices(self, gas: int, contract: str, sender: str, voucher: Voucher) -> bool:
        call = self._redemption(contract, sender, voucher, gas=gas)
        try:
            await self._chain.call(call, overrides=self._overrides(contract, sender))
        except Rejected:
            # Refused, or more gas is needed after all: the estimate tells which.
            return False
        return True

    def _overrides(self, contract: str, sender: str) -> Overrides:
        return {contract: Override(storage=self._grant), sender: Override(balance=2**127)}

    def _redemption(self, contract: str, sender: str, voucher: Voucher, *, gas: int | None = None) -> Call:
        fields = voucher.model_dump()
        digest = voucher_hash(chain_id=self._chain_id, contract=contract, **fields)
        signature = self._key.sign_recoverable(digest, hasher=None)
        data = redeem_calldata(**fields, signature=signature[:64] + bytes([27 + signature[64]]))
        return Call(sender=sender, to=contract, data=data, gas=gas)


def refusal_of(reverted: CallReverted) -> Rejected | Unavailable | Waiting:
    """Return what becomes of a mint whose simulation reverts."""
    name = reverted.revert.name if reverted.revert else ""
    if name == "EnforcedPause":
        return Waiting(COLLECTION_PAUSED)
    if name == "AlreadyMinted":
        return TokenTaken("the token id is taken on chain")
    if name in _REASONS or name in CLOSED:
        return Rejected(*(_REASONS | CLOSED)[name])
    return reverted
