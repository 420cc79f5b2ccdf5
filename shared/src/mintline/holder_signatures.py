"""What a holder signs for a collection of a factory, and the calls that carry it (`MintlineClone.sol`).

EIP-712, in the same domain as vouchers: {name: "Mintline", version: "1", chainId, verifyingContract}. The
`nonce` of the types is the holder's counter in the collection (`nonces`), `deadline` the last block timestamp
at which the contract takes the signature, in Unix seconds. No client and no network here: the enclave
relies on it.
"""

from __future__ import annotations

from mintline.eth import address_word, keccak256, selector, typed_data_hash, word

TRANSFER_BY_SIGNATURE = selector("transferBySignature(address,address,uint256,uint256,uint256,bytes)")
BURN_BY_SIGNATURE = selector("burnBySignature(address,uint256,uint256,uint256,bytes)")
NONCES_SELECTOR = selector("nonces(address)")
SIGNATURE_BYTES = 65
"""r‖s‖v, v being 27 or 28."""
_HEAD_WORDS = {
    TRANSFER_BY_SIGNATURE: 7,
    BURN_BY_SIGNATURE: 6,
    # Of ERC-1155 collections (`mintline.item_calls`).
    selector("transferBySignature(address,address,uint256,uint256,uint256,uint256,bytes)"): 8,
    selector("burnBySignature(address,uint256,uint256,uint256,uint256,bytes)"): 7,
}
"""The words before the signature's length, by function."""

_TRANSFER_TYPEHASH = keccak256(
    b"Transfer(address from,address to,uint256 tokenId,uint256 nonce,uint256 deadline)"
)
_BURN_TYPEHASH = keccak256(b"Burn(address from,uint256 tokenId,uint256 nonce,uint256 deadline)")


def transfer_hash(
    *, chain_id: int, contract: str, holder: str, to: str, token_id: int, counter: int, deadline: int
) -> bytes:
    """Return the digest that a holder signs to have a token transferred, 32 bytes."""
    struct = keccak256(
        _TRANSFER_TYPEHASH
        + address_word(holder)
        + address_word(to)
        + word(token_id)
        + word(counter)
        + word(deadline)
    )
    return typed_data_hash(chain_id, contract, struct)


def burn_hash(
    *, chain_id: int, contract: str, holder: str, token_id: int, counter: int, deadline: int
) -> bytes:
    """Return the digest that a holder signs to have a token burned, 32 bytes."""
    struct = keccak256(
        _BURN_TYPEHASH + address_word(holder) + word(token_id) + word(counter) + word(deadline)
    )
    return typed_data_hash(chain_id, contract, struct)


def transfer_by_signature_calldata(
    *, holder: str, to: str, token_id: int, counter: int, deadline: int, signature: bytes
) -> bytes:
    """Return the calldata of `transferBySignature`; `signature` is 65 bytes."""
    head = (address_word(holder), address_word(to), word(token_id), word(counter), word(deadline))
    return TRANSFER_BY_SIGNATURE + b"".join(head) + signature_tail(len(head), signature)


def burn_by_signature_calldata(
    *, holder: str, token_id: int, counter: int, deadline: int, signature: bytes
) -> bytes:
    """Return the calldata of `burnBySignature`; `signature` is 65 bytes."""
    head = (address_word(holder), word(token_id), word(counter), word(deadline))
    return BURN_BY_SIGNATURE + b"".join(head) + signature_tail(len(head), signature)


def nonces_calldata(holder: str) -> bytes:
    """Return the calldata of `nonces(address)`: the holder's counter."""
    return NONCES_SELECTOR + address_word(holder)


def carried_signature(data: bytes) -> bytes:
    """Return the signature in the calldata of any of these calls; empty if it is of another function."""
    words = _HEAD_WORDS.get(data[:4])
    if words is None:
        return b""
    start = 4 + 32 * words
    return data[start : start + SIGNATURE_BYTES]


def signature_tail(head_words: int, signature: bytes) -> bytes:
    """Return offset, length and bytes of the signature, the last argument, behind the others' words."""
    return word(32 * (head_words + 1)) + word(len(signature)) + signature + bytes(-len(signature) % 32)
