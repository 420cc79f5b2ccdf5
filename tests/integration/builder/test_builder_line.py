"""The builder as a service: queues, tables, bucket and chain are real."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mintline.chain.collection import ISSUER_ROLE, PAUSER_ROLE
from mintline.errors import Misconfigured
from mintline.eth import address_word, selector, to_checksum_address
from mintline.messages import Fees, SignMint, SignTopUp
from mintline.records import digest_of
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus
from mintline_builder.dynamo import DynamoAccounts
from mintline_builder.funds import FundingCheck, Funds
from mintline_builder.ports import Advance, OperationClaim
from mintline_builder.simulation import ROLE_AGE

if TYPE_CHECKING:
    from tests.integration.builder.conftest import Line

pytestmark = pytest.mark.integration


def mint_intents(messages: list[object]) -> list[SignMint]:
    intents = [message for message in messages if isinstance(message, SignMint)]
    assert len(intents) == len(messages)
    return intents


async def test_builder__when_two_copies_build_200_mints_of_20_senders__then_nonces_and_ids_are_gapless(
    line: Line,
) -> None:
    wallets = await asyncio.gather(*(line.wallet() for _ in range(20)))
    accepted = await asyncio.gather(*(line.accept(wallets[i % 20]) for i in range(200)))

    async with line.building(copies=2):
        intents = mint_intents([*await line.take(200)])

    assert {intent.mint_id for intent in intents} == set(accepted)
    mints = await line.mints(accepted)
    assert {mint.status for mint in mints} == {MintStatus.BUILT}
    for wallet in wallets:
        nonces = sorted(intent.nonce for intent in intents if intent.signer.address == wallet.address)
        assert nonces == list(range(10))
        assert (await line.account(wallet.address))["next_nonce"] == 10
    assert sorted(intent.voucher.token_id for intent in intents) == list(range(1, 201))
    assert {intent.mint_id: intent.nonce for intent in intents} == {m.mint_id: m.nonce for m in mints}


async def test_builder__when_its_intent_is_carried_out__then_the_chain_accepts_it_and_the_metadata_is_there(
    line: Line,
) -> None:
    mint_id = await line.accept(await line.wallet())
    metadata = (await line.mint(mint_id)).metadata
    assert metadata is not None

    async with line.building():
        [intent] = mint_intents([*await line.take(1)])

    assert await line.mined(await line.broadcast(intent))
    body, content_type = await line.metadata(intent.voucher.token_id)
    assert (body.decode(), content_type) == (metadata, "application/json")
    assert intent.voucher.metadata_digest == digest_of(metadata)
    assert (await line.mint(mint_id)).metadata is None


@pytest.mark.parametrize(
    ("stops", "continues", "code"),
    [
        ("pause()", "unpause()", "collection_paused"),
        ("revokeRole(bytes32,address)", "grantRole(bytes32,address)", "issuer_revoked"),
    ],
)
async def test_builder__when_an_administrator_stops_the_minting__then_the_mint_waits_until_it_continues(
    line: Line, stops: str, continues: str, code: str
) -> None:
    issuer = ISSUER_ROLE + address_word(line.issuer.address) if code == "issuer_revoked" else b""
    await line.administer(selector("grantRole(bytes32,address)") + PAUSER_ROLE + address_word(line.admin))
    await line.administer(selector(stops) + issuer)
    wallet = await line.wallet()
    mint_id = await line.accept(wallet)

    async with line.building():

        async def waits() -> bool:
            waiting = (await line.mint(mint_id)).waiting
            return waiting is not None and waiting.code == code

        await line.until(waits)
        assert (await line.queues.depth(SIGN)).visible == 0
        await line.administer(selector(continues) + issuer)
        await asyncio.sleep(ROLE_AGE)
        await line.send(mint_id, mint_id)

        async def built() -> bool:
            return (await line.mint(mint_id)).status is MintStatus.BUILT

        await line.until(built)

    assert (await line.mint(mint_id)).waiting is None


async def test_builder__when_the_recipient_is_a_contract_that_refuses__then_the_mint_is_rejected(
    line: Line,
) -> None:
    mint_id = await line.accept(await line.wallet(), to=line.contract)

    async with line.building():

        async def rejected() -> bool:
            return (await line.mint(mint_id)).status is MintStatus.REJECTED

        await line.until(rejected)

    problem = (await line.mint(mint_id)).problem
    assert problem is not None
    assert problem.code == "recipient_refused"


async def test_builder__when_the_recipient_reverts_with_much__then_the_mint_is_rejected_with_its_start(
    line: Line,
) -> None:
    # PUSH3 300000, PUSH1 0, REVERT: whatever it is called with. The creation code before it returns it.
    runtime = bytes.fromhex("62") + (300_000).to_bytes(3, "big") + bytes.fromhex("6000fd")
    code = bytes.fromhex("66") + runtime + bytes.fromhex("60005260076019f3")
    params = {"from": line.admin, "data": "0x" + code.hex(), "gas": hex(1_000_000)}
    created = bytes.fromhex((await line.rpc.call("eth_sendTransaction", [params]))[2:])
    assert await line.mined(created)
    receipt = await line.rpc.call("eth_getTransactionReceipt", ["0x" + created.hex()])
    mint_id = await line.accept(await line.wallet(), to=to_checksum_address(receipt["contractAddress"]))

    async with line.building():

        async def rejected() -> bool:
            return (await line.mint(mint_id)).status is MintStatus.REJECTED

        await line.until(rejected)

    problem = (await line.mint(mint_id)).problem
    assert problem is not None
    assert problem.code == "simulation_reverted"
    assert len(problem.reason) == 1000


async def test_builder__when_the_wallet_is_empty__then_the_treasury_funds_it_and_the_mint_goes_on(
    line: Line,
) -> None:
    wallet = await line.wallet(balance=0)
    mint_ids = [await line.accept(wallet) for _ in range(5)]

    async with line.building(copies=2):
        [top_up] = await line.take(1)
        assert isinstance(top_up, SignTopUp)
        assert (top_up.nonce, top_up.recipient) == (0, wallet.address)
        assert await line.mined(await line.broadcast(top_up))
        intents = mint_intents([*await line.take(5)])

    assert {intent.mint_id for intent in intents} == set(mint_ids)
    assert sorted(intent.nonce for intent in intents) == list(range(5))
    cost = intents[0].gas * intents[0].fees.max_fee_per_gas
    assert await line.node.balance(wallet.address) == top_up.value >= 5 * cost
    for intent in sorted(intents, key=lambda intent: intent.nonce):
        hashes = await line.broadcast(intent)
    assert await line.mined(hashes)
    assert (await line.account(line.treasury.address))["next_nonce"] == 1


async def test_builder__when_many_wallets_are_empty__then_each_is_funded_once_with_gapless_treasury_nonces(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallets = await asyncio.gather(*(line.wallet(balance=0) for _ in range(30)))
    first = await asyncio.gather(*map(line.accept, wallets))
    second = await asyncio.gather(*(line.accept(wallet, send=False) for wallet in wallets))
    # In groups of their own: a wallet's second mint asks for gas while its first one waits.
    await asyncio.gather(*(line.send(mint_id, mint_id) for mint_id in second))

    asked: Counter[str] = Counter()
    top_up_once = Funds.top_up

    async def counted(funds: Funds, wallet: str, funding: FundingCheck, *, trace: str = "") -> None:
        await top_up_once(funds, wallet, funding, trace=trace)
        asked[wallet] += 1

    monkeypatch.setattr(Funds, "top_up", counted)

    async def all_asked_again() -> bool:
        return all(asked[wallet.address] >= 4 for wallet in wallets)

    async with line.building(copies=2):
        top_ups = [message for message in await line.take(30) if isinstance(message, SignTopUp)]
        await line.until(all_asked_again)
        for top_up in sorted(top_ups, key=lambda top_up: top_up.nonce):
            tx_hash = await line.broadcast(top_up)
        assert await line.mined(tx_hash)
        # A mint is built behind whatever its message asked of the treasury before.
        intents = mint_intents([*await line.take(60)])

    assert {top_up.recipient for top_up in top_ups} == {wallet.address for wallet in wallets}
    assert sorted(top_up.nonce for top_up in top_ups) == list(range(30))
    assert sorted(intent.mint_id for intent in intents) == sorted([*first, *second])
    assert (await line.queues.depth(SIGN)).visible == 0
    assert (await line.account(line.treasury.address))["next_nonce"] == 30


async def test_builder__when_a_broadcaster_asks_for_funds__then_the_wallet_is_topped_up(line: Line) -> None:
    wallet = await line.wallet()
    await line.accept(wallet)

    async with line.building():
        await line.take(1)
        await line.rpc.call("anvil_setBalance", [wallet.address, "0x0"])
        await line.fund(wallet.address, required=10**16)
        [top_up] = await line.take(1)

    assert isinstance(top_up, SignTopUp)
    assert (top_up.recipient, top_up.value) == (wallet.address, 2 * 10**16)


async def test_builder__when_someone_asks_for_funds_of_an_address_without_a_record__then_it_gets_none(
    line: Line,
) -> None:
    thief = await line.wallet(balance=0)

    async with line.building():
        await line.fund(thief.address, required=10**16)

        async def refused() -> bool:
            return (await line.queues.depth(BUILD, dead_letters=True)).visible == 1

        await line.until(refused)

    assert (await line.queues.depth(SIGN)).visible == 0
    assert await line.account(line.treasury.address) == {}


async def test_builder__when_the_treasury_is_empty__then_mints_wait_and_no_nonce_is_burned(
    line: Line,
) -> None:
    await line.rpc.call("anvil_setBalance", [line.treasury.address, "0x0"])
    wallet = await line.wallet(balance=0)
    mint_id = await line.accept(wallet)

    async def waits() -> bool:
        return (await line.mint(mint_id)).waiting is not None

    async with line.building():
        await line.until(waits)

    assert (await line.mint(mint_id)).status is MintStatus.ACCEPTED
    assert await line.account(line.treasury.address) == {}
    assert (await line.queues.depth(SIGN)).visible == 0


async def test_builder__when_its_node_is_on_another_chain__then_it_does_not_start(line: Line) -> None:
    with pytest.raises(Misconfigured, match="serve chain 31337, but MINTLINE_CHAIN_ID is 1"):
        async with line.building(chain_id=1):
            await asyncio.sleep(5)


async def test_builder__when_the_one_before_died_between_reserving_and_sending__then_the_next_one_sends_it(
    line: Line,
) -> None:
    wallet = await line.wallet()
    mint_id = await line.accept(wallet, send=False)
    fees = Fees(max_fee_per_gas=3 * 10**9, max_priority_fee_per_gas=10**9)
    claim = OperationClaim(await line.mint(mint_id), deadline=2_000_000_000, gas=120_000, fees=fees, at=1)
    accounts = DynamoAccounts(line.dynamo, line.settings.chain_id)
    await accounts.commit([Advance(wallet.address, expected=None, first=4, claims=(claim,))])

    async with line.building():
        await line.send(mint_id, wallet.address)
        [intent] = mint_intents([*await line.take(1)])

    assert (intent.nonce, intent.gas, intent.fees) == (4, 120_000, fees)
    assert (intent.voucher.token_id, intent.voucher.deadline) == (1, 2_000_000_000)
    assert (await line.account(wallet.address))["next_nonce"] == 5


async def test_builder__when_it_is_killed_again_and_again__then_every_mint_is_built_and_sent_once(
    line: Line,
) -> None:
    await line.shorten_visibility(2)
    wallets = await asyncio.gather(*(line.wallet() for _ in range(5)))
    accepted = [await line.accept(wallets[i % 5]) for i in range(150)]

    async def built() -> int:
        return sum(mint.nonce is not None for mint in await line.mints(accepted))

    for share in (1, 75):
        async with line.process():

            async def reached(share: int = share) -> bool:
                return await built() >= share

            await line.until(reached)
    async with line.building():
        intents = mint_intents([*await line.take(150)])

    assert {intent.mint_id for intent in intents} == set(accepted)
    for wallet in wallets:
        nonces = sorted(intent.nonce for intent in intents if intent.signer.address == wallet.address)
        assert nonces == list(range(30))
        assert (await line.account(wallet.address))["next_nonce"] == 30
    assert len({intent.voucher.token_id for intent in intents}) == 150
