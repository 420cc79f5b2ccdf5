"""Values that tests share."""

from __future__ import annotations

CHAIN_ID = 31337
"""The chain of anvil, and of the local stack."""
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
"""A collection: the first contract that anvil's first account deploys."""
GWEI = 10**9
"""Wei."""
ETHER = 10**18
"""Wei."""
