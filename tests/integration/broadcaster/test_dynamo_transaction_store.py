"""The transaction store over DynamoDB keeps what the one in memory keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Item, Put, Value
from mintline.aws.operations import created
from mintline.aws.records import to_item
from mintline.messages.parts import Fees
from mintline.records.index import Transfer
from mintline.records.keys import position, token_ref
from mintline.records.operations import Attempt, Mint
from mintline.resources import CHECKPOINTS, TRANSACTIONS, TRANSFERS
from mintline.states import TransactionState
from mintline_broadcaster.gaps import gap
from mintline_broadcaster.ports import Final, TransactionMoved

if TYPE_CHECKING:
    from tests.integration.broadcaster.conftest import Harness

pytestmark = pytest.mark.integration

FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)
NOOP = Attempt(tx_hash=b"\x09" * 32, max_fee_per_gas=2, max_priority_fee_per_gas=1, at=4, nonce=1, fills=True)


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


async def indexed(harness: Harness, transfer: Transfer) -> None:
    key: Item = {
        "token_ref": token_ref(transfer.chain_id, transfer.contract, transfer.token_id),
        "position": position(transfer.block_number, transfer.log_index),
    }
    await harness.dynamo.write(Put(TRANSFERS, to_item(transfer) | key))


async def test_minting__when_the_indexer_has_the_token__then_it_is_the_transfer_that_made_it(
    harness: Harness,
) -> None:
    intent = harness.mint_intent(await harness.wallet(), 3)
    mint = await harness.built(intent, token_id=7)
    assert await harness.store.minting(mint) is None
    created = transfer(mint, 8)
    await indexed(harness, transfer(mint, 9, sender=mint.to))
    await indexed(harness, created)
    assert await harness.store.minting(mint) == created
    assert await harness.store.minting(mint.model_copy(update={"token_id": 8})) is None
    assert await harness.store.minting(mint.model_copy(update={"token_id": None})) is None


async def test_read_mints__when_some_do_not_exist__then_those_that_do(harness: Harness) -> None:
    intent = harness.mint_intent(await harness.wallet())
    mint = await harness.built(intent)
    assert await harness.store.operations([mint.mint_id, "mint_none"]) == {mint.mint_id: mint}


async def test_final__when_there_is_a_checkpoint__then_its_final_block(harness: Harness) -> None:
    assert await harness.store.final() == Final()
    checkpoint: Item = {
        "chain": "31337",
        "finalized_number": 7,
        "finalized_hash": "0x" + "07" * 32,
        "finalized_timestamp": 77,
    }
    await harness.dynamo.write(Put(CHECKPOINTS, checkpoint))
    assert await harness.store.final() == Final(7, 77, b"\x07" * 32)


@pytest.mark.parametrize("stored", [None, []], ids=["missing", "empty"])
async def test_transaction__when_its_record_has_no_attempts__then_one_is_added_or_it_is_closed(
    harness: Harness, stored: list[Value] | None
) -> None:
    """A record that a repair or an earlier version wrote may lack the attribute."""
    key = (await harness.wallet()).evolve(chain_id=31337)
    for nonce in (0, 1):
        missed = gap(key, nonce, FEES, now=1)
        item = {name: value for name, value in created(missed).item.items() if name != "attempts"}
        await harness.dynamo.write(Put(TRANSACTIONS, item if stored is None else item | {"attempts": stored}))
    first, second = await harness.store.transactions_from(missed.key._replace(nonce=0))

    await harness.store.close(first, "filled", at=5)
    await harness.store.add_attempt(second, NOOP)
    with pytest.raises(TransactionMoved):
        await harness.store.close(second, "filled", at=5)

    closed, tried = [await harness.store.transaction(transaction.key) for transaction in (first, second)]
    assert closed is not None
    assert tried is not None
    assert (closed.state, closed.outcome) == (TransactionState.FINAL, "filled")
    assert (tried.state, tried.attempts) == (TransactionState.SUBMITTED, (NOOP,))
