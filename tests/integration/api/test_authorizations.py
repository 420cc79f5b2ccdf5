"""What the api stores beside a mint is what builder and broadcaster find, in memory as in DynamoDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mintline.authorizations import KEPT, MISSING, Authorization, digest_of
from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.records import to_item
from mintline.messages.parts import MAX_ENVELOPE, KeyRef
from mintline.records.operations import Mint
from mintline.resources import AUTHORIZATIONS, MINTS
from mintline.states import MintStatus
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.store import DynamoMints
from mintline_broadcaster.dynamo import DynamoTransactionStore
from mintline_broadcaster.ports import TransactionStore
from mintline_builder.dynamo_operations import DynamoOperations
from mintline_builder.ports import Operations
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.builder import tables as builder_tables
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.records import make_mint

pytestmark = pytest.mark.integration

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
KEY = KeyRef(address=ADDRESS, subject="alice", chain_id=CHAIN_ID, secret_id="s")
AUTHORIZATION = Authorization(envelope=b"\x02sealed\xff", metadata='{"name":"№ 1"}')


def mint(**fields: Any) -> Mint:
    fields = {"token_id": 1, "sender": KEY, **fields}
    return make_mint(
        sub="alice",
        to=ADDRESS,
        metadata_digest=bytes(range(32)),
        request_digest="00",
        at=1_795_398_654_321,
        **fields,
    )


@dataclass(frozen=True, slots=True)
class Stores:
    """One deployment's tables, as each service meets them."""

    api: MintStore
    builder: Operations
    broadcaster: TransactionStore

    async def found(self, mint: Mint) -> Authorization:
        authorization = await self.builder.authorization(mint)
        assert await self.broadcaster.envelope(mint) == authorization.envelope
        return authorization


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        api, tables, ledger = MemoryMints(), builder_tables.MemoryTables(), MemoryTransactionStore()
        tables.authorizations = ledger.authorizations = api.authorizations
        return Stores(api, builder_tables.MemoryOperations(tables), ledger)
    dynamo: Dynamo = request.getfixturevalue("dynamo")
    return Stores(
        DynamoMints(dynamo), DynamoOperations(dynamo), DynamoTransactionStore(dynamo, chain_id=CHAIN_ID)
    )


@pytest.mark.parametrize("sender", [KEY, None], ids=["custodial", "self"])
async def test_authorization__when_its_mint_is_created__then_every_service_finds_it(
    stores: Stores, sender: KeyRef | None
) -> None:
    requested = mint(sender=sender, custody="custodial" if sender else "self")
    assert await stores.found(requested) == MISSING

    assert await stores.api.create(requested, AUTHORIZATION) is None

    assert await stores.api.get(requested.mint_id) == requested
    assert await stores.found(requested) == AUTHORIZATION
    built = requested.evolve(status=MintStatus.BUILT, nonce=4, deadline=9, updated_at=5)
    assert await stores.found(built) == AUTHORIZATION


async def test_authorization__when_the_metadata_is_packed__then_the_builder_knows_and_still_has_it(
    stores: Stores,
) -> None:
    packed = AUTHORIZATION.model_copy(update={"packed": True})

    assert await stores.api.create(mint(), packed) is None

    authorization = await stores.found(mint())
    assert (authorization, authorization.unpublished, authorization.metadata) == (
        packed,
        None,
        AUTHORIZATION.metadata,
    )


async def test_authorization__when_it_is_as_large_as_may_be__then_it_fits(stores: Stores) -> None:
    metadata = '{"image":"data:image/png;base64,' + "A" * 260_000 + '"}'
    large = Authorization(envelope=b"\x02" * MAX_ENVELOPE, metadata=metadata)

    assert await stores.api.create(mint(), large) is None

    assert await stores.found(mint()) == large


async def test_authorization__when_a_rival_of_the_same_key_stored_its_own__then_the_mint_keeps_its_own(
    stores: Stores,
) -> None:
    """The loser's is on record too, whichever came first, and is nobody's."""
    winner = mint(token_id=1)
    rival = mint(token_id=2)
    theirs = Authorization(envelope=b"\x02another", metadata="{}")

    assert await stores.api.create(winner, AUTHORIZATION) is None
    assert await stores.api.create(rival, theirs) == winner

    on_record = await stores.api.get("mint_1")
    assert on_record is not None
    assert await stores.found(on_record) == AUTHORIZATION


async def test_authorization__when_its_write_is_repeated__then_the_first_stays(stores: Stores) -> None:
    await stores.api.create(mint(), AUTHORIZATION)
    await stores.api.create(mint(), AUTHORIZATION.evolve(envelope=b"\x02again"))

    assert await stores.found(mint()) == AUTHORIZATION


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"authorization": b"\x02old", "metadata": "{}"},
            Authorization(envelope=b"\x02old", metadata="{}"),
        ),
        ({"authorization": b"\x02old", "status": MintStatus.BUILT}, Authorization(envelope=b"\x02old")),
        ({"metadata": "{}", "token_id": None}, Authorization(metadata="{}")),
        ({"token_id": None}, MISSING),
    ],
    ids=["accepted", "built", "without a word", "without a token id"],
)
async def test_authorization__when_the_mint_is_of_the_version_before__then_it_is_read_from_its_record(
    stores: Stores, fields: dict[str, Any], expected: Authorization
) -> None:
    old = mint().model_copy(update=fields)

    assert await stores.found(old) == expected


async def test_authorization__when_stored__then_its_item_is_binary_and_the_mints_has_nothing_of_it(
    dynamo: Dynamo,
) -> None:
    await DynamoMints(dynamo).create(mint(), AUTHORIZATION)

    item = await dynamo.get(AUTHORIZATIONS, {"mint_id": "mint_1", "digest": digest_of(mint())})
    record = await dynamo.get(MINTS, {"mint_id": "mint_1"})

    assert item == {
        "mint_id": "mint_1",
        "digest": digest_of(mint()),
        "envelope": AUTHORIZATION.envelope,
        "metadata": AUTHORIZATION.metadata,
        "expires": 1_795_398_654 + KEPT,
    }
    assert record is not None
    assert not {"authorization", "metadata"} & record.keys()


async def test_create__when_it_dies_before_the_mints_record__then_nobody_has_a_mint_without_authorization(
    dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = dynamo.write

    async def dies_at_the_mint(change: Any) -> None:
        if isinstance(change, Put) and change.table is MINTS:
            raise ConnectionError
        await write(change)

    with monkeypatch.context() as dying:
        dying.setattr(dynamo, "write", dies_at_the_mint)
        with pytest.raises(ConnectionError):
            await DynamoMints(dynamo).create(mint(), AUTHORIZATION)
    assert await dynamo.get(MINTS, {"mint_id": "mint_1"}) is None

    again, other = mint(token_id=2), Authorization(envelope=b"\x02other", metadata="{}")
    assert await DynamoMints(dynamo).create(again, other) is None
    assert await DynamoOperations(dynamo).authorization(again) == other


async def test_open_mint__when_its_item_is_of_the_version_before__then_builder_and_broadcaster_read_it(
    dynamo: Dynamo,
) -> None:
    old = mint().model_copy(update={"authorization": b"\x02old", "metadata": "{}"})
    await dynamo.write(Put(MINTS, to_item(old)))

    builder = DynamoOperations(dynamo)
    operation = await builder.get("mint_1")

    assert operation == old
    assert await builder.authorization(old) == Authorization(envelope=b"\x02old", metadata="{}")
    assert await DynamoTransactionStore(dynamo, chain_id=CHAIN_ID).envelope(old) == b"\x02old"
