"""The kinds of transaction, each in a module of its own: what a mined one did for its operations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mintline.transaction_records import TransactionKind
from mintline_indexer.kinds.base import Deeds, SettledKind
from mintline_indexer.kinds.batch import BatchKind
from mintline_indexer.kinds.burn import BurnKind
from mintline_indexer.kinds.mint import MintKind
from mintline_indexer.kinds.noop import NoopKind
from mintline_indexer.kinds.top_up import TopUpKind
from mintline_indexer.kinds.transfer import TransferKind
from mintline_indexer.kinds.voucher import VoucherKind, has_voucher, undone

__all__ = ["KINDS", "VOUCHER", "Deeds", "SettledKind", "has_voucher", "undone"]

KINDS: Mapping[TransactionKind, SettledKind] = MappingProxyType(
    {
        "mint": MintKind(),
        "batch": BatchKind(),
        "transfer": TransferKind(),
        "burn": BurnKind(),
        "top_up": TopUpKind(),
        "noop": NoopKind(),
    }
)
"""All, by the kind on the transaction's record."""
VOUCHER = VoucherKind()
"""Of a user's own wallet: that has no record."""
