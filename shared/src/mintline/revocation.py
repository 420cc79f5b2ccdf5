"""What the api states of a user's tokens that count no more: `revoked_before`, for the enclave to act by.

The statement (`mintline.acceptance`) is signed by the session key of the api process that found out. Its own
time is when that was.
"""

from __future__ import annotations

REVOCATION = b"mintline/revocation/1"
"""The domain of revocations: the fields are the user's `sub` and `revoked_before` (8 bytes, big-endian)."""
KEPT = 3 * 24 * 3600
"""Seconds past the token's expiry for which a revocation stays on record: longer than `grace` should be."""


def revocation_fields(sub: str, revoked_before: int) -> tuple[bytes, bytes]:
    """Return what the statement of a revocation is about.

    The user's tokens that were issued before `revoked_before` (Unix seconds) count no more.
    """
    return sub.encode(), revoked_before.to_bytes(8, "big")
