"""Which sponsored mints a relayer can mint together now, and with what gas; which of them it never can.

One call of `mintBatch` stands for all lines: they depend on nothing but their own token. If it reverts,
halves are tried until the lines that are at fault stand alone, each with its own reason. What the collection
refuses to any line is no line's fault: then all wait. A line that nobody asked for tells the two apart.

An ERC-1155 collection calls recipients that have code, in the relayer's transaction. So what a revert says
may be a recipient's word, which counts for its own line alone, and the gas of a line is bounded by what one
without such a call takes and `recipient_gas`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from mintline.chain.calls import Call, CallReverted, Override
from mintline.chain.gas import GasBound
from mintline.errors import Deferred, MintlineError, Rejected, Unavailable
from mintline.eth import mint_batch_calldata, to_checksum_address
from mintline.item_calls import ItemMint, mint_items_calldata
from mintline.kinds.batch import batch_calldata
from mintline.records.operations import Mint
from mintline_builder.ports import ChainReader
from mintline_builder.simulation import CLOSED, RECIPIENT_REFUSED, TokenTaken, refusal_of
from mintline_builder.waiting import (
    BATCH_REFUSED,
    COLLECTION_PAUSED,
    GAS_ABOVE_BOUND,
    RELAYER_NOT_ALLOWED,
    Waiting,
)

INDEX_WAIT = 5.0
"""Seconds until a mint whose token is on chain is looked at again: the index tells who made it."""

log = structlog.get_logger(__name__)

_WHOLE = {
    "EnforcedPause": COLLECTION_PAUSED,
    "AccessControlUnauthorizedAccount": RELAYER_NOT_ALLOWED,
}
"""Errors that no line is at fault for."""


@dataclass(frozen=True, slots=True)
class Group:
    """Mints that succeed together, with a gas limit for all of them."""

    mints: tuple[Mint, ...]
    gas: int


@dataclass(frozen=True, slots=True)
class Sorted:
    """Mints by what becomes of them; `refused` is by their ids."""

    groups: tuple[Group, ...] = ()
    refused: Mapping[str, MintlineError] = field(default_factory=dict)

    def __or__(self, other: Sorted) -> Sorted:
        return Sorted((*self.groups, *other.groups), {**self.refused, **other.refused})


@dataclass(frozen=True, slots=True)
class _BatchCall:
    """Who calls which collection."""

    contract: str
    relayer: str
    line_gas: int | None = None
    """What one line may use, where recipients' code runs: in an ERC-1155 collection. None for no bound."""

    @property
    def asks_recipients(self) -> bool:
        """Whether a revert may be a recipient's word."""
        return self.line_gas is not None


