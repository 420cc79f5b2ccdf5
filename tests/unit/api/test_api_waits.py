"""What requests that wait cost: in virtual time, by the requests that DynamoDB gets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from mintline.aws.dynamo import Dynamo, encode_item
from mintline.aws.operations import transaction_item
from mintline.aws.records import operation_item
from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Mint
from mintline.records.transactions import transaction_key_of
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus
from mintline_api.features.mints.store import DynamoMints
from mintline_api.features.operations.waiting import Waits, rests, wait_for
from mintline_harness.simulation.loop import VirtualLoop
from mintline_testkit.records import make_mint, make_transaction

CALLERS = 100
WAITED = 10
ADDRESS = "0x" + "2" * 40
RELAYER = KeyRef(address="0x" + "3" * 40, subject="relayer", chain_id=1, secret_id="relayer")
PLACE = transaction_key_of(RELAYER, 0)
PREFIX = "p"


def mint(number: int) -> Mint:
    return make_mint(
        f"mint_{number}",
        sub="shop",
        client_id="shop",
        status=MintStatus.BUILT,
        chain_id=1,
        contract=ADDRESS,
        to=ADDRESS,
        custody="sponsored",
        token_id=number,
        sender=RELAYER,
        nonce=PLACE.nonce,
    )


MINT_RECORDS = [mint(number) for number in range(CALLERS)]
TRANSACTION = make_transaction(
    RELAYER,
    PLACE.nonce,
    kind="batch",
    operations=tuple(mint.mint_id for mint in MINT_RECORDS),
    gas=1,
    fees=Fees(max_fee_per_gas=10, max_priority_fee_per_gas=1),
)


class Tables:
    """DynamoDB's BatchGetItem, which takes 5 ms."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.ended: frozenset[str] = frozenset()
        self.hangs = False

    async def batch_get_item(self, **request: Any) -> dict[str, Any]:
        wanted = request["RequestItems"]
        self.requests.update(list(wanted))
        await asyncio.sleep(3600 if self.hangs else 0.005)
        responses = {
            name: [self._item(name, key) for key in request["Keys"]] for name, request in wanted.items()
        }
        return {"Responses": responses}

    def _item(self, table: str, key: dict[str, Any]) -> dict[str, Any]:
        if table == TRANSACTIONS.table_name(PREFIX):
            return encode_item(transaction_item(TRANSACTION))
        assert table == MINTS.table_name(PREFIX)
        record = MINT_RECORDS[int(key["mint_id"]["S"].removeprefix("mint_"))]
        if record.mint_id in self.ended:
            record = record.evolve(status=MintStatus.REJECTED)
        return encode_item(operation_item(record))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


async def wait_all(tables: Tables) -> list[tuple[Mint, float]]:
    """Have all callers wait, who come within a second; return what each gets, and after how many seconds."""
    loop = asyncio.get_running_loop()
    client: Any = tables
    mints = DynamoMints(Dynamo(client, PREFIX))
    waits = Waits(now=lambda: int(loop.time() * 1000), sleep=asyncio.sleep)

    async def one(number: int) -> tuple[Mint, float]:
        await asyncio.sleep(number / CALLERS)
        begun = loop.time()
        mint = await wait_for(MINT_RECORDS[number], rests, seconds=WAITED, read=mints.get, waits=waits)
        return mint, loop.time() - begun

    return await asyncio.gather(*map(one, range(CALLERS)))


def test_wait__when_100_callers_wait__then_they_share_their_reads(runner: asyncio.Runner) -> None:
    tables = Tables()
    answers = runner.run(wait_all(tables))
    assert all(mint.status is MintStatus.BUILT for mint, _ in answers)
    assert all(WAITED - 0.1 <= seconds <= WAITED + 0.2 for _, seconds in answers)
    assert tables.requests.total() <= 150


def test_wait__when_what_it_waits_for_comes__then_that_caller_alone_is_answered(
    runner: asyncio.Runner,
) -> None:
    tables = Tables()
    tables.ended = frozenset({"mint_7"})
    answers = runner.run(wait_all(tables))
    assert [mint.mint_id for mint, seconds in answers if seconds < 1] == ["mint_7"]
    assert answers[7][0].status is MintStatus.REJECTED


def test_wait__when_dynamodb_hangs__then_all_are_answered_in_time(runner: asyncio.Runner) -> None:
    tables = Tables()
    tables.hangs = True
    answers = runner.run(wait_all(tables))
    assert all(seconds <= WAITED + 1 for _, seconds in answers)
