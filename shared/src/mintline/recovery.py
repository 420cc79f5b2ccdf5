"""Who signed: secp256k1 signatures, and the address that they recover to."""

from __future__ import annotations

from coincurve import PublicKey

from mintline.eth import SECP256K1_N, address_of_public_key


def recover(digest: bytes, signature: bytes) -> str | None:
    """Return the address that signed `digest`; `signature` is r‖s‖v, v 0, 1, 27 or 28.

    None for one that no key can have made, and for one with a high s (EIP-2), which has a twin.
    """
    if len(signature) != 65 or signature[64] not in (0, 1, 27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > SECP256K1_N // 2:
        return None
    recoverable = signature[:64] + bytes([signature[64] % 27])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except ValueError:
        return None
    return address_of_public_key(key.format(compressed=False))
