import asyncio

import pytest

from mintline.aws.dynamo import Clause, ConditionFailed, Delete, Dynamo, Item, Put, Update
from mintline.aws.records import transition
from mintline.aws.session import AwsCalls
from mintline.records.keys import open_shard
from mintline.resources import ACCOUNTS, MINTS
from mintline.states import MintStatus

ABSENT = Clause("new", "mint_id", "missing")


def mint(mint_id: str, **attributes: object) -> Item:
    return {"mint_id": mint_id, "sub": "user", "created_key": f"1#{mint_id}", **attributes}  # type: ignore[dict-item] # kwargs


async def test_put__when_the_key_is_new__is_read_back_whole(dynamo: Dynamo) -> None:
    item = mint(
        "m1", n=7, flag=True, blob=b"\x00\xff", items=[1, "two", {"three": 3}], nothing=None, empty=[]
    )
    await dynamo.write(Put(MINTS, item, where=(ABSENT,)))
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == item


async def test_put__when_the_key_exists__fails_with_the_old_item(dynamo: Dynamo) -> None:
    await dynamo.write(Put(MINTS, mint("m1", by="first"), where=(ABSENT,)))
    with pytest.raises(ConditionFailed) as failed:
        await dynamo.write(Put(MINTS, mint("m1", by="second"), where=(ABSENT,)))
    assert failed.value.item == mint("m1", by="first")
    assert "new" in str(failed.value)
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == mint("m1", by="first")


async def test_put__when_unconditional__overwrites(dynamo: Dynamo) -> None:
    await dynamo.write(Put(MINTS, mint("m1", by="first", extra=1)))
    await dynamo.write(Put(MINTS, mint("m1", by="second")))
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == mint("m1", by="second")


async def test_put__when_another_attribute_must_be_missing__is_checked_too(dynamo: Dynamo) -> None:
    await dynamo.write(Put(MINTS, mint("m1", locked=True)))
    unlocked = Clause("unlocked", "locked", "missing")
    with pytest.raises(ConditionFailed) as failed:
        await dynamo.write(Put(MINTS, mint("m1"), where=(unlocked,)))
    assert failed.value.item == mint("m1", locked=True)


async def test_update__when_its_clauses_hold__sets_and_removes(dynamo: Dynamo) -> None:
    await dynamo.write(Put(MINTS, mint("m1", status="accepted", metadata="{}", other="x", size=3)))
    await dynamo.write(
        Update(
            MINTS,
            {"mint_id": "m1"},
            set={"status": "built", "fees": {"max": "1"}, "nonce": 4},
            remove=("metadata", "other"),
            where=(
                Clause("source", "status", "in", ("accepted", "built")),
                Clause("no_nonce", "nonce", "missing"),
                Clause("has_size", "size", "exists"),
                Clause("small", "size", "lt", (4,)),
                Clause("not_tiny", "size", "ge", (3,)),
            ),
        )
    )
    expected = mint("m1", status="built", fees={"max": "1"}, nonce=4, size=3)
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == expected


@pytest.mark.parametrize(
    "clause",
    [
        Clause("c", "status", "eq", ("built",)),
        Clause("c", "status", "ne", ("accepted",)),
        Clause("c", "status", "in", ("built",)),
        Clause("c", "status", "in", ("built", "mined")),
        Clause("c", "status", "missing"),
        Clause("c", "absent", "exists"),
        Clause("c", "absent", "eq", ("x",)),
        Clause("c", "absent", "in", ("x", "y")),
        Clause("c", "size", "lt", (3,)),
        Clause("c", "size", "le", (2,)),
        Clause("c", "size", "gt", (3,)),
        Clause("c", "size", "ge", (4,)),
    ],
    ids=lambda clause: f"{clause.attribute}_{clause.op}_{len(clause.values)}",
)
async def test_update__when_a_clause_fails__changes_nothing_and_returns_the_item(
    dynamo: Dynamo, clause: Clause
) -> None:
    before = mint("m1", status="accepted", size=3)
    await dynamo.write(Put(MINTS, before))
    with pytest.raises(ConditionFailed) as failed:
        await dynamo.write(Update(MINTS, {"mint_id": "m1"}, set={"touched": True}, where=(clause,)))
    assert failed.value.item == before
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == before


