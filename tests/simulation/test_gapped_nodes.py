"""Nodes that lack what is below their head: the index waits for the only one, and goes on by the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mintline.eth import GWEI, keccak256, redeem_calldata, voucher_hash
from mintline_harness.simulation.accounts import CHAIN_ID, CONTRACT, USERS, key_of, own_address, signed_by
from mintline_harness.simulation.chain import Block
from mintline_harness.simulation.contract import REDEEM_GAS
from mintline_harness.simulation.gaps import Gaps, Shape
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.parts import Parts
from mintline_harness.simulation.planted import BUGS
from mintline_harness.simulation.process import EPOCH
from mintline_harness.simulation.schedule import Schedule
from mintline_indexer.store_port import TokenKey
from mintline_signer.enclave.curve import SigningKey

ONE_NODE, THREE_NODES = 1, 0
"""Seeds, for how many nodes there are."""
NODE = "https://node-1"
"""The one that lacks something; of several, the one that is asked first."""
TOKEN = TokenKey(CONTRACT, 1)
HOLE = Gaps(blocks=range(2, 4))
SHAPES: tuple[Shape, ...] = ("none", "empty", "bare")


def play(
    seed: int, what: Callable[[Schedule], Coroutine[Any, Any, None]], parts: Parts | None = None
) -> None:
    """Let one indexer follow a world in which nothing else happens."""

    async def scene() -> None:
        schedule = Schedule(seed, parts or Parts(), lambda _: None)
        next(process for process in schedule.processes if process.name == "indexer-1").start()
        await asyncio.sleep(10)
        await what(schedule)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scene())


def mine(schedule: Schedule) -> Block:
    return schedule.chain.mine(EPOCH + schedule.loop.time())


def mine_token(schedule: Schedule) -> Block:
    """Mine a block in which a user's own wallet redeems the first voucher."""
    to, digest, deadline = own_address(USERS[0]), keccak256(b"metadata"), int(EPOCH) + 1000
    voucher: dict[str, Any] = {"token_id": 1, "to": to, "metadata_digest": digest, "deadline": deadline}
    key = SigningKey(bytearray(key_of("platform:issuer").wrapped.removeprefix(b"wrapped:")))
    signed = key.sign(voucher_hash(chain_id=CHAIN_ID, contract=CONTRACT, **voucher))
    signature = b"".join(number.to_bytes(32, "big") for number in (signed.r, signed.s))
    data = redeem_calldata(**voucher, signature=signature + bytes([27 + signed.y_parity]))
    sent = signed_by(USERS[0], CONTRACT, 0, fee=2 * GWEI, gas=REDEEM_GAS, data=data)
    assert schedule.chain.usurp(sent)
    block = mine(schedule)
    assert [outcome.revert for outcome in block.outcomes] == [None]
    return block


def indexed(schedule: Schedule) -> tuple[int, bool]:
    """Return how far the index has come, and whether it has the token."""
    store = schedule.tables.store
    assert store.progress is not None
    return store.progress.head.number, TOKEN in store.token_table


@pytest.mark.parametrize("gaps", [HOLE, *(Gaps(receipts=shape) for shape in SHAPES)])
def test_index__when_the_only_node_lacks_a_block_or_its_receipts__then_waits_until_it_has_them(
    gaps: Gaps,
) -> None:
    async def scene(schedule: Schedule) -> None:
        mine(schedule)
        schedule.endpoints.lack(NODE, gaps, seconds=60)
        mine_token(schedule)
        mine(schedule)
        mine(schedule)
        await asyncio.sleep(50)
        head, is_indexed = indexed(schedule)
        assert (head < 2, is_indexed) == (True, False)
        await asyncio.sleep(20)
        assert indexed(schedule) == (4, True)

    play(ONE_NODE, scene)


@pytest.mark.parametrize("gaps", [HOLE, *(Gaps(receipts=shape) for shape in SHAPES)])
def test_index__when_one_of_three_nodes_lacks_a_block_or_its_receipts__then_goes_on_by_the_others(
    gaps: Gaps,
) -> None:
    async def scene(schedule: Schedule) -> None:
        mine(schedule)
        schedule.endpoints.lack(NODE, gaps, seconds=10_000)
        mine_token(schedule)
        mine(schedule)
        mine(schedule)
        await asyncio.sleep(10)
        assert indexed(schedule) == (4, True)

    play(THREE_NODES, scene)


def test_index__when_the_only_node_has_receipts_and_no_logs__then_goes_by_those() -> None:
    async def scene(schedule: Schedule) -> None:
        schedule.endpoints.lack(NODE, Gaps(receipts="whole"), seconds=10_000)
        mine_token(schedule)
        await asyncio.sleep(10)
        assert indexed(schedule) == (1, True)

    play(ONE_NODE, scene)


@pytest.mark.parametrize("shape", SHAPES)
def test_planted_belief__when_a_node_has_no_logs_for_a_while__then_the_token_is_missing_for_good(
    shape: Shape,
) -> None:
    async def scene(schedule: Schedule) -> None:
        schedule.endpoints.lack(NODE, Gaps(receipts=shape), seconds=10)
        mine_token(schedule)
        await asyncio.sleep(1000)
        assert indexed(schedule) == (1, False)

    play(ONE_NODE, scene, BUGS["believe-empty-logs"])


def test_node__when_it_has_forgotten_its_pool__then_takes_a_transaction_again_that_is_mined_once() -> None:
    async def scene(schedule: Schedule) -> None:
        sent = signed_by(USERS[0], CONTRACT, 0, fee=2 * GWEI, gas=REDEEM_GAS, data=b"")
        assert schedule.chain.usurp(sent)
        node = schedule.endpoints.node(NODE, schedule.processes[0])
        name, raw = "0x" + sent.hash.hex(), "0x" + sent.raw.hex()
        assert await node.call("eth_getTransactionByHash", [name]) is not None
        schedule.endpoints.lack(NODE, Gaps(forgotten={sent.hash}), seconds=10_000)
        assert await node.call("eth_getTransactionByHash", [name]) is None
        assert await node.call("eth_getTransactionCount", [sent.sender, "pending"]) == "0x0"
        assert await node.call("eth_sendRawTransaction", [raw]) == name
        assert await node.call("eth_getTransactionCount", [sent.sender, "pending"]) == "0x1"
        assert [outcome.sent.hash for outcome in mine(schedule).outcomes] == [sent.hash]
        assert await node.call("eth_getTransactionReceipt", [name]) is not None

    play(ONE_NODE, scene)
