"""Digests of what a user asks for: what a sealed token is bound to, and the enclave computes again.

Apart from the sealing (`mintline.authorization`), which takes a library that few services have.
"""

from __future__ import annotations

import hashlib


def mint_digest(
    *,
    mint_id: str,
    sub: str,
    chain_id: int,
    contract: str,
    to: str,
    metadata_digest: bytes,
    sender: str,
    token_id: int,
) -> bytes:
    """Return what a user authorizes by asking for a custodial mint, 32 bytes.

    `sub` is the user, `sender` the user's wallet in custody, which redeems the voucher.
    """
    return _digest(
        b"mintline/authorization/mint/2",
        mint_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        _address(to),
        metadata_digest,
        _address(sender),
        token_id.to_bytes(32, "big"),
    )


def voucher_digest(
    *,
    mint_id: str,
    sub: str,
    chain_id: int,
    contract: str,
    to: str,
    metadata_digest: bytes,
    token_id: int,
) -> bytes:
    """Return what a user authorizes by asking for a voucher alone, 32 bytes; `sub` is the user."""
    return _digest(
        b"mintline/authorization/voucher/2",
        mint_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        _address(to),
        metadata_digest,
        token_id.to_bytes(32, "big"),
    )


def sponsored_digest(
    *,
    mint_id: str,
    sub: str,
    chain_id: int,
    contract: str,
    to: str,
    metadata_digest: bytes,
    token_id: int,
) -> bytes:
    """Return what a user authorizes by asking for a sponsored mint, 32 bytes; `sub` is the user.

    Whichever relayer sends it.
    """
    return _digest(
        b"mintline/authorization/sponsored/1",
        mint_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        _address(to),
        metadata_digest,
        token_id.to_bytes(32, "big"),
    )


def transfer_digest(
    *, request_id: str, sub: str, chain_id: int, contract: str, token_id: int, sender: str, to: str
) -> bytes:
    """Return what a user authorizes by asking for a token to be sent out of custody, 32 bytes."""
    return _digest(
        b"mintline/authorization/transfer/1",
        request_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        token_id.to_bytes(32, "big"),
        _address(sender),
        _address(to),
    )


def burn_digest(
    *, request_id: str, sub: str, chain_id: int, contract: str, token_id: int, sender: str
) -> bytes:
    """Return what a user authorizes by asking for a token to be burned, 32 bytes."""
    return _digest(
        b"mintline/authorization/burn/1",
        request_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        token_id.to_bytes(32, "big"),
        _address(sender),
    )


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _digest(domain: bytes, *fields: bytes) -> bytes:
    """Return the SHA-256 of domain and fields, each after its length: no two lists are the same bytes."""
    return hashlib.sha256(
        b"".join(len(part).to_bytes(4, "big") + part for part in (domain, *fields))
    ).digest()
