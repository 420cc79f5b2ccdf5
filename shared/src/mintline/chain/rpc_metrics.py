"""What is counted of the calls to a chain, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RpcMetrics:
    """An `RpcObserver`: calls, exchanges' seconds, and how each endpoint fares. One per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "mintline_rpc_calls",
            "JSON-RPC calls: answered, refused by the node, doubted, or failed on the way.",
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
        self._up = Gauge(
            "mintline_rpc_endpoint_up",
            "1 while an endpoint is in service, 0 while others are asked first.",
            ("endpoint",),
            registry=registry,
        )
        self._head = Gauge(
            "mintline_rpc_endpoint_head_block",
            "The chain's height as an endpoint last told it.",
            ("endpoint",),
            registry=registry,
        )
        self._contradictions = Counter(
            "mintline_rpc_contradictions",
            "Answers of an endpoint that other endpoints showed to be wrong or stale.",
            ("endpoint",),
            registry=registry,
        )

    def called(self, endpoint: str, method: str, outcome: str) -> None:
        """Count one call."""
        self._calls.labels(endpoint, method, outcome).inc()

    def exchanged(self, endpoint: str, seconds: float) -> None:
        """Observe one exchange."""
        self._seconds.labels(endpoint).observe(seconds)

    def is_up(self, endpoint: str, *, up: bool, head: int | None) -> None:
        """Note whether an endpoint is in service, and its head."""
        self._up.labels(endpoint).set(up)
        if head is not None:
            self._head.labels(endpoint).set(head)

    def contradicted(self, endpoint: str) -> None:
        """Count an answer that others showed to be wrong."""
        self._contradictions.labels(endpoint).inc()
