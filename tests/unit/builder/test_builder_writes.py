"""The conditions of the builder's writes: each clause that keeps two copies from doing a thing twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import pytest

from mintline.aws.dynamo import Change, Dynamo
from mintline.messages.parts import Fees
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_builder.claims import Advance, Claim, OperationClaim, TopUpClaim
from mintline_builder.dynamo_accounts import DynamoAccounts
from mintline_testkit.builder.harness import accepted_mint, key

FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)
TREASURY, WALLET = "0x0000000000000000000000000000000000000001", "0x0000000000000000000000000000000000000002"


class RecordingDynamo:
    """Takes every transaction, and remembers what the last one was."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    async def transact(self, changes: Sequence[Change]) -> None:
        self.changes = list(changes)


Conditions: TypeAlias = list[set[tuple[str, str, tuple[Any, ...]]]]


async def conditions(claim: Claim) -> Conditions:
    """Return the conditions of the transaction's write, and then those of the claim's."""
    dynamo = RecordingDynamo()
    advance = Advance(TREASURY, first=4, claims=(claim,))
    await DynamoAccounts(cast("Dynamo", dynamo), 31337).commit([advance])
    assert len(dynamo.changes) == claim.writes
    return [
        {(clause.attribute, clause.op, tuple(clause.values)) for clause in change.where}
        for change in dynamo.changes
    ]


def top_up(replaces: int | None) -> TopUpClaim:
    treasury = key("treasury").evolve(address=TREASURY)
    return TopUpClaim(treasury, WALLET, replaces=replaces, value=1, gas=21_000, fees=FEES, at=7)


def mint(spent: int | None) -> OperationClaim[Mint]:
    status = MintStatus.ACCEPTED if spent is None else MintStatus.SUBMITTED
    return OperationClaim(
        accepted_mint("mint_1").evolve(status=status, nonce=spent), deadline=9, gas=1, fees=FEES, at=7
    )


async def test_nonce__when_it_is_given_out__requires_that_it_has_no_record() -> None:
    created, _ = await conditions(mint(None))
    assert created == {("nonce", "missing", ())}


@pytest.mark.parametrize(
    ("replaces", "condition"),
    [
        (None, ("top_up_nonce", "missing", ())),
        (0, ("top_up_nonce", "eq", (0,))),
        (7, ("top_up_nonce", "eq", (7,))),
    ],
)
async def test_top_up__when_it_is_claimed__replaces_the_very_one_that_was_seen(
    replaces: int | None, condition: tuple[str, str, tuple[int, ...]]
) -> None:
    _, claimed = await conditions(top_up(replaces))
    assert condition in claimed


async def test_mint__when_it_is_built__must_still_be_accepted() -> None:
    _, claimed = await conditions(mint(None))
    assert ("status", "eq", (MintStatus.ACCEPTED.value,)) in claimed


@pytest.mark.parametrize("spent", [0, 3])
async def test_mint__when_it_is_renewed__must_have_the_nonce_that_is_spent(spent: int) -> None:
    _, claimed, carrier = await conditions(mint(spent))
    assert {("nonce", "eq", (spent,)), ("status", "eq", (MintStatus.BUILT.value,))} <= claimed
    assert carrier == {
        ("nonce", "exists", ()),
        ("outcome", "ne", ("succeeded",)),
        ("outcome", "ne", ("failed",)),
    }
