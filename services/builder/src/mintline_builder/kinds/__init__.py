"""The kinds of operation that are built, each in a module of its own, found by what its record is.

The names are those of the requests to the enclave (`mintline.kinds`): `mint`, `voucher`, `batch`, `transfer`
and `burn`. Top-ups and no-ops are the platform's own, and no operation asks for them: see
`mintline_builder.funds`, and the broadcaster.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mintline.records import Mint, Operation
from mintline_builder.kinds.base import Context, OperationKind, event
from mintline_builder.kinds.batch import BatchKind
from mintline_builder.kinds.burn import BurnKind
from mintline_builder.kinds.mint import MintKind
from mintline_builder.kinds.transfer import TransferKind
from mintline_builder.kinds.voucher import VoucherKind

__all__ = ["KINDS", "Context", "OperationKind", "event", "kinds_of", "name_of"]

KINDS: Mapping[str, type[OperationKind[Any]]] = MappingProxyType(
    {
        "mint": MintKind,
        "voucher": VoucherKind,
        "batch": BatchKind,
        "transfer": TransferKind,
        "burn": BurnKind,
    }
)
_MINTS = {"custodial": "mint", "self": "voucher", "sponsored": "batch"}
"""By who sends its transaction."""


def name_of(operation: Operation) -> str:
    """Return the name of an operation's kind."""
    return _MINTS[operation.custody] if isinstance(operation, Mint) else operation.kind


def kinds_of(context: Context) -> Mapping[str, OperationKind[Any]]:
    """Return all kinds, by name."""
    return {name: kind(context) for name, kind in KINDS.items()}
