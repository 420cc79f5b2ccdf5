"""The verdict: whether the chain holds every accepted mint exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mintline.chain.collection import decode_minted
from mintline.chain.node import Node
from mintline.states import MintStatus
from mintline_bench.load import Posted

RANGE = 2_000
"""Blocks asked for at once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chain says of a run.

    `lost` mints were accepted, did not end honestly (rejected or reverted with a reason), and are not on
    chain; `doubled` counts tokens beyond one per mint; `failed` ended honestly without a token.
    """

    minted: int
    lost: int
    doubled: int
    failed: int
    mismatched: int
    """Tokens whose id or recipient differs from what the API says."""

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(
            minted=self.minted + other.minted,
            lost=self.lost + other.lost,
            doubled=self.doubled + other.doubled,
            failed=self.failed + other.failed,
            mismatched=self.mismatched + other.mismatched,
        )

    @property
    def clean(self) -> bool:
        """Tell whether every accepted mint is on chain exactly once."""
        return not (self.lost or self.doubled or self.mismatched or self.failed)


async def verify(node: Node, *, contract: str, first_block: int, posted: Sequence[Posted]) -> Verdict:
    """Compare every `Minted` event from `first_block` on with what the API accepted.

    Mints are told apart by their metadata digest, which is unique to each of them.
    """
    head = await node.block("latest", full=False)
    assert head is not None, "a node has a head"
    events: list[tuple[int, str, bytes]] = []
    for start in range(first_block, head.number + 1, RANGE):
        logs = await node.logs_range(start, min(start + RANGE - 1, head.number), [contract])
        minted = filter(None, map(decode_minted, logs))
        events.extend((event.token_id, event.to, event.metadata_digest) for event in minted)
    return judge(events, posted)


def judge(events: Sequence[tuple[int, str, bytes]], posted: Sequence[Posted]) -> Verdict:
    """Judge (token id, recipient, metadata digest) events against the accepted mints."""
    copies: Counter[str] = Counter("0x" + digest.hex() for _, _, digest in events)
    where: Mapping[str, tuple[int, str]] = {
        "0x" + digest.hex(): (token_id, to) for token_id, to, digest in events
    }
    lost = doubled = failed = mismatched = 0
    for mint in posted:
        digest = mint.body["metadata_digest"]
        count = copies[digest]
        doubled += max(0, count - 1)
        ended_badly = mint.status in (MintStatus.REJECTED, MintStatus.REVERTED)
        if count == 0:
            failed += ended_badly
            lost += not ended_badly
            continue
        token_id, to = where[digest]
        if str(token_id) != mint.body.get("token_id") or to != mint.body["to"] or ended_badly:
            mismatched += 1
    known = {mint.body["metadata_digest"] for mint in posted}
    minted = sum(1 for digest in copies if digest in known)
    return Verdict(minted=minted, lost=lost, doubled=doubled, failed=failed, mismatched=mismatched)
