"""What wallets sign, and whose signature it is: of contract wallets by asking them (EIP-1271)."""

from __future__ import annotations

from mintline.chain.calls import Call
from mintline.errors import Rejected
from mintline.eth import keccak256, selector, word
from mintline_api.chain import ChainReader

CONTRACT_GAS = 3_000_000
"""What a contract wallet may spend on looking at a signature, in gas of a call that nobody pays."""
ERC6492_SUFFIX = bytes.fromhex("6492" * 16)
"""Ends the signature of a wallet that is not deployed yet (ERC-6492)."""

_IS_VALID = selector("isValidSignature(bytes32,bytes)")
_MAGIC = _IS_VALID + bytes(28)
_NOBODY = "0x" + "00" * 19 + "01"


def personal_hash(message: bytes) -> bytes:
    """Return the 32 bytes that `personal_sign` signs (EIP-191, version 0x45)."""
    return keccak256(b"\x19Ethereum Signed Message:\n%d%s" % (len(message), message))


async def contract_accepts(chain: ChainReader, address: str, digest: bytes, signature: bytes) -> bool:
    """Ask a contract wallet whether a signature is its own (EIP-1271); a revert is a no.

    Raises Unavailable or Throttled when the chain does not answer.
    """
    padded = signature + bytes(-len(signature) % 32)
    data = _IS_VALID + digest + word(2 * 32) + word(len(signature)) + padded
    try:
        result = await chain.call(Call(sender=_NOBODY, to=address, data=data, gas=CONTRACT_GAS))
    except Rejected:
        return False
    return result[:32] == _MAGIC
