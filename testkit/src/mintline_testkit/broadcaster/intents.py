"""Intents of the broadcaster's tests, and how the chain in memory reads them when they are signed."""

from __future__ import annotations

from mintline.eth import GWEI, keccak256, to_checksum_address
from mintline.messages.codec import decode, encode
from mintline.messages.intents import AnyIntent, Intent, SignMint, SignNoop, SignTopUp
from mintline.messages.parts import Fees, KeyRef, Voucher
from mintline.messages.signed import Broadcast
from mintline_testkit.chain import Decoded
from mintline_testkit.constants import CONTRACT


def key_of(number: int) -> KeyRef:
    """Return the key of a numbered user."""
    address = to_checksum_address(keccak256(b"wallet %d" % number)[12:])
    return KeyRef(address=address, subject=f"user-{number}", chain_id=31337, secret_id=f"wallet-{number}")


def sign(intent: AnyIntent) -> Broadcast:
    """Sign as deterministically as the enclave does; the chain in memory reads the intent back."""
    raw = encode(intent).encode()
    return Broadcast(trace=intent.trace, intent=intent, raw=raw, tx_hash=keccak256(raw))


def read(raw: bytes) -> Decoded:
    """Read what `sign` has written."""
    intent = decode(raw)
    assert isinstance(intent, Intent)
    value = intent.value if isinstance(intent, SignTopUp) else 0
    return Decoded(intent.signer.address, intent.nonce, intent.gas, intent.fees, value)


def mint_intent(
    nonce: int = 0,
    *,
    sender: int = 0,
    fees: int = 10 * GWEI,
    tip: int = GWEI,
    gas: int = 120_000,
    attempt: int = 0,
) -> SignMint:
    """Return a mint of the token of its nonce."""
    voucher = Voucher(
        token_id=nonce + 1, to=key_of(sender).address, metadata_digest=bytes(32), deadline=2_000_000_000
    )
    return SignMint(
        trace="00-trace",
        signer=key_of(sender),
        chain_id=31337,
        nonce=nonce,
        gas=gas,
        fees=Fees(max_fee_per_gas=fees, max_priority_fee_per_gas=tip),
        attempt=attempt,
        mint_id=f"mint_{sender}_{nonce}",
        contract=CONTRACT,
        voucher=voucher,
        authorization=b"\x02sealed for mint %d of %d" % (nonce, sender),
    )


def top_up_intent(nonce: int = 0, *, fees: int = 10 * GWEI, value: int = 10**15) -> SignTopUp:
    """Return a top-up of the first user."""
    return SignTopUp(
        signer=key_of(99),
        chain_id=31337,
        nonce=nonce,
        gas=21_000,
        fees=Fees(max_fee_per_gas=fees, max_priority_fee_per_gas=GWEI),
        recipient=key_of(0).address,
        value=value,
    )


def noop_intent(nonce: int = 0, *, fees: int = 10 * GWEI, attempt: int = 1) -> SignNoop:
    """Return a no-op in the place of a mint."""
    mint = mint_intent(nonce)
    return SignNoop(
        signer=mint.signer,
        chain_id=31337,
        nonce=nonce,
        gas=21_000,
        fees=Fees(max_fee_per_gas=fees, max_priority_fee_per_gas=GWEI),
        attempt=attempt,
        mint_id=mint.mint_id,
    )
