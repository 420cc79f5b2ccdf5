"""What the indexer counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mintline.aws.session import AwsCalls
from mintline.chain.rpc_metrics import RpcMetrics
from mintline.outcome_metrics import outcomes_refused
from mintline.set_aside import SetAside
from mintline.stage_metrics import StageMetrics


class Metrics:
    """The metrics of one indexer process: where the index stands, and how it fares."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.rpc = RpcMetrics(registry)
        self.stages = StageMetrics(registry)
        self.outcomes_refused = outcomes_refused(registry)
        self.set_aside = SetAside(registry)
        self.head = Gauge("mintline_indexer_head_block", "The newest indexed block.", registry=registry)
        self.latest = Gauge("mintline_indexer_latest_block", "The chain's newest block.", registry=registry)
        self.finalized = Gauge(
            "mintline_indexer_finalized_block", "The newest block that is never undone.", registry=registry
        )
        self.head_age = Gauge(
            "mintline_indexer_head_age_seconds",
            "Since the newest indexed block was made; 0 while this instance stands by.",
            registry=registry,
        )
        self.finalized_age = Gauge(
            "mintline_indexer_finalized_age_seconds",
            "Since the newest block that is never undone was made; 0 while this instance stands by.",
            registry=registry,
        )
        self.writer = Gauge(
            "mintline_indexer_writer",
            "1 while this instance writes, 0 while it stands by.",
            registry=registry,
        )
        self.halted = Gauge(
            "mintline_indexer_halted",
            "1 after a reorg past finality, or with a damaged checkpoint or undo record: nothing is written.",
            registry=registry,
        )
        self.heads = Counter(
            "mintline_indexer_heads", "Times that news of a head woke the indexer.", registry=registry
        )
        self.reorg_depth = Histogram(
            "mintline_indexer_reorg_depth",
            "Blocks undone at once.",
            buckets=(1, 2, 3, 5, 8, 16, 32, 64),
            registry=registry,
        )
        self.reopened = Counter(
            "mintline_indexer_reopened_mints",
            "Mints that a reorg took out of their block again.",
            registry=registry,
        )
