"""Mints of ERC-1155 items as load, and what the chain says of them: each mint is one use of its serial."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mintline.chain.multi_token import ItemMintedEvent, decode_item_minted
from mintline.chain.node import Node
from mintline.eth import keccak256, to_checksum_address
from mintline.states import MintStatus
from mintline_bench.load import Driver, Posted, metadata_of
from mintline_bench.verify import RANGE, Verdict
from mintline_client import AsyncMintline

KINDS = 3
"""Items: few, so that batches have several mints of one."""
HOLDERS = 20
READY_PAUSE = 1.0


async def create_items(client: AsyncMintline, *, within: float) -> str:
    """Have an ERC-1155 collection made, and return its address once it is minted in."""
    request: Any = {"standard": "erc1155", "name": "Items", "symbol": "ITM"}
    contract = (await client.collections.create(request))["contract"]
    async with asyncio.timeout(within):
        while (await client.collections.get(contract))["status"] != "ready":  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(READY_PAUSE)
    return contract


@dataclass(frozen=True, slots=True)
class ItemMint:
    """What one mint is of."""

    item: int
    quantity: int
    to: str

    @classmethod
    def of(cls, number: int) -> ItemMint:
        """Return what the mint of that number is of."""
        holder = keccak256(f"holder {number % HOLDERS}".encode())[12:]
        return cls(1 + number % KINDS, 1 + number % 5, to_checksum_address(holder))


class ItemDriver(Driver):
    """Posts mints of items of `contract` by a machine client, whose token is the only one."""

    contract: str = ""

    def is_passing(self, problem: str) -> bool:
        """Tell whether the collection is not ready: a reorg took its deployment back."""
        return '"collection-not-ready"' in problem

    async def post(self, number: int, *, started: float | None = None) -> Posted:
        """Post one mint until it is accepted; raises Unavailable past the deadline."""
        item_mint, started = ItemMint.of(number), time.time() if started is None else started
        body = {
            "contract": self.contract,
            "token_id": str(item_mint.item),
            "quantity": str(item_mint.quantity),
            "recipient": {"address": item_mint.to},
            "metadata": metadata_of(f"item {item_mint.item}", item_mint.item),
        }
        accepted = await self.accept(self.path, body, user=0, key=f"{self.run}-{number}")
        return Posted(accepted["mint_id"], 0, f"item mint {number}", started, time.time(), accepted)


async def verify_items(node: Node, *, contract: str, first_block: int, posted: Sequence[Posted]) -> Verdict:
    """Compare every `ItemMinted` event from `first_block` on with what the API accepted."""
    head = await node.block("latest", full=False)
    assert head is not None, "a node has a head"
    events: list[ItemMintedEvent] = []
    for start in range(first_block, head.number + 1, RANGE):
        logs = await node.logs_range(start, min(start + RANGE - 1, head.number), [contract])
        events += filter(None, map(decode_item_minted, logs))
    return judge_items(events, posted)


def judge_items(events: Iterable[ItemMintedEvent], posted: Iterable[Posted]) -> Verdict:
    """Judge events against the accepted mints, which are told apart by their serials."""
    events = list(events)
    copies, by_serial = Counter(event.serial for event in events), {event.serial: event for event in events}
    lost = doubled = failed = mismatched = minted = 0
    for mint in posted:
        serial = int(mint.body["serial"])
        event, ended_badly = by_serial.get(serial), mint.status in (MintStatus.REJECTED, MintStatus.REVERTED)
        doubled += max(0, copies[serial] - 1)
        if event is None:
            failed += ended_badly
            lost += not ended_badly
            continue
        minted += 1
        mismatched += ended_badly or _said_of(event) != tuple(
            mint.body[name] for name in ("token_id", "quantity", "to", "metadata_digest")
        )
    return Verdict(minted=minted, lost=lost, doubled=doubled, failed=failed, mismatched=mismatched)


def _said_of(event: ItemMintedEvent) -> tuple[str, ...]:
    return str(event.item_id), str(event.quantity), event.to, "0x" + event.metadata_digest.hex()
