"""A self-custody mint leaves the builder as a voucher to issue: no nonce, no fees, no gas money."""

from __future__ import annotations

import pytest

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Unavailable
from mintline.messages.intents import IssueVoucher
from mintline.messages.parts import Message
from mintline.records.operations import Mint
from mintline.resource_types import Queue
from mintline.resources import SIGN
from mintline.states import MintStatus
from mintline_builder.waiting import ISSUER_REVOKED
from mintline_testkit.builder.harness import Builder, Harness


def accept(harness: Harness, mint_id: str = "m1") -> Mint:
    return harness.accept(mint_id, to="bob", custody="self")


async def test_self_custody__when_accepted__then_its_voucher_is_sent_to_be_issued(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)

    await builder.build("m1")

    mint = harness.mint("m1")
    assert (mint.status, mint.token_id, mint.metadata) == (MintStatus.BUILT, 1, None)
    assert (mint.nonce, mint.fees) == (None, None)
    assert mint.deadline == int(harness.now) + 3600
    assert mint.gas == harness.chain.gas * 120 // 100
    [(queue, request, group)] = harness.outbox.sent
    assert (queue, group) == (SIGN, "m1")
    assert isinstance(request, IssueVoucher)
    assert (request.mint_id, request.trace) == ("m1", "trace-of-m1")
    assert request.signer == harness.key("issuer")
    assert (request.voucher.token_id, request.voucher.to) == (1, harness.address("bob"))
    assert request.voucher.deadline == mint.deadline
    assert harness.metadata.objects == {(harness.contract, 1): harness.metadata_text}


async def test_self_custody__when_the_wallet_is_empty__then_nobody_tops_it_up(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    assert harness.chain.balances.get(harness.address("bob"), 0) == 0

    await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.BUILT
    assert harness.tables.accounts == {}
    assert len(harness.messages()) == 1


async def test_self_custody__when_the_issuer_has_no_role__then_it_waits(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    harness.chain.issues = False

    await builder.build("m1")

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, ISSUER_REVOKED)
    assert harness.messages() == []


async def test_self_custody__when_the_contract_would_refuse__then_it_is_rejected_with_the_reason(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    harness.chain.reverts[harness.contract] = CallReverted(Revert("Error", {"message": "no"}), "no")

    await builder.build("m1")

    mint = harness.mint("m1")
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == "simulation_reverted"
    assert harness.messages() == []


async def test_self_custody__when_the_recipients_code_uses_much__then_only_its_user_pays_and_it_is_built(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    await builder.build("m1")
    accept(harness, "m2")
    harness.chain.codes[harness.address("bob")] = b"\x5b"
    harness.chain.gas = 500_000

    await builder.build("m2")

    assert (harness.mint("m2").status, harness.mint("m2").gas) == (MintStatus.BUILT, 600_000)


async def test_self_custody__when_its_message_returns__then_the_same_voucher_is_sent_again(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(harness)
    send = harness.outbox.send

    async def dies(queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        raise Unavailable("died before the send")

    monkeypatch.setattr(harness.outbox, "send", dies)
    with pytest.raises(Unavailable):
        await builder.build("m1")
    built = harness.mint("m1")
    monkeypatch.setattr(harness.outbox, "send", send)

    await harness.builder().build("m1")

    assert harness.mint("m1") == built
    [request] = harness.messages()
    assert isinstance(request, IssueVoucher)
    assert request.voucher.token_id == built.token_id


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED, MintStatus.MINED])
async def test_self_custody__when_it_is_past_the_builder__then_nothing_is_sent(
    harness: Harness, builder: Builder, status: MintStatus
) -> None:
    harness.tables.mints["m1"] = accept(harness).model_copy(update={"status": status})

    await builder.build("m1")

    assert harness.messages() == []
