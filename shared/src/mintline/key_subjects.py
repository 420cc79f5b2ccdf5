"""`sub` in the KMS encryption context of the platform's own keys. A user's key has the user pool's `sub`."""

from __future__ import annotations

from typing import Final

PLATFORM: Final = "platform:"
"""Begins the subject of every key that is no user's."""
ISSUER: Final = f"{PLATFORM}issuer"
TREASURY: Final = f"{PLATFORM}treasury"
RELAYER: Final = f"{PLATFORM}relayer-1"
SEALING: Final = f"{PLATFORM}sealing"
