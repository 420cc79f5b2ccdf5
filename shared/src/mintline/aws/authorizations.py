"""The table of authorizations: binary items, each written once."""

from __future__ import annotations

from contextlib import suppress

from mintline.authorizations import KEPT, MISSING, Authorization, Key, key_of, on_record
from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put
from mintline.aws.records import read
from mintline.records.operations import Operation
from mintline.resources import AUTHORIZATIONS
from mintline.set_aside import SetAside

_NEW = Clause("new_authorization", "mint_id", "missing")


async def keep_authorization(dynamo: Dynamo, operation: Operation, authorization: Authorization) -> None:
    """Store the authorization of an operation that is about to be created; harmless if that is done."""
    key = key_of(operation)
    assert key is not None
    item: Item = {
        **_key_item(key),
        "envelope": authorization.envelope,
        "expires": operation.created_at // 1000 + KEPT,
    }
    if authorization.metadata is not None:
        item["metadata"] = authorization.metadata
    if authorization.packed:
        item["packed"] = True
    # What is there was made for the same digest: any of them will do.
    with suppress(ConditionFailed):
        await dynamo.write(Put(AUTHORIZATIONS, item, where=(_NEW,)))


async def find_authorization(dynamo: Dynamo, operation: Operation, aside: SetAside) -> Authorization:
    """Return an operation's authorization, MISSING if none is on record; raises Unreadable."""
    if (held := on_record(operation)) is not None:
        return held
    key = key_of(operation)
    return MISSING if key is None else await read_authorization(dynamo, key, aside)


async def read_authorization(dynamo: Dynamo, key: Key, aside: SetAside) -> Authorization:
    """Return the authorization under an id and a digest, MISSING if there is none; raises Unreadable."""
    item = await dynamo.get(AUTHORIZATIONS, _key_item(key))
    return MISSING if item is None else read(Authorization, AUTHORIZATIONS, item, aside)


def _key_item(key: Key) -> Item:
    mint_id, digest = key
    return {"mint_id": mint_id, "digest": digest}
