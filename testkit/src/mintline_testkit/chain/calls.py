"""Calls on the fake chain, and the gas that they need, by rule."""

from __future__ import annotations

from dataclasses import dataclass, field

from mintline.chain.calls import Call, CallReverted, Overrides
from mintline.chain.collection import Revert
from mintline.errors import MintlineError
from mintline.eth import (
    HAS_ROLE_SELECTOR,
    MINT_BATCH_SELECTOR,
    address_word,
    selector,
    to_checksum_address,
    word,
)
from mintline.holder_signatures import NONCES_SELECTOR
from mintline.item_calls import MINT_ITEMS_SELECTOR
from mintline_testkit.chain.accounts import Accounts

_IS_VALID_SIGNATURE = selector("isValidSignature(bytes32,bytes)")
_LINE_WORDS = {MINT_BATCH_SELECTOR: 3, MINT_ITEMS_SELECTOR: 5}
"""Words of one line of a batch: the first is the token id, or the serial."""


@dataclass(kw_only=True)
class Calls(Accounts):
    """Simulates calls by rule, and keeps them."""

    accepts: dict[str, set[bytes]] = field(default_factory=dict)
    """The digests whose signatures contract wallets accept, by wallet (EIP-1271)."""
    gas: int = 100_000
    """What any call with data needs."""
    new_account_gas: int = 0
    """What a transfer needs on top if its recipient does not exist: 183,600 on Amsterdam (EIP-8037)."""
    reverts: dict[str, MintlineError] = field(default_factory=dict)
    """How calls of a contract revert."""
    barred: dict[str, CallReverted] = field(default_factory=dict)
    """How calls revert that an address sends."""
    refusing: dict[str, CallReverted] = field(default_factory=dict)
    """How calls revert that name an address, as a recipient that refuses tokens does."""
    code_gas: dict[str, int] = field(default_factory=dict)
    """What calls that name an address need on top, for its code."""
    minted: set[int] = field(default_factory=set)
    """Tokens that batches revert with, as if they were minted."""
    line_gas: int = 0
    """What each line of a batch needs on top."""
    counters: dict[str, int] = field(default_factory=dict)
    """The `nonces` of holders, at any contract that has code."""
    issues: bool = True
    """Whether the issuer has its role, at any contract."""
    calls: list[tuple[Call, Overrides]] = field(default_factory=list)
    estimates: list[tuple[Call, Overrides]] = field(default_factory=list)

    async def call(self, call: Call, *, overrides: Overrides | None = None) -> bytes:
        """Run a call by rule."""
        await self._respond()
        if call.data.startswith(_IS_VALID_SIGNATURE):
            accepted = call.to is not None and call.data[4:36] in self.accepts.get(call.to, ())
            return (_IS_VALID_SIGNATURE if accepted else bytes.fromhex("ffffffff")) + bytes(28)
        if call.data.startswith(HAS_ROLE_SELECTOR):
            return word(int(self.issues))
        if call.data.startswith(NONCES_SELECTOR):
            holder = to_checksum_address(call.data[-20:])
            return word(self.counters.get(holder, 0)) if self.codes.get(call.to or "") else b""
        self.calls.append((call, overrides or {}))
        self._check(call)
        return b""

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas that a call needs: the word of one node, however much that is."""
        del most
        await self._respond()
        self.estimates.append((call, overrides or {}))
        self._check(call)
        if call.data or call.to is None:
            lines = len(_lines(call))
            return (
                self.gas
                + lines * self.line_gas
                + sum(more for named, more in self.code_gas.items() if _names(call, named))
            )
        exists = self._balance(call.to) or self.counts[call.to] or self.codes.get(call.to)
        return self.transfer_gas + (0 if exists else self.new_account_gas)

    def _check(self, call: Call) -> None:
        if call.to in self.reverts:
            raise self.reverts[call.to]
        if call.sender in self.barred:
            raise self.barred[call.sender]
        lines = _lines(call)
        for place, token_id in enumerate(lines):
            if token_id in self.minted or token_id in lines[:place]:
                raise CallReverted(Revert("AlreadyMinted", {"tokenId": token_id}), "AlreadyMinted()")
        for named, reverted in self.refusing.items():
            if _names(call, named):
                raise reverted
        if call.gas is not None and call.gas < self.gas:
            raise CallReverted(None, "out of gas")


def _lines(call: Call) -> list[int]:
    """Return the token ids, or serials, of a batch; none if the call is another."""
    size = _LINE_WORDS.get(call.data[:4])
    if size is None:
        return []
    words = [call.data[start : start + 32] for start in range(4, len(call.data), 32)]
    return [int.from_bytes(word, "big") for word in words[2::size]]


def _names(call: Call, address: str) -> bool:
    return address_word(address) in call.data
