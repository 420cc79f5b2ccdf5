"""The examples of the OpenAPI document: values of the very models that they illustrate."""

from __future__ import annotations

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MINT_ID = "mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
CURSOR = "p0q1r2s3t4u5v6w7x8y9zAMDAwMDE3OTUzMTcwNTQxMjMjbWludF83SDJL"
DIGEST = bytes.fromhex("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
TX_HASH = bytes.fromhex("5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060")
BLOCK_HASH = bytes.fromhex("88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6")
METADATA_URL = f"https://api.example.com/v1/metadata/{CONTRACT}/1"
RECIPIENT = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
