"""Ends mints of ERC-1155 items whose serial is used although no record says by what.

A mint of an item has no token of its own: its `token_id` is a serial, which the contract takes once and the
index does not keep. So the chain is asked, in final blocks: whether the serial is used, by which event, and
whether that minted what the mint's record says. A majority says so; an event that is not found ends nothing.

After a restore two mints on record may have one serial, and ask for the same. So the transaction that emitted
the event tells whose it is, if that is on record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from mintline.chain.answers import Log
from mintline.chain.multi_token import decode_item_minted
from mintline.chain.rpc import RpcError
from mintline.errors import Retryable
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.records.transactions import TransactionKey
from mintline_broadcaster.ports import ChainClient, Final, TransactionStore

SEARCHES = 4
"""Serials that one pass of the sweep looks for on the chain, at most: each can take dozens of requests."""
REST_SECONDS = 60
"""How long the sweep does not look for a serial again."""

log = structlog.get_logger(__name__)


class HasSerial(Protocol):
    """What a mint's serial is told by."""

    @property
    def contract(self) -> str:
        """Return the address of its contract."""

    @property
    def token_id(self) -> int | None:
        """Return the serial."""


SerialT = TypeVar("SerialT", bound=HasSerial)


@dataclass(frozen=True, slots=True)
class UsedSerial:
    """What used a mint's serial, in a final block."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    recipient: str
    own: bool
    """Whether it minted what the mint's record says, for this very mint."""


class Searches:
    """Which serials a pass of the sweep looks for: a few, those first for which it did so the longest ago.

    A serial then rests, and so does one of which the chain did not answer. So of two mints with one serial, a
    pass settles one.
    """

    def __init__(self) -> None:
        self._begun: dict[tuple[str, int], int] = {}
        self._left = 0
        self._now = 0

    def start_pass(self, mints: Iterable[SerialT], *, now: int) -> list[SerialT]:
        """Return the mints of a pass in the order in which to settle them; `now` is in Unix milliseconds."""
        ordered = sorted(mints, key=lambda mint: self._begun.get(_place(mint), 0))
        waiting = {_place(mint) for mint in ordered}
        self._begun = {place: at for place, at in self._begun.items() if place in waiting}
        self._left, self._now = SEARCHES, now
        return ordered

    def rests(self, mint: Mint) -> bool:
        """Tell whether nothing is to be asked of a mint's serial in this pass."""
        begun = self._begun.get(_place(mint))
        return begun is not None and self._now - begun < REST_SECONDS * 1000

    def begin(self, mint: Mint) -> bool:
        """Tell whether this pass may look for a mint's serial, which then rests."""
        if self._left == 0:
            return False
        self._left -= 1
        self.put_off(mint)
        return True

    def put_off(self, mint: Mint) -> None:
        """Let a mint's serial rest."""
        self._begun[_place(mint)] = self._now


async def use_of_serial(
    mint: Mint,
    final: Final,
    *,
    store: TransactionStore,
    chain: ChainClient,
    searches: Searches | None = None,
) -> UsedSerial | bool:
    """Return what used a mint's serial, False if nothing has, True if that is not known.

    `final` was read before the mint. With `searches` it is known only of a serial that this pass looks for.
    """
    assert mint.token_id is not None
    place = mint.contract, mint.token_id
    if searches is not None and searches.rests(mint):
        return True
    try:
        used = await chain.is_minted(*place, final.hash)
        if used is False:
            return False
        if searches is not None and not searches.begin(mint):
            return True
        event = await chain.serial_used(*place, last=final.number) if used else None
        if event is not None:
            event = await chain.item_minted(*place, event.block_hash)
    except (Retryable, RpcError) as error:
        if searches is not None:
            searches.put_off(mint)
        log.warning("serial_unknown", mint_id=mint.mint_id, reason=str(error))
        return True
    minted = None if event is None else decode_item_minted(event)
    if event is None or minted is None or event.block_number > final.number:
        log.warning("serial_unknown", mint_id=mint.mint_id, used=used, block=final.number)
        return True
    requested = (mint.item_id, mint.quantity, mint.to, mint.metadata_digest)
    same = requested == (minted.item_id, minted.quantity, minted.to, minted.metadata_digest)
    own = same and await _is_its_own(mint, event, store=store)
    return UsedSerial(event.tx_hash, event.block_number, event.block_hash, minted.to, own)


async def _is_its_own(mint: Mint, event: Log, *, store: TransactionStore) -> bool:
    """Tell whether an event that minted what a mint asks for did so for this mint, and for no other.

    A transaction on record says for which. Of another, as a stranger's that redeems a voucher, or one that a
    restore has lost, the event is the mint's unless another mint on record has ended by it.
    """
    signed = (await store.read_signed([event.tx_hash])).get(event.tx_hash)
    if signed is not None and signed.mint_id is not None:
        return signed.mint_id == mint.mint_id
    if signed is not None:
        place = TransactionKey(scoped(signed.chain_id, signed.sender), signed.nonce)
        transaction = await store.transaction(place)
        if transaction is not None and any(
            attempt.tx_hash == event.tx_hash for attempt in transaction.own_attempts
        ):
            return mint.mint_id in transaction.operations
    others = await store.mined_by(event.tx_hash, event.block_number)
    return not any(_place(other) == _place(mint) and other.mint_id != mint.mint_id for other in others)


def _place(mint: HasSerial) -> tuple[str, int]:
    return mint.contract, mint.token_id or 0
