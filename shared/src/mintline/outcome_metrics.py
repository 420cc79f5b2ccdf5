"""The count of outcomes that were not a mint's: those that `mint_outcome_refused` reports in the logs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


def outcomes_refused(registry: CollectorRegistry) -> Counter:
    """Return the counter, exported as `mintline_mint_outcomes_refused_total`."""
    return Counter(
        "mintline_mint_outcomes_refused",
        "Messages and events that named a mint whose record says otherwise; the mint is left as it is.",
        registry=registry,
    )
