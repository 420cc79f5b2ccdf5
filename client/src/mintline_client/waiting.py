"""How long to wait for what the pipeline does, and what to say of an operation that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mintline.errors import Rejected

PATIENCE = 120.0
"""Seconds within which one operation ends on the local chain, or something is wrong."""


def failure(operation: Mapping[str, Any]) -> Rejected:
    """Return why an operation ended without its effect."""
    problem = operation["problem"] or {"code": operation["status"], "reason": "no reason given"}
    return Rejected(problem["code"], problem["reason"])
