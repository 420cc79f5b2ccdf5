"""Records and keys as tests need them: whole by default, so that a test names what it is about."""

from __future__ import annotations

from typing import Any

from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, transaction_key_of
from mintline.states import MintStatus
from mintline_testkit.constants import CHAIN_ID, CONTRACT

USER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
"""The address of anvil's second account."""
FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)


def make_key(address: str = USER, *, subject: str = "user", chain_id: int = CHAIN_ID) -> KeyRef:
    """Return the name of a key in custody."""
    return KeyRef(address=address, subject=subject, chain_id=chain_id, secret_id="secret")


def make_mint(mint_id: str = "mint_1", *, at: int = 1, **changes: Any) -> Mint:
    """Return a mint that was accepted `at` Unix milliseconds, of no token id and no sender."""
    fields: dict[str, Any] = {
        "mint_id": mint_id,
        "sub": "user",
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "to": USER,
        "metadata_digest": bytes(32),
        "request_digest": "",
        "created_at": at,
        "updated_at": at,
    }
    return Mint(**fields | changes)


def make_transaction(signer: KeyRef, nonce: int = 0, *, at: int = 1, **changes: Any) -> Transaction:
    """Return a transaction that was reserved `at` Unix milliseconds, and carries nothing yet."""
    fields: dict[str, Any] = {
        **transaction_key_of(signer, nonce)._asdict(),
        "signer": signer,
        "kind": "mint",
        "gas": 100_000,
        "fees": FEES,
        "meaning": bytes(32),
        "reserved_at": at,
        "updated_at": at,
    }
    return Transaction(**fields | changes)
