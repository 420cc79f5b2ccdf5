"""`sub` in the KMS encryption context of the platform's own keys. A user's key has the user pool's `sub`."""

from __future__ import annotations

from typing import Final

PLATFORM: Final = "platform:"
"""Begins the subject of every key that is no user's."""
ISSUER: Final = f"{PLATFORM}issuer"
TREASURY: Final = f"{PLATFORM}treasury"
AUTHORIZATION_KEY: Final = f"{PLATFORM}sealing"
MAX_RELAYERS: Final = 16


def relayer(number: int) -> str:
    """Return the subject of a relayer's key; they are numbered from 1."""
    return f"{PLATFORM}relayer-{number}"


RELAYER: Final = relayer(1)
