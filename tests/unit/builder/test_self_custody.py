"""A self-custody mint leaves the builder as a voucher to issue: no nonce, no fees, no gas money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Unavailable
from mintline.messages import IssueVoucher, Message
from mintline.records import Mint
from mintline.resources import SIGN, Queue
from mintline.states import MintStatus
from mintline_builder.waiting import ISSUER_REVOKED

if TYPE_CHECKING:
    from tests.unit.builder.conftest import Builder, World


def accept(world: World, mint_id: str = "m1") -> Mint:
    return world.accept(mint_id, to="bob", custody="self")


async def test_self_custody__when_accepted__then_its_voucher_is_sent_to_be_issued(
    world: World, builder: Builder
) -> None:
    accept(world)

    await builder.build("m1")

    mint = world.mint("m1")
    assert (mint.status, mint.token_id, mint.metadata) == (MintStatus.BUILT, 1, None)
    assert (mint.nonce, mint.fees) == (None, None)
    assert mint.deadline == int(world.now) + 3600
    assert mint.gas == world.chain.gas * 120 // 100
    [(queue, request, group)] = world.outbox.sent
    assert (queue, group) == (SIGN, "m1")
    assert isinstance(request, IssueVoucher)
    assert (request.mint_id, request.trace) == ("m1", "trace-of-m1")
    assert request.signer == world.key("issuer")
    assert (request.voucher.token_id, request.voucher.to) == (1, world.address("bob"))
    assert request.voucher.deadline == mint.deadline
    assert world.metadata.objects == {(world.contract, 1): world.metadata_text}


async def test_self_custody__when_the_wallet_is_empty__then_nobody_tops_it_up(
    world: World, builder: Builder
) -> None:
    accept(world)
    assert world.chain.balances.get(world.address("bob"), 0) == 0

    await builder.build("m1")

    assert world.mint("m1").status is MintStatus.BUILT
    assert world.tables.accounts == {}
    assert len(world.messages()) == 1


async def test_self_custody__when_the_issuer_has_no_role__then_it_waits(
    world: World, builder: Builder
) -> None:
    accept(world)
    world.chain.issues = False

    await builder.build("m1")

    assert (world.mint("m1").status, world.mint("m1").waiting) == (MintStatus.ACCEPTED, ISSUER_REVOKED)
    assert world.messages() == []


async def test_self_custody__when_the_contract_would_refuse__then_it_is_rejected_with_the_reason(
    world: World, builder: Builder
) -> None:
    accept(world)
    world.chain.reverts[world.contract] = CallReverted(Revert("Error", {"message": "no"}), "no")

    await builder.build("m1")

    mint = world.mint("m1")
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == "simulation_reverted"
    assert world.messages() == []


async def test_self_custody__when_the_recipients_code_uses_much__then_only_its_user_pays_and_it_is_built(
    world: World, builder: Builder
) -> None:
    accept(world)
    await builder.build("m1")
    accept(world, "m2")
    world.chain.codes[world.address("bob")] = b"\x5b"
    world.chain.gas = 500_000

    await builder.build("m2")

    assert (world.mint("m2").status, world.mint("m2").gas) == (MintStatus.BUILT, 600_000)


async def test_self_custody__when_its_message_returns__then_the_same_voucher_is_sent_again(
    world: World, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(world)
    send = world.outbox.send

    async def dies(queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        raise Unavailable("died before the send")

    monkeypatch.setattr(world.outbox, "send", dies)
    with pytest.raises(Unavailable):
        await builder.build("m1")
    built = world.mint("m1")
    monkeypatch.setattr(world.outbox, "send", send)

    await world.builder().build("m1")

    assert world.mint("m1") == built
    [request] = world.messages()
    assert isinstance(request, IssueVoucher)
    assert request.voucher.token_id == built.token_id


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED, MintStatus.MINED])
async def test_self_custody__when_it_is_past_the_builder__then_nothing_is_sent(
    world: World, builder: Builder, status: MintStatus
) -> None:
    world.tables.mints["m1"] = accept(world).model_copy(update={"status": status})

    await builder.build("m1")

    assert world.messages() == []
