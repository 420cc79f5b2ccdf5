"""What the host counts, and what the enclave counts, which has no metrics endpoint of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from mintline.aws.session import AwsCalls
from mintline.cache_metrics import CacheMetrics
from mintline.consumer_metrics import ConsumerMetrics
from mintline.set_aside import SetAside
from mintline_signer.protocol import Statistics


class Metrics:
    """The metrics of one host process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.consumer = ConsumerMetrics(registry)
        self.caches = CacheMetrics(registry)
        self.set_aside = SetAside(registry)
        self._enclave = Gauge(
            "mintline_enclave", "The enclave's counts since its start.", ("count",), registry=registry
        )

        self._revocations = Counter(
            "mintline_revocation_passes",
            "Looks for revoked tokens, by whether the enclave has them all afterwards.",
            ("result",),
            registry=registry,
        )

    def revocations_passed(self, complete: bool) -> None:  # noqa: FBT001 - how it went
        """Count a look for revoked tokens."""
        self._revocations.labels("done" if complete else "failed").inc()

    def observe_enclave(self, statistics: Statistics) -> None:
        """Take over the enclave's counts."""
        for name, value in statistics.model_dump(exclude={"type"}).items():
            self._enclave.labels(name).set(value)
