"""What the api counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from mintline.aws.session import AwsCalls
from mintline.cache_metrics import CacheMetrics
from mintline.chain.rpc_metrics import RpcMetrics
from mintline.set_aside import SetAside
from mintline.stage_metrics import StageMetrics


class Metrics:
    """The metrics of one api process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.caches = CacheMetrics(registry)
        self.rpc = RpcMetrics(registry)
        self.stages = StageMetrics(registry)
        self.set_aside = SetAside(registry)
        self.metadata_altered = Counter(
            "mintline_metadata_altered",
            "Stored metadata that was read and is not what was minted: it is not served.",
            registry=registry,
        )
        self.token_ids_set_back = Counter(
            "mintline_token_ids_set_back",
            "Leases of token ids that began at or below an id in use: the counter was moved forward.",
            registry=registry,
        )
        self._client_budget_refusals = Counter(
            "mintline_client_budget_refusals",
            "Mints of machine clients that were refused, by the part of the budget: mints_per_hour, "
            "wei_per_day, collections.",
            ("budget",),
            registry=registry,
        )
        self.requests = Histogram(
            "mintline_http_request_seconds",
            "Time from a request's head to its answer.",
            ("method", "route", "status"),
            registry=registry,
        )

    def client_budget_refused(self, budget: str) -> None:
        """Count a mint that a machine client's budget did not allow."""
        self._client_budget_refusals.labels(budget).inc()
