"""The ledger over DynamoDB keeps what the one in memory keeps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mintline.aws.dynamo import Item, Put
from mintline.aws.records import to_item
from mintline.messages import Fees, SignNoop
from mintline.records import Attempt, Mint, Problem, Transfer, open_shard, position, token_ref
from mintline.resources import CHECKPOINTS, TRANSFERS
from mintline.states import MintStatus
from mintline_broadcaster.ports import Final, MintMoved, OpenMint, OpenTransaction, SignedTransaction

pytestmark = pytest.mark.integration


def attempt(number: int, fee: int = 10**9) -> Attempt:
    return Attempt(tx_hash=bytes([number]) * 32, max_fee_per_gas=fee, max_priority_fee_per_gas=1, at=number)


async def test_submit__when_built__then_submitted_with_one_attempt_and_the_rest_untouched(line: Any) -> None:
    intent = line.mint_intent(await line.wallet(), 3)
    before = await line.built(intent)
    await line.ledger.submit(intent, attempt(1))
    after = await line.mint(intent)
    assert after == before.model_copy(
        update={
            "status": MintStatus.SUBMITTED,
            "attempts": (attempt(1),),
            "submitted_at": 1,
            "updated_at": 1,
        }
    )


@pytest.mark.parametrize(
    "changes",
    [{"status": status} for status in MintStatus if status is not MintStatus.BUILT] + [{"nonce": 4}],
)
async def test_submit__when_elsewhere__then_it_tells_where(line: Any, changes: dict[str, Any]) -> None:
    intent = line.mint_intent(await line.wallet(), 3)
    mint = await line.built(intent, **changes)
    with pytest.raises(MintMoved) as caught:
        await line.ledger.submit(intent, attempt(1))
    assert caught.value.mint == mint
    assert await line.mint(intent) == mint


async def test_writes__when_there_is_no_such_mint__then_none_and_none_is_made(line: Any) -> None:
    ledger = line.ledger
    nobodys = line.mint_intent(await line.wallet()).model_copy(update={"mint_id": "mint_none"})
    with pytest.raises(MintMoved) as caught:
        await ledger.submit(nobodys, attempt(1))
    assert caught.value.mint is None
    with pytest.raises(MintMoved):
        await ledger.reject("mint_none", Problem(code="c", reason="r"), source=MintStatus.BUILT, at=1)
    assert await ledger.get("mint_none") is None


def transfer(mint: Mint, block: int, **changes: Any) -> Transfer:
    fields: dict[str, Any] = {
        "chain_id": mint.chain_id,
        "contract": mint.contract,
        "token_id": mint.token_id,
        "sender": None,
        "recipient": mint.to,
        "block_number": block,
        "block_hash": bytes([block]) * 32,
        "log_index": 0,
        "tx_hash": bytes([block + 1]) * 32,
        "timestamp": block,
    }
    return Transfer(**fields | changes)


async def indexed(line: Any, found: Transfer) -> None:
    key: Item = {
        "token_ref": token_ref(found.chain_id, found.contract, found.token_id),
        "position": position(found.block_number, found.log_index),
    }
    await line.dynamo.write(Put(TRANSFERS, to_item(found) | key))


async def test_minting__when_the_indexer_has_the_token__then_it_is_the_transfer_that_made_it(
    line: Any,
) -> None:
    intent = line.mint_intent(await line.wallet(), 3)
    mint = await line.built(intent, token_id=7)
    assert await line.ledger.minting(mint) is None
    made = transfer(mint, 8)
    await indexed(line, transfer(mint, 9, sender=mint.to))
    await indexed(line, made)
    assert await line.ledger.minting(mint) == made
    assert await line.ledger.minting(mint.model_copy(update={"token_id": 8})) is None
    assert await line.ledger.minting(mint.model_copy(update={"token_id": None})) is None


@pytest.mark.parametrize("source", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_end_by_token__when_in_its_source__then_mined_and_finalized_once(
    line: Any, source: MintStatus
) -> None:
    intent = line.mint_intent(await line.wallet(), 3)
    before = await line.built(intent, token_id=7, status=source, problem=Problem(code="c", reason="r"))
    made = transfer(before, 8)
    with pytest.raises(MintMoved):
        await line.ledger.finalize(before.mint_id, made, at=1)
    await line.ledger.mine(before, made, at=2)
    mined = await line.mint(intent)
    assert (mined.status, mined.mined_at, mined.problem) == (MintStatus.MINED, 2, None)
    assert (mined.tx_hash, mined.block_number, mined.block_hash) == (made.tx_hash, 8, made.block_hash)
    with pytest.raises(MintMoved):
        await line.ledger.mine(before, made, at=3)
    with pytest.raises(MintMoved):
        await line.ledger.finalize(before.mint_id, transfer(before, 9), at=3)
    await line.ledger.finalize(before.mint_id, made, at=4)
    ended = await line.mint(intent)
    assert (ended.status, ended.finalized_at) == (MintStatus.FINALIZED, 4)
    assert before.mint_id not in {
        one.mint_id for one in await line.ledger.open_mints(open_shard(before.mint_id), after=None, limit=500)
    }


async def test_add_attempt__when_two_race__then_one_of_them_must_look_again(line: Any) -> None:
    intent = line.mint_intent(await line.wallet())
    await line.built(intent)
    await line.ledger.submit(intent, attempt(1))
    seen = await line.mint(intent)
    results = await asyncio.gather(
        *(line.ledger.add_attempt(seen, attempt(number)) for number in (2, 3)), return_exceptions=True
    )
    [lost] = [result for result in results if result is not None]
    assert isinstance(lost, MintMoved)
    after = await line.mint(intent)
    assert lost.mint == after
    assert len(after.attempts) == 2
    assert after.attempts[0] == attempt(1)


async def test_add_attempt__when_the_mint_is_mined__then_it_is_left_alone(line: Any) -> None:
    intent = line.mint_intent(await line.wallet())
    mint = await line.built(intent, status=MintStatus.MINED, attempts=(attempt(1),))
    with pytest.raises(MintMoved):
        await line.ledger.add_attempt(mint, attempt(2))
    assert await line.mint(intent) == mint


@pytest.mark.parametrize("source", [MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_reject__when_there__then_rejected_with_its_problem_once(line: Any, source: MintStatus) -> None:
    intent = line.mint_intent(await line.wallet())
    await line.built(intent, status=source)
    problem = Problem(code="nonce_taken", reason="A stranger's.")
    await line.ledger.reject(intent.mint_id, problem, source=source, at=9)
    mint = await line.mint(intent)
    assert (mint.status, mint.problem, mint.updated_at) == (MintStatus.REJECTED, problem, 9)
    with pytest.raises(MintMoved) as caught:
        await line.ledger.reject(intent.mint_id, problem, source=source, at=10)
    assert caught.value.mint == mint


async def test_record__when_written_twice__then_the_first_stays(line: Any) -> None:
    fields: dict[str, Any] = {
        "tx_hash": b"\x07" * 32,
        "kind": "sign_mint",
        "mint_id": "mint_1",
        "sender": (await line.wallet()).address,
        "nonce": 5,
        "chain_id": 31337,
        "raw": b"\x02" * 300,
        "attempt": 0,
    }
    await line.ledger.record(SignedTransaction(**fields, at=1))
    await line.ledger.record(SignedTransaction(**fields, at=2))
    from mintline.resources import ATTEMPTS

    item = await line.dynamo.get(ATTEMPTS, {"tx_hash": "0x" + "07" * 32})
    assert item == {**fields, "tx_hash": "0x" + "07" * 32, "at": 1}


async def test_submit__when_a_stranger_took_an_earlier_nonce__then_its_attempts_are_kept(line: Any) -> None:
    intent = line.mint_intent(await line.wallet(), 3)
    await line.built(intent)
    first = attempt(1).model_copy(update={"nonce": 2})
    await line.ledger.submit(intent, attempt(2), earlier=(first,))
    assert (await line.mint(intent)).attempts == (first, attempt(2))


async def test_open_mints__when_read_in_pages__then_oldest_first_until_they_end(line: Any) -> None:
    wallet = await line.wallet()
    intents = [line.mint_intent(wallet, nonce) for nonce in range(30)]
    for age, intent in enumerate(intents):
        await line.built(intent, created_at=1000 - age)
    shard = open_shard(intents[0].mint_id)
    expected = [
        OpenMint(intent.mint_id, 1000 - age)
        for age, intent in reversed(list(enumerate(intents)))
        if open_shard(intent.mint_id) == shard
    ]
    found: list[OpenMint] = []
    while page := await line.ledger.open_mints(shard, after=found[-1] if found else None, limit=2):
        found += page
    assert found == expected
    problem = Problem(code="c", reason="r")
    await line.ledger.reject(intents[0].mint_id, problem, source=MintStatus.BUILT, at=1)
    left = await line.ledger.open_mints(shard, after=None, limit=50)
    assert left == [key for key in expected if key.mint_id != intents[0].mint_id]


async def test_read_mints__when_some_do_not_exist__then_those_that_do(line: Any) -> None:
    intent = line.mint_intent(await line.wallet())
    mint = await line.built(intent)
    assert await line.ledger.read_mints([mint.mint_id, "mint_none"]) == {mint.mint_id: mint}


async def test_mark_swept__when_copies_race__then_one_has_it_each_time(line: Any) -> None:
    intent = line.mint_intent(await line.wallet())
    mint = await line.built(intent)
    for round_number, at in enumerate((50, 90), 1):
        results = await asyncio.gather(
            *(line.ledger.mark_swept(mint, at=at) for _ in range(4)), return_exceptions=True
        )
        lost = [result for result in results if result is not None]
        assert [type(result) for result in lost] == [MintMoved] * 3
        mint = await line.mint(intent)
        assert (mint.swept_at, mint.sweeps, mint.updated_at) == (at, round_number, 1)
    await line.ledger.submit(intent, attempt(99))
    with pytest.raises(MintMoved):
        await line.ledger.mark_swept(mint, at=100)


async def test_open_transactions__when_top_ups_and_noops_are_recorded__then_found_until_closed_or_resent(
    line: Any,
) -> None:
    wallet = await line.wallet()
    fees = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)
    noop = SignNoop(signer=wallet, chain_id=31337, nonce=4, gas=21_000, fees=fees)
    bare: dict[str, Any] = {
        "kind": "sign_noop",
        "sender": wallet.address,
        "nonce": 4,
        "chain_id": 31337,
        "raw": b"\x02",
        "attempt": 1,
        "intent": noop,
    }
    later = SignedTransaction(tx_hash=b"\x01" * 32, at=20, **bare)
    sooner = SignedTransaction(tx_hash=b"\x02" * 32, at=10, **bare)
    elsewhere = later.model_copy(update={"tx_hash": b"\x03" * 32, "chain_id": 1})
    minting = later.model_copy(update={"tx_hash": b"\x04" * 32, "intent": None, "mint_id": "mint_1"})
    for transaction in (later, sooner, elsewhere, minting):
        await line.ledger.record(transaction)
    first, second = OpenTransaction(sooner.tx_hash, 10), OpenTransaction(later.tx_hash, 20)
    assert await line.ledger.open_transactions(after=None, limit=10) == [first, second]
    assert await line.ledger.open_transactions(after=None, limit=1) == [first]
    assert await line.ledger.open_transactions(after=first, limit=10) == [second]
    assert await line.ledger.open_transactions(after=second, limit=10) == []
    hashes = [minting.tx_hash, b"\x09" * 32]
    assert await line.ledger.read_transactions(hashes) == {minting.tx_hash: minting}
    for _ in range(2):
        await line.ledger.close(sooner.tx_hash)
    assert await line.ledger.open_transactions(after=None, limit=10) == [second]
    await line.ledger.record(sooner.model_copy(update={"at": 30}))
    assert await line.ledger.open_transactions(after=None, limit=10) == [first, second]


async def test_reject__when_its_nonce_is_unfilled__then_it_stays_open_until_closed(line: Any) -> None:
    intent = line.mint_intent(await line.wallet())
    await line.built(intent)
    shard, problem = open_shard(intent.mint_id), Problem(code="c", reason="r")
    await line.ledger.reject(intent.mint_id, problem, source=MintStatus.BUILT, at=2, unfilled=True)
    [key] = await line.ledger.open_mints(shard, after=None, limit=5)
    assert key.mint_id == intent.mint_id
    for _ in range(2):
        await line.ledger.close_mint(intent.mint_id)
    assert await line.ledger.open_mints(shard, after=None, limit=5) == []
    assert (await line.mint(intent)).status is MintStatus.REJECTED


async def test_final__when_there_is_a_checkpoint__then_its_final_block(line: Any) -> None:
    assert await line.ledger.final() == Final()
    checkpoint: Item = {
        "chain": "31337",
        "finalized_number": 7,
        "finalized_hash": "0x" + "07" * 32,
        "finalized_timestamp": 77,
    }
    await line.dynamo.write(Put(CHECKPOINTS, checkpoint))
    assert await line.ledger.final() == Final(7, 77, b"\x07" * 32)
