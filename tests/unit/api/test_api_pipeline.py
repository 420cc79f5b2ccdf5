"""The pipeline as operators see it: read once for all, with what did not respond left out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mintline.clock import DAY_MS
from mintline.errors import Unavailable
from mintline.eth import ETHER, GWEI
from mintline.messages.parts import Fees, KeyRef
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.records.problems import Problem
from mintline.records.transactions import TopUpPayload, Transaction
from mintline.resources import BUILD, SIGN
from mintline.scopes import Scope
from mintline.states import MintStatus, TransactionState
from mintline_api.features.pipeline.spending import SAMPLE, Sender
from mintline_api.features.pipeline.use_cases import KEPT, USE_KEPT
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import START

RELAYER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TREASURY = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
NOW = int(START) * 1000
GAS = 100_000
PAUSED = Problem(code="collection_paused", reason="The collection is paused.")


@pytest.fixture(autouse=True)
def operator(harness: Harness) -> None:
    harness.clients.add("operator")


async def read(harness: Harness, client: MemoryClient) -> Any:
    response = await client.request("GET", "/v1/pipeline", headers=harness.client_headers("operator"))
    assert response.status == 200, response.body
    return response.json()


def keep_mint(harness: Harness, mint_id: str, **fields: Any) -> None:
    harness.mints.items[mint_id] = Mint(
        **{
            "mint_id": mint_id,
            "status": MintStatus.ACCEPTED,
            "sub": "alice",
            "chain_id": CHAIN_ID,
            "contract": CONTRACT,
            "to": RELAYER,
            "metadata_digest": bytes(32),
            "request_digest": "0" * 64,
            "created_at": NOW,
            "updated_at": NOW,
            **fields,
        }
    )


def keep_transaction(harness: Harness, nonce: int, *, sender: str = RELAYER, **fields: Any) -> None:
    transaction = Transaction(
        **{
            "sender_id": scoped(CHAIN_ID, sender),
            "nonce": nonce,
            "signer": KeyRef(address=sender, subject="relayer", chain_id=CHAIN_ID, secret_id="secret"),
            "kind": "batch",
            "operations": ("mint_a", "mint_b"),
            "gas": GAS,
            "fees": Fees(max_fee_per_gas=2 * GWEI, max_priority_fee_per_gas=GWEI),
            "meaning": bytes(32),
            "reserved_at": NOW,
            "updated_at": NOW,
            **fields,
        }
    )
    harness.mints.transactions[transaction.key] = transaction


def price(harness: Harness) -> int:
    assert harness.chain is not None
    return harness.chain.market.base_fee + harness.chain.market.priority_fee


@pytest.mark.parametrize("scopes", [Scope.MINTS_READ.value, None])
async def test_pipeline__when_the_caller_is_no_operator__then_is_not_shown(
    harness: Harness, client: MemoryClient, scopes: str | None
) -> None:
    harness.clients.add("shop")
    claims = harness.pool.client_claims("shop", now=harness.now) | {"scope": scopes}
    headers = (
        harness.headers() if scopes is None else {"Authorization": f"Bearer {harness.pool.sign(claims)}"}
    )

    response = await client.request("GET", "/v1/pipeline", headers=headers)

    assert (response.status, response.json()["code"]) == (403, "insufficient-scope")


async def test_pipeline__when_messages_wait_or_were_given_up__then_they_are_counted_and_left_there(
    harness: Harness, client: MemoryClient
) -> None:
    for group in ("a", "b", "c"):
        harness.queues.put(BUILD, "{}", group=group, dedup=group)
    [taken] = await harness.queues.receive(BUILD, limit=1, wait=0)
    harness.queues.put(SIGN, "{}", group="a", dedup="a")
    [poison] = await harness.queues.receive(SIGN, limit=1, wait=0)
    await harness.queues.dead_letter(poison, code="invalid", reason="no message", digest=None)

    queues = (await read(harness, client))["queues"]

    assert queues == [
        {"name": "build", "waiting": 2, "in_flight": 1, "dead_letters": 0},
        {"name": "sign", "waiting": 0, "in_flight": 0, "dead_letters": 1},
        {"name": "broadcast", "waiting": 0, "in_flight": 0, "dead_letters": 0},
    ]
    await harness.queues.delete(taken)


async def test_blocks__when_the_index_is_behind__then_by_how_much(
    harness: Harness, client: MemoryClient
) -> None:
    assert harness.chain is not None
    for _ in range(50):
        harness.chain.mine()

    blocks = (await read(harness, client))["blocks"]

    assert {**blocks, "indexed_at": None} == {
        "head": 50,
        "indexed": 44,
        "finalized": 40,
        "behind": 6,
        "indexed_at": None,
    }


async def test_operations__when_they_wait__then_the_oldest_come_first_and_say_why(
    harness: Harness, client: MemoryClient
) -> None:
    keep_mint(harness, "mint_new", created_at=NOW - 1_000)
    keep_mint(harness, "mint_old", created_at=NOW - 60_000, waiting=PAUSED)
    keep_mint(harness, "mint_own", created_at=NOW - 90_000, status=MintStatus.ISSUED, custody="self")
    keep_mint(harness, "mint_done", created_at=NOW - 90_000, status=MintStatus.FINALIZED)
    for number in range(30):
        keep_mint(harness, f"mint_{number}", created_at=NOW + number)

    operations = (await read(harness, client))["operations"]

    assert len(operations) == 20
    assert [operation["operation_id"] for operation in operations[:3]] == ["mint_old", "mint_new", "mint_0"]
    assert operations[0]["waiting"] == {"code": "collection_paused", "reason": "The collection is paused."}
    assert operations[1]["waiting"] is None


async def test_transactions__when_they_are_open__then_the_oldest_come_first(
    harness: Harness, client: MemoryClient
) -> None:
    keep_transaction(harness, 7, reserved_at=NOW - 5_000, filling_at=NOW)
    keep_transaction(harness, 6, reserved_at=NOW - 9_000, state=TransactionState.SUBMITTED, submitted_at=NOW)
    keep_transaction(harness, 5, reserved_at=NOW - 20_000, state=TransactionState.FINAL)

    first, second = (await read(harness, client))["transactions"]

    assert (first["nonce"], first["state"], first["filling"]) == (6, "submitted", False)
    assert (second["nonce"], second["state"], second["filling"]) == (7, "reserved", True)
    assert (first["sender"], first["kind"], first["operations"]) == (RELAYER, "batch", 2)


async def test_senders__when_they_spent_in_the_last_day__then_how_long_the_balance_lasts(
    harness: Harness,
) -> None:
    harness.senders = (Sender(TREASURY, "treasury"), Sender(RELAYER, "relayer"))
    assert harness.chain is not None
    harness.chain.balances |= {TREASURY: 3 * ETHER, RELAYER: 10 * GAS * price(harness)}
    for nonce, ago in enumerate((2 * DAY_MS, DAY_MS + 1, DAY_MS, 1_000)):
        keep_transaction(harness, nonce, reserved_at=NOW - ago)
    top_up = TopUpPayload(recipient=RELAYER, value=ETHER)
    keep_transaction(harness, 0, sender=TREASURY, kind="top_up", operations=(), top_up=top_up, gas=0)

    async with MemoryClient(harness.app()) as client:
        treasury, relayer = (await read(harness, client))["senders"]

    assert (treasury["role"], treasury["per_day"], treasury["days_left"]) == ("treasury", str(ETHER), 3.0)
    assert (relayer["transactions"], relayer["days_left"]) == (2, 5.0)
    assert relayer["per_day"] == str(2 * GAS * price(harness))


async def test_senders__when_nothing_was_sent__then_nobody_knows_how_long_it_lasts(harness: Harness) -> None:
    harness.senders = (Sender(RELAYER, "relayer"),)

    async with MemoryClient(harness.app()) as client:
        [relayer] = (await read(harness, client))["senders"]

    assert (relayer["per_day"], relayer["days_left"]) == ("0", None)


@pytest.mark.parametrize("old", [0, 1, 130])
@pytest.mark.parametrize("recent", [SAMPLE - 1, SAMPLE, SAMPLE + 1, 400])
async def test_senders__when_they_are_busy__then_every_transaction_of_the_day_counts(
    harness: Harness, old: int, recent: int
) -> None:
    harness.senders = (Sender(RELAYER, "relayer"),)
    for nonce in range(old):
        keep_transaction(harness, nonce, reserved_at=NOW - DAY_MS - old + nonce, state=TransactionState.FINAL)
    for nonce in range(old, old + recent):
        keep_transaction(harness, nonce, reserved_at=NOW - recent - old + nonce)

    async with MemoryClient(harness.app()) as client:
        [relayer] = (await read(harness, client))["senders"]

    assert relayer["transactions"] == recent


async def test_pipeline__when_many_look_at_it__then_it_is_read_once_in_a_few_seconds(
    harness: Harness, client: MemoryClient
) -> None:
    first, *others = await asyncio.gather(*(read(harness, client) for _ in range(8)))
    assert others == [first] * 7
    assert harness.pipeline.reads == 1

    harness.now += KEPT + 0.001
    assert (await read(harness, client))["read_at"] != first["read_at"]
    assert harness.pipeline.reads == 2


async def test_senders__when_looked_at_again__then_what_they_spent_is_read_once_a_minute(
    harness: Harness,
) -> None:
    harness.senders = (Sender(RELAYER, "relayer"),)
    counts = []

    async with MemoryClient(harness.app()) as client:
        for nonce, pause in enumerate((0, KEPT, USE_KEPT)):
            harness.now += pause + 0.001
            keep_transaction(harness, nonce)
            counts.append((await read(harness, client))["senders"][0]["transactions"])

    assert counts == [1, 1, 3]


@pytest.mark.parametrize("hangs", [False, True])
async def test_pipeline__when_a_part_fails_or_hangs__then_it_is_named_and_the_others_are_shown(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        if hangs:
            await asyncio.Event().wait()
        raise Unavailable("SQS is away")

    monkeypatch.setattr(harness.queues, "depth", fail)
    harness.patience = 0.01
    keep_mint(harness, "mint_a")

    async with MemoryClient(harness.app()) as client:
        shown = await read(harness, client)

    assert (shown["missing"], shown["queues"]) == (["queues"], None)
    assert [operation["operation_id"] for operation in shown["operations"]] == ["mint_a"]


async def test_pipeline__when_the_api_knows_no_node__then_records_and_queues_are_shown(
    harness: Harness,
) -> None:
    harness.chain = None
    harness.senders = (Sender(RELAYER, "relayer"),)

    async with MemoryClient(harness.app()) as client:
        shown = await read(harness, client)

    assert (shown["missing"], shown["senders"], shown["blocks"]["head"]) == ([], None, None)
    assert shown["blocks"]["behind"] is None
