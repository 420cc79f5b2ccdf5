"""What a collection of a factory is called for: by the factory to make it, and itself to change it."""

from __future__ import annotations

from functools import lru_cache
from typing import assert_never

from mintline.clones import (
    cap_item_calldata,
    clone_address,
    clone_salt,
    create_calldata,
    freeze_calldata,
    pause_calldata,
    refresh_contract_uri_calldata,
    refresh_metadata_calldata,
    set_royalty_calldata,
    unpause_calldata,
)
from mintline.messages.parts import Clone, CollectionChange


@lru_cache(maxsize=4096)
def address_of(clone: Clone) -> str:
    """Return the checksummed address that follows from what a collection is made of (EIP-1014)."""
    salt = clone_salt(clone.principal, clone.operation_id)
    return clone_address(clone.factory, clone.implementation, salt, clone.args)


def deployment_calldata(clone: Clone) -> bytes:
    """Return the calldata by which the factory makes a collection."""
    salt = clone_salt(clone.principal, clone.operation_id)
    return create_calldata(clone.implementation, salt, clone.args)


def change_calldata(change: CollectionChange) -> bytes:
    """Return the calldata by which a collection is changed."""
    match change.action:
        case "pause" | "unpause":
            return pause_calldata() if change.action == "pause" else unpause_calldata()
        case "set_royalty":
            assert change.receiver is not None
            return set_royalty_calldata(change.receiver, change.bps)
        case "refresh_contract_uri":
            return refresh_contract_uri_calldata()
        case "refresh_metadata":
            assert change.first_token is not None
            assert change.last_token is not None
            return refresh_metadata_calldata(change.first_token, change.last_token)
        case "freeze":
            return freeze_calldata()
        case "cap_item":
            assert change.item_id is not None
            assert change.cap is not None
            return cap_item_calldata(change.item_id, change.cap)
        case _:
            assert_never(change.action)
