"""Values that tests share."""

from __future__ import annotations

CHAIN_ID = 31337
"""The chain of anvil, and of the local stack."""
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
"""A collection: the first contract that anvil's first account deploys."""
ALICE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
"""Somebody's address: the second account of anvil."""
