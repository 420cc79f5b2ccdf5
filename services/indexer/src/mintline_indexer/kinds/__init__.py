"""The kinds of transaction, each in a module of its own: what a mined one did for its operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from mintline.kinds.registry import find_kinds
from mintline.messages.intents import TransactionKind
from mintline_indexer.kinds.base import IndexedKind, TokenChanges
from mintline_indexer.kinds.voucher import VoucherKind, has_voucher, undone

__all__ = ["KINDS", "VOUCHER", "IndexedKind", "TokenChanges", "has_voucher", "undone"]

KINDS: Mapping[TransactionKind, IndexedKind] = cast(
    "Mapping[TransactionKind, IndexedKind]", find_kinds(__name__)
)
"""All, by the kind on the transaction's record."""
VOUCHER = VoucherKind()
"""Of a user's own wallet: that has no record."""
