"""Registries of kinds: a package has a module for each, of its name, and that has its `KIND`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, get_args

from mintline.messages.intents import TransactionKind

NAMES: tuple[TransactionKind, ...] = get_args(TransactionKind)
"""The kinds of transaction."""
VOUCHER = "voucher"
"""The kind of request that becomes no transaction."""
ASKED_FOR = (*(name for name in NAMES if name not in ("top_up", "noop")), VOUCHER)
"""The kinds that users ask for; the others are the platform's own."""


def find_kinds(package: str, names: Iterable[str] = NAMES) -> Mapping[str, Any]:
    """Return the kind of each name; raises ImportError or AttributeError for one that the package lacks."""
    return MappingProxyType({name: import_module(f"{package}.{name}").KIND for name in names})


def request_type(name: str) -> str:
    """Return the type of the request for a kind of that name."""
    return "issue_voucher" if name == VOUCHER else f"sign_{name}"
