"""The builder's conditions, as DynamoDB and S3 enforce them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from mintline.aws.dynamo import Item, Update
from mintline.aws.records import transition
from mintline.canonical_json import digest_of
from mintline.errors import Conflict, Rejected
from mintline.messages.parts import Fees
from mintline.records.keys import open_shard, token_ref
from mintline.records.transactions import open_key, sender_shard
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus
from mintline_builder.claims import Advance, OperationClaim, VoucherClaim
from mintline_builder.dynamo_accounts import DynamoAccounts
from mintline_builder.dynamo_operations import DynamoOperations
from mintline_builder.metadata_publisher import S3MetadataPublisher
from mintline_builder.ports import MetadataTaken

if TYPE_CHECKING:
    from tests.integration.builder.conftest import Harness

pytestmark = pytest.mark.integration

FEES = Fees(max_fee_per_gas=10**30, max_priority_fee_per_gas=1)


async def test_commit__when_a_mint_gets_a_nonce__then_its_transaction_is_among_the_open_ones_instead(
    harness: Harness,
) -> None:
    sender = await harness.wallet()
    mint_id = await harness.accept(sender, send=False)
    shard: Item = {"open_shard": open_shard(mint_id)}
    accepted = await harness.mint(mint_id)
    await harness.dynamo.write(Update(MINTS, {"mint_id": mint_id}, set=shard))
    claim = OperationClaim(accepted, deadline=10**9, gas=100_000, fees=FEES, at=7)
    accounts = DynamoAccounts(harness.dynamo, harness.settings.chain_id)

    await accounts.commit([Advance(sender.address, first=5, claims=(claim,))])

    item = await harness.dynamo.get(MINTS, {"mint_id": mint_id})
    assert item is not None
    assert {"open_shard", "metadata", "gas", "fees"}.isdisjoint(item)
    assert (item["status"], item["nonce"], item["deadline"], item["built_at"]) == ("built", 5, 10**9, 7)
    place = claim.transaction(5).key
    page = await harness.dynamo.query(
        TRANSACTIONS, index=TRANSACTIONS.index("open"), partition=sender_shard(place.sender_id), limit=9
    )
    nonces = [item["nonce"] for item in page.items if item["sender_id"] == place.sender_id]
    assert nonces == [5]
    assert [item["open_key"] for item in page.items] == [open_key(place, 7)]


@pytest.mark.parametrize("status", [MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_offer__when_the_mint_was_offered_before__then_it_keeps_its_voucher(
    harness: Harness, status: MintStatus
) -> None:
    """Both may go to `built` again, for a nonce; a late delivery gives them no other voucher."""
    mint_id = await harness.accept(await harness.wallet(), send=False)
    mints = DynamoOperations(harness.dynamo)
    mint = await harness.mint(mint_id)
    await mints.build_voucher(mint, VoucherClaim(mint_id, 100, 90_000, 8))
    if status is MintStatus.SUBMITTED:
        await harness.dynamo.write(transition(mint_id, status, at=9))
    with pytest.raises(Conflict):
        await mints.build_voucher(mint, VoucherClaim(mint_id, 200, 90_000, 10))
    assert (await harness.mint(mint_id)).deadline == 100


async def test_offer__when_a_mint_is_the_users_to_send__then_its_token_leads_to_it(harness: Harness) -> None:
    mints = DynamoOperations(harness.dynamo)
    mint_id = await harness.accept(await harness.wallet(), send=False)
    accepted = await harness.mint(mint_id)
    claim = VoucherClaim(mint_id, deadline=1_900_000_000, gas=90_000, at=9)

    await mints.build_voucher(accepted, claim)
    with pytest.raises(Conflict):
        await mints.build_voucher(accepted, replace(claim, deadline=2))

    assert await harness.mint(mint_id) == accepted.model_copy(update=claim.update())
    by_token = next(index for index in MINTS.indexes if index.name == "by_token")
    ref = token_ref(accepted.chain_id, accepted.contract, accepted.token_id or 0)
    page = await harness.dynamo.query(MINTS, index=by_token, partition=ref, limit=2)
    assert [item["mint_id"] for item in page.items] == [mint_id]


async def test_put__when_the_bytes_are_not_what_the_digest_says__then_s3_refuses_them(
    harness: Harness,
) -> None:
    metadata = S3MetadataPublisher(harness.s3, harness.settings.resource_prefix, harness.settings.chain_id)
    text = '{"name":"Ünïcode ✓"}'

    await metadata.put(harness.contract, 3, text, digest_of(text))
    with pytest.raises(Rejected, match="digest_mismatch"):
        await metadata.put(harness.contract, 4, text, digest_of("{}"))

    assert (await harness.metadata(3))[0] == text.encode()


async def test_put__when_the_object_is_there__then_only_the_same_bytes_are_taken_and_none_replaced(
    harness: Harness,
) -> None:
    conflicts: list[None] = []
    metadata = S3MetadataPublisher(
        harness.s3,
        harness.settings.resource_prefix,
        harness.settings.chain_id,
        conflicts=lambda: conflicts.append(None),
    )
    text, forged = '{"name":"genuine"}', '{"name":"forged"}'

    await metadata.put(harness.contract, 5, text, digest_of(text))
    await metadata.put(harness.contract, 5, text, digest_of(text))
    with pytest.raises(MetadataTaken), capture_logs() as logs:
        await metadata.put(harness.contract, 5, forged, digest_of(forged))

    assert (await harness.metadata(5))[0] == text.encode()
    assert len(conflicts) == 1
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["metadata_conflict"]
