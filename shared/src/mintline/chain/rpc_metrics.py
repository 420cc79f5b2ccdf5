"""What is counted of the calls to a chain, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RpcMetrics:
    """Calls by endpoint, method and outcome, and exchanges' seconds; an `RpcObserver`, one per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "mintline_rpc_calls",
            "JSON-RPC calls: answered, refused by the node, or failed on the way.",
            ("endpoint", "method", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "mintline_rpc_exchange_seconds",
            "How long an exchange took, whatever the number of calls in it.",
            ("endpoint",),
            buckets=_SECONDS,
            registry=registry,
        )

    def called(self, endpoint: str, method: str, outcome: str) -> None:
        """Count one call."""
        self._calls.labels(endpoint, method, outcome).inc()

    def exchanged(self, endpoint: str, seconds: float) -> None:
        """Observe one exchange."""
        self._seconds.labels(endpoint).observe(seconds)
