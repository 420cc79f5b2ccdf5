"""Batches over DynamoDB, and on a chain: how many requests they take, and what the contract says to them."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from prometheus_client import CollectorRegistry

from mintline.authorizations import Authorization
from mintline.aws.authorizations import keep_authorization
from mintline.aws.dynamo import Put
from mintline.aws.notices import DynamoNotices
from mintline.aws.records import to_item
from mintline.canonical_json import digest_of
from mintline.chain import collection
from mintline.chain.gas import GasBound
from mintline.clock import monotonic, unix_seconds
from mintline.eth import ETHER, address_word, mint_batch_calldata, selector, to_checksum_address
from mintline.kinds import transaction_of
from mintline.messages.intents import SignBatch
from mintline.messages.parts import KeyRef
from mintline.messages.work import BuildMint
from mintline.records.keys import scoped
from mintline.records.problems import TOKEN_ON_CHAIN
from mintline.records.transactions import TransactionKey, carried_by
from mintline.resources import MINTS
from mintline.states import MintStatus
from mintline_builder.batch_claims import MAX_LINE_CLAIMS
from mintline_builder.builder import Adapters, Builder
from mintline_builder.config import BuilderConfig
from mintline_builder.dynamo_accounts import DynamoAccounts
from mintline_builder.dynamo_operations import DynamoCollections, DynamoOperations
from mintline_builder.fees import FeePolicy
from mintline_builder.funding_policy import TopUpPolicy
from mintline_builder.metrics import Metrics
from mintline_testkit.builder.tables import MemoryMetadata, MemoryOutbox
from mintline_testkit.chain import FakeChain
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.records import make_mint
from tests.integration.builder.conftest import key_of

if TYPE_CHECKING:
    from tests.integration.builder.conftest import Harness

pytestmark = pytest.mark.integration

METADATA = '{"name":"A picture"}'
WRITES = frozenset(
    {"TransactWriteItems", "BatchExecuteStatement", "ExecuteStatement", "UpdateItem", "PutItem"}
)


async def accept(harness: Harness, token_id: int, *, to: str | None = None) -> str:
    """Put a sponsored mint on record, as the api does."""
    now = int(time.time() * 1000)
    mint = make_mint(
        f"mint_{uuid4().hex}",
        sub="alice",
        contract=harness.contract,
        to=to or to_checksum_address(random.randbytes(20)),
        custody="sponsored",
        metadata_digest=digest_of(METADATA),
        request_digest="00" * 32,
        token_id=token_id,
        at=now,
    )
    await keep_authorization(harness.dynamo, mint, Authorization(envelope=b"sealed", metadata=METADATA))
    await harness.dynamo.write(Put(MINTS, to_item(mint)))
    return mint.mint_id


def builder(
    harness: Harness, relayer: KeyRef, outbox: MemoryOutbox, *, max_batch: int, batch_wait: float = 0.2
) -> Builder:
    """A builder over the tables, whose chain takes anything."""
    chain = FakeChain(
        minimum_tip=10**9,
        clock=time.time,
        balances={relayer.address: 1000 * ETHER},
        codes={harness.contract: b"\x01"},
    )
    return Builder(
        Adapters(
            accounts=DynamoAccounts(harness.dynamo, CHAIN_ID),
            operations=DynamoOperations(harness.dynamo),
            collections=DynamoCollections(harness.dynamo, CHAIN_ID),
            metadata=MemoryMetadata(),
            chain=chain,
            outbox=outbox,
            notices=DynamoNotices(harness.dynamo),
        ),
        BuilderConfig(
            chain_id=CHAIN_ID,
            issuer=harness.settings.issuer,
            voucher_ttl=3600,
            treasury=harness.settings.treasury,
            relayers=(relayer,),
            top_ups=TopUpPolicy(mints=20, max_mints=100, max_value=ETHER, max_cost=ETHER, day_budget=ETHER),
            fees=FeePolicy(min_priority_fee=1, max_priority_fee=5 * 10**9, max_fee=200 * 10**9),
            mint_gas=GasBound("MINTLINE_MAX_GAS", 1_000_000),
            transfer_gas=GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000),
            recipient_gas=200_000,
            max_batch=max_batch,
            batch_wait=batch_wait,
        ),
        metrics=Metrics(CollectorRegistry()),
        now=unix_seconds,
        clock=monotonic,
        sleep=asyncio.sleep,
        rng=random.Random(1),
    )


async def test_batch__when_it_has_five_hundred_mints__then_it_takes_a_write_for_each_99(
    harness: Harness,
) -> None:
    relayer = key_of(Account.create(), "platform:relayer-1")
    names = await asyncio.gather(*(accept(harness, number) for number in range(1, 501)))
    outbox, requests = MemoryOutbox(), Counter[str]()
    client: Any = harness.dynamo._client

    def count(model: Any, **_: Any) -> None:
        requests[model.name] += 1

    client.meta.events.register("before-call.dynamodb", count)
    # The batch goes when it is full, however long a busy machine takes to read its mints.
    built = builder(harness, relayer, outbox, max_batch=500, batch_wait=60)

    await asyncio.gather(*(built.handle(BuildMint(mint_id=name)) for name in names))
    await built.aclose()

    assert {name: number for name, number in requests.items() if name in WRITES} == {
        "TransactWriteItems": 1 + math.ceil(500 / MAX_LINE_CLAIMS) + 1,
    }
    assert requests["BatchGetItem"] < 40
    [(_, intent, _)] = outbox.sent
    assert isinstance(intent, SignBatch)
    assert len(intent.mints) == 500
    batch = await DynamoAccounts(harness.dynamo, CHAIN_ID).transaction(
        TransactionKey(scoped(CHAIN_ID, relayer.address), 0)
    )
    assert batch is not None
    assert (batch.claiming, set(batch.operations)) == (None, set(names))
    for mint in await harness.mints(names):
        assert (mint.status, carried_by(mint)) == (MintStatus.BUILT, batch.key)


async def test_batch__when_builders_race_for_the_same_mints__then_each_is_in_just_one(
    harness: Harness,
) -> None:
    relayer = key_of(Account.create(), "platform:relayer-1")
    names = await asyncio.gather(*(accept(harness, number) for number in range(1, 61)))
    builders = [builder(harness, relayer, MemoryOutbox(), max_batch=60) for _ in range(2)]

    await asyncio.gather(
        *(each.handle(BuildMint(mint_id=name)) for each in builders for name in names),
        return_exceptions=True,
    )
    for each in builders:
        await asyncio.gather(*(each.handle(BuildMint(mint_id=name)) for name in names))
        await each.aclose()

    accounts = DynamoAccounts(harness.dynamo, CHAIN_ID)
    last = await accounts.last_nonce(relayer.address)
    assert last is not None
    listed: Counter[str] = Counter()
    for nonce in range(last + 1):
        batch = await accounts.transaction(TransactionKey(scoped(CHAIN_ID, relayer.address), nonce))
        assert batch is not None
        assert batch.claiming is None
        assert bool(batch.operations) == (batch.filling_at is None)
        listed.update(batch.operations)
    assert listed == dict.fromkeys(names, 1)


async def grant(harness: Harness, account: str) -> None:
    role = collection.RELAYER_ROLE
    await harness.administer(selector("grantRole(bytes32,address)") + role + address_word(account))


async def carry_out(harness: Harness, intent: SignBatch, relayer: LocalAccount) -> bool:
    """Sign and send a batch; tell whether it succeeded."""
    transaction = transaction_of(intent)
    signed = relayer.unsafe_sign_hash(Hash32(transaction.signing_hash()))
    raw = transaction.signed(signed.v - 27, signed.r, signed.s)
    response = await harness.rpc.call("eth_sendRawTransaction", ["0x" + raw.hex()])
    return await harness.mined(bytes.fromhex(response[2:]))


async def test_batch__when_one_token_is_on_chain__then_the_others_are_minted_with_the_gas_it_was_given(
    harness: Harness,
) -> None:
    account = await harness.wallet(balance=10 * ETHER)
    relayer = key_of(account, "platform:relayer-1")
    names = [await accept(harness, number) for number in range(1, 13)]

    async def send() -> None:
        for name in names:
            await harness.send(name, name)

    async def wait_for_the_role() -> bool:
        mints = await harness.mints(names)
        return all(mint.waiting and mint.waiting.code == "relayer_not_allowed" for mint in mints)

    async with harness.building(relayer=relayer):
        await send()
        await harness.until(wait_for_the_role)
        await grant(harness, account.address)
        await grant(harness, harness.admin)
        await harness.administer(mint_batch_calldata([(5, harness.admin, bytes(32))]))
        await send()
        [intent] = await harness.take(1)

        assert isinstance(intent, SignBatch)
        assert {each.token_id for each in intent.mints} == {*range(1, 13)} - {5}
        assert await carry_out(harness, intent, account)
    taken = await harness.mint(names[4])
    assert (taken.status, taken.waiting) == (MintStatus.ACCEPTED, TOKEN_ON_CHAIN)
    for number in (1, 12):
        published, kind = await harness.metadata(number)
        assert (published, kind) == (METADATA.encode(), "application/json")
