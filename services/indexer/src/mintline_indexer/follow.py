"""Follows the chain's head: four cases for a new head, undo on a reorg, and finality.

::

    the newest block is …          then
    ─────────────────────          ────────────────────────────────────────────────────────
    the head itself                nothing
    no higher than the head        a block we have: the node lags; another: a reorg
    more than one above            fetch what lies between, at most 50, and treat each as next
    next                           its parent is the head: apply it; else: a reorg

A node that lacks a block below its newest is unfit: what it has up to there is applied, and the round fails.

A reorg is undone to the common ancestor, found by walking the new branch back by hash. One that
would go below the finalized block is not undone: the follower halts, and an operator is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from mintline.errors import MintlineError, Unavailable
from mintline.messages.work import ReviewMint
from mintline.queue_port import SendingPort
from mintline.resources import BROADCAST
from mintline.tracing import OFF, Tracer
from mintline_indexer.chain_port import Block, ChainReader, Ref, Tips
from mintline_indexer.effects import Facts, TransactionEnded
from mintline_indexer.index_writer import IndexWriter
from mintline_indexer.metrics import Metrics
from mintline_indexer.reading import BlockEffects, gather_facts, read_block
from mintline_indexer.store_port import Store
from mintline_indexer.undoing import Undone

MAX_GAP = 50
"""Blocks fetched at once."""

log = structlog.get_logger()


class PastFinality(MintlineError):  # noqa: N818
    """The node's chain does not contain the block that was finalized here."""

    def __init__(self, finalized: Ref, seen: bytes) -> None:
        super().__init__(
            f"block {finalized.number} was final as 0x{finalized.hash.hex()}, the node says 0x{seen.hex()}"
        )


