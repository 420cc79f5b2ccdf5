"""What the broadcaster counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from mintline.aws.session import AwsCalls
from mintline.chain.rpc_metrics import RpcMetrics
from mintline.consumer_metrics import ConsumerMetrics
from mintline.stage_metrics import StageMetrics


class Metrics:
    """The metrics of one broadcaster process; its own are exported as `mintline_broadcaster_…`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.consumer = ConsumerMetrics(registry)
        self.rpc = RpcMetrics(registry)
        self.stages = StageMetrics(registry)
        prefix = "mintline_broadcaster"
        self.sends = Counter(
            f"{prefix}_sends",
            "Transactions sent, by what the node said; `nonce_too_high` is a gap before them.",
            ("fact",),
            registry=registry,
        )
        self.fee_bumps = Counter(
            f"{prefix}_fee_bumps", "Replacements asked for, at higher fees.", registry=registry
        )
        self.noops = Counter(
            f"{prefix}_noops", "No-ops asked for, each to fill a dead nonce.", registry=registry
        )
