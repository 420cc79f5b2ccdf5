"""The builder's conditions, as DynamoDB and S3 enforce them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from mintline.aws.dynamo import Item
from mintline.aws.records import transition
from mintline.errors import Conflict, Rejected
from mintline.eth import keccak256, to_checksum_address
from mintline.messages import Fees
from mintline.records import Problem, digest_of, token_ref
from mintline.resources import MINTS
from mintline.states import MintStatus
from mintline_builder.dynamo import DynamoAccounts, DynamoMints
from mintline_builder.ports import Advance, MetadataTaken, MintClaim, NotCommitted, TopUpClaim, VoucherClaim
from mintline_builder.published import PublishedMetadata

if TYPE_CHECKING:
    from tests.integration.builder.conftest import Line

pytestmark = pytest.mark.integration

FEES = Fees(max_fee_per_gas=10**30, max_priority_fee_per_gas=1)
ALICE = to_checksum_address(keccak256(b"alice")[12:])
TREASURY = to_checksum_address(keccak256(b"treasury")[12:])


def claim(mint_id: str) -> MintClaim:
    return MintClaim(mint_id, deadline=10**9, gas=100_000, fees=FEES, at=7)


def top_up(replaces: int | None) -> TopUpClaim:
    claimed = TopUpClaim(TREASURY, ALICE, replaces=replaces, value=10**60, gas=21_000, fees=FEES, at=7)
    return replace(claimed, gas_day=20_000, gas_given=10**60)


@pytest.fixture
def accounts(line: Line) -> DynamoAccounts:
    return DynamoAccounts(line.dynamo, line.settings.chain_id)


async def test_commit__when_all_conditions_hold__then_the_records_say_what_was_claimed(
    line: Line, accounts: DynamoAccounts
) -> None:
    sender = await line.wallet()
    first, second = [await line.accept(sender, send=False) for _ in range(2)]
    claims = (claim(first), claim(second))

    await accounts.commit([Advance(sender.address, expected=None, first=5, claims=claims)])

    account = await accounts.get(sender.address)
    assert account is not None
    assert account.next_nonce == 7
    mint = await line.mint(second)
    assert (mint.status, mint.nonce, mint.token_id) == (MintStatus.BUILT, 6, 2)
    assert (mint.deadline, mint.gas, mint.fees, mint.built_at) == (10**9, 100_000, FEES, 7)
    assert mint.metadata is None


async def test_commit__when_the_nonce_has_moved__then_nothing_is_written_and_the_refusal_says_to_where(
    line: Line, accounts: DynamoAccounts
) -> None:
    sender = await line.wallet()
    first, second = [await line.accept(sender, send=False) for _ in range(2)]
    await accounts.commit([Advance(sender.address, None, 0, (claim(first),))])

    for expected in (None, 0, 2):
        with pytest.raises(NotCommitted) as refusal:
            await accounts.commit([Advance(sender.address, expected, expected or 0, (claim(second),))])
        assert refusal.value.moved == {sender.address: 1}
        assert refusal.value.lost == frozenset()

    assert (await line.mint(second)).status is MintStatus.ACCEPTED


async def test_commit__when_a_mint_is_no_longer_accepted__then_the_refusal_names_it_alone(
    line: Line, accounts: DynamoAccounts
) -> None:
    sender = await line.wallet()
    first, second = [await line.accept(sender, send=False) for _ in range(2)]
    await accounts.commit([Advance(sender.address, None, 0, (claim(first),))])

    with pytest.raises(NotCommitted) as refusal:
        await accounts.commit([Advance(sender.address, 1, 1, (claim(second), claim(first)))])

    assert refusal.value.lost == {claim(first).item}
    assert refusal.value.moved == {}
    assert (await line.mint(first)).nonce == 0
    account = await accounts.get(sender.address)
    assert account is not None
    assert account.next_nonce == 1


@pytest.mark.parametrize("sent", [True, False])
async def test_commit__when_a_mints_nonce_is_spent__then_it_is_built_again_once(
    line: Line, accounts: DynamoAccounts, *, sent: bool
) -> None:
    sender = await line.wallet()
    mint_id = await line.accept(sender, send=False)
    await accounts.commit([Advance(sender.address, None, 0, (claim(mint_id),))])
    if sent:
        written: Item = {"submitted_at": 8}
        await line.dynamo.write(transition(mint_id, MintStatus.SUBMITTED, at=8, set=written))
    renewal = replace(claim(mint_id), at=9, spent=0)

    for stale in (claim(mint_id), replace(renewal, spent=1)):
        with pytest.raises(NotCommitted) as refusal:
            await accounts.commit([Advance(sender.address, 1, 1, (stale,))])
        assert refusal.value.lost == {stale.item}
    await accounts.commit([Advance(sender.address, 1, 4, (renewal,))])

    mint = await line.mint(mint_id)
    assert (mint.status, mint.nonce, mint.built_at, mint.submitted_at) == (MintStatus.BUILT, 4, 9, None)
    with pytest.raises(NotCommitted):
        await accounts.commit([Advance(sender.address, 5, 5, (renewal,))])


async def test_reject__when_the_nonce_is_spent__then_the_builder_may_end_a_submitted_mint(line: Line) -> None:
    sender = await line.wallet()
    mint_id = await line.accept(sender, send=False)
    accounts, mints = DynamoAccounts(line.dynamo, line.settings.chain_id), DynamoMints(line.dynamo)
    await accounts.commit([Advance(sender.address, None, 3, (claim(mint_id),))])
    await line.dynamo.write(transition(mint_id, MintStatus.SUBMITTED, at=8))
    problem = Problem(code="collection_paused", reason="It is paused.")
    with pytest.raises(Conflict):
        await mints.reject(mint_id, problem, at=9, spent=2)
    await mints.reject(mint_id, problem, at=9, spent=3)
    assert (await line.mint(mint_id)).problem == problem


@pytest.mark.parametrize("status", [MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_offer__when_the_mint_was_offered_before__then_it_keeps_its_voucher(
    line: Line, status: MintStatus
) -> None:
    """Both may go to `built` again, for a nonce; a late delivery gives them no other voucher."""
    mint_id = await line.accept(await line.wallet(), send=False)
    mints = DynamoMints(line.dynamo)
    mint = await line.mint(mint_id)
    await mints.offer(mint, VoucherClaim(mint_id, 100, 90_000, 8))
    if status is MintStatus.SUBMITTED:
        await line.dynamo.write(transition(mint_id, status, at=9))
    with pytest.raises(Conflict):
        await mints.offer(mint, VoucherClaim(mint_id, 200, 90_000, 10))
    assert (await line.mint(mint_id)).deadline == 100


async def test_commit__when_a_top_up_is_recorded__then_only_the_one_seen_can_be_replaced(
    accounts: DynamoAccounts,
) -> None:
    await accounts.commit([Advance(TREASURY, None, 0, (top_up(replaces=None),))])

    with pytest.raises(NotCommitted) as refusal:
        await accounts.commit([Advance(TREASURY, 1, 1, (top_up(replaces=None),))])
    assert refusal.value.lost == {top_up(None).item}
    await accounts.commit([Advance(TREASURY, 1, 1, (top_up(replaces=0),))])

    account = await accounts.get(ALICE)
    assert account is not None
    assert account.next_nonce is None
    assert account.top_up == replace(top_up(0), at=7).top_up(1)
    assert (account.gas_day, account.gas_given) == (20_000, 10**60)


async def test_topping_up__when_a_top_up_is_recorded__then_its_wallet_is_found_until_that_one_is_settled(
    accounts: DynamoAccounts,
) -> None:
    await accounts.commit([Advance(TREASURY, None, 0, (top_up(None),))])
    await accounts.settle(ALICE, 7)
    assert await accounts.topping_up(limit=5) == [ALICE]
    await accounts.settle(ALICE, 0)
    assert await accounts.topping_up(limit=5) == []
    await accounts.commit([Advance(TREASURY, 1, 1, (top_up(0),))])
    assert await accounts.topping_up(limit=5) == [ALICE]


async def test_reject__when_a_mint_has_a_nonce__then_the_builder_may_not_end_it(
    line: Line, accounts: DynamoAccounts
) -> None:
    mints = DynamoMints(line.dynamo)
    sender = await line.wallet()
    built, accepted = [await line.accept(sender, send=False) for _ in range(2)]
    await accounts.commit([Advance(sender.address, None, 0, (claim(built),))])
    problem = Problem(code="a_code", reason="A reason.")

    await mints.reject(accepted, problem, at=9)
    with pytest.raises(Conflict):
        await mints.reject(built, problem, at=9)

    rejected = await mints.get(accepted)
    assert rejected is not None
    assert (rejected.status, rejected.problem, rejected.updated_at) == (MintStatus.REJECTED, problem, 9)
    assert (await line.mint(built)).status is MintStatus.BUILT


async def test_offer__when_a_mint_is_the_users_to_send__then_its_token_leads_to_it(line: Line) -> None:
    mints = DynamoMints(line.dynamo)
    mint_id = await line.accept(await line.wallet(), send=False)
    accepted = await line.mint(mint_id)
    offer = VoucherClaim(mint_id, deadline=1_900_000_000, gas=90_000, at=9)

    await mints.offer(accepted, offer)
    with pytest.raises(Conflict):
        await mints.offer(accepted, replace(offer, deadline=2))

    assert await line.mint(mint_id) == accepted.model_copy(update=offer.update())
    by_token = next(index for index in MINTS.indexes if index.name == "by_token")
    ref = token_ref(accepted.chain_id, accepted.contract, accepted.token_id or 0)
    page = await line.dynamo.query(MINTS, index=by_token, partition=ref, limit=2)
    assert [item["mint_id"] for item in page.items] == [mint_id]


async def test_put__when_the_bytes_are_not_what_the_digest_says__then_s3_refuses_them(line: Line) -> None:
    metadata = PublishedMetadata(line.s3, line.settings.resource_prefix, line.settings.chain_id)
    text = '{"name":"Ünïcode ✓"}'

    await metadata.put(line.contract, 3, text, digest_of(text))
    with pytest.raises(Rejected, match="digest_mismatch"):
        await metadata.put(line.contract, 4, text, digest_of("{}"))

    assert (await line.metadata(3))[0] == text.encode()


async def test_put__when_the_object_is_there__then_only_the_same_bytes_are_taken_and_none_replaced(
    line: Line,
) -> None:
    conflicts: list[None] = []
    metadata = PublishedMetadata(
        line.s3,
        line.settings.resource_prefix,
        line.settings.chain_id,
        conflicts=lambda: conflicts.append(None),
    )
    text, forged = '{"name":"genuine"}', '{"name":"forged"}'

    await metadata.put(line.contract, 5, text, digest_of(text))
    await metadata.put(line.contract, 5, text, digest_of(text))
    with pytest.raises(MetadataTaken), capture_logs() as logs:
        await metadata.put(line.contract, 5, forged, digest_of(forged))

    assert (await line.metadata(5))[0] == text.encode()
    assert len(conflicts) == 1
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["metadata_conflict"]
