"""Ends mints of ERC-1155 items whose serial is used although no record says by what.

A mint of an item has no token of its own: its `token_id` is a serial, which the contract takes once and the
index does not keep. So the chain is asked, in final blocks: whether the serial is used, by which event, and
whether that minted what the mint's record says. A majority says so; an event that is not found ends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from mintline.chain.multi_token import decode_item_minted
from mintline.chain.rpc import RpcError
from mintline.errors import Retryable
from mintline.records.operations import Mint
from mintline_broadcaster.ports import ChainClient, Final

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UsedSerial:
    """What used a mint's serial, in a final block."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    recipient: str
    own: bool
    """Whether it minted what the mint's record says."""


async def use_of_serial(mint: Mint, final: Final, *, chain: ChainClient) -> UsedSerial | bool:
    """Return what used a mint's serial, False if nothing has, True if that is not known.

    `final` was read before the mint.
    """
    assert mint.token_id is not None
    place = mint.contract, mint.token_id
    try:
        used = await chain.is_minted(*place, final.hash)
        if used is False:
            return False
        event = await chain.serial_used(*place, last=final.number) if used else None
        if event is not None:
            event = await chain.item_minted(*place, event.block_hash)
    except (Retryable, RpcError) as error:
        log.warning("serial_unknown", mint_id=mint.mint_id, reason=str(error))
        return True
    minted = None if event is None else decode_item_minted(event)
    if event is None or minted is None or event.block_number > final.number:
        log.warning("serial_unknown", mint_id=mint.mint_id, used=used, block=final.number)
        return True
    asked = (mint.item_id, mint.quantity, mint.to, mint.metadata_digest)
    own = asked == (minted.item_id, minted.quantity, minted.to, minted.metadata_digest)
    return UsedSerial(event.tx_hash, event.block_number, event.block_hash, minted.to, own)
