"""The ports' contract, held by the in-memory implementations and by those over AWS alike."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from mintline.acceptance import STATEMENT_BYTES
from mintline.authorizations import Authorization
from mintline.aws.dynamo import Dynamo, Item, Put
from mintline.aws.operations import created
from mintline.messages.parts import Fees, KeyRef
from mintline.records.keys import created_key, open_shard, scoped, signature_turn_key
from mintline.records.operations import Mint, RelayedTransfer, TokenBurn, TokenTransfer
from mintline.records.problems import CANCELLED, TOKEN_OPERATION_CANCELLED
from mintline.records.wallets import Wallet
from mintline.resources import ACCOUNTS, MINTS, REVOCATIONS
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState
from mintline_api.auth.store import DynamoRevocations
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.store import DynamoMints
from mintline_api.features.operations.ports import ExternalIdTaken
from mintline_api.features.transfers.store import DynamoTokenOperations
from mintline_api.features.wallets.ports import WalletStore
from mintline_api.features.wallets.store import DynamoWallets
from mintline_api.limits.ports import RateCounter
from mintline_api.limits.store import DynamoGas, DynamoRates
from mintline_signer.host.revocations import DynamoRevocations as HostRevocations
from mintline_signer.protocol import Revocation
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.api.users import MemoryRates, MemoryRevocations
from mintline_testkit.api.wallets import MemoryWallets
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.records import make_mint, make_transaction

pytestmark = pytest.mark.integration

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


AUTHORIZATION = Authorization(envelope=b"\x02sealed\xff", metadata="{}")


def mint(number: int, *, sub: str = "alice", digest: bytes = bytes(range(32))) -> Mint:
    return make_mint(
        f"mint_{number:026d}",
        sub=sub,
        to=ADDRESS,
        sender=KeyRef(address=ADDRESS, subject=sub, chain_id=CHAIN_ID, secret_id="s"),
        metadata_digest=digest,
        request_digest="00",
        token_id=number,
        at=1_795_398_654_000 + number,
    )


def wallet(address: str, *, sub: str = "alice") -> Wallet:
    return Wallet(
        wallet_id=scoped(CHAIN_ID, sub),
        sub=sub,
        chain_id=CHAIN_ID,
        address=address,
        secret_id=f"mintline/wallets/{address}",
        ready=False,
        wrapped=b"\x00wrapped\xff",
        created_at=1,
    )


@pytest.fixture(params=["memory", "dynamodb"])
def mints(request: pytest.FixtureRequest) -> MintStore:
    if request.param == "memory":
        return MemoryMints()
    dynamo: Dynamo = request.getfixturevalue("dynamo")
    return DynamoMints(dynamo)


@pytest.fixture(params=["memory", "dynamodb"])
def wallets(request: pytest.FixtureRequest) -> WalletStore:
    if request.param == "memory":
        return MemoryWallets()
    dynamo: Dynamo = request.getfixturevalue("dynamo")
    return DynamoWallets(dynamo)


async def test_mints__when_created_and_read__hold_to_their_contract(mints: MintStore) -> None:
    first = mint(1)
    assert await mints.get(first.mint_id) is None
    assert await mints.create(first, AUTHORIZATION) is None
    assert await mints.get(first.mint_id) == first

    twin = first.model_copy(update={"metadata_digest": bytes(32), "request_digest": "01"})
    assert await mints.create(twin, AUTHORIZATION) == first
    assert await mints.get(first.mint_id) == first


async def test_mints__when_one_id_is_created_at_once__let_one_win(mints: MintStore) -> None:
    rivals = [mint(1, digest=bytes([n]) * 32) for n in range(20)]

    outcomes = await asyncio.gather(*(mints.create(rival, AUTHORIZATION) for rival in rivals))

    winners = [rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome is None]
    assert len(winners) == 1
    assert [outcome for outcome in outcomes if outcome is not None] == winners * 19


async def test_mints__when_listed__come_newest_first_and_page_from_any_position(mints: MintStore) -> None:
    created = [mint(number) for number in range(1, 8)]
    await asyncio.gather(*(mints.create(m, AUTHORIZATION) for m in (*created, mint(50, sub="bob"))))
    expected = [m.mint_id for m in reversed(created)]

    whole = await mints.ids_of("alice", limit=100, after=None)
    assert [mint_id for _, mint_id in whole.items] == expected
    assert not whole.more
    for cut in range(len(expected)):
        position = whole.items[cut][0]
        rest = await mints.ids_of("alice", limit=100, after=position)
        assert [mint_id for _, mint_id in rest.items] == expected[cut + 1 :]
    part = await mints.ids_of("alice", limit=3, after=None)
    assert ([mint_id for _, mint_id in part.items], part.more) == (expected[:3], True)
    assert (await mints.ids_of("nobody", limit=3, after=None)).items == ()


async def test_mints__when_a_client_asked_for_them__then_it_lists_them_and_their_users_do(
    mints: MintStore,
) -> None:
    created = [mint(number).evolve(client_id="shop") for number in range(1, 5)]
    await asyncio.gather(*(mints.create(m, AUTHORIZATION) for m in (*created, mint(50))))
    expected = [m.mint_id for m in reversed(created)]

    first = await mints.ids_of_client("shop", limit=3, after=None)
    rest = await mints.ids_of_client("shop", limit=3, after=first.items[-1][0])

    assert [mint_id for _, mint_id in (*first.items, *rest.items)] == expected
    assert (first.more, rest.more) == (True, False)
    assert (await mints.ids_of_client("rival", limit=3, after=None)).items == ()
    assert len((await mints.ids_of("alice", limit=10, after=None)).items) == 5


async def test_external_id__when_it_is_used__then_no_other_mint_of_that_client_is_created(
    mints: MintStore,
) -> None:
    first = mint(1).evolve(client_id="shop", external_id="order #1")
    second = mint(2).evolve(client_id="shop", external_id="order #1")
    rivals = mint(3).evolve(client_id="rival", external_id="order #1")
    own = mint(4).evolve(external_id="order #1")

    assert await mints.create(first, AUTHORIZATION) is None
    with pytest.raises(ExternalIdTaken) as taken:
        await mints.create(second, AUTHORIZATION)
    assert taken.value.mint_id == first.mint_id
    assert await mints.get(second.mint_id) is None
    assert await mints.create(first, AUTHORIZATION) == first, "a replay is no other mint"
    assert await mints.create(rivals, AUTHORIZATION) is None
    assert await mints.create(own, AUTHORIZATION) is None
    assert await mints.id_by_external_id("shop", "order #1") == first.mint_id
    assert await mints.id_by_external_id("alice", "order #1") == own.mint_id
    assert await mints.id_by_external_id("shop", "order #2") is None


async def test_external_id__when_the_mint_has_another__then_the_names_stay_as_they_are(
    mints: MintStore,
) -> None:
    first = mint(1).evolve(client_id="shop", external_id="a")
    await mints.create(first, AUTHORIZATION)

    assert await mints.create(first.evolve(external_id="b"), AUTHORIZATION) == first
    assert await mints.id_by_external_id("shop", "b") is None


async def test_external_id__when_mints_race_for_it__then_one_has_it(mints: MintStore) -> None:
    rivals = [mint(number).evolve(client_id="shop", external_id="a") for number in range(10)]

    outcomes = await asyncio.gather(
        *(mints.create(rival, AUTHORIZATION) for rival in rivals), return_exceptions=True
    )

    (winner,) = (rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome is None)
    taken = [outcome for outcome in outcomes if isinstance(outcome, ExternalIdTaken)]
    assert [external_id.mint_id for external_id in taken] == [winner.mint_id] * 9


async def test_wallets__when_created_and_finished__hold_to_their_contract(wallets: WalletStore) -> None:
    mine = wallet(ADDRESS)
    assert await wallets.get(mine.wallet_id) is None
    assert await wallets.create(mine) is None
    assert await wallets.create(wallet(OTHER)) == mine
    assert await wallets.get(mine.wallet_id) == mine

    done = mine.model_copy(update={"ready": True, "wrapped": None})
    for _ in range(2):
        await wallets.mark_ready(mine.wallet_id)
        assert await wallets.get(mine.wallet_id) == done
    assert await wallets.create(wallet(OTHER)) == done


@pytest.fixture(params=["memory", "dynamodb"])
def counter(request: pytest.FixtureRequest) -> RateCounter:
    if request.param == "memory":
        return MemoryRates()
    dynamo: Dynamo = request.getfixturevalue("dynamo")
    return DynamoRates(dynamo)


async def test_rates__when_added_to_at_once__then_each_sees_a_sum_of_its_own(counter: RateCounter) -> None:
    seen = await asyncio.gather(*(counter.add("alice#1", 3, expires=2_000_000_000) for _ in range(8)))
    assert sorted(seen) == [3 * n for n in range(1, 9)]
    assert await counter.add("alice#2", 1, expires=2_000_000_000) == 1
    assert await counter.add("bob#1", 1, expires=2_000_000_000) == 1


async def test_gas__when_the_builder_has_noted_it__then_it_is_the_days(dynamo: Dynamo) -> None:
    gas = DynamoGas(dynamo, chain_id=CHAIN_ID)
    assert await gas.gas_given(ADDRESS) == (0, 0)
    noted: Item = {"account_id": scoped(CHAIN_ID, ADDRESS), "gas_day": 20_785, "gas_given": str(10**24)}
    await dynamo.write(Put(ACCOUNTS, noted))
    assert await gas.gas_given(ADDRESS) == (20_785, 10**24)


async def test_mints__when_created__are_among_the_open_ones(dynamo: Dynamo) -> None:
    created = mint(1)
    await DynamoMints(dynamo).create(created, AUTHORIZATION)
    page = await dynamo.query(
        MINTS, index=MINTS.index("open"), partition=open_shard(created.mint_id), limit=10
    )
    assert [item["created_key"] for item in page.items] == [created_key(created.created_at, created.mint_id)]


@pytest.mark.parametrize("status", [MintStatus.ACCEPTED, MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_mints__when_cancelled__say_so_once_and_only_where_they_were_seen(
    mints: MintStore, status: MintStatus
) -> None:
    seen = mint(1).model_copy(update={"status": status, "nonce": 3})
    await mints.create(seen, AUTHORIZATION)
    moved = seen.model_copy(update={"status": MintStatus.MINED})
    assert await mints.cancel(moved.model_copy(update={"status": MintStatus.ISSUED}), CANCELLED, at=5) == seen

    stopped = await mints.cancel(seen, CANCELLED, at=7)

    expected: dict[str, object] = {"cancel_requested_at": 7, "updated_at": 7}
    if status is not MintStatus.SUBMITTED:
        expected |= {"status": MintStatus.REJECTED, "problem": CANCELLED}
    assert stopped == seen.model_copy(update=expected)
    assert await mints.cancel(seen, CANCELLED, at=9) == stopped == await mints.get(seen.mint_id)


def token_transfer(number: int, **fields: object) -> TokenTransfer:
    return TokenTransfer(
        mint_id=f"transfer_{number:026d}",
        status=MintStatus.ACCEPTED,
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        to=OTHER,
        sender=KeyRef(address=ADDRESS, subject="alice", chain_id=CHAIN_ID, secret_id="s"),
        request_digest="00",
        token_id=number,
        created_at=1_795_398_654_000 + number,
        updated_at=1_795_398_654_000 + number,
    ).evolve(**fields)


@pytest.mark.parametrize("status", [MintStatus.ACCEPTED, MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_transfers__when_cancelled__say_so_once_as_mints_do(
    mints: MintStore, status: MintStatus
) -> None:
    seen = token_transfer(1, status=status, nonce=3)
    await mints.create(seen, AUTHORIZATION)

    stopped = await mints.cancel(seen, TOKEN_OPERATION_CANCELLED, at=7)

    expected: dict[str, object] = {"cancel_requested_at": 7, "updated_at": 7}
    if status is not MintStatus.SUBMITTED:
        expected |= {"status": MintStatus.REJECTED, "problem": TOKEN_OPERATION_CANCELLED}
    assert stopped == seen.evolve(**expected)
    again = await mints.cancel(seen, TOKEN_OPERATION_CANCELLED, at=9)
    assert again == stopped == await mints.operation(seen.operation_id)


async def test_transfers__when_under_way__are_those_of_the_wallet_whose_nonce_is_not_used(
    dynamo: Dynamo,
) -> None:
    store = DynamoMints(dynamo)
    states = {
        1: TransactionState.RESERVED,
        2: TransactionState.SUBMITTED,
        3: TransactionState.MINED,
        4: TransactionState.FINAL,
    }
    for number, state in states.items():
        operation = token_transfer(number, status=MintStatus.BUILT, nonce=number)
        await store.create(operation, AUTHORIZATION)
        carrier = make_transaction(
            operation.sender,
            number,
            kind="transfer",
            operations=(operation.operation_id,),
            gas=90_000,
            fees=Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1),
            state=state,
            outcome="succeeded" if number > 2 else None,
        )
        await dynamo.write(created(carrier))
    await store.create(token_transfer(5), AUTHORIZATION)
    await store.create(token_transfer(6, status=MintStatus.BUILT, nonce=6), AUTHORIZATION)

    reader = DynamoTokenOperations(dynamo, chain_id=CHAIN_ID)
    assert {operation.token_id for operation in await reader.under_way(ADDRESS, CONTRACT)} == {1, 2}
    assert await reader.under_way(OTHER, CONTRACT) == ()


@pytest.mark.parametrize(
    ("state", "under_way"),
    [
        (TransactionState.RESERVED, True),
        (TransactionState.SUBMITTED, True),
        (TransactionState.MINED, False),
        (TransactionState.FINAL, False),
    ],
)
async def test_under_way__when_a_relayer_sends_what_the_wallet_signed__is_found_by_the_wallets_turn(
    dynamo: Dynamo, state: TransactionState, *, under_way: bool
) -> None:
    store = DynamoMints(dynamo)
    like = token_transfer(1).model_dump() | {"kind": "relayed_transfer", "wallet": token_transfer(1).sender}
    relayer = KeyRef(address=OTHER, subject="platform:relayer-1", chain_id=CHAIN_ID, secret_id="relayer")
    operation = RelayedTransfer(
        **like | {"status": MintStatus.BUILT, "sender": relayer, "nonce": 5, "counter": 0, "deadline": 9}
    )
    await store.create(operation, AUTHORIZATION)
    carrier = make_transaction(
        relayer,
        5,
        kind="relayed_transfer",
        operations=(operation.operation_id,),
        gas=90_000,
        fees=Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1),
        state=state,
        outcome="succeeded" if state in (TransactionState.MINED, TransactionState.FINAL) else None,
    )
    await dynamo.write(created(carrier))
    reader = DynamoTokenOperations(dynamo, chain_id=CHAIN_ID)
    assert await reader.under_way(ADDRESS, CONTRACT) == ()
    turn: Item = {"operation_id": operation.operation_id, "counter": 0}
    turn["account_id"] = signature_turn_key(CHAIN_ID, CONTRACT, ADDRESS)
    await dynamo.write(Put(ACCOUNTS, turn))

    operations = await reader.under_way(ADDRESS, CONTRACT)

    assert [operation.operation_id for operation in operations] == (
        [operation.operation_id] if under_way else []
    )
    assert await reader.under_way(ADDRESS, OTHER) == ()


async def test_revocations__when_recorded_in_any_order__move_forward_only_and_are_what_hosts_read(
    dynamo: Dynamo,
) -> None:
    memory, stored = MemoryRevocations(), DynamoRevocations(dynamo, chain_id=CHAIN_ID)
    for number in (5, 7, 6, 7):
        for store in (memory, stored):
            statement = bytes([number]) * STATEMENT_BYTES
            await store.record("alice", revoked_before=number, statement=statement, expires=9 + number)
    await DynamoRevocations(dynamo, chain_id=CHAIN_ID + 1).record(
        "bob", revoked_before=1, statement=bytes(STATEMENT_BYTES), expires=9
    )
    await dynamo.write(Put(REVOCATIONS, {"chain": str(CHAIN_ID), "sub": "broken", "revoked_before": "x"}))

    (read,) = await HostRevocations(dynamo, chain_id=CHAIN_ID).read()
    assert read == Revocation(subject="alice", revoked_before=7, statement=b"\7" * STATEMENT_BYTES)
    assert memory.recorded == {"alice": (7, read.statement, 16)}
    for store in (memory, stored):
        assert [await store.revoked_before(sub) for sub in ("alice", "carol")] == [7, 0]


async def test_mints__when_asked_for_the_highest_token_id__look_at_the_open_ones_of_the_contract(
    mints: MintStore,
) -> None:
    assert await mints.highest_token_id(CONTRACT, range(100)) is None
    await asyncio.gather(*(mints.create(mint(number), AUTHORIZATION) for number in range(1, 80)))
    stopped = mint(90)
    await mints.create(stopped, AUTHORIZATION)
    await mints.cancel(stopped, CANCELLED, at=stopped.updated_at + 1)
    await mints.create(mint(95).evolve(contract=OTHER), AUTHORIZATION)

    assert await mints.highest_token_id(CONTRACT, range(100)) == 79
    assert await mints.highest_token_id(OTHER, range(100)) == 95
    assert await mints.highest_token_id(CONTRACT, range(79)) == 78


async def test_mints__when_newer_transfers_and_burns_are_open__still_tell_the_highest_token_id(
    dynamo: Dynamo,
) -> None:
    registry = CollectorRegistry()
    mints = DynamoMints(dynamo, set_aside=SetAside(registry))
    await mints.create(mint(7), AUTHORIZATION)
    shard = open_shard(mint(7).mint_id)
    ids = (f"{kind}_{number:026d}" for number in range(900) for kind in ("transfer", "burn"))
    beside = [mint_id for mint_id in ids if open_shard(mint_id) == shard][:40]
    assert len(beside) == 40

    async def create(operation_id: str, at: int) -> None:
        sender = mint(1).sender
        assert sender is not None
        fields = {
            "mint_id": operation_id,
            "status": MintStatus.ACCEPTED,
            "chain_id": CHAIN_ID,
            "contract": CONTRACT,
            "sender": sender,
            "request_digest": "00",
            "token_id": 99,
            "created_at": at,
            "updated_at": at,
        }
        if operation_id.startswith("burn_"):
            await mints.create(TokenBurn.model_validate(fields), AUTHORIZATION)
        else:
            await mints.create(TokenTransfer.model_validate({**fields, "to": ADDRESS}), AUTHORIZATION)

    later = mint(7).created_at + 1
    await asyncio.gather(*(create(mint_id, later + number) for number, mint_id in enumerate(beside)))

    assert await mints.highest_token_id(CONTRACT, range(100)) == 7
    assert registry.get_sample_value("mintline_records_set_aside_total", {"table": "mints"}) is None


async def test_mints__when_an_open_one_is_unreadable__the_others_tell_the_highest_token_id(
    dynamo: Dynamo,
) -> None:
    mints = DynamoMints(dynamo)
    for number in (1, 2):
        await mints.create(mint(number), AUTHORIZATION)
    item = await dynamo.get(MINTS, {"mint_id": mint(2).mint_id})
    assert item is not None
    await dynamo.write(Put(MINTS, item | {"token_id": "two"}))
    assert await mints.highest_token_id(CONTRACT, range(100)) == 1
