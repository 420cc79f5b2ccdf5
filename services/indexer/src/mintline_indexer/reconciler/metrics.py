"""What the reconciler says about its findings and about itself."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from mintline.aws.session import AwsCalls
from mintline.chain.rpc_metrics import RpcMetrics
from mintline_indexer.reconciler.findings import Kind


class Metrics:
    """The metrics of one reconciler process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.rpc = RpcMetrics(registry)
        self._findings = Gauge(
            "mintline_reconcile_findings",
            "Findings of the last pass that succeeded, by kind.",
            ("kind",),
            registry=registry,
        )
        self.passes = Counter(
            "mintline_reconcile_passes",
            "By outcome: done or failed.",
            ("outcome",),
            registry=registry,
        )
        self.last_success = Gauge(
            "mintline_reconcile_last_success_timestamp_seconds",
            "When the last pass that succeeded ended, Unix seconds; the process's start before the first.",
            registry=registry,
        )
        self.duration = Gauge(
            "mintline_reconcile_duration_seconds", "How long that pass took.", registry=registry
        )
        self.block = Gauge(
            "mintline_reconcile_block", "The newest block that was checked.", registry=registry
        )
        for outcome in ("done", "failed"):
            self.passes.labels(outcome)
        self.set_findings({})

    def set_findings(self, counts: Mapping[Kind, int]) -> None:
        """Show how many findings of each kind the last pass made; a kind that is absent has none."""
        for kind in Kind:
            self._findings.labels(kind.value).set(counts.get(kind, 0))
