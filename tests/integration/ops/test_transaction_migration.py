"""Open mints, top-ups and no-ops of the version before get transaction records, and stand as they stood."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from mintline.aws.dynamo import Dynamo, Item, Put
from mintline.aws.operations import read_mint, read_transaction
from mintline.aws.records import to_item
from mintline.aws.session import AwsCalls, open_client
from mintline.eth import to_checksum_address
from mintline.kinds import meaning_of
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import AnyIntent, SignNoop, SignTopUp
from mintline.messages.parts import Fees, KeyRef
from mintline.records.keys import created_key, open_shard
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.records.transactions import Transaction, TransactionKey, sender_shard
from mintline.resources import ACCOUNTS, ATTEMPTS, MINTS, TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.settings import ServiceSettings
from mintline.states import MintStatus, TransactionState
from mintline_ops.migrations import migrate
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration

FEES = Fees(max_fee_per_gas=2 * 10**9, max_priority_fee_per_gas=10**9)
PROBLEM = Problem(code="cancelled", reason="Stopped.")


def key(number: int, subject: str) -> KeyRef:
    address = to_checksum_address(bytes([number]) * 20)
    return KeyRef(address=address, subject=subject, chain_id=CHAIN_ID, secret_id=subject)


WALLET, TREASURY = key(0x11, "alice"), key(0x22, "platform:treasury")
WALLETS, TREASURYS = (f"{CHAIN_ID}#{key.address}" for key in (WALLET, TREASURY))


@pytest.fixture
async def dynamo(aws_settings: ServiceSettings, aws_prefix: str) -> AsyncIterator[Dynamo]:
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "dynamodb", aws_settings, calls=AwsCalls())
        store = Dynamo(client, aws_prefix)
        stack.push_async_callback(store.aclose)
        yield store


def attempt(number: int, nonce: int | None = 7, **changes: Any) -> Attempt:
    return Attempt(
        tx_hash=bytes([number]) * 32,
        max_fee_per_gas=number,
        max_priority_fee_per_gas=1,
        at=number,
        nonce=nonce,
        **changes,
    )


def mint(status: MintStatus, **changes: Any) -> Mint:
    """Return a mint's record as the version before held it."""
    fields: dict[str, Any] = {
        "mint_id": "m1",
        "sub": "alice",
        "status": status,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "to": WALLET.address,
        "sender": WALLET,
        "metadata_digest": bytes(32),
        "request_digest": "00",
        "created_at": 1,
        "built_at": 2,
        "updated_at": 9,
        "token_id": 2**200,
        "deadline": 2 * 10**9,
        "nonce": 7,
        "gas": 90_000,
        "fees": FEES,
    }
    return Mint(**fields | changes)


async def keep(dynamo: Dynamo, record: Mint, *, is_open: bool = True) -> None:
    item: Item = to_item(record) | {"created_key": created_key(record.created_at, record.mint_id)}
    if is_open:
        item["open_shard"] = open_shard(record.mint_id)
    await dynamo.write(Put(MINTS, item))


async def stands(dynamo: Dynamo) -> Mint:
    mint = await read_mint(dynamo, "m1", SetAside())
    assert mint is not None
    return mint


async def transaction(dynamo: Dynamo, sender_id: str = WALLETS, nonce: int = 7) -> Transaction | None:
    return await read_transaction(dynamo, TransactionKey(sender_id, nonce), SetAside())


async def open_places(dynamo: Dynamo, sender_id: str) -> list[int]:
    page = await dynamo.query(
        TRANSACTIONS, index=TRANSACTIONS.index("open"), partition=sender_shard(sender_id), limit=9
    )
    return [int(str(item["nonce"])) for item in page.items if item["sender_id"] == sender_id]


SENT = {"attempts": (attempt(3), attempt(4)), "submitted_at": 3}
MOVED = {
    "built": mint(MintStatus.BUILT),
    "submitted": mint(MintStatus.SUBMITTED, **SENT),
    "stopped": mint(MintStatus.SUBMITTED, cancel_requested_at=8, **SENT),
    "rejected": mint(MintStatus.REJECTED, problem=PROBLEM),
    "renewed": mint(MintStatus.SUBMITTED, attempts=(attempt(3, 6), attempt(4)), submitted_at=4),
    "nonce-unsaid": mint(MintStatus.SUBMITTED, attempts=(attempt(3, None),), submitted_at=3),
}


@pytest.mark.parametrize("was", MOVED)
async def test_migrate__when_a_mint_is_open__then_it_stands_as_it_stood_and_its_nonce_is_open(
    dynamo: Dynamo, was: str
) -> None:
    before = MOVED[was]
    await keep(dynamo, before)
    await migrate(dynamo, treasury=TREASURY)

    assert await stands(dynamo) == before
    carried = await transaction(dynamo)
    assert carried is not None
    assert (carried.operations, carried.signer, carried.deadline) == (("m1",), WALLET, before.deadline)
    assert carried.meaning == meaning_of(sign_mint(before))
    sent = was not in ("built", "rejected")
    assert carried.state is (TransactionState.SUBMITTED if sent else TransactionState.RESERVED)
    assert carried.first_attempt == (1 if was == "renewed" else 0)
    assert (carried.filling_at is not None) == (was in ("stopped", "rejected"))
    assert await open_places(dynamo, WALLETS) == [7]
    item = await dynamo.get(MINTS, {"mint_id": "m1"})
    assert item is not None
    assert "open_shard" not in item
    assert item["status"] == ("rejected" if was == "rejected" else "built")
    assert [step.items for step in await migrate(dynamo, treasury=TREASURY)] == []


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.REVERTED])
async def test_migrate__when_a_mint_is_mined__then_its_outcome_stays_on_its_record_and_its_nonce_is_open(
    dynamo: Dynamo, status: MintStatus
) -> None:
    place: dict[str, Any] = {"tx_hash": bytes([3]) * 32, "block_number": 5, "block_hash": bytes(32)}
    before = mint(status, mined_at=8, attempts=(attempt(3),), submitted_at=3, **place)
    await keep(dynamo, before)
    await migrate(dynamo, treasury=TREASURY)
    after = await stands(dynamo)
    assert (after.status, after.tx_hash, after.block_number) == (status, before.tx_hash, 5)
    assert await open_places(dynamo, WALLETS) == [7]


