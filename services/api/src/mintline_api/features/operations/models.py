"""How clients name operations, and what is shown of all kinds alike."""

from __future__ import annotations

from mintline.views.operations import (
    AttemptView,
    MintId,
    ProblemView,
    attempt_views,
    latest_tx_hash,
    problem_view,
    waiting_view,
)

__all__ = [
    "AttemptView",
    "MintId",
    "ProblemView",
    "attempt_views",
    "latest_tx_hash",
    "problem_view",
    "waiting_view",
]
