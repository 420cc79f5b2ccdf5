"""The builder as a service: queues, tables, bucket and chain are real."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mintline.eth import selector
from mintline.messages import SignMint, SignTopUp
from mintline.records import digest_of
from mintline.resources import SIGN
from mintline.states import MintStatus

if TYPE_CHECKING:
    from tests.integration.builder.conftest import Line

pytestmark = pytest.mark.integration

ETHER = 10**18


def mint_intents(messages: list[object]) -> list[SignMint]:
    intents = [message for message in messages if isinstance(message, SignMint)]
    assert len(intents) == len(messages)
    return intents


async def test_builder__when_two_copies_build_200_mints_of_20_senders__then_nonces_and_ids_are_gapless(
    line: Line,
) -> None:
    wallets = await asyncio.gather(*(line.wallet(f"user {i}") for i in range(20)))
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
    mint_id = await line.accept(await line.wallet("alice"))
    metadata = (await line.mint(mint_id)).metadata
    assert metadata is not None

    async with line.building():
        [intent] = mint_intents([*await line.take(1)])

    assert await line.mined(await line.broadcast(intent))
    body, content_type = await line.metadata(intent.voucher.token_id)
    assert (body.decode(), content_type) == (metadata, "application/json")
    assert intent.voucher.metadata_digest == digest_of(metadata)
    assert (await line.mint(mint_id)).metadata is None


async def test_builder__when_the_contract_is_paused__then_the_mint_is_rejected_with_the_reason(
    line: Line,
) -> None:
    pauser = selector("grantRole(bytes32,address)") + bytes.fromhex(
        "65d7a28e3265b37a6474929f336521b332c1681b933f6cb9f3376673440d862a"
        + line.admin[2:].rjust(64, "0").lower()
    )
    await line.administer(pauser)
    await line.administer(selector("pause()"))
    mint_id = await line.accept(await line.wallet("alice"))

    async with line.building():

        async def rejected() -> bool:
            return (await line.mint(mint_id)).status is MintStatus.REJECTED

        await line.until(rejected)

    problem = (await line.mint(mint_id)).problem
    assert problem is not None
    assert (problem.code, problem.reason) == ("collection_paused", "The collection is paused.")
    assert (await line.queues.depth(SIGN)).visible == 0


async def test_builder__when_the_recipient_is_a_contract_that_refuses__then_the_mint_is_rejected(
    line: Line,
) -> None:
    mint_id = await line.accept(await line.wallet("alice"), to=line.contract)

    async with line.building():

        async def rejected() -> bool:
            return (await line.mint(mint_id)).status is MintStatus.REJECTED

        await line.until(rejected)

    problem = (await line.mint(mint_id)).problem
    assert problem is not None
    assert problem.code == "recipient_refused"


async def test_builder__when_the_wallet_is_empty__then_the_treasury_funds_it_and_the_mint_goes_on(
    line: Line,
) -> None:
    wallet = await line.wallet("alice", balance=0)
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
    line: Line,
) -> None:
    wallets = await asyncio.gather(*(line.wallet(f"user {i}", balance=0) for i in range(30)))
    for _ in range(2):
        await asyncio.gather(*map(line.accept, wallets))

    async with line.building(copies=2):
        top_ups = [message for message in await line.take(30) if isinstance(message, SignTopUp)]
        await asyncio.sleep(2)

    assert {top_up.recipient for top_up in top_ups} == {wallet.address for wallet in wallets}
    assert sorted(top_up.nonce for top_up in top_ups) == list(range(30))
    assert (await line.queues.depth(SIGN)).visible == 0


async def test_builder__when_a_broadcaster_asks_for_funds__then_the_wallet_is_topped_up(line: Line) -> None:
    wallet = await line.wallet("alice", balance=0)

    async with line.building():
        await line.fund(wallet.address, required=10**16)
        [top_up] = await line.take(1)

    assert isinstance(top_up, SignTopUp)
    assert top_up.value >= 10**16


async def test_builder__when_the_treasury_is_empty__then_mints_wait_and_no_nonce_is_burned(
    line: Line,
) -> None:
    await line.rpc.call("anvil_setBalance", [line.treasury.address, "0x0"])
    wallet = await line.wallet("alice", balance=0)
    mint_id = await line.accept(wallet)

    async with line.building():
        await asyncio.sleep(2)

    assert (await line.mint(mint_id)).status is MintStatus.ACCEPTED
    assert await line.account(line.treasury.address) == {}
    assert (await line.queues.depth(SIGN)).visible == 0


async def test_builder__when_a_message_comes_again__then_the_same_intent_is_sent_again(line: Line) -> None:
    wallet = await line.wallet("alice")
    mint_id = await line.accept(wallet)
    async with line.building():
        [first] = await line.take(1)
        await line.send(mint_id, wallet.address)
        other = await line.accept(wallet)
        # SQS drops the repetition by its deduplication id: the next intent is the other mint's.
        [second] = mint_intents([*await line.take(1)])

    assert second.mint_id == other
    assert second.nonce == 1
    assert isinstance(first, SignMint)
    assert (await line.mint(mint_id)).nonce == first.nonce == 0


async def test_builder__when_it_is_killed_again_and_again__then_every_mint_is_built_once(line: Line) -> None:
    wallets = await asyncio.gather(*(line.wallet(f"user {i}") for i in range(5)))
    accepted = [await line.accept(wallets[i % 5]) for i in range(100)]
    built = 0
    kills = 0
    while built < len(accepted):
        async with line.process():
            before = built

            async def moved(before: int = before) -> bool:
                nonlocal built
                built = sum(mint.nonce is not None for mint in await line.mints(accepted))
                return built > before or built == len(accepted)

            await line.until(moved, timeout=60)
            kills += 1
        # What the killed process held would come back after its visibility timeout; the api's sweep is quicker.
        for mint in await line.mints(accepted):
            if mint.nonce is None:
                await line.send(mint.mint_id, f"again-{kills}-{mint.sender.address}")

    mints = await line.mints(accepted)
    for wallet in wallets:
        own = sorted(
            mint.nonce for mint in mints if mint.sender.address == wallet.address and mint.nonce is not None
        )
        assert own == list(range(20))
        assert (await line.account(wallet.address))["next_nonce"] == 20
    assert len({mint.token_id for mint in mints}) == 100
    async with line.building():
        for mint in mints:
            await line.send(mint.mint_id, mint.sender.address)
        intents = mint_intents([*await line.take(100)])
    assert {intent.mint_id for intent in intents} == set(accepted)
    assert len({(intent.signer.address, intent.nonce) for intent in intents}) == 100
