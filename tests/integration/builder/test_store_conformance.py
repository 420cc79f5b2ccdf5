"""The builder's accounts and mints in memory and over DynamoDB: the same calls lead to the same records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mintline.authorizations import MISSING, Authorization, key_of
from mintline.authorizations import digest_of as authorized_digest
from mintline.aws.authorizations import keep_authorization
from mintline.aws.dynamo import Item, Put
from mintline.aws.operations import created
from mintline.aws.records import from_item, to_item
from mintline.errors import Conflict
from mintline.eth import to_checksum_address
from mintline.messages.parts import Fees, KeyRef
from mintline.records.keys import created_key, open_shard
from mintline.records.operations import Attempt, Mint, Operation, TokenBurn, TokenTransfer
from mintline.records.problems import Problem
from mintline.records.transactions import TopUpPayload, Transaction, TransactionKey, transaction_key_of
from mintline.resources import ACCOUNTS, MINTS
from mintline.states import MintStatus, TransactionState
from mintline_builder.batch_claims import MAX_LINE_CLAIMS, BatchClaim, LineClaim, sealed
from mintline_builder.claims import Advance, OperationClaim, TopUpClaim, VoucherClaim, account_item
from mintline_builder.dynamo_accounts import DynamoAccounts
from mintline_builder.dynamo_operations import DynamoOperations
from mintline_builder.ports import Account, Accounts, NotCommitted, Operations
from mintline_testkit.builder.tables import MemoryAccounts, MemoryOperations, MemoryTables
from mintline_testkit.constants import CHAIN_ID, CONTRACT

ALICE = to_checksum_address(b"\x11" * 20)
BOB = to_checksum_address(b"\x22" * 20)
CAROL = to_checksum_address(b"\x44" * 20)
TREASURY = to_checksum_address(b"\x33" * 20)
KEY = KeyRef(address=ALICE, subject="alice", chain_id=CHAIN_ID, secret_id="s")
BOBS_KEY = KEY.evolve(address=BOB)
TREASURY_KEY = KEY.evolve(address=TREASURY)
RELAYER_KEY = KEY.evolve(address=to_checksum_address(b"\x55" * 20), subject="platform:relayer-1")
OTHER_RELAYER = KEY.evolve(address=to_checksum_address(b"\x66" * 20), subject="platform:relayer-2")
FEES = Fees(max_fee_per_gas=10**30, max_priority_fee_per_gas=1)
PROBLEM = Problem(code="a_code", reason="A reason.")
ATTEMPT = Attempt(tx_hash=b"\x01" * 32, max_fee_per_gas=10**30, max_priority_fee_per_gas=1, at=8)
NOOP = ATTEMPT.evolve(tx_hash=b"\x02" * 32, fills=True)
SENT = {"state": TransactionState.SUBMITTED, "attempts": (ATTEMPT, NOOP), "submitted_at": 8}
UNMINED: dict[str, dict[str, Any]] = {
    "reserved": {},
    "submitted": SENT,
    "being filled": {**SENT, "attempts": (NOOP,), "filling_at": 8},
    "used by another": {**SENT, "state": TransactionState.FINAL, "outcome": "filled"},
}
"""What a transaction may be whose mint is built or submitted."""
MINED: dict[str, dict[str, Any]] = {
    "mined": {**SENT, "state": TransactionState.MINED, "outcome": "succeeded"},
    "reverted": {**SENT, "state": TransactionState.MINED, "outcome": "failed"},
    "finalized": {**SENT, "state": TransactionState.FINAL, "outcome": "succeeded"},
    "reverted for good": {**SENT, "state": TransactionState.FINAL, "outcome": "failed"},
}


@dataclass
class Stores:
    """The stores under test, and the way around them."""

    accounts: Accounts
    mints: Operations
    put: Callable[[Operation], Awaitable[None]]
    put_transaction: Callable[[Transaction], Awaitable[None]]
    put_account: Callable[[str, Item], Awaitable[None]]
    authorize: Callable[[Operation, Authorization], Awaitable[None]]

    async def mint(self, mint_id: str = "m1") -> Mint:
        operation = await self.mints.get(mint_id)
        assert isinstance(operation, Mint)
        return operation

    async def transaction(self, nonce: int, signer: KeyRef = KEY) -> Transaction:
        transaction = await self.accounts.transaction(transaction_key_of(signer, nonce))
        assert transaction is not None
        return transaction

    async def carried(self, nonce: int, changes: dict[str, Any]) -> Mint:
        """Put a built mint whose transaction is as `changes` say; return it as it stands."""
        await self.put(mint(status=MintStatus.BUILT, nonce=nonce, metadata=None, deadline=5))
        await self.put_transaction(claim().transaction(nonce).evolve(**changes))
        return await self.mint()


def mint(mint_id: str = "m1", status: MintStatus = MintStatus.ACCEPTED, **changes: Any) -> Mint:
    fields: dict[str, Any] = {
        "mint_id": mint_id,
        "sub": "alice",
        "status": status,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "to": ALICE,
        "sender": KEY,
        "metadata": "{}",
        "metadata_digest": bytes(32),
        "request_digest": "00",
        "authorization": b"sealed",
        "token_id": 2**200,
        "created_at": 1,
        "updated_at": 1,
    }
    return Mint(**fields | changes)


def claim(claimed: Mint | None = None, **changes: Any) -> OperationClaim[Mint]:
    return replace(OperationClaim(claimed or mint(), deadline=10**9, gas=100_000, fees=FEES, at=7), **changes)


def top_up(replaces: int | None, **changes: Any) -> TopUpClaim:
    claimed = TopUpClaim(TREASURY_KEY, ALICE, replaces=replaces, value=10**60, gas=21_000, fees=FEES, at=7)
    return replace(claimed, wallet_count=3, gas_day=20_000, gas_given=10**60, **changes)


def advance(first: int, *claims: Any, sender: str = ALICE) -> Advance:
    return Advance(sender, first, tuple(claims))


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.integration)])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        tables = MemoryTables()

        async def keep(kept: Operation) -> None:
            tables.put(kept)

        async def keep_transaction(kept: Transaction) -> None:
            tables.transactions[kept.key] = kept

        async def keep_account(address: str, item: Item) -> None:
            tables.accounts[address] = from_item(Account, item)

        async def keep_authorized(operation: Operation, given: Authorization) -> None:
            key = key_of(operation)
            assert key is not None
            tables.authorizations[key] = given

        operations = MemoryOperations(tables)
        return Stores(
            MemoryAccounts(tables), operations, keep, keep_transaction, keep_account, keep_authorized
        )
    dynamo = request.getfixturevalue("harness").dynamo

    async def write(kept: Operation) -> None:
        index: Item = {
            "created_key": created_key(kept.created_at, kept.mint_id),
            "open_shard": open_shard(kept.mint_id),
        }
        await dynamo.write(Put(MINTS, to_item(kept) | index))

    async def write_transaction(kept: Transaction) -> None:
        await dynamo.write(replace(created(kept), where=()))

    async def write_account(address: str, item: Item) -> None:
        await dynamo.write(Put(ACCOUNTS, {"account_id": f"{CHAIN_ID}#{address}", **item}))

    async def authorize(operation: Operation, given: Authorization) -> None:
        await keep_authorization(dynamo, operation, given)

    accounts = DynamoAccounts(dynamo, CHAIN_ID)
    return Stores(accounts, DynamoOperations(dynamo), write, write_transaction, write_account, authorize)


async def test_commit__when_all_conditions_hold__then_nonces_mints_and_transactions_say_what_was_claimed(
    stores: Stores,
) -> None:
    accepted = [mint("m1"), mint("m2", waiting=PROBLEM), mint("m3", sender=BOBS_KEY)]
    for each in accepted:
        await stores.put(each)
    first, second, third = map(claim, accepted)

    gas_money = replace(top_up(None), wallet=CAROL)

    await stores.accounts.commit(
        [
            advance(5, first, second),
            advance(0, third, sender=BOB),
            advance(1, gas_money, sender=TREASURY),
        ]
    )

    senders = (ALICE, BOB, TREASURY, CAROL)
    assert [await stores.accounts.last_nonce(address) for address in senders] == [6, 0, 1, None]
    assert [(await stores.mint(name)).nonce for name in ("m1", "m2", "m3")] == [5, 6, 0]
    assert await stores.mint("m2") == second.built(second.transaction(6))
    assert await stores.transaction(6) == second.transaction(6)
    assert await stores.transaction(0, BOBS_KEY) == third.transaction(0)
    assert await stores.transaction(1, TREASURY_KEY) == gas_money.transaction(1)


@pytest.mark.parametrize(
    ("on_record", "mined", "following"),
    [
        ([], 0, 0),
        ([], 3, 3),
        ([0, 1, 2], 0, 3),
        ([0, 1, 2], 2, 3),
        ([0, 1, 2], 3, 3),
        ([0, 1, 2], 5, 3),
        ([4, 5], 4, 6),
        ([2, 4], 3, 3),
        ([2, 5], 3, 3),
        ([5, 10], 5, 11),
    ],
    ids=[
        "never used",
        "used before it was ours",
        "none is mined",
        "some are mined",
        "all are mined",
        "used elsewhere since",
        "earlier ones have no records",
        "a gap is next",
        "a wide gap is next",
        "compared as numbers",
    ],
)
async def test_next_nonce__when_records_and_chain_are_so__then_it_follows_the_records(
    stores: Stores, on_record: list[int], mined: int, following: int
) -> None:
    for nonce in on_record:
        await stores.put_transaction(claim().transaction(nonce))
    await stores.put_transaction(claim(mint(sender=BOBS_KEY)).transaction(90))

    assert await stores.accounts.next_nonce(ALICE, mined) == following
    assert await stores.accounts.last_nonce(ALICE) == (max(on_record) if on_record else None)


async def test_commit__when_one_of_many_conditions_fails__then_it_alone_is_named_and_nothing_is_written(
    stores: Stores,
) -> None:
    await stores.put(mint("m1", MintStatus.REJECTED))
    await stores.put(mint("m2"))

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(0, claim(mint("m2")), claim(mint("m1")))])

    assert refusal.value.taken == frozenset()
    assert refusal.value.lost == {claim(mint("m1")).item}
    assert (await stores.mint("m2")).status is MintStatus.ACCEPTED
    assert await stores.accounts.last_nonce(ALICE) is None


@pytest.mark.parametrize("first", [0, 1])
async def test_commit__when_a_nonce_has_a_transaction_already__then_its_sender_is_named_and_nothing_written(
    stores: Stores, first: int
) -> None:
    taken = claim(mint("m9")).transaction(1)
    await stores.put_transaction(taken)
    for each in (mint("m1"), mint("m2"), mint("m3", sender=BOBS_KEY)):
        await stores.put(each)

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit(
            [
                advance(first, claim(mint("m1")), claim(mint("m2"))),
                advance(0, claim(mint("m3", sender=BOBS_KEY)), sender=BOB),
            ]
        )

    assert (refusal.value.taken, refusal.value.lost) == (frozenset({ALICE}), frozenset())
    assert {(await stores.mint(name)).status for name in ("m1", "m2", "m3")} == {MintStatus.ACCEPTED}
    assert await stores.transaction(1) == taken
    assert (await stores.accounts.last_nonce(ALICE), await stores.accounts.last_nonce(BOB)) == (1, None)


async def test_commit__when_it_is_repeated__then_both_record_and_claim_are_refused(stores: Stores) -> None:
    await stores.put(mint())
    await stores.accounts.commit([advance(0, claim())])

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(0, claim())])

    assert (refusal.value.taken, refusal.value.lost) == (frozenset({ALICE}), frozenset({claim().item}))


@pytest.mark.parametrize("state", UNMINED)
async def test_commit__when_a_nonce_is_spent__then_only_that_mints_own_is_renewed(
    stores: Stores, state: str
) -> None:
    before = await stores.carried(0, UNMINED[state])
    renewal = claim(before, at=9)

    for stale in (claim(), claim(before.evolve(nonce=1))):
        with pytest.raises(NotCommitted) as refusal:
            await stores.accounts.commit([advance(4, stale)])
        assert refusal.value.lost == {claim().item}
    await stores.accounts.commit([advance(4, renewal)])
    with pytest.raises(NotCommitted):
        await stores.accounts.commit([advance(5, renewal)])

    renewed = await stores.mint()
    assert (renewed.status, renewed.nonce, renewed.built_at) == (MintStatus.BUILT, 4, 9)
    assert renewed == renewal.built(renewal.transaction(4))
    assert renewed.attempts == before.attempts
    assert renewed.submitted_at is None
    assert renewed.token_id == 2**200
    assert (await stores.transaction(4)).first_attempt == len(before.attempts)
    left = claim().transaction(0).evolve(**UNMINED[state], left=("m1",))
    assert await stores.transaction(0) == left


@pytest.mark.parametrize("state", MINED)
async def test_commit__when_the_mint_is_on_chain__then_its_nonce_is_not_renewed(
    stores: Stores, state: str
) -> None:
    before = await stores.carried(0, MINED[state])

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(4, claim(before))])

    assert (refusal.value.taken, refusal.value.lost) == (frozenset(), frozenset({claim().item}))
    assert await stores.mint() == before
    assert await stores.accounts.transaction(transaction_key_of(KEY, 4)) is None


async def test_commit__when_the_transaction_of_the_spent_nonce_is_missing__then_the_mint_keeps_its_nonce(
    stores: Stores,
) -> None:
    before = mint(status=MintStatus.BUILT, nonce=0, metadata=None)
    await stores.put(before)

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(4, claim(before))])

    assert refusal.value.lost == {claim().item}
    assert await stores.mint() == before


@pytest.mark.parametrize("status", [MintStatus.REJECTED, MintStatus.MINED, MintStatus.FINALIZED])
async def test_commit__when_the_mints_own_record_moved_on__then_its_nonce_is_not_renewed(
    stores: Stores, status: MintStatus
) -> None:
    before = await stores.carried(0, SENT)
    await stores.put(before.evolve(status=status))

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(4, claim(before))])

    assert refusal.value.lost == {claim().item}
    assert (await stores.mint()).status is status


async def test_commit__when_a_top_up_is_recorded__then_only_the_one_seen_is_replaced(stores: Stores) -> None:
    await stores.accounts.commit([advance(0, top_up(None), sender=TREASURY)])

    for stale in (top_up(None), top_up(1)):
        with pytest.raises(NotCommitted) as refusal:
            await stores.accounts.commit([advance(1, stale, sender=TREASURY)])
        assert refusal.value.lost == {account_item(ALICE)}
    await stores.accounts.commit([advance(1, top_up(0), sender=TREASURY)])

    account = await stores.accounts.get(ALICE)
    assert account is not None
    assert (account.top_up_treasury, account.top_up_nonce) == (TREASURY, 1)
    assert (account.gas_day, account.gas_given) == (20_000, 10**60)
    transaction = await stores.transaction(1, TREASURY_KEY)
    assert transaction.top_up == TopUpPayload(recipient=ALICE, value=10**60, recipient_count=3)


async def test_commit__when_an_account_is_of_an_earlier_version__then_its_settled_top_up_is_replaced(
    stores: Stores,
) -> None:
    earlier: Item = {"next_nonce": 2, "top_up": {"treasury": TREASURY, "nonce": 7}, "top_up_nonce": 7}
    await stores.put_account(ALICE, earlier)
    assert await stores.accounts.get(ALICE) == Account(top_up_nonce=7)

    await stores.accounts.commit([advance(8, top_up(7), sender=TREASURY)])

    account = await stores.accounts.get(ALICE)
    assert account is not None
    assert (account.top_up_treasury, account.top_up_nonce) == (TREASURY, 8)


@pytest.mark.parametrize("status", [status for status in MintStatus if status is not MintStatus.ACCEPTED])
async def test_reject__when_the_mint_is_no_longer_accepted__then_it_stays(
    stores: Stores, status: MintStatus
) -> None:
    before = mint(status=status, nonce=3, metadata=None)
    await stores.put(before)

    for change in (
        stores.mints.reject("m1", PROBLEM, at=9),
        stores.mints.reject("m1", PROBLEM, at=9, spent=transaction_key_of(KEY, 2)),
        stores.mints.wait("m1", PROBLEM),
        stores.mints.build_voucher(before, VoucherClaim("m1", 100, 90_000, 8)),
    ):
        with pytest.raises(Conflict):
            await change

    assert await stores.mint() == before


async def test_reject__when_the_mint_is_accepted__then_it_ends_with_the_problem(stores: Stores) -> None:
    await stores.put(mint())

    await stores.mints.reject("m1", PROBLEM, at=9)

    ended = await stores.mint()
    assert (ended.status, ended.problem, ended.updated_at) == (MintStatus.REJECTED, PROBLEM, 9)


@pytest.mark.parametrize("state", UNMINED)
async def test_reject__when_the_nonce_is_spent__then_the_mint_ends_and_its_transaction_is_for_a_noop(
    stores: Stores, state: str
) -> None:
    before = await stores.carried(3, UNMINED[state])

    await stores.mints.reject("m1", PROBLEM, at=9, spent=transaction_key_of(KEY, 3))

    ended = await stores.mint()
    assert (ended.status, ended.problem, ended.updated_at) == (MintStatus.REJECTED, PROBLEM, 9)
    assert ended.attempts == before.attempts
    left = claim().transaction(3).evolve(**{"filling_at": 9} | UNMINED[state]).evolve(updated_at=9)
    assert await stores.transaction(3) == left


@pytest.mark.parametrize("state", MINED)
async def test_reject__when_the_mint_is_on_chain__then_mint_and_transaction_stay(
    stores: Stores, state: str
) -> None:
    before = await stores.carried(3, MINED[state])

    with pytest.raises(Conflict):
        await stores.mints.reject("m1", PROBLEM, at=9, spent=transaction_key_of(KEY, 3))

    assert await stores.mint() == before
    assert await stores.transaction(3) == claim().transaction(3).evolve(**MINED[state])


async def test_wait__when_a_mint_is_accepted__then_it_says_so_and_is_offered_without(stores: Stores) -> None:
    await stores.put(mint(sender=None, custody="self"))

    await stores.mints.wait("m1", PROBLEM)
    waiting = await stores.mint()
    await stores.mints.build_voucher(waiting, VoucherClaim("m1", 100, 90_000, 8))

    assert (waiting.status, waiting.waiting, waiting.updated_at) == (MintStatus.ACCEPTED, PROBLEM, 1)
    assert await stores.mint() == waiting.evolve(**VoucherClaim("m1", 100, 90_000, 8).update())


async def test_get__when_there_is_no_such_record__then_it_is_none(stores: Stores) -> None:
    assert await stores.mints.get("m9") is None
    assert await stores.accounts.get(BOB) is None
    assert await stores.accounts.transaction(TransactionKey(f"{CHAIN_ID}#{BOB}", 0)) is None


def token_operation(kind: str, **changes: Any) -> TokenTransfer | TokenBurn:
    fields: dict[str, Any] = {
        "mint_id": "t1",
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "sender": KEY,
        "token_id": 2**200,
        "request_digest": "00",
        "created_at": 1,
        "updated_at": 1,
    }
    operation = TokenTransfer(**fields, to=BOB) if kind == "transfer" else TokenBurn(**fields)
    return operation.evolve(**changes)


async def test_operation__when_it_is_read_with_its_authorization__then_no_digest_leads_to_anothers(
    stores: Stores,
) -> None:
    requested = mint(metadata=None, authorization=None)
    given = Authorization(envelope=b"sealed", metadata="{}")
    rival = requested.evolve(token_id=3)
    await stores.put(requested)
    await stores.authorize(requested, given)
    await stores.authorize(rival, Authorization(envelope=b"the rival's"))
    for digest in (authorized_digest(requested), authorized_digest(rival), bytes(32), None):
        assert await stores.mints.with_authorization(requested.mint_id, digest) == (requested, given)
    assert await stores.mints.with_authorization("mint_none", bytes(32)) is None


async def test_authorization__when_it_is_of_the_very_operation__then_it_is_found_and_no_other(
    stores: Stores,
) -> None:
    requested = mint(metadata=None, authorization=None)
    burn = token_operation("burn")
    given = Authorization(envelope=b"sealed", metadata="{}")
    await stores.authorize(requested, given)
    await stores.authorize(burn, Authorization(envelope=b"its own"))
    assert await stores.mints.authorization(requested) == given
    assert await stores.mints.authorization(requested.evolve(token_id=3)) == MISSING
    assert await stores.mints.authorization(burn) == Authorization(envelope=b"its own")
    assert await stores.mints.authorization(mint()) == Authorization(envelope=b"sealed", metadata="{}")


@pytest.mark.parametrize("kind", ["transfer", "burn"])
async def test_commit__when_a_token_operation_gets_a_nonce__then_its_transaction_has_no_deadline(
    stores: Stores, kind: str
) -> None:
    operation = token_operation(kind, waiting=PROBLEM)
    await stores.put(operation)
    claimed = OperationClaim(operation, deadline=None, gas=60_000, fees=FEES, at=7)

    await stores.accounts.commit([advance(3, claimed)])
    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(4, claimed)])

    assert refusal.value.lost == {claimed.item}
    assert await stores.mints.get("t1") == claimed.built(claimed.transaction(3))
    transaction = await stores.transaction(3)
    assert transaction == claimed.transaction(3)
    assert (transaction.kind, transaction.operations, transaction.deadline) == (kind, ("t1",), None)


@pytest.mark.parametrize("kind", ["transfer", "burn"])
async def test_reject__when_a_token_operation_is_accepted__then_it_ends(stores: Stores, kind: str) -> None:
    operation = token_operation(kind)
    await stores.put(operation)

    await stores.mints.wait("t1", PROBLEM)
    await stores.mints.reject("t1", PROBLEM, at=9)
    with pytest.raises(Conflict):
        await stores.mints.wait("t1", PROBLEM)

    changed = {"status": MintStatus.REJECTED, "problem": PROBLEM, "waiting": PROBLEM, "updated_at": 9}
    assert await stores.mints.get("t1") == operation.evolve(**changed)


def sponsored(mint_id: str, **changes: Any) -> Mint:
    fields = {"sender": None, "custody": "sponsored", "metadata": None, "authorization": None, **changes}
    return mint(mint_id, **fields)


async def reserve(
    stores: Stores, mints: list[Mint], *, nonce: int = 0, relayer: KeyRef = RELAYER_KEY
) -> Transaction:
    """Reserve a nonce for a batch of these, none of which is claimed by that."""
    wanted = BatchClaim(relayer, tuple(mints), gas=10**6, fees=FEES, at=7)
    await stores.accounts.commit([advance(nonce, wanted, sender=relayer.address)])
    return await stores.transaction(nonce, relayer)


def lines(mints: list[Mint], at: int = 8) -> list[LineClaim]:
    return [LineClaim(each, at) for each in mints]


async def accepted_lines(stores: Stores, count: int) -> list[Mint]:
    mints = [sponsored(f"m{number}", token_id=number) for number in range(count)]
    for each in mints:
        await stores.put(each)
    return mints


async def test_batch__when_it_is_reserved__then_its_record_has_the_list_and_no_mint_is_touched(
    stores: Stores,
) -> None:
    mints = await accepted_lines(stores, 3)

    batch = await reserve(stores, mints, nonce=4)

    assert batch == BatchClaim(RELAYER_KEY, tuple(mints), gas=10**6, fees=FEES, at=7).transaction(4)
    assert (batch.kind, batch.operations, batch.claiming) == ("batch", ("m0", "m1", "m2"), True)
    assert await stores.accounts.last_nonce(RELAYER_KEY.address) == 4
    assert [await stores.mint(each.mint_id) for each in mints] == mints


async def test_claim__when_mints_are_accepted__then_they_are_built_under_the_batchs_nonce(
    stores: Stores,
) -> None:
    mints = await accepted_lines(stores, MAX_LINE_CLAIMS)
    batch = await reserve(stores, mints)

    assert await stores.accounts.claim(batch, lines(mints)) == {each.mint_id for each in mints}
    assert await stores.accounts.claim(batch, lines(mints)) == {each.mint_id for each in mints}

    for claimed in lines(mints):
        assert await stores.mint(claimed.mint.mint_id) == claimed.built(batch)
    assert (await stores.mint("m0")).sender == RELAYER_KEY


async def test_claim__when_some_are_lost__then_the_others_are_won(stores: Stores) -> None:
    mints = await accepted_lines(stores, 6)
    rival = await reserve(stores, mints, relayer=OTHER_RELAYER)
    await stores.accounts.claim(rival, lines(mints[:1]))
    await stores.mints.reject("m1", PROBLEM, at=8)
    batch = await reserve(stores, mints)
    await stores.accounts.claim(batch, lines(mints[2:3]))

    won = await stores.accounts.claim(batch, lines(mints))

    assert won == {"m2", "m3", "m4", "m5"}
    assert (await stores.mint("m0")).sender == OTHER_RELAYER
    assert (await stores.mint("m1")).status is MintStatus.REJECTED
    assert await stores.accounts.claim(batch, lines(mints[:2])) == frozenset()


@pytest.mark.parametrize(
    "changes",
    [{"claiming": None}, {"state": TransactionState.FINAL, "outcome": "filled"}],
    ids=["sealed", "used by another"],
)
async def test_claim__when_the_batch_is_not_claiming_any_more__then_nothing_is_claimed(
    stores: Stores, changes: dict[str, Any]
) -> None:
    mints = await accepted_lines(stores, 3)
    batch = await reserve(stores, mints)
    await stores.put_transaction(batch.evolve(**changes))

    with pytest.raises(Conflict):
        await stores.accounts.claim(batch, lines(mints))
    with pytest.raises(Conflict):
        await stores.accounts.seal(sealed(batch, [], at=9))

    assert [await stores.mint(each.mint_id) for each in mints] == mints
    assert await stores.transaction(0, RELAYER_KEY) == batch.evolve(**changes)


async def test_seal__when_some_were_lost__then_the_record_has_the_final_list_and_its_meaning(
    stores: Stores,
) -> None:
    mints = await accepted_lines(stores, 4)
    batch = await reserve(stores, mints)
    kept = [LineClaim(each, 8).built(batch) for each in mints[1:3]]
    final = sealed(batch, kept, at=9)

    await stores.accounts.seal(final)
    with pytest.raises(Conflict):
        await stores.accounts.seal(final)

    transaction = await stores.transaction(0, RELAYER_KEY)
    assert transaction == final
    assert (transaction.operations, transaction.claiming, transaction.filling_at) == (
        ("m1", "m2"),
        None,
        None,
    )
    assert transaction.meaning != batch.meaning


async def test_seal__when_all_were_lost__then_the_nonce_is_for_a_noop(stores: Stores) -> None:
    batch = await reserve(stores, await accepted_lines(stores, 2))

    await stores.accounts.seal(sealed(batch, [], at=9))

    transaction = await stores.transaction(0, RELAYER_KEY)
    assert (transaction.operations, transaction.claiming, transaction.filling_at) == ((), None, 9)


BATCH_FAILED: dict[str, dict[str, Any]] = {
    **UNMINED,
    **{name: MINED[name] for name in ("reverted", "reverted for good")},
}
"""What a batch may be whose mints go into another."""


async def spent_batch(stores: Stores, changes: dict[str, Any], count: int = 3) -> list[Mint]:
    """Put mints on record whose batch, under nonce 0, is as `changes` say; return them as they stand."""
    mints = await accepted_lines(stores, count)
    batch = await reserve(stores, mints)
    await stores.accounts.claim(batch, lines(mints))
    final = sealed(batch, [LineClaim(each, 8).built(batch) for each in mints], at=9)
    await stores.put_transaction(final.evolve(**changes))
    return [await stores.mint(each.mint_id) for each in mints]


@pytest.mark.parametrize("state", BATCH_FAILED)
async def test_claim__when_the_batch_of_before_came_to_nothing__then_another_has_its_mints(
    stores: Stores, state: str
) -> None:
    before = await spent_batch(stores, BATCH_FAILED[state])
    batch = await reserve(stores, before, nonce=1)

    won = await stores.accounts.claim(batch, lines(before, at=11))

    assert won == {"m0", "m1", "m2"}
    for claimed in lines(before, at=11):
        assert await stores.mint(claimed.mint.mint_id) == claimed.built(batch)
    assert (await stores.mint("m0")).attempts == before[0].attempts
    assert (await stores.transaction(0, RELAYER_KEY)).left == ("m0", "m1", "m2")
    assert (await stores.transaction(1, RELAYER_KEY)).left is None


@pytest.mark.parametrize("state", ["mined", "finalized"])
async def test_claim__when_the_batch_of_before_succeeded__then_it_keeps_its_mints(
    stores: Stores, state: str
) -> None:
    before = await spent_batch(stores, MINED[state])
    fresh = sponsored("m9", token_id=9)
    await stores.put(fresh)
    batch = await reserve(stores, [*before, fresh], nonce=1)

    assert await stores.accounts.claim(batch, lines([*before, fresh])) == {"m9"}

    assert [await stores.mint(each.mint_id) for each in before] == before
    assert (await stores.transaction(0, RELAYER_KEY)).left is None


async def test_claim__when_its_user_stopped_a_mint__then_no_other_batch_has_it(stores: Stores) -> None:
    before = await spent_batch(stores, UNMINED["submitted"])
    await stores.put(before[1].evolve(status=MintStatus.BUILT, attempts=(), cancel_requested_at=9))
    batch = await reserve(stores, before, nonce=1)

    assert await stores.accounts.claim(batch, lines(before)) == {"m0", "m2"}
    assert (await stores.transaction(0, RELAYER_KEY)).left == ("m0", "m2")
    # And once more, as after a lost answer: nothing leaves twice.
    assert await stores.accounts.claim(batch, lines(before)) == {"m0", "m2"}
    assert (await stores.transaction(0, RELAYER_KEY)).left == ("m0", "m2")


async def test_claim__when_another_relayer_has_a_mint_under_the_same_nonce__then_it_is_not_taken(
    stores: Stores,
) -> None:
    before = await spent_batch(stores, UNMINED["submitted"], count=1)
    rival = await reserve(stores, before, relayer=OTHER_RELAYER)
    await stores.accounts.claim(rival, lines(before))
    batch = await reserve(stores, before, nonce=1)

    assert await stores.accounts.claim(batch, lines(before)) == frozenset()
    with pytest.raises(Conflict):
        await stores.mints.reject("m0", PROBLEM, at=9, spent=transaction_key_of(RELAYER_KEY, 0))

    assert (await stores.mint("m0")).sender == OTHER_RELAYER


@pytest.mark.parametrize("state", BATCH_FAILED)
async def test_reject__when_a_mint_was_in_a_batch__then_the_batch_is_as_it_was_but_for_it(
    stores: Stores, state: str
) -> None:
    await spent_batch(stores, BATCH_FAILED[state])
    batch = await stores.transaction(0, RELAYER_KEY)

    await stores.mints.reject("m1", PROBLEM, at=12, spent=batch.key)

    assert (await stores.mint("m1")).status is MintStatus.REJECTED
    assert await stores.transaction(0, RELAYER_KEY) == batch.evolve(left=("m1",))


@pytest.mark.parametrize("state", ["mined", "finalized"])
async def test_reject__when_the_batch_succeeded__then_its_mint_stays(stores: Stores, state: str) -> None:
    before = await spent_batch(stores, MINED[state])

    with pytest.raises(Conflict):
        await stores.mints.reject("m1", PROBLEM, at=12, spent=transaction_key_of(RELAYER_KEY, 0))

    assert await stores.mint("m1") == before[1]
