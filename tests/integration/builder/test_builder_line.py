"""The builder as a service: queues, tables, bucket and chain are real."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from mintline.canonical_json import digest_of
from mintline.chain.collection import ISSUER_ROLE, PAUSER_ROLE
from mintline.errors import Misconfigured
from mintline.eth import address_word, selector, to_checksum_address
from mintline.messages.intents import SignMint, SignTopUp
from mintline.messages.parts import Fees
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus
from mintline_builder.claims import Advance, OperationClaim
from mintline_builder.dynamo_accounts import DynamoAccounts
from mintline_builder.funding_policy import FundingCheck
from mintline_builder.funds import Funds
from mintline_builder.simulation import ROLE_AGE

if TYPE_CHECKING:
    from tests.integration.builder.conftest import Harness

pytestmark = pytest.mark.integration


def mint_intents(messages: list[object]) -> list[SignMint]:
    intents = [message for message in messages if isinstance(message, SignMint)]
    assert len(intents) == len(messages)
    return intents


async def test_builder__when_two_copies_build_200_mints_of_20_senders__then_nonces_and_ids_are_gapless(
    harness: Harness,
) -> None:
    wallets = await asyncio.gather(*(harness.wallet() for _ in range(20)))
    accepted = await asyncio.gather(*(harness.accept(wallets[i % 20]) for i in range(200)))

    async with harness.building(copies=2):
        intents = mint_intents([*await harness.take(200)])

    assert {intent.mint_id for intent in intents} == set(accepted)
    mints = await harness.mints(accepted)
    assert {mint.status for mint in mints} == {MintStatus.BUILT}
    for wallet in wallets:
        nonces = sorted(intent.nonce for intent in intents if intent.signer.address == wallet.address)
        assert nonces == list(range(10))
        assert await harness.last_nonce(wallet.address) == 9
    assert sorted(intent.voucher.token_id for intent in intents) == list(range(1, 201))
    assert {intent.mint_id: intent.nonce for intent in intents} == {m.mint_id: m.nonce for m in mints}


async def test_builder__when_its_intent_is_carried_out__then_the_chain_accepts_it_and_the_metadata_is_there(
    harness: Harness,
) -> None:
    mint_id = await harness.accept(await harness.wallet())
    metadata = (await harness.mint(mint_id)).metadata
    assert metadata is not None

    async with harness.building():
        [intent] = mint_intents([*await harness.take(1)])

    assert await harness.mined(await harness.broadcast(intent))
    body, content_type = await harness.metadata(intent.voucher.token_id)
    assert (body.decode(), content_type) == (metadata, "application/json")
    assert intent.voucher.metadata_digest == digest_of(metadata)
    assert (await harness.mint(mint_id)).metadata is None


@pytest.mark.parametrize(
    ("stops", "continues", "code"),
    [
        ("pause()", "unpause()", "collection_paused"),
        ("revokeRole(bytes32,address)", "grantRole(bytes32,address)", "issuer_revoked"),
    ],
)
async def test_builder__when_an_administrator_stops_the_minting__then_the_mint_waits_until_it_continues(
    harness: Harness, stops: str, continues: str, code: str
) -> None:
    issuer = ISSUER_ROLE + address_word(harness.issuer.address) if code == "issuer_revoked" else b""
    await harness.administer(
        selector("grantRole(bytes32,address)") + PAUSER_ROLE + address_word(harness.admin)
    )
    await harness.administer(selector(stops) + issuer)
    wallet = await harness.wallet()
    mint_id = await harness.accept(wallet)

    async with harness.building():

        async def waits() -> bool:
            waiting = (await harness.mint(mint_id)).waiting
            return waiting is not None and waiting.code == code

        await harness.until(waits)
        assert (await harness.queues.depth(SIGN)).visible == 0
        await harness.administer(selector(continues) + issuer)
        await asyncio.sleep(ROLE_AGE)
        await harness.send(mint_id, mint_id)

        async def built() -> bool:
            return (await harness.mint(mint_id)).status is MintStatus.BUILT

        await harness.until(built)

    assert (await harness.mint(mint_id)).waiting is None


async def test_builder__when_the_recipient_is_a_contract_that_refuses__then_the_mint_is_rejected(
    harness: Harness,
) -> None:
    mint_id = await harness.accept(await harness.wallet(), to=harness.contract)

    async with harness.building():

        async def rejected() -> bool:
            return (await harness.mint(mint_id)).status is MintStatus.REJECTED

        await harness.until(rejected)

    problem = (await harness.mint(mint_id)).problem
    assert problem is not None
    assert problem.code == "recipient_refused"


async def test_builder__when_the_recipient_reverts_with_much__then_the_mint_is_rejected_with_its_start(
    harness: Harness,
) -> None:
    # PUSH3 300000, PUSH1 0, REVERT: whatever it is called with. The creation code before it returns it.
    runtime = bytes.fromhex("62") + (300_000).to_bytes(3, "big") + bytes.fromhex("6000fd")
    code = bytes.fromhex("66") + runtime + bytes.fromhex("60005260076019f3")
    params = {"from": harness.admin, "data": "0x" + code.hex(), "gas": hex(1_000_000)}
    created = bytes.fromhex((await harness.rpc.call("eth_sendTransaction", [params]))[2:])
    assert await harness.mined(created)
    receipt = await harness.rpc.call("eth_getTransactionReceipt", ["0x" + created.hex()])
    mint_id = await harness.accept(await harness.wallet(), to=to_checksum_address(receipt["contractAddress"]))

    async with harness.building():

        async def rejected() -> bool:
            return (await harness.mint(mint_id)).status is MintStatus.REJECTED

        await harness.until(rejected)

    problem = (await harness.mint(mint_id)).problem
    assert problem is not None
    assert problem.code == "simulation_reverted"
    assert len(problem.reason) == 1000


async def test_builder__when_the_wallet_is_empty__then_the_treasury_funds_it_and_the_mint_goes_on(
    harness: Harness,
) -> None:
    wallet = await harness.wallet(balance=0)
    mint_ids = [await harness.accept(wallet) for _ in range(5)]

    async with harness.building(copies=2):
        [top_up] = await harness.take(1)
        assert isinstance(top_up, SignTopUp)
        assert (top_up.nonce, top_up.recipient) == (0, wallet.address)
        assert await harness.mined(await harness.broadcast(top_up))
        intents = mint_intents([*await harness.take(5)])

    assert {intent.mint_id for intent in intents} == set(mint_ids)
    assert sorted(intent.nonce for intent in intents) == list(range(5))
    cost = intents[0].gas * intents[0].fees.max_fee_per_gas
    assert await harness.node.balance(wallet.address) == top_up.value >= 5 * cost
    for intent in sorted(intents, key=lambda intent: intent.nonce):
        hashes = await harness.broadcast(intent)
    assert await harness.mined(hashes)
    assert await harness.last_nonce(harness.treasury.address) == 0


async def test_builder__when_many_wallets_are_empty__then_each_is_funded_once_with_gapless_treasury_nonces(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallets = await asyncio.gather(*(harness.wallet(balance=0) for _ in range(30)))
    first = await asyncio.gather(*map(harness.accept, wallets))
    second = await asyncio.gather(*(harness.accept(wallet, send=False) for wallet in wallets))
    # In groups of their own: a wallet's second mint asks for gas while its first one waits.
    await asyncio.gather(*(harness.send(mint_id, mint_id) for mint_id in second))

    requests: Counter[str] = Counter()
    top_up_once = Funds.top_up

    async def counted(funds: Funds, wallet: str, funding: FundingCheck, **more: Any) -> None:
        await top_up_once(funds, wallet, funding, **more)
        requests[wallet] += 1

    monkeypatch.setattr(Funds, "top_up", counted)

    async def all_asked_again() -> bool:
        return all(requests[wallet.address] >= 4 for wallet in wallets)

    async with harness.building(copies=2):
        top_ups = [message for message in await harness.take(30) if isinstance(message, SignTopUp)]
        await harness.until(all_asked_again)
        for top_up in sorted(top_ups, key=lambda top_up: top_up.nonce):
            tx_hash = await harness.broadcast(top_up)
        assert await harness.mined(tx_hash)
        # A mint is built behind whatever its message asked of the treasury before.
        intents = mint_intents([*await harness.take(60)])

    assert {top_up.recipient for top_up in top_ups} == {wallet.address for wallet in wallets}
    assert sorted(top_up.nonce for top_up in top_ups) == list(range(30))
    assert sorted(intent.mint_id for intent in intents) == sorted([*first, *second])
    assert (await harness.queues.depth(SIGN)).visible == 0
    assert await harness.last_nonce(harness.treasury.address) == 29


async def test_builder__when_a_broadcaster_asks_for_funds__then_the_wallet_is_topped_up(
    harness: Harness,
) -> None:
    wallet = await harness.wallet()
    await harness.accept(wallet)

    async with harness.building():
        await harness.take(1)
        await harness.rpc.call("anvil_setBalance", [wallet.address, "0x0"])
        await harness.fund(wallet.address, required=10**16)
        [top_up] = await harness.take(1)

    assert isinstance(top_up, SignTopUp)
    assert (top_up.recipient, top_up.value) == (wallet.address, 2 * 10**16)


async def test_builder__when_someone_asks_for_funds_of_an_address_without_a_record__then_it_gets_none(
    harness: Harness,
) -> None:
    thief = await harness.wallet(balance=0)

    async with harness.building():
        await harness.fund(thief.address, required=10**16)

        async def refused() -> bool:
            return (await harness.queues.depth(BUILD, dead_letters=True)).visible == 1

        await harness.until(refused)

    assert (await harness.queues.depth(SIGN)).visible == 0
    assert await harness.last_nonce(harness.treasury.address) is None


async def test_builder__when_the_treasury_is_empty__then_mints_wait_and_no_nonce_is_burned(
    harness: Harness,
) -> None:
    await harness.rpc.call("anvil_setBalance", [harness.treasury.address, "0x0"])
    wallet = await harness.wallet(balance=0)
    mint_id = await harness.accept(wallet)

    async def waits() -> bool:
        return (await harness.mint(mint_id)).waiting is not None

    async with harness.building():
        await harness.until(waits)

    assert (await harness.mint(mint_id)).status is MintStatus.ACCEPTED
    assert await harness.last_nonce(harness.treasury.address) is None
    assert (await harness.queues.depth(SIGN)).visible == 0


async def test_builder__when_its_node_is_on_another_chain__then_it_does_not_start(harness: Harness) -> None:
    with pytest.raises(Misconfigured, match="serve chain 31337, but MINTLINE_CHAIN_ID is 1"):
        async with harness.building(chain_id=1):
            await asyncio.sleep(5)


async def test_builder__when_the_one_before_died_between_reserving_and_sending__then_the_next_one_sends_it(
    harness: Harness,
) -> None:
    wallet = await harness.wallet()
    mint_id = await harness.accept(wallet, send=False)
    fees = Fees(max_fee_per_gas=3 * 10**9, max_priority_fee_per_gas=10**9)
    claim = OperationClaim(await harness.mint(mint_id), deadline=2_000_000_000, gas=120_000, fees=fees, at=1)
    accounts = DynamoAccounts(harness.dynamo, harness.settings.chain_id)
    await accounts.commit([Advance(wallet.address, first=4, claims=(claim,))])

    async with harness.building():
        await harness.send(mint_id, wallet.address)
        [intent] = mint_intents([*await harness.take(1)])

    assert (intent.nonce, intent.gas, intent.fees) == (4, 120_000, fees)
    assert (intent.voucher.token_id, intent.voucher.deadline) == (1, 2_000_000_000)
    assert await harness.last_nonce(wallet.address) == 4


async def test_builder__when_it_is_killed_again_and_again__then_every_mint_is_built_and_sent_once(
    harness: Harness,
) -> None:
    await harness.shorten_visibility(2)
    wallets = await asyncio.gather(*(harness.wallet() for _ in range(5)))
    accepted = [await harness.accept(wallets[i % 5]) for i in range(150)]

    async def built() -> int:
        return sum(mint.nonce is not None for mint in await harness.mints(accepted))

    for share in (1, 75):
        async with harness.process():

            async def reached(share: int = share) -> bool:
                return await built() >= share

            await harness.until(reached)
    async with harness.building():
        intents = mint_intents([*await harness.take(150)])

    assert {intent.mint_id for intent in intents} == set(accepted)
    for wallet in wallets:
        nonces = sorted(intent.nonce for intent in intents if intent.signer.address == wallet.address)
        assert nonces == list(range(30))
        assert await harness.last_nonce(wallet.address) == 29
    assert len({intent.voucher.token_id for intent in intents}) == 150
