"""What the broadcaster counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from mintline.aws.session import AwsCalls
from mintline.chain.rpc_metrics import RpcMetrics
from mintline.chain.send_facts import SendFact
from mintline.consumer_metrics import ConsumerMetrics
from mintline.outcome_metrics import outcomes_refused
from mintline.set_aside import SetAside
from mintline.stage_metrics import StageMetrics


class Metrics:
    """The metrics of one broadcaster process; its own are exported as `mintline_broadcaster_…`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.consumer = ConsumerMetrics(registry)
        self.rpc = RpcMetrics(registry)
        self.stages = StageMetrics(registry)
        self.set_aside = SetAside(registry)
        self.outcomes_refused = outcomes_refused(registry)
        prefix = "mintline_broadcaster"
        self.sends = Counter(
            f"{prefix}_sends",
            "Transactions sent, by what the node said; `nonce_too_high` is a gap before them.",
            ("fact",),
            registry=registry,
        )
        for fact in SendFact:
            self.sends.labels(fact.value)
        self.fee_bumps = Counter(
            f"{prefix}_fee_bumps", "Replacements asked for, at higher fees.", registry=registry
        )
        self.noops = Counter(
            f"{prefix}_noops", "No-ops asked for, each to fill a dead nonce.", registry=registry
        )
        self.passes = Counter(f"{prefix}_sweep_passes", "Passes over what is open.", registry=registry)
        self.sweeps = Counter(
            f"{prefix}_sweeps",
            "Operations that had stopped moving and were sent on, by the status they stood in.",
            ("status",),
            registry=registry,
        )
        self.resends = Counter(
            f"{prefix}_resends", "Transactions that the node had lost and took again.", registry=registry
        )
        self.replacements = Counter(
            f"{prefix}_replacements",
            "Replacements of transactions too old in blocks (`age`) or below the base fee (`market`).",
            ("cause",),
            registry=registry,
        )
        self.nonce_gaps = Counter(
            f"{prefix}_nonce_gaps", "Reserved nonces that nothing was on its way for.", registry=registry
        )
        self.nonces_taken = Counter(
            f"{prefix}_nonces_taken",
            "Mints that get another nonce: another transaction used theirs for good, or their batch failed.",
            registry=registry,
        )
        self.treasury_low = Counter(
            f"{prefix}_treasury_low", "Top-ups that a node refused for lack of funds.", registry=registry
        )
        self.oldest_open = Gauge(
            f"{prefix}_oldest_open_seconds",
            "Age of the oldest mint that is not mined yet, as of the last pass.",
            registry=registry,
        )
