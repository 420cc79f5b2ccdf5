"""`mintline wallets` as a process, on a deployment that the emulator holds, and the records' contract."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.key_stores import open_key_stores
from mintline.aws.records import balance_place, to_item, token_place
from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Conflict, Rejected
from mintline.eth import keccak256, to_checksum_address
from mintline.key_stores import KeyStores, StoredKey
from mintline.query_keys import balance_query_keys
from mintline.records.index import Balance, Token
from mintline.records.keys import created_key, scoped, token_key
from mintline.records.wallets import Wallet
from mintline.resources import BALANCES, MINTS, TOKENS, TRANSACTIONS, WALLETS
from mintline.settings import ServiceSettings
from mintline.states import MintStatus
from mintline_ops.wallets.dynamo import DynamoBelongings, DynamoWalletRecords
from mintline_ops.wallets.ports import WalletRecords
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.records import make_mint
from mintline_testkit.wallets import MemoryWalletRecords

pytestmark = pytest.mark.integration


def address_of(sub: str) -> str:
    return to_checksum_address(keccak256(sub.encode())[12:])


def wallet_of(sub: str, secret_id: str) -> Wallet:
    return Wallet(
        wallet_id=scoped(CHAIN_ID, sub),
        sub=sub,
        chain_id=CHAIN_ID,
        address=address_of(sub),
        secret_id=secret_id,
        ready=True,
        created_at=1_795_398_654_000,
    )


def mint_of(wallet: Wallet, number: int, status: MintStatus) -> dict[str, Any]:
    mint = make_mint(
        f"mint_{number:026d}",
        sub=wallet.sub,
        status=status,
        to=wallet.address,
        sender=wallet.key(),
        request_digest="00",
        at=number,
    )
    return {**to_item(mint), "created_key": created_key(number, mint.mint_id)}


@dataclass
class Deployment:
    """Wallets with keys in Secrets Manager."""

    dynamo: Dynamo
    stores: KeyStores
    settings: ServiceSettings

    async def add(self, sub: str) -> Wallet:
        key = StoredKey(
            address=address_of(sub), chain_id=CHAIN_ID, subject=sub, wrapped=f"wrapped {sub}".encode()
        )
        wallet = wallet_of(sub, await self.stores.named("secretsmanager").create(key))
        await self.dynamo.write(Put(WALLETS, to_item(wallet)))
        return wallet

    async def wallet(self, sub: str) -> Wallet:
        wallet = await DynamoWalletRecords(self.dynamo).get(scoped(CHAIN_ID, sub))
        assert wallet is not None
        return wallet

    async def run(self, *arguments: str, prefix: str | None = None) -> tuple[int, Any, str]:
        """Run a command of `mintline wallets` and return its exit code, JSON and standard error."""
        where = ("--prefix", prefix or self.settings.resource_prefix)
        argv = ("wallets", *arguments, *where, "--endpoint-url", str(self.settings.aws_endpoint_url))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mintline_cli", *argv, "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, json.loads(output) if output else None, errors.decode()


@pytest.fixture
async def line(aws_settings: ServiceSettings, aws_prefix: str) -> AsyncIterator[Deployment]:
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "dynamodb", aws_settings, calls=AwsCalls())
        dynamo = Dynamo(client, aws_prefix)
        stack.push_async_callback(dynamo.aclose)
        stores = await open_key_stores(stack, aws_settings, dynamo, calls=AwsCalls())
        yield Deployment(dynamo, stores, aws_settings)


async def test_migrate__when_run_twice_and_back__moves_every_key_and_none_twice(line: Deployment) -> None:
    wallets = [await line.add(f"user-{n}") for n in range(120)]

    planned = await line.run("migrate", "--to", "dynamodb", "--dry-run")
    assert (await line.wallet("user-0")).secret_id == wallets[0].secret_id
    first = await line.run("migrate", "--to", "dynamodb")
    again = await line.run("migrate", "--to", "dynamodb")

    assert [code for code, _, _ in (planned, first, again)] == [0, 0, 0]
    assert planned[1] == first[1] == {"to": "dynamodb", "moved": 120, "failed": []}
    assert again[1] == {"to": "dynamodb", "there": 120, "failed": []}
    for old in wallets:
        new = await line.wallet(old.sub)
        assert line.stores.holding(new.secret_id).name == "dynamodb"
        assert await line.stores.read(old.key()) == await line.stores.read(new.key())
    code, report, _ = await line.run("prune-copies", "--older-than", "0h")
    assert (code, report) == (0, {"pruned": 120, "failed": []})
    assert (await line.stores.read(wallets[7].key())).wrapped == b"wrapped user-7"
    code, report, _ = await line.run("migrate", "--to", "secretsmanager")
    assert (code, report["moved"]) == (0, 120)
    assert (await line.wallet("user-7")).secret_id == wallets[7].secret_id


async def test_migrate__when_a_key_is_lost__says_whose_and_fails(line: Deployment) -> None:
    wallet = await line.add("alice")
    await line.stores.named("secretsmanager").schedule_deletion(wallet.secret_id, days=7)

    code, report, _ = await line.run("migrate", "--to", "dynamodb")

    assert code == 1
    assert report["failed"] == [
        {
            "wallet": wallet.address,
            "reason": f"key_deleting: The wrapped key {wallet.secret_id} is being deleted.",
        }
    ]


async def test_migrate__when_there_is_no_such_deployment__says_so_in_one_line(line: Deployment) -> None:
    code, _, errors = await line.run("migrate", "--to", "dynamodb", prefix="nobody")

    assert code == 1
    assert errors.startswith("error: AWS refused:")
    assert errors.count("\n") == 1


async def test_delete__when_the_wallet_owns_a_token_or_mints__refuses(line: Deployment) -> None:
    alice, bob = await line.add("alice"), await line.add("bob")
    token = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=1,
        owner=alice.address,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
    )
    keys = {
        **token_place(CHAIN_ID, CONTRACT, 1),
        "owner_id": scoped(CHAIN_ID, alice.address),
        "owned_key": f"{CONTRACT}#{token_key(1)}",
    }
    await line.dynamo.write(Put(TOKENS, {**to_item(token), **keys}))
    for number in range(150):
        await line.dynamo.write(Put(MINTS, mint_of(bob, number, MintStatus.FINALIZED)))
    await line.dynamo.write(Put(MINTS, mint_of(bob, 5, MintStatus.SUBMITTED)))

    owning = await line.run("delete", "alice", "--chain-id", str(CHAIN_ID))
    minting = await line.run("delete", "bob", "--force", "--chain-id", str(CHAIN_ID))

    assert (owning[0], minting[0]) == (1, 1)
    assert "owns 1 token," in owning[2]
    assert f"mint_{5:026d} of {bob.address} has not ended" in minting[2]
    assert await line.wallet("alice") == alice
    assert await line.stores.read(bob.key())


async def test_undelete__when_a_deletion_was_cut_off__keeps_the_wallet(line: Deployment) -> None:
    alice = await line.add("alice")
    records = DynamoWalletRecords(line.dynamo)
    await records.mark_deleting(alice, at=4_000_000_000_000)
    cut_off = await line.wallet("alice")

    deleted = await line.run("delete", "alice", "--after", "7d", "--chain-id", str(CHAIN_ID))
    assert (deleted[0], deleted[1]["deletes_at"]) == (0, "2096-10-02T07:06:40Z")
    with pytest.raises(Rejected):
        await line.stores.read(alice.key())
    kept = await line.run("undelete", "alice", "--chain-id", str(CHAIN_ID))

    assert (kept[0], kept[1]["deletes_at"]) == (0, None)
    assert cut_off.deletes_at == 4_000_000_000_000
    assert await line.wallet("alice") == alice
    assert await line.stores.read(alice.key())


async def test_belongings__when_there_are_none__are_none(line: Deployment) -> None:
    wallet = await line.add("alice")
    belongings = DynamoBelongings(line.dynamo)
    # Sent by a wallet of the user's own: it does without this one's key.
    own = mint_of(wallet, 1, MintStatus.ISSUED)
    del own["sender"]
    await line.dynamo.write(Put(MINTS, {**own, "custody": "self"}))

    assert await belongings.tokens(wallet, most=10) == 0
    assert await belongings.open_operation(wallet) is None


async def test_belongings__when_a_wallet_has_items__then_those_that_it_still_has_are_counted(
    line: Deployment,
) -> None:
    wallet = await line.add("alice")
    for token_id, quantity in ((7, 2**200), (8, 1), (9, 0)):
        balance = Balance(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=token_id,
            holder=wallet.address,
            quantity=quantity,
            block_number=1,
            tx_hash=bytes(32),
        )
        place = balance_place(CHAIN_ID, CONTRACT, token_id, wallet.address)
        item = {**to_item(balance), **place, **balance_query_keys(balance)}
        await line.dynamo.write(Put(BALANCES, item))
    belongings = DynamoBelongings(line.dynamo)
    assert await belongings.tokens(wallet, most=10) == 2
    assert await belongings.tokens(wallet, most=1) == 1


@pytest.mark.parametrize(("state", "under_way"), [("mined", "transaction 11"), ("final", None)])
async def test_belongings__when_its_newest_transaction_is_open__then_it_is_under_way(
    line: Deployment, state: str, under_way: str | None
) -> None:
    wallet = await line.add("alice")
    sender = scoped(CHAIN_ID, wallet.address)
    for nonce, standing in ((2, "final"), (11, state)):
        await line.dynamo.write(Put(TRANSACTIONS, {"sender_id": sender, "nonce": nonce, "state": standing}))

    assert await DynamoBelongings(line.dynamo).open_operation(wallet) == under_way


@pytest.fixture(params=["memory", "dynamodb"])
def records(request: pytest.FixtureRequest) -> WalletRecords:
    if request.param == "memory":
        return MemoryWalletRecords()
    line: Deployment = request.getfixturevalue("line")
    return DynamoWalletRecords(line.dynamo)


async def test_records__when_changed__hold_to_their_contract(
    records: WalletRecords, request: pytest.FixtureRequest
) -> None:
    wallet = wallet_of("alice", "p/wallets/1")
    if isinstance(records, MemoryWalletRecords):
        records.items[wallet.wallet_id] = wallet
    else:
        line: Deployment = request.getfixturevalue("line")
        await line.dynamo.write(Put(WALLETS, to_item(wallet)))

    await records.move(wallet, to="dynamodb:1", at=5)
    moved = await records.get(wallet.wallet_id)
    assert moved is not None
    assert (moved.secret_id, moved.previous_secret_id, moved.moved_at) == ("dynamodb:1", "p/wallets/1", 5)
    for stale in (records.move(wallet, to="x", at=6), records.mark_deleting(wallet, at=6)):
        with pytest.raises(Conflict):
            await stale
    await records.mark_deleting(moved, at=7)
    deleting = await records.get(wallet.wallet_id)
    assert deleting is not None
    assert deleting.deletes_at == 7
    for late in (records.move(moved, to="x", at=8), records.mark_deleting(moved, at=8)):
        with pytest.raises(Conflict):
            await late
    await records.unmark_deleting(deleting)
    await records.forget_copy(moved)
    assert [w async for w in records.all()] == [wallet.model_copy(update={"secret_id": "dynamodb:1"})]


async def test_records__when_a_wallet_is_reassigned__hold_to_their_contract(
    records: WalletRecords, request: pytest.FixtureRequest
) -> None:
    old = wallet_of("old", "p/wallets/1")
    new = old.model_copy(
        update={"wallet_id": scoped(CHAIN_ID, "new"), "sub": "new", "reassigned_from": "old"}
    )
    if isinstance(records, MemoryWalletRecords):
        records.items[old.wallet_id] = old
    else:
        line: Deployment = request.getfixturevalue("line")
        await line.dynamo.write(Put(WALLETS, to_item(old)))

    with pytest.raises(Conflict):
        await records.create_reassigned(new)
    await records.mark_reassigned(old, to="new")
    marked = old.model_copy(update={"reassigned_to": "new"})
    assert await records.get(old.wallet_id) == marked
    for late in (records.mark_reassigned(old, to="third"), records.mark_deleting(old, at=7)):
        with pytest.raises(Conflict):
            await late
    await records.unmark_reassigned(marked)
    assert await records.get(old.wallet_id) == old
    await records.mark_reassigned(old, to="new")
    await records.create_reassigned(new)
    for twice in (records.create_reassigned(new), records.unmark_reassigned(marked)):
        with pytest.raises(Conflict):
            await twice
    assert await records.get(new.wallet_id) == new
    assert await records.get(old.wallet_id) == marked


async def test_reassigned_key__when_stored__leaves_the_one_before_in_both_stores(line: Deployment) -> None:
    alice = await line.add("alice")
    before = await line.stores.read(alice.key())
    after = before.evolve(subject="new", wrapped=b"wrapped new", reassigned=True)
    for store in line.stores.all():
        await store.create(before)
        reference = await store.create(after)
        assert await store.read(reference) == after
        assert await store.read(store.reference(CHAIN_ID, alice.address)) == before
        key = alice.key().evolve(subject="new", secret_id=reference)
        assert await line.stores.read(key) == after
