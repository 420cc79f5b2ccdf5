"""Ethereum's encodings that every part needs, the enclave included: no client, no network.

Keccak-256, EIP-55 addresses, EIP-1559 transactions, and Mintline's EIP-712 voucher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from Crypto.Hash import keccak

from mintline.rlp import RlpItem, rlp_encode, to_big_endian

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
UINT256_MAX = 2**256 - 1
GWEI = 10**9
"""Wei."""
ETHER = 10**18
"""Wei."""
ZERO_ADDRESS = "0x" + "00" * 20


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of `data` (the pre-NIST padding that Ethereum uses)."""
    return keccak.new(digest_bits=256, data=data).digest()


@lru_cache(maxsize=16_384)
def to_checksum_address(address: bytes | str) -> str:
    """Return `address` (20 bytes, or 0x-hex of any case) with its EIP-55 checksum.

    Remembered, since every model that names an address checks it: the hash costs 0.05 ms.
    """
    raw = address if isinstance(address, bytes) else bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != 20:
        raise ValueError(f"an address has 20 bytes, not {len(raw)}")
    lower = raw.hex()
    upper, digest = lower.upper(), keccak256(lower.encode()).hex()
    # As digits are compared: "8" to "f" sort after "7".
    return "0x" + "".join([u if d > "7" else c for c, u, d in zip(lower, upper, digest, strict=False)])


def address_of_public_key(public_key: bytes) -> str:
    """Return the checksummed address of an uncompressed secp256k1 point (65 bytes, leading 0x04)."""
    if len(public_key) != 65 or public_key[0] != 4:
        raise ValueError("a public key is an uncompressed point: 65 bytes that begin with 0x04")
    return to_checksum_address(keccak256(public_key[1:])[12:])


@dataclass(frozen=True, slots=True)
class Transaction:
    """An EIP-1559 transaction (type 2) without an access list; amounts in wei, `to` checksummed."""

    chain_id: int
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas: int
    to: str
    value: int
    data: bytes

    def _fields(self) -> list[RlpItem]:
        return [
            to_big_endian(self.chain_id),
            to_big_endian(self.nonce),
            to_big_endian(self.max_priority_fee_per_gas),
            to_big_endian(self.max_fee_per_gas),
            to_big_endian(self.gas),
            bytes.fromhex(self.to[2:]),
            to_big_endian(self.value),
            self.data,
            [],
        ]

    def signing_hash(self) -> bytes:
        """Return the 32 bytes that the sender signs (EIP-2718, EIP-1559)."""
        return keccak256(b"\x02" + rlp_encode(self._fields()))

    def signed(self, y_parity: int, r: int, s: int) -> bytes:
        """Return the raw transaction, ready for `eth_sendRawTransaction`; its hash is its Keccak-256."""
        signature: list[RlpItem] = [to_big_endian(y_parity), to_big_endian(r), to_big_endian(s)]
        return b"\x02" + rlp_encode([*self._fields(), *signature])


def word(value: int) -> bytes:
    """Return `value` as one 32-byte ABI word."""
    return value.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    """Return a 0x-hex address as one 32-byte ABI word."""
    return bytes(12) + bytes.fromhex(address[2:])


def selector(signature: str) -> bytes:
    """Return the 4-byte function selector of a canonical ABI signature."""
    return keccak256(signature.encode())[:4]


_DOMAIN_TYPEHASH = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_VOUCHER_TYPEHASH = keccak256(b"Voucher(uint256 tokenId,address to,bytes32 metadataDigest,uint256 deadline)")
_DOMAIN_NAME = keccak256(b"Mintline")
_DOMAIN_VERSION = keccak256(b"1")
REDEEM_SELECTOR = selector("redeem((uint256,address,bytes32,uint256),bytes)")
HAS_ROLE_SELECTOR = selector("hasRole(bytes32,address)")
IS_MINTED_SELECTOR = selector("isMinted(uint256)")
MINT_BATCH_SELECTOR = selector("mintBatch((uint256,address,bytes32)[])")
TRANSFER_SELECTOR = selector("safeTransferFrom(address,address,uint256)")
BURN_SELECTOR = selector("burn(uint256)")


def voucher_hash(
    *, chain_id: int, contract: str, token_id: int, to: str, metadata_digest: bytes, deadline: int
) -> bytes:
    """Return the EIP-712 digest of a voucher, 32 bytes: what the issuer signs.

    `deadline` is in Unix seconds. The domain is {name: "Mintline", version: "1", chainId, verifyingContract}.
    """
    voucher = keccak256(
        _VOUCHER_TYPEHASH + word(token_id) + address_word(to) + metadata_digest + word(deadline)
    )
    return typed_data_hash(chain_id, contract, voucher)


def typed_data_hash(chain_id: int, contract: str, struct_hash: bytes) -> bytes:
    """Return the EIP-712 digest of a struct in a collection's domain, 32 bytes; `struct_hash` is 32."""
    return keccak256(b"\x19\x01" + _domain_separator(chain_id, contract) + struct_hash)


@lru_cache(maxsize=1024)
def _domain_separator(chain_id: int, contract: str) -> bytes:
    return keccak256(
        _DOMAIN_TYPEHASH + _DOMAIN_NAME + _DOMAIN_VERSION + word(chain_id) + address_word(contract)
    )


def redeem_calldata(
    *, token_id: int, to: str, metadata_digest: bytes, deadline: int, signature: bytes
) -> bytes:
    """Return the calldata of `redeem(Voucher, bytes)`; `signature` is r‖s‖v, 65 bytes."""
    padded = signature + bytes(-len(signature) % 32)
    return (
        REDEEM_SELECTOR
        + word(token_id)
        + address_word(to)
        + metadata_digest
        + word(deadline)
        + word(5 * 32)
        + word(len(signature))
        + padded
    )


def has_role_calldata(role: bytes, account: str) -> bytes:
    """Return the calldata of AccessControl's `hasRole(bytes32,address)`."""
    return HAS_ROLE_SELECTOR + role + address_word(account)


def is_minted_calldata(token_id: int) -> bytes:
    """Return the calldata of the collection's `isMinted(uint256)`."""
    return IS_MINTED_SELECTOR + word(token_id)


def mint_batch_calldata(mints: Sequence[tuple[int, str, bytes]]) -> bytes:
    """Return the calldata of `mintBatch(MintRequest[])`, of (token id, recipient, metadata digest) each."""
    items = b"".join(word(token_id) + address_word(to) + digest for token_id, to, digest in mints)
    return MINT_BATCH_SELECTOR + word(32) + word(len(mints)) + items


def transfer_calldata(*, sender: str, to: str, token_id: int) -> bytes:
    """Return the calldata of ERC-721's `safeTransferFrom(address,address,uint256)`."""
    return TRANSFER_SELECTOR + address_word(sender) + address_word(to) + word(token_id)


def burn_calldata(token_id: int) -> bytes:
    """Return the calldata of `burn(uint256)` (ERC721Burnable)."""
    return BURN_SELECTOR + word(token_id)
