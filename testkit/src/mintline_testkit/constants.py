"""Values that tests share: a chain and a collection."""

from __future__ import annotations

CHAIN_ID = 31337


CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
