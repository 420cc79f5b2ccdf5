"""What the builder counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from mintline.aws.session import AwsCalls
from mintline.chain.rpc_metrics import RpcMetrics
from mintline.consumer_metrics import ConsumerMetrics
from mintline.records.operations import Operation
from mintline.set_aside import SetAside
from mintline.stage_metrics import StageMetrics
from mintline.states import MintStatus


class Metrics:
    """The metrics of one builder process; its own are exported as `mintline_builder_…`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.consumer = ConsumerMetrics(registry)
        self.rpc = RpcMetrics(registry)
        self.stages = StageMetrics(registry)
        self.set_aside = SetAside(registry)
        prefix = "mintline_builder"
        self.built = Counter(f"{prefix}_mints_built", "Mints given a nonce.", registry=registry)
        self.rejected = Counter(
            f"{prefix}_mints_rejected", "Mints refused before they had a nonce.", ("code",), registry=registry
        )
        self.renewed = Counter(
            f"{prefix}_nonces_renewed", "Mints given another nonce, as theirs was taken.", registry=registry
        )
        self.jumps = Counter(
            f"{prefix}_nonce_jumps",
            "Senders whose transactions, on chain or on record, were ahead of their reservations.",
            registry=registry,
        )
        self.top_ups = Counter(f"{prefix}_top_ups", "Top-ups reserved.", registry=registry)
        self.conflicts = Counter(
            f"{prefix}_reservation_conflicts", "Reservations refused and tried again.", registry=registry
        )
        self.metadata_conflicts = Counter(
            f"{prefix}_metadata_conflicts",
            "Mints not built, as other bytes are stored as their metadata.",
            registry=registry,
        )
        self.treasury_low = Counter(
            f"{prefix}_treasury_low", "Top-ups that the treasury could not pay.", registry=registry
        )
        self.waiting = Counter(
            f"{prefix}_mints_waiting",
            "Times that a mint had to wait for somebody to act.",
            ("code",),
            registry=registry,
        )
        self.batches = Counter(f"{prefix}_batches", "Batches given a nonce.", registry=registry)
        self.batch_lines = Counter(
            f"{prefix}_batch_lines", "Mints in batches that were sealed.", registry=registry
        )
        self.batch_lines_lost = Counter(
            f"{prefix}_batch_lines_lost",
            "Mints that a batch was reserved with and does not carry, as others claimed or ended them.",
            registry=registry,
        )
        self.token_operations = Counter(
            f"{prefix}_token_operations",
            "Operations other than mints that got a nonce, were rejected, or had to wait for someone.",
            ("kind", "outcome"),
            registry=registry,
        )
        self.chain_time_skew = Gauge(
            f"{prefix}_chain_time_skew_seconds",
            "The latest block's timestamp less this host's time; a block's age when all is well.",
            registry=registry,
        )
        self.treasury_balance = Gauge(
            f"{prefix}_treasury_balance_wei", "The treasury's balance when last looked at.", registry=registry
        )
        self.relayer_balance = Gauge(
            f"{prefix}_relayer_balance_wei",
            "A relayer's balance when last read.",
            ("address",),
            registry=registry,
        )
        self.relayer_batches_left = Gauge(
            f"{prefix}_relayer_batches_left",
            "For how many batches of the last one's cost a relayer's balance was enough.",
            ("address",),
            registry=registry,
        )
        self.relayer_low = Counter(
            f"{prefix}_relayer_low",
            "Times that a relayer's balance was too small for a batch, and no other relayer could pay.",
            registry=registry,
        )

    def was_built(self, operation: Operation) -> None:
        """Count an operation that has got its nonce, or whatever its kind goes on by."""
        if operation.kind == "mint":
            self.built.inc()
            seconds = (operation.updated_at - operation.created_at) / 1000
            self.stages.reached(MintStatus.BUILT, after=seconds)
        else:
            self.token_operations.labels(operation.kind, "built").inc()

    def must_wait(self, operation: Operation, code: str) -> None:
        """Count an operation that waits for somebody to act."""
        if operation.kind == "mint":
            self.waiting.labels(code).inc()
        else:
            self.token_operations.labels(operation.kind, "waits").inc()

    def was_rejected(self, operation: Operation, code: str) -> None:
        """Count an operation that was refused."""
        if operation.kind == "mint":
            self.rejected.labels(code).inc()
            self.stages.reached(MintStatus.REJECTED)
        else:
            self.token_operations.labels(operation.kind, "rejected").inc()