@pytest.mark.parametrize("status", [MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.ACCEPTED])
async def test_migrate__when_a_mint_has_no_open_nonce__then_it_is_left_alone(
    dynamo: Dynamo, status: MintStatus
) -> None:
    accepted = status is MintStatus.ACCEPTED
    before = mint(status, **({"nonce": None, "gas": None, "fees": None} if accepted else {}))
    await keep(dynamo, before, is_open=accepted)
    await migrate(dynamo, treasury=TREASURY)
    assert await stands(dynamo) == before
    assert await transaction(dynamo) is None


def top_up(nonce: int = 3) -> SignTopUp:
    return SignTopUp(
        signer=TREASURY,
        chain_id=CHAIN_ID,
        nonce=nonce,
        gas=21_000,
        fees=FEES,
        recipient=WALLET.address,
        value=10**15,
    )


async def on_account(dynamo: Dynamo, *, settled: bool) -> None:
    """Write an account whose top-up the version before kept on it."""
    held: Item = {
        "treasury": TREASURY.address,
        "nonce": 3,
        "value": str(10**15),
        "gas": 21_000,
        "fees": {"max_fee_per_gas": str(2 * 10**9), "max_priority_fee_per_gas": str(10**9)},
        "at": 40,
        "wallet_count": 2,
    }
    item: Item = {"account_id": WALLETS, "next_nonce": 8, "top_up": held, "top_up_nonce": 3}
    if not settled:
        item["topping_chain"] = str(CHAIN_ID)
    await dynamo.write(Put(ACCOUNTS, item))


async def sent(dynamo: Dynamo, number: int, intent: AnyIntent) -> None:
    """Write an open attempt of the version before."""
    item: Item = {
        "tx_hash": "0x" + bytes([number]).hex() * 32,
        "kind": intent.type,
        "sender": intent.signer.address,
        "nonce": intent.nonce,
        "chain_id": CHAIN_ID,
        "raw": b"raw",
        "attempt": number,
        "at": 40 + number,
        "intent": to_item(intent),
        "open_chain": str(CHAIN_ID),
        "sent_key": f"{40 + number:015d}#0x{number}",
    }
    await dynamo.write(Put(ATTEMPTS, item))


@pytest.mark.parametrize("was", ["settled", "reserved", "sent", "settled-not-finally"])
async def test_migrate__when_an_account_holds_a_top_up__then_the_treasurys_nonce_has_the_record(
    dynamo: Dynamo, was: str
) -> None:
    await on_account(dynamo, settled=was.startswith("settled"))
    if was in ("sent", "settled-not-finally"):
        await sent(dynamo, 1, top_up())
    await migrate(dynamo, treasury=TREASURY)

    record = await transaction(dynamo, TREASURYS, 3)
    assert record is not None
    assert record.top_up is not None
    assert (record.kind, record.signer, record.meaning) == ("top_up", TREASURY, meaning_of(top_up()))
    assert (record.top_up.recipient, record.top_up.value) == (WALLET.address, 10**15)
    assert record.top_up.recipient_count == 2
    states = {"settled": TransactionState.FINAL, "reserved": TransactionState.RESERVED}
    assert record.state is states.get(was, TransactionState.SUBMITTED)
    assert await open_places(dynamo, TREASURYS) == ([] if was == "settled" else [3])
    account = await dynamo.get(ACCOUNTS, {"account_id": WALLETS})
    assert account is not None
    assert (account["top_up_treasury"], account["top_up_nonce"]) == (TREASURY.address, 3)
    assert not {"top_up", "topping_chain"} & account.keys()


async def test_migrate__when_noops_are_open__then_they_are_attempts_at_their_nonces(dynamo: Dynamo) -> None:
    await keep(dynamo, mint(MintStatus.REJECTED, problem=PROBLEM))
    for number, nonce in ((1, 7), (2, 7), (3, 5)):
        noop = SignNoop(signer=WALLET, chain_id=CHAIN_ID, nonce=nonce, gas=21_000, fees=FEES, attempt=number)
        await sent(dynamo, number, noop)
    await migrate(dynamo, treasury=TREASURY)

    of_mint, gap = await transaction(dynamo), await transaction(dynamo, nonce=5)
    assert of_mint is not None
    assert gap is not None
    assert of_mint.operations == ("m1",)
    assert [(attempt.at, attempt.fills) for attempt in of_mint.attempts] == [(41, True), (42, True)]
    assert (of_mint.state, of_mint.own_attempts) == (TransactionState.SUBMITTED, ())
    assert (gap.kind, gap.filling_at, gap.state) == ("noop", 43, TransactionState.SUBMITTED)
    assert sorted(await open_places(dynamo, WALLETS)) == [5, 7]
    assert (await stands(dynamo)).status is MintStatus.REJECTED