async def test_update__when_a_clause_needs_the_item__never_creates_it(dynamo: Dynamo) -> None:
    source = Clause("source", "status", "eq", ("accepted",))
    with pytest.raises(ConditionFailed) as failed:
        await dynamo.write(Update(MINTS, {"mint_id": "gone"}, set={"status": "built"}, where=(source,)))
    assert failed.value.item is None
    assert await dynamo.get(MINTS, {"mint_id": "gone"}) is None


@pytest.mark.parametrize(
    "where", [(), (Clause("fresh", "n", "missing"),), (Clause("not_9", "n", "ne", (9,)),)]
)
async def test_update__when_no_clause_needs_the_item__creates_it(
    dynamo: Dynamo, where: tuple[Clause, ...]
) -> None:
    await dynamo.write(Update(ACCOUNTS, {"account_id": "1#0xA"}, set={"n": 1}, where=where))
    assert await dynamo.get(ACCOUNTS, {"account_id": "1#0xA"}) == {"account_id": "1#0xA", "n": 1}


async def test_update__when_appending_and_adding__starts_from_nothing_or_goes_on(dynamo: Dynamo) -> None:
    await dynamo.write(Put(MINTS, mint("m1", status="built")))
    source = Clause("source", "status", "in", ("built", "submitted"))
    for n in (1, 2):
        await dynamo.write(
            Update(
                MINTS,
                {"mint_id": "m1"},
                set={"status": "submitted"},
                add={"count": 5},
                append={"attempts": [{"n": n}]},
                where=(source,),
            )
        )
    expected = mint("m1", status="submitted", count=10, attempts=[{"n": 1}, {"n": 2}])
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == expected


async def test_update__when_returning__gives_the_item_afterwards(dynamo: Dynamo) -> None:
    counter = Update(ACCOUNTS, {"account_id": "1#0xA"}, add={"next": 3})
    assert await dynamo.update_returning(counter) == {"account_id": "1#0xA", "next": 3}
    assert await dynamo.update_returning(counter) == {"account_id": "1#0xA", "next": 6}
    refused = Update(
        ACCOUNTS, {"account_id": "1#0xA"}, add={"next": 1}, where=(Clause("c", "next", "lt", (6,)),)
    )
    with pytest.raises(ConditionFailed) as failed:
        await dynamo.update_returning(refused)
    assert failed.value.item == {"account_id": "1#0xA", "next": 6}


async def test_delete__when_conditional_on_an_absent_item__fails(dynamo: Dynamo) -> None:
    mine = Clause("mine", "sub", "eq", ("user",))
    with pytest.raises(ConditionFailed):
        await dynamo.write(Delete(MINTS, {"mint_id": "m1"}, where=(mine,)))
    await dynamo.write(Put(MINTS, mint("m1")))
    await dynamo.write(Delete(MINTS, {"mint_id": "m1"}, where=(mine,)))
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) is None
    await dynamo.write(Delete(MINTS, {"mint_id": "m1"}))


async def test_writes__when_they_come_together__share_requests_and_fail_alone(
    dynamo: Dynamo, calls: AwsCalls
) -> None:
    await asyncio.gather(*(dynamo.write(Put(MINTS, mint(f"m{i}", n=i))) for i in range(0, 100, 4)))
    before = calls.counts()
    results = await asyncio.gather(
        *(dynamo.write(Put(MINTS, mint(f"m{i}", n=-i), where=(ABSENT,))) for i in range(100)),
        return_exceptions=True,
    )
    failed = {i for i, result in enumerate(results) if isinstance(result, ConditionFailed)}
    assert failed == set(range(0, 100, 4))
    assert [r for r in results if r is not None and not isinstance(r, ConditionFailed)] == []
    requests = {key: n - before.get(key, 0) for key, n in calls.counts().items()}
    assert requests["dynamodb", "BatchExecuteStatement"] == 4
    items = await asyncio.gather(*(dynamo.get(MINTS, {"mint_id": f"m{i}"}) for i in range(100)))
    assert [item["n"] for item in items if item] == [i if i % 4 == 0 else -i for i in range(100)]


