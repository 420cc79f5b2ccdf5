"""Digests of what a user asks for: what a sealed token is bound to, and the enclave computes again.

Apart from the sealing (`mintline.authorization`), which takes a library that few services have.
"""

from __future__ import annotations

import hashlib
from typing import TypedDict, Unpack


class RequestedMint(TypedDict):
    """What every mint's digest names; `sub` is the user."""

    mint_id: str
    sub: str
    chain_id: int
    contract: str
    to: str
    metadata_digest: bytes
    token_id: int


class RequestedToken(TypedDict):
    """A request about a token; `sub` is the user, `sender` the user's wallet in custody."""

    request_id: str
    sub: str
    chain_id: int
    contract: str
    token_id: int
    sender: str


def mint_digest(*, sender: str, **mint: Unpack[RequestedMint]) -> bytes:
    """Return what a user authorizes by asking for a custodial mint, 32 bytes.

    `sender` is the user's wallet in custody, which redeems the voucher.
    """
    *fields, token_id = _mint_fields(mint)
    return _digest(b"mintline/authorization/mint/2", *fields, _address(sender), token_id)


def voucher_digest(**mint: Unpack[RequestedMint]) -> bytes:
    """Return what a user authorizes by asking for a voucher alone, 32 bytes."""
    return _digest(b"mintline/authorization/voucher/2", *_mint_fields(mint))


def sponsored_digest(
    *, item_id: int | None = None, quantity: int | None = None, **mint: Unpack[RequestedMint]
) -> bytes:
    """Return what a user authorizes by asking for a sponsored mint, 32 bytes: whichever relayer sends it.

    In an ERC-1155 collection `token_id` is the mint's serial, and `item_id` and `quantity` are digested too:
    without them it is another digest, so nothing that ignores them is authorized.
    """
    fields = _mint_fields(mint)
    if item_id is None or quantity is None:
        return _digest(b"mintline/authorization/sponsored/1", *fields)
    return _digest(b"mintline/authorization/sponsored-items/1", *fields, _uint(item_id), _uint(quantity))


def lines_digest(
    *, request_id: str, sub: str, chain_id: int, contract: str, root: bytes, count: int
) -> bytes:
    """Return what a user or client authorizes by a request for many sponsored mints, 32 bytes.

    `root` is the request's Merkle root, over the `sponsored_digest` of each of its `count` lines
    (`mintline.lines`).
    """
    return _digest(
        b"mintline/authorization/lines/1",
        request_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        root,
        count.to_bytes(8, "big"),
    )


def transfer_digest(*, to: str, **token: Unpack[RequestedToken]) -> bytes:
    """Return what a user authorizes by asking for a token to be sent out of custody, 32 bytes."""
    return _digest(b"mintline/authorization/transfer/1", *_token_fields(token), _address(to))


def burn_digest(**token: Unpack[RequestedToken]) -> bytes:
    """Return what a user authorizes by asking for a token to be burned, 32 bytes."""
    return _digest(b"mintline/authorization/burn/1", *_token_fields(token))


def relayed_transfer_digest(
    *, to: str, quantity: int | None = None, **token: Unpack[RequestedToken]
) -> bytes:
    """Return what a user authorizes by asking for a token to be sent by a relayer, 32 bytes.

    `sender` is the wallet that signs. Other than `transfer_digest`'s, so that neither authorizes the other.
    `quantity` is how many tokens of an ERC-1155 item; None for a token of ERC-721.
    """
    fields = [*_token_fields(token), _address(to)]
    if quantity is None:
        return _digest(b"mintline/authorization/relayed-transfer/1", *fields)
    return _digest(b"mintline/authorization/relayed-item-transfer/1", *fields, _uint(quantity))


def relayed_burn_digest(*, quantity: int | None = None, **token: Unpack[RequestedToken]) -> bytes:
    """Return what a user authorizes by asking for a token to be burned by a relayer, 32 bytes.

    `quantity` as in `relayed_transfer_digest`.
    """
    fields = _token_fields(token)
    if quantity is None:
        return _digest(b"mintline/authorization/relayed-burn/1", *fields)
    return _digest(b"mintline/authorization/relayed-item-burn/1", *fields, _uint(quantity))


def deploy_digest(
    *, request_id: str, sub: str, chain_id: int, contract: str, factory: str, implementation: str, args: bytes
) -> bytes:
    """Return what a principal authorizes by asking for a collection, 32 bytes.

    `sub` is the principal, `args` the collection's immutable arguments; `contract`, its address, follows.
    """
    return _digest(
        b"mintline/authorization/deploy/1",
        request_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        _address(factory),
        _address(implementation),
        args,
    )


def administer_digest(*, request_id: str, sub: str, chain_id: int, contract: str, call: bytes) -> bytes:
    """Return what a principal authorizes by asking for a change of a collection, 32 bytes.

    `call` is the data of the call that makes it.
    """
    return _digest(
        b"mintline/authorization/administer/1",
        request_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        call,
    )


def _mint_fields(mint: RequestedMint) -> list[bytes]:
    return [
        mint["mint_id"].encode(),
        mint["sub"].encode(),
        mint["chain_id"].to_bytes(32, "big"),
        _address(mint["contract"]),
        _address(mint["to"]),
        mint["metadata_digest"],
        mint["token_id"].to_bytes(32, "big"),
    ]


def _token_fields(token: RequestedToken) -> list[bytes]:
    return [
        token["request_id"].encode(),
        token["sub"].encode(),
        token["chain_id"].to_bytes(32, "big"),
        _address(token["contract"]),
        token["token_id"].to_bytes(32, "big"),
        _address(token["sender"]),
    ]


def _uint(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _digest(domain: bytes, *fields: bytes) -> bytes:
    """Return the SHA-256 of domain and fields, each after its length: no two lists are the same bytes."""
    return hashlib.sha256(
        b"".join(len(part).to_bytes(4, "big") + part for part in (domain, *fields))
    ).digest()