class BatchSimulator:
    """Simulates batches; `gas` bounds the gas limit of one, and so does the chain's blocks'.

    `recipient_gas` is what a recipient's own code may use of it, where the collection calls it.
    """

    def __init__(self, chain: ChainReader, *, gas: GasBound, recipient_gas: int) -> None:
        self._chain = chain
        self._gas = gas
        self._recipient_gas = recipient_gas
        self._known: set[str] = set()
        """Contracts that the node has: without code a call succeeds, and mints nothing."""

    async def sort(
        self, contract: str, mints: Sequence[Mint], *, relayer: str, most: int, fixed: bool = True
    ) -> Sorted:
        """Return which of a collection's mints go together, each group with a gas limit of `most` at most.

        `relayer` sends them. `most` above the bound means the bound. `fixed` is False for a contract that a
        reorg may take back. Raises Waiting for what no line is at fault for, Rejected for a collection that
        takes no mint any more, and Unavailable if a node does not know the contract, or too few nodes agree.
        """
        if contract not in self._known and not await self._chain.code(contract):
            # The contract is a registered one, so it is the node that lacks it.
            raise Unavailable(f"the node has no code at {contract}")
        if fixed:
            self._known.add(contract)
        call = _BatchCall(contract, relayer)
        if mints[0].item_id is not None:
            usual = await self._probe(replace(call, line_gas=0))
            call = replace(call, line_gas=usual + self._recipient_gas)
        limit = min(most, await self.bound())
        sorting = await self._sort(call, mints, limit, probed=False)
        if sorting.refused:
            # What is refused for good must not be what the collection has begun to refuse to all.
            await self._probe(call)
        if sorting.refused and len(sorting.groups) > 1:
            good = [mint for group in sorting.groups for mint in group.mints]
            again = await self._sort(call, good, limit, probed=True)
            return Sorted(again.groups, {**sorting.refused, **again.refused})
        return sorting

    async def bound(self) -> int:
        """Return the highest gas limit of a batch now."""
        return min(self._gas.most, await self._chain.block_gas_limit())

    async def _sort(self, call: _BatchCall, mints: Sequence[Mint], most: int, *, probed: bool) -> Sorted:
        try:
            needed = await self._needed(call, batch_calldata(mints))
        except CallReverted as reverted:
            if not call.asks_recipients:
                _raise_if_whole(reverted)
            if not probed:
                await self._probe(call)
            if len(mints) == 1:
                return Sorted(refused={mints[0].mint_id: await self._refusal(call, mints[0], reverted)})
            return await self._apart(call, mints, most, parts=2, probed=True)
        except Rejected:
            # No gas limit does, of those that the node or the block allows.
            needed = 2 * most
        if call.line_gas is not None and needed > call.line_gas * len(mints):
            if len(mints) == 1:
                return Sorted(refused={mints[0].mint_id: _too_much_gas(mints[0], call.line_gas)})
            return await self._apart(call, mints, most, parts=2, probed=probed)
        limit = needed + needed * self._gas.margin // 100
        if limit <= most:
            return Sorted((Group(tuple(mints), limit),))
        if len(mints) == 1:
            log.error(
                "gas_above_bound",
                purpose="A batch of one mint",
                needed=limit,
                bound=most,
                setting=self._gas.setting,
            )
            raise Waiting(GAS_ABOVE_BOUND)
        return await self._apart(call, mints, most, parts=-(-limit // most), probed=probed)

    async def _apart(
        self, call: _BatchCall, mints: Sequence[Mint], most: int, *, parts: int, probed: bool
    ) -> Sorted:
        size = -(-len(mints) // min(parts, len(mints)))
        pieces = [mints[start : start + size] for start in range(0, len(mints), size)]
        sorted_pieces = await asyncio.gather(
            *(self._sort(call, piece, most, probed=probed) for piece in pieces)
        )
        sorting = Sorted()
        for piece in sorted_pieces:
            sorting |= piece
        return sorting

    async def _probe(self, call: _BatchCall) -> int:
        """Return the gas of a token that nobody asked for; raises Waiting if even that is refused."""
        try:
            return await self._needed(call, _line_for_nobody(items=call.asks_recipients))
        except CallReverted as reverted:
            _raise_if_whole(reverted)
            _raise_if_closed(reverted)
            log.warning("batch_refused", contract=call.contract, reason=reverted.reason)
            raise Waiting(BATCH_REFUSED) from reverted
        except Rejected as refusal:
            raise Waiting(GAS_ABOVE_BOUND) from refusal

    async def _refusal(self, call: _BatchCall, mint: Mint, reverted: CallReverted) -> MintlineError:
        """Return why a line that reverts alone is refused.

        Whether a token that is on chain is the mint's own is for the index to tell: one that was in a batch
        before may have made it there.
        """
        refusal = refusal_of(reverted)
        if not isinstance(refusal, TokenTaken):
            return refusal
        if call.asks_recipients and not await self._is_used(call, mint):
            return Rejected(*RECIPIENT_REFUSED)
        if mint.nonce is not None:
            return Deferred("the token is on chain: the index tells who made it", retry_after=INDEX_WAIT)
        return refusal

    async def _is_used(self, call: _BatchCall, mint: Mint) -> bool:
        """Tell whether the collection, and not a mint's recipient, says that its serial is used."""
        try:
            await self._needed(call, _line_for_nobody(items=True, number=mint.token_id))
        except CallReverted as reverted:
            return isinstance(refusal_of(reverted), TokenTaken)
        return False

    async def _needed(self, call: _BatchCall, data: bytes) -> int:
        batch = Call(sender=call.relayer, to=call.contract, data=data)
        rich = {call.relayer: Override(balance=2**127)}
        return await self._chain.estimate_gas(batch, rich, most=self._gas.largest_estimate)


def _line_for_nobody(*, items: bool, number: int | None = None) -> bytes:
    """Return the calldata of a line that nobody asked for: all its storage is new, so none takes more gas.

    `number` is its token id or serial, if it is not to be one that nobody has.
    """
    nobody, digest = to_checksum_address(secrets.token_bytes(20)), secrets.token_bytes(32)
    number = secrets.randbits(256) if number is None else number
    if items:
        return mint_items_calldata([ItemMint(number, secrets.randbits(256), 1, nobody, digest)])
    return mint_batch_calldata([(number, nobody, digest)])


def _too_much_gas(mint: Mint, most: int) -> Rejected:
    # How much it needs is not known of one that no gas limit is enough for.
    return Rejected(
        "recipient_gas_too_high",
        f"The recipient {mint.to} is a contract that uses too much gas: the mint needs more than the {most} "
        "that are allowed. Send a recipient that uses less, or one without code.",
    )


def _raise_if_whole(reverted: CallReverted) -> None:
    name = reverted.revert.name if reverted.revert else ""
    if name in _WHOLE:
        raise Waiting(_WHOLE[name]) from reverted


def _raise_if_closed(reverted: CallReverted) -> None:
    """Raise Rejected if a collection takes no mint at all any more: it is full, or its time is over."""
    name = reverted.revert.name if reverted.revert else ""
    if name in CLOSED:
        raise Rejected(*CLOSED[name]) from reverted