async def test_writes__when_two_meet_on_one_item__keep_their_order(dynamo: Dynamo) -> None:
    puts = [dynamo.write(Put(MINTS, mint("m1", n=n))) for n in range(5)]
    await asyncio.gather(*puts, dynamo.write(Put(MINTS, mint("m2"))))
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == mint("m1", n=4)
    steps = [("accepted", "built"), ("built", "submitted"), ("submitted", "mined")]
    await dynamo.write(Put(MINTS, mint("m1", status="accepted")))

    def step(source: str, target: str) -> Update:
        clause = Clause("source", "status", "eq", (source,))
        return Update(MINTS, {"mint_id": "m1"}, set={"status": target}, where=(clause,))

    await asyncio.gather(*(dynamo.write(step(source, target)) for source, target in steps))
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == mint("m1", status="mined")


async def test_writes__when_names_are_reserved_words__go_through(dynamo: Dynamo) -> None:
    await dynamo.write(Put(MINTS, mint("m1", name="a", value=1, size=2), where=(ABSENT,)))
    exists = Clause("e", "name", "eq", ("a",))
    await dynamo.write(Update(MINTS, {"mint_id": "m1"}, set={"value": 2}, remove=("size",), where=(exists,)))
    assert await dynamo.get(MINTS, {"mint_id": "m1"}) == mint("m1", name="a", value=2)


@pytest.mark.parametrize("open_before", [True, False], ids=["open", "of-an-earlier-version"])
async def test_transition__when_it_ends_a_mint__then_it_leaves_the_index_of_open_ones(
    dynamo: Dynamo, *, open_before: bool
) -> None:
    item: Item = {"mint_id": "m1", "status": "built", "created_key": "1#m1"}
    if open_before:
        item["open_shard"] = open_shard("m1")
    await dynamo.write(Put(MINTS, item))
    await dynamo.write(transition("m1", MintStatus.REJECTED, at=1))
    page = await dynamo.query(MINTS, index=MINTS.index("open"), partition=open_shard("m1"), limit=10)
    assert page.items == []
    ended = await dynamo.get(MINTS, {"mint_id": "m1"})
    assert ended == {"mint_id": "m1", "status": "rejected", "created_key": "1#m1", "updated_at": 1}


async def test_transition__when_the_next_release_added_an_attribute__then_keeps_it(dynamo: Dynamo) -> None:
    added: Item = {"added": {"by": ["the", "next"]}, "attempts": [{"at": 1, "added": 2}]}
    await dynamo.write(Put(MINTS, mint("m1", status="submitted") | added, where=(ABSENT,)))
    await dynamo.write(transition("m1", MintStatus.MINED, at=5, set={"block_number": 7}))
    await dynamo.write(transition("m1", MintStatus.FINALIZED, at=6, set={"finalized_at": 6}))
    item = await dynamo.get(MINTS, {"mint_id": "m1"})
    assert item is not None
    assert item.items() >= added.items()
    assert item["status"] == "finalized"


async def test_write_each__when_some_conditions_fail__then_each_has_an_outcome_of_its_own(
    dynamo: Dynamo, calls: AwsCalls
) -> None:
    for number in (3, 30):
        await dynamo.write(Put(MINTS, mint(f"m{number}", by="before", fence=9)))
    older = Clause("older", "fence", "older", (5,))
    batch = [Put(MINTS, mint(f"m{number}", by="each"), where=(ABSENT,)) for number in range(50)]
    batch += [Put(MINTS, mint("plain", by="each"))]
    fenced = [
        Update(MINTS, {"mint_id": "m3"}, set={"by": "fenced"}, where=(older,)),
        Update(MINTS, {"mint_id": "m4"}, set={"by": "fenced"}, where=(older,)),
    ]
    before = calls.counts()
    outcomes = await dynamo.write_each(batch)
    requests = {key[1]: n - before.get(key, 0) for key, n in calls.counts().items()}
    assert requests["BatchExecuteStatement"] == 2
    failed = {place: error for place, error in enumerate(outcomes) if error is not None}
    assert sorted(failed) == [3, 30]
    assert all(isinstance(error, ConditionFailed) and error.item for error in failed.values())
    late, due = await dynamo.write_each(fenced)
    assert isinstance(late, ConditionFailed)
    assert due is None
    written = await dynamo.get_each(MINTS, [{"mint_id": mint_id} for mint_id in ("m3", "m4", "m5", "plain")])
    assert [item and item["by"] for item in written] == ["before", "fenced", "each", "each"]
