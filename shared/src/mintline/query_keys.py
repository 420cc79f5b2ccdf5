"""Keys of the indexes that answer queries about collections' holders and about transfers.

They are attributes of a token's, a transfer's and a balance's item, written with it, so none can drift from
it. An index over them costs write units only where a deployment has it
(`mintline.resource_types.Index.optional`).

========================  ==================================  ==============================================
Index                     Partition                           Sorted by
========================  ==================================  ==============================================
`tokens/by_holder`        collection and shard of the owner   owner, then token id
`transfers/by_contract`   collection and shard of the token   time, block, log
`transfers/by_sender`     the address that had the token      time, block, log
`transfers/by_recipient`  the address that got it             time, block, log
`balances/by_item`        item and shard of the holder        holder
`balances/by_holder`      collection and shard of the holder  holder, then token id
========================  ==================================  ==============================================
"""

from __future__ import annotations

import zlib

from mintline.records.index import Balance, Token, Transfer
from mintline.records.keys import position, scoped, token_key, token_ref

HOLDER_SHARDS = 4
"""Partitions of a collection's holders: 4,000 write units a second."""
TRANSFER_SHARDS = 4
"""Partitions of a collection's transfers: as many."""
FIRST_OWNER = "0"
"""Sorts before every address, which begins with `0x`."""
AFTER_OWNERS = "1"
"""Sorts after every address."""
AFTER_OWNER = "$"
"""After an address: sorts after all keys of this owner's tokens, in which `#` follows the address."""
AFTER_KEY = "!"
"""After a key: sorts next, before any other key."""


def holder_shards(chain_id: int, contract: str) -> tuple[str, ...]:
    """Return all partitions of a collection's holders, in the order of their owners."""
    return tuple(scoped(chain_id, f"{contract}#{shard}") for shard in range(HOLDER_SHARDS))


def holder_shard(owner: str) -> int:
    """Return which of a collection's partitions an owner is in: by the address's first hexadecimal digit."""
    return int(owner[2], 16) * HOLDER_SHARDS // 16


def holder_key(owner: str, token_id: int) -> str:
    """Return the sort key of a token among its collection's holders."""
    return f"{owner}#{token_key(token_id)}"


def transfer_shards(chain_id: int, contract: str) -> tuple[str, ...]:
    """Return all partitions of a collection's transfers."""
    return tuple(scoped(chain_id, f"{contract}#{shard}") for shard in range(TRANSFER_SHARDS))


def moment(timestamp: int, block_number: int, log_index: int) -> str:
    """Return the sort key of an event by its block's time in Unix seconds, then by its place on the chain."""
    return f"{timestamp:011d}#{position(block_number, log_index)}"


def token_query_keys(token: Token) -> dict[str, str]:
    """Return the attributes by which the indexes find a token: none once it is burned."""
    if token.owner is None:
        return {}
    return {
        "holder_shard": holder_shards(token.chain_id, token.contract)[holder_shard(token.owner)],
        "holder_key": holder_key(token.owner, token.token_id),
    }


TOKEN_QUERY_KEYS = ("holder_shard", "holder_key")
"""Their names."""


def item_shards(chain_id: int, contract: str, token_id: int) -> tuple[str, ...]:
    """Return all partitions of an item's holders, in the order of these."""
    ref = token_ref(chain_id, contract, token_id)
    return tuple(f"{ref}#{shard}" for shard in range(HOLDER_SHARDS))


def items_partition(chain_id: int, contract: str) -> str:
    """Return the partition of `balances/by_owner` that lists a collection's items, by their supply."""
    return scoped(chain_id, f"{contract}#items")


def owned_key(contract: str, token_id: int) -> str:
    """Return the sort key of a token among its owner's."""
    return f"{contract}#{token_key(token_id)}"


def balance_query_keys(balance: Balance) -> dict[str, str]:
    """Return the attributes by which the indexes find a balance: none once it is zero, but for a supply."""
    chain_id, contract, holder = balance.chain_id, balance.contract, balance.holder
    place = {"owned_key": owned_key(contract, balance.token_id)}
    if holder is None:
        return {"owner_id": items_partition(chain_id, contract), **place}
    if not balance.quantity:
        return {}
    shard = holder_shard(holder)
    return {
        "owner_id": scoped(chain_id, holder),
        **place,
        "item_shard": item_shards(chain_id, contract, balance.token_id)[shard],
        "holder_shard": holder_shards(chain_id, contract)[shard],
        "holder_key": holder_key(holder, balance.token_id),
    }


BALANCE_QUERY_KEYS = ("owner_id", "owned_key", "item_shard", *TOKEN_QUERY_KEYS)
"""Their names."""


def transfer_query_keys(transfer: Transfer) -> dict[str, str]:
    """Return the attributes by which the indexes find a transfer: a mint has no sender.

    No two transfers of a partition have the same moment.
    """
    ref = token_ref(transfer.chain_id, transfer.contract, transfer.token_id)
    shard = zlib.crc32(ref.encode()) % TRANSFER_SHARDS
    at = moment(transfer.timestamp, transfer.block_number, transfer.log_index)
    if transfer.quantity is not None:
        # One event may move several items: each has a moment of its own.
        at = f"{at}#{token_key(transfer.token_id)}"
    keys = {
        "moment": at,
        "contract_shard": transfer_shards(transfer.chain_id, transfer.contract)[shard],
    }
    if transfer.sender is not None:
        keys["sender_id"] = scoped(transfer.chain_id, transfer.sender)
    if transfer.recipient is not None:
        keys["recipient_id"] = scoped(transfer.chain_id, transfer.recipient)
    return keys
