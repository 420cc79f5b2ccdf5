"""What is under way, by the in-memory store and by DynamoDB's alike."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.operations import created, moved
from mintline.aws.records import OPEN, operation_item
from mintline.eth import GWEI
from mintline.messages.parts import Fees, KeyRef
from mintline.records.keys import open_shard, scoped
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction
from mintline.resources import MINTS
from mintline.states import MintStatus, TransactionState
from mintline_api.features.pipeline import store
from mintline_api.features.pipeline.ports import PipelineRecords
from mintline_api.features.pipeline.store import DynamoPipeline
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.api.pipeline import MemoryPipeline
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration

RELAYER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
BEGIN = 1_795_398_654_000


class Pipeline(Protocol):
    """A store, and what fills it."""

    records: PipelineRecords

    async def accept(self, number: int, **fields: Any) -> Mint:
        """Put a mint on record, that many seconds after the beginning."""
        ...

    async def reserve(self, nonce: int, *, sender: str = RELAYER, final: bool = False) -> None:
        """Put a transaction on record, as many seconds after the beginning as its nonce."""
        ...


def mint(number: int, **fields: Any) -> Mint:
    at = BEGIN + number * 1000
    return Mint(
        **{
            "mint_id": f"mint_{number:026}",
            "status": MintStatus.ACCEPTED,
            "sub": "alice",
            "chain_id": CHAIN_ID,
            "contract": CONTRACT,
            "to": OTHER,
            "metadata_digest": bytes(32),
            "request_digest": "0" * 64,
            "created_at": at,
            "updated_at": at,
            **fields,
        }
    )


def transaction(nonce: int, sender: str) -> Transaction:
    return Transaction(
        sender_id=scoped(CHAIN_ID, sender),
        nonce=nonce,
        signer=KeyRef(address=sender, subject="relayer", chain_id=CHAIN_ID, secret_id="secret"),
        kind="batch",
        gas=100_000,
        fees=Fees(max_fee_per_gas=2 * GWEI, max_priority_fee_per_gas=GWEI),
        meaning=bytes(32),
        reserved_at=BEGIN + nonce * 1000,
        updated_at=BEGIN,
    )


class InMemory:
    """Dictionaries."""

    def __init__(self) -> None:
        self._mints = MemoryMints()
        self.records: PipelineRecords = MemoryPipeline(self._mints)

    async def accept(self, number: int, **fields: Any) -> Mint:
        """Put a mint on record."""
        accepted = mint(number, **fields)
        self._mints.items[accepted.mint_id] = accepted
        return accepted

    async def reserve(self, nonce: int, *, sender: str = RELAYER, final: bool = False) -> None:
        """Put a transaction on record."""
        reserved = transaction(nonce, sender)
        state = TransactionState.FINAL if final else reserved.state
        self._mints.transactions[reserved.key] = reserved.evolve(state=state)


class InDynamo:
    """Tables, written as the services do."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo
        self.records: PipelineRecords = DynamoPipeline(dynamo, chain_id=CHAIN_ID)

    async def accept(self, number: int, **fields: Any) -> Mint:
        """Put a mint on record."""
        accepted = mint(number, **fields)
        await self._dynamo.write(Put(MINTS, operation_item(accepted)))
        return accepted

    async def reserve(self, nonce: int, *, sender: str = RELAYER, final: bool = False) -> None:
        """Put a transaction on record."""
        reserved = transaction(nonce, sender)
        await self._dynamo.write(created(reserved))
        if final:
            await self._dynamo.write(moved(reserved.key, TransactionState.FINAL, at=BEGIN))


@pytest.fixture(params=["memory", "dynamodb"])
def pipeline(request: pytest.FixtureRequest, dynamo: Dynamo) -> Pipeline:
    return InMemory() if request.param == "memory" else InDynamo(dynamo)


async def test_operations__when_they_wait__then_the_oldest_come_first(pipeline: Pipeline) -> None:
    for number in (5, 3, 9, 1, 7):
        await pipeline.accept(number)

    oldest = await pipeline.records.oldest_operations(3)

    assert [operation.created_at for operation in oldest] == [BEGIN + number * 1000 for number in (1, 3, 5)]


async def test_operations__when_their_users_wallet_has_the_next_step__then_they_are_left_out(
    pipeline: Pipeline,
) -> None:
    await pipeline.accept(1, status=MintStatus.ISSUED, custody="self")
    waiting = await pipeline.accept(2)

    assert [operation.mint_id for operation in await pipeline.records.oldest_operations(5)] == [
        waiting.mint_id
    ]


async def test_operations__when_many_vouchers_wait_for_longer__then_those_that_wait_for_us_are_found(
    dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_FEW", 2)
    in_dynamo = InDynamo(dynamo)
    for number in range(3):
        issued = mint(number, status=MintStatus.ISSUED, custody="self")
        await dynamo.write(Put(MINTS, {**operation_item(issued), OPEN: open_shard(issued.mint_id)}))
    kept = await in_dynamo.accept(5)

    assert [operation.mint_id for operation in await in_dynamo.records.oldest_operations(1)] == [kept.mint_id]


async def test_transactions__when_they_are_open__then_the_oldest_of_all_senders_come_first(
    pipeline: Pipeline,
) -> None:
    await pipeline.reserve(1, final=True)
    for nonce in (2, 4):
        await pipeline.reserve(nonce)
    await pipeline.reserve(3, sender=OTHER)

    oldest = await pipeline.records.oldest_transactions(5)

    assert [(transaction.key.sender_id, transaction.nonce) for transaction in oldest] == [
        (scoped(CHAIN_ID, RELAYER), 2),
        (scoped(CHAIN_ID, OTHER), 3),
        (scoped(CHAIN_ID, RELAYER), 4),
    ]


async def test_senders_transactions__when_asked_for__then_come_by_nonce_final_ones_too(
    pipeline: Pipeline,
) -> None:
    for nonce in (1, 2, 12):
        await pipeline.reserve(nonce, final=nonce == 1)
    await pipeline.reserve(20, sender=OTHER)

    newest = await pipeline.records.newest_transactions(RELAYER, 2)
    transactions = [await pipeline.records.transaction_from(RELAYER, nonce) for nonce in (0, 2, 3, 13)]

    assert [transaction.nonce for transaction in newest] == [12, 2]
    assert [None if transaction is None else transaction.nonce for transaction in transactions] == [
        1,
        2,
        12,
        None,
    ]


async def test_operations__when_a_record_is_unreadable__then_the_others_are_shown(dynamo: Dynamo) -> None:
    in_dynamo = InDynamo(dynamo)
    kept = await in_dynamo.accept(2)
    damaged = operation_item(mint(1)) | {"contract": "nonsense"}
    await dynamo.write(Put(MINTS, damaged))

    assert [operation.mint_id for operation in await in_dynamo.records.oldest_operations(5)] == [kept.mint_id]
