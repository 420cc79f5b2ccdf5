"""Keys of the tables and of their indexes, as the records' fields give them."""

from __future__ import annotations

import zlib

TOKEN_KEY_DIGITS = 78
OPEN_SHARDS = 8
"""Partitions of the index of open mints: enough for several thousand new mints a second."""
BLOCK_SHARDS = 8
"""Partitions of each block within an index of records by block: the same, in whichever block they are."""
ROW_SHARDS = 16
"""Partitions of a chain's undo records: one second's may be a few megabytes."""


def scoped(chain_id: int, name: str) -> str:
    """Return the key of something that exists once per chain: `{chain_id}#{name}`."""
    return f"{chain_id}#{name}"


def token_key(token_id: int) -> str:
    """Return a token id in fixed width, so that keys sort as numbers do."""
    return f"{token_id:0{TOKEN_KEY_DIGITS}d}"


def token_ref(chain_id: int, contract: str, token_id: int) -> str:
    """Return the partition key of a token's transfers."""
    return f"{chain_id}#{contract}#{token_id}"


def token_of(ref: str) -> tuple[int, str, int]:
    """Return the chain id, the contract and the token id of a `token_ref`."""
    chain_id, contract, token_id = ref.split("#")
    return int(chain_id), contract, int(token_id)


def balance_ref(chain_id: int, contract: str, token_id: int, holder: str | None) -> str:
    """Return the key of a balance; `holder` None for an item's supply."""
    return f"{token_ref(chain_id, contract, token_id)}#{holder or 'supply'}"


def position(block_number: int, log_index: int) -> str:
    """Return the sort key of an event within its chain."""
    return f"{block_number:012d}#{log_index:06d}"


def created_key(created_at: int, mint_id: str) -> str:
    """Return the sort key of a mint among its user's mints."""
    return f"{created_at:015d}#{mint_id}"


def external_ref(asked_by: str, external_id: str) -> str:
    """Return the key of an external id: a client's id and a user's `sub` have no `#`."""
    return f"{asked_by}#{external_id}"


def open_shard(mint_id: str) -> str:
    """Return the partition of a mint within the index of open mints."""
    return str(zlib.crc32(mint_id.encode()) % OPEN_SHARDS)


def block_shard(block_number: int, record_id: str) -> str:
    """Return the key of a record within the index of its block."""
    return f"{block_number}#{zlib.crc32(record_id.encode()) % BLOCK_SHARDS}"


def block_shards(block_number: int) -> tuple[str, ...]:
    """Return all keys of a block within such an index."""
    return tuple(f"{block_number}#{shard}" for shard in range(BLOCK_SHARDS))


def row_shard(chain_id: int, row_position: str) -> str:
    """Return the partition of a block's undo record."""
    return scoped(chain_id, str(zlib.crc32(row_position.encode()) % ROW_SHARDS))


def row_shards(chain_id: int) -> tuple[str, ...]:
    """Return all partitions of a chain's undo records."""
    return tuple(scoped(chain_id, str(shard)) for shard in range(ROW_SHARDS))


def signature_turn_key(chain_id: int, contract: str, wallet: str) -> str:
    """Return the key of a wallet's turn in a collection, in the table of accounts."""
    return f"{chain_id}#{contract}#{wallet}"