class Follower:
    """Applies blocks to the index in the order of the chain."""

    def __init__(
        self,
        *,
        chain: ChainReader,
        store: Store,
        index_writer: IndexWriter,
        chain_id: int,
        metrics: Metrics,
        outbox: SendingPort | None = None,
        tracer: Tracer = OFF,
    ) -> None:
        self._chain = chain
        self._store = store
        self._index_writer = index_writer
        self._chain_id = chain_id
        self._metrics = metrics
        self._outbox = outbox
        self._tracer = tracer
        self.administered = True
        """Whether a block may have moved a collection's record since the records were read last."""

    async def follow(self, tips: Tips) -> bool:
        """Move towards the newest block; tell whether there is more to do at once."""
        head, latest = self._index_writer.head, tips.latest
        if latest.hash == head.hash:
            return False
        if latest.number <= head.number:
            return await self._not_higher(latest)
        last = min(latest.number, head.number + MAX_GAP)
        refs: list[int | bytes] = [*range(head.number + 1, last + 1)]
        if last == latest.number:
            refs[-1] = latest.hash
        contracts = self._index_writer.progress.collections
        read = await asyncio.gather(*(read_block(self._chain, ref, contracts) for ref in refs))
        for ref, block_effects in zip(refs, read, strict=True):
            if block_effects is None and isinstance(ref, int):
                raise Unavailable(f"the node is at block {latest.number}, but has no block {ref}")
            if block_effects is None:
                return False  # the newest block: replaced since the node announced it
            if block_effects.block.parent_hash != self._index_writer.head.hash:
                await self._reorganize(block_effects.block)
                return True
            await self._apply(block_effects, below_final=block_effects.block.number < tips.finalized.number)
        return last < latest.number

    async def finalize(self, finalized: Block) -> None:
        """Finalize up to the chain's final block, or up to the head while that is behind it."""
        index_writer = self._index_writer
        number = min(finalized.number, index_writer.head.number)
        indexed = index_writer.indexed(number) if number > index_writer.finalized.number else None
        if indexed is not None and number < finalized.number:
            canonical = await self._chain.block(number, full=False)
            indexed = indexed if canonical is not None and canonical.hash == indexed.hash else None
        elif indexed is not None and indexed.hash != finalized.hash:
            indexed = None  # a stale branch: the reorg comes first
        if indexed is not None and self._chain.several and not await self._chain.confirmed(indexed):
            # Nothing is undone below a final block, so one node's word does not make it one.
            log.warning("finality_not_confirmed", block=indexed.number)
            indexed = None
        await index_writer.finalize(indexed)

    async def resume(self) -> None:
        """Take back a block that was left mixed: if it is still the chain's, it is applied again."""
        mixed = self._index_writer.progress.mixed
        if mixed is None:
            return
        undone = await self._index_writer.take_back_mixed()
        log.warning("mixed_block_taken_back", block=mixed.number, mints=len(undone.operations))
        canonical = await self._chain.block(mixed.number, full=False)
        if canonical is not None and canonical.hash != mixed.hash:
            await self._announce(undone.review, mixed.hash)

    async def rewind(self, ancestor: Ref) -> Undone:
        """Undo every block above `ancestor`; return what they had ended."""
        depth = self._index_writer.head.number - ancestor.number
        reopened = await self._index_writer.undo_to(ancestor)
        self.administered = True
        log.warning("blocks_undone", depth=depth, ancestor=ancestor.number, mints=len(reopened.operations))
        return reopened

    async def _apply(self, block_effects: BlockEffects, *, below_final: bool) -> None:
        # The final block itself gets its row: finality is taken only of a block that we know.
        if below_final and not block_effects.effects:
            self._index_writer.pass_over(block_effects.block.ref())
        else:
            await self._write(block_effects)

    async def _write(self, block_effects: BlockEffects) -> None:
        block = block_effects.block
        facts = await gather_facts(
            block_effects.effects,
            chain=self._chain,
            store=self._store,
            contracts=self._index_writer.progress.collections,
            chain_id=self._chain_id,
            timestamps={block.hash: block.timestamp},
            epoch=self._index_writer.progress.epoch,
        )
        await self._apply_traced(block_effects, facts)
        self.administered = self.administered or _administers(block_effects, facts)
        log.info(
            "block_indexed",
            block=block.number,
            effects=len(block_effects.effects),
            mints=len(facts.ended()),
        )

    async def _apply_traced(self, block_effects: BlockEffects, facts: Facts) -> None:
        """Apply a block; one with mints is a span that links to theirs, and each mint's trace ends there."""
        links = [ended.trace for ended in facts.ended() if ended.trace]
        if not links:
            await self._index_writer.apply(block_effects.block, block_effects.effects, facts)
            return
        number = {"mintline.block": block_effects.block.number}
        with self._tracer.span("index block", links=links, attributes=number) as block:
            await self._index_writer.apply(block_effects.block, block_effects.effects, facts)
        for ended in facts.ended():
            about: dict[str, str | int] = {"mintline.mint_id": ended.mint_id, **number}
            with self._tracer.span(ended.status.value, parent=ended.trace, links=[block], attributes=about):
                pass

    async def _not_higher(self, latest: Block) -> bool:
        finalized = self._index_writer.finalized
        if latest.number < finalized.number:
            raise Unavailable(f"the node is at block {latest.number}, behind the final {finalized.number}")
        indexed = self._index_writer.indexed(latest.number)
        if indexed is not None and indexed.hash == latest.hash:
            return False
        await self._reorganize(latest)
        return True

    async def _reorganize(self, block: Block) -> None:
        ancestor = await self._common_ancestor(block)
        depth = self._index_writer.head.number - ancestor.number
        reopened = await self.rewind(ancestor)
        await self._announce(reopened.review, block.hash)
        # Counted here alone: blocks are also rewound to read them again for a contract that joins.
        self._metrics.reorg_depth.observe(depth)
        self._metrics.reopened.inc(len(reopened.operations))

    async def _announce(self, reopened: Sequence[str], branch: bytes) -> None:
        """Have transactions looked at whose block is gone, each by an operation of it: no node may have it.

        Only for speed: what is lost here is found by the sweep, since the records say the same.
        """
        if self._outbox is None:
            return
        outbox = self._outbox
        sending = (
            outbox.send(
                BROADCAST,
                ReviewMint(mint_id=mint_id),
                group=mint_id,
                dedup=f"review:{mint_id}:{branch.hex()}",
            )
            for mint_id in reopened
        )
        for failed in await asyncio.gather(*sending, return_exceptions=True):
            if isinstance(failed, MintlineError):
                log.warning("review_not_sent", error=str(failed))
            elif failed is not None:
                raise failed

    async def _common_ancestor(self, block: Block) -> Ref:
        """Walk back from a block of the new branch until a block of ours, by hash."""
        finalized = self._index_writer.finalized
        while True:
            parent = self._index_writer.indexed(block.number - 1)
            if parent is not None and parent.hash == block.parent_hash:
                return parent
            if block.number <= finalized.number:
                raise PastFinality(finalized, block.hash)
            if block.number - 1 == finalized.number:
                raise PastFinality(finalized, block.parent_hash)
            above = await self._chain.block(block.parent_hash, full=False)
            if above is None:
                raise Unavailable(f"the node has no parent of block {block.number}")
            block = above


def _administers(block_effects: BlockEffects, facts: Facts) -> bool:
    """Tell whether a block has a transaction of ours that left no events of tokens, as of a deployment."""
    return any(
        isinstance(effect, TransactionEnded) and not effect.emitted and effect.tx_hash in facts.results
        for effect in block_effects.effects
    )
