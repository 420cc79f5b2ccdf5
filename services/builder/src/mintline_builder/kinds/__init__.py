"""The kinds of operation that are built, each in a module of its own, found by what its record is.

The names are those of the requests to the enclave (`mintline.kinds`): `mint`, `voucher`, `batch`, `transfer`
and `burn`. Top-ups and no-ops are the platform's own, and no operation asks for them: see
`mintline_builder.funds`, and the broadcaster.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mintline.kinds.registry import ASKED_FOR, find_kinds, request_type
from mintline_builder.kinds.base import Built, Context, OperationKind, event
from mintline_builder.kinds.batch import BatchKind

__all__ = ["KINDS", "Built", "Context", "OperationKind", "batch_kind_of", "event", "kinds_of"]

KINDS: Mapping[str, type[OperationKind[Any]]] = MappingProxyType(
    {request_type(name): kind for name, kind in find_kinds(__name__, ASKED_FOR).items()}
)
"""All, by the type of the request that an operation's record leads to."""


def batch_kind_of(kinds: Mapping[str, OperationKind[Any]]) -> BatchKind:
    """Return the kind of sponsored mints among all."""
    kind = kinds[request_type("batch")]
    assert isinstance(kind, BatchKind)
    return kind


def kinds_of(context: Context) -> Mapping[str, OperationKind[Any]]:
    """Return all kinds, by the type of the request that an operation's record leads to."""
    return {request: kind(context) for request, kind in KINDS.items()}
