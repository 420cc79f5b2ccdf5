import asyncio

import pytest

from mintline.aws.dynamo import Check, Clause, Delete, Dynamo, Put, TransactionCancelled, Update
from mintline.resources import ACCOUNTS, BLOCKS, MINTS

ACCOUNT = {"account_id": "1#0xA"}


def reservation(mint_id: str, nonce: int) -> list[Update]:
    return [
        Update(ACCOUNTS, dict(ACCOUNT), add={"next": 1}, where=(Clause("nonce", "next", "eq", (nonce,)),)),
        Update(
            MINTS,
            {"mint_id": mint_id},
            set={"status": "built", "nonce": nonce},
            where=(Clause("source", "status", "eq", ("accepted",)),),
        ),
    ]


async def test_transact__when_every_clause_holds__changes_all(dynamo: Dynamo) -> None:
    await dynamo.write(Put(ACCOUNTS, {**ACCOUNT, "next": 5}))
    await dynamo.write(Put(MINTS, {"mint_id": "m1", "status": "accepted"}))
    await dynamo.write(Put(BLOCKS, {"chain": "1", "position": "1"}))
    await dynamo.write(Put(MINTS, {"mint_id": "guard", "open": True}))
    await dynamo.transact(
        [
            *reservation("m1", 5),
            Put(MINTS, {"mint_id": "m2"}, where=(Clause("new", "mint_id", "missing"),)),
            Delete(BLOCKS, {"chain": "1", "position": "1"}),
            Check(MINTS, {"mint_id": "guard"}, where=(Clause("open", "open", "eq", (True,)),)),
        ]
    )
    assert await dynamo.get(ACCOUNTS, dict(ACCOUNT)) == {**ACCOUNT, "next": 6}
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == {"mint_id": "m1", "status": "built", "nonce": 5}
    assert await dynamo.get(MINTS, {"mint_id": "m2"}) == {"mint_id": "m2"}
    assert await dynamo.get(BLOCKS, {"chain": "1", "position": "1"}) is None


async def test_transact__when_one_clause_fails__changes_nothing_and_says_which(dynamo: Dynamo) -> None:
    await dynamo.write(Put(ACCOUNTS, {**ACCOUNT, "next": 5}))
    await dynamo.write(Put(MINTS, {"mint_id": "m1", "status": "built"}))
    with pytest.raises(TransactionCancelled) as cancelled:
        await dynamo.transact(reservation("m1", 5))
    account, mint = cancelled.value.reasons
    assert account.code == "None"
    assert mint.code == "ConditionalCheckFailed"
    assert mint.item == {"mint_id": "m1", "status": "built"}
    assert await dynamo.get(ACCOUNTS, dict(ACCOUNT)) == {**ACCOUNT, "next": 5}


async def test_transact__when_many_race_for_one_nonce__gives_it_to_one(dynamo: Dynamo) -> None:
    await dynamo.write(Put(ACCOUNTS, {**ACCOUNT, "next": 0}))
    for n in range(10):
        await dynamo.write(Put(MINTS, {"mint_id": f"m{n}", "status": "accepted"}))
    results = await asyncio.gather(
        *(dynamo.transact(reservation(f"m{n}", 0)) for n in range(10)), return_exceptions=True
    )
    assert len([r for r in results if r is None]) == 1
    assert len([r for r in results if isinstance(r, TransactionCancelled)]) == 9
    assert await dynamo.get(ACCOUNTS, dict(ACCOUNT)) == {**ACCOUNT, "next": 1}


async def test_transact__when_repeated_with_its_token__happens_once(dynamo: Dynamo) -> None:
    bump = [Update(ACCOUNTS, dict(ACCOUNT), add={"next": 1})]
    await dynamo.transact(bump, token="a-token")
    await dynamo.transact(bump, token="a-token")
    assert await dynamo.get(ACCOUNTS, dict(ACCOUNT)) == {**ACCOUNT, "next": 1}
