"""Which messages of the API wait for one another."""

from __future__ import annotations

import pytest

from mintline.messages.work import BuildMint
from mintline.queue_port import Received
from mintline.records.operations import Mint
from mintline.resources import BUILD
from mintline_api.features.operations.message_groups import LANE_MILLISECONDS, LANES, group_of
from mintline_api.features.operations.outbox import SqsOutbox
from mintline_testkit.queues import MemoryQueues
from mintline_testkit.records import make_mint

A_SECOND = 1_000


def accepted(*, every: int, within: int) -> list[Mint]:
    """Return one wallet's mints, of which one is accepted `every` so many milliseconds."""
    return [make_mint(f"mint_{at}", at=at) for at in range(0, within, every)]


async def receive(queues: MemoryQueues, mints: list[Mint]) -> list[list[Received]]:
    """Send mints to be built, and return what receives get of them while none is handled."""
    outbox = SqsOutbox(queues)
    for mint in mints:
        await outbox.build(BuildMint(mint_id=mint.mint_id), group=group_of(mint))
    received = []
    while batch := await queues.receive(BUILD, wait=0):
        received.append(batch)
    return received


async def test_mints__when_many_of_one_wallet_wait__are_received_without_waiting_for_the_first_ten() -> None:
    received = await receive(MemoryQueues(), accepted(every=10, within=A_SECOND))

    assert sum(map(len, received)) > 10 * LANES / 2


async def test_mints__when_more_of_one_wallet_wait__leave_places_for_others() -> None:
    received = await receive(MemoryQueues(), accepted(every=1, within=5 * A_SECOND))

    assert sum(map(len, received)) <= 10 * LANES


async def test_mints__when_they_come_as_fast_as_one_receive_returns_them__share_receives() -> None:
    received = await receive(MemoryQueues(), accepted(every=LANE_MILLISECONDS // 10, within=A_SECOND))

    assert len(received[0]) == 10
    assert len({message.group for message in received[0]}) == 1


@pytest.mark.parametrize("later", [1, LANE_MILLISECONDS, 7 * LANE_MILLISECONDS])
def test_mints__when_sent_again_later__keep_their_group_by_which_a_queue_knows_a_second_copy(
    later: int,
) -> None:
    mint = make_mint(at=later)

    assert group_of(mint.evolve(updated_at=mint.updated_at + A_SECOND)) == group_of(mint)
