"""The indexer's metrics: few, and without labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, Histogram


class Metrics:
    """Where the index stands, and how it fares."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.head = Gauge("mintline_indexer_head_block", "The newest indexed block.", registry=registry)
        self.latest = Gauge("mintline_indexer_latest_block", "The chain's newest block.", registry=registry)
        self.finalized = Gauge(
            "mintline_indexer_finalized_block", "The newest block that is never undone.", registry=registry
        )
        self.writer = Gauge(
            "mintline_indexer_writer",
            "1 while this instance writes, 0 while it stands by.",
            registry=registry,
        )
        self.halted = Gauge(
            "mintline_indexer_halted", "1 after a reorg past finality: nothing is written.", registry=registry
        )
        self.reorg_depth = Histogram(
            "mintline_indexer_reorg_depth",
            "Blocks undone at once.",
            buckets=(1, 2, 3, 5, 8, 16, 32, 64),
            registry=registry,
        )
