"""A writer to the queues: as the builder, the broadcaster, or the owner of all of them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from pydantic import ValidationError

from mintline.kinds.mint import sign_mint
from mintline.messages.codec import decode, encode
from mintline.messages.intents import BatchMint, SignBatch, SignNoop
from mintline.messages.parts import Fees
from mintline.messages.signed import Broadcast, SigningRefused
from mintline.messages.work import BuildMint, FundWallet
from mintline.resource_types import Queue
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline.states import MintStatus

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from tests.attack.conftest import User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

THIEF = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def evolve(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


async def logged(victim: Victim, process: str, event: str, **fields: Any) -> dict[str, Any]:
    """Return a line of a process's log, once it is there."""
    async with asyncio.timeout(20):
        while True:
            for line in victim.logged(process, event):
                if all(line.get(name) == value for name, value in fields.items()):
                    return line
            await asyncio.sleep(0.1)


async def built(victim: Victim, mint_id: str) -> Mint:
    """Return a mint's record, once the builder is done with it."""
    async with asyncio.timeout(30):
        while True:
            mint = await victim.record(mint_id)
            if mint.status is MintStatus.BUILT:
                return mint
            await asyncio.sleep(0.1)


async def handled(victim: Victim, *queues: Queue) -> None:
    """Wait until nothing is left in these queues, in this order: all that was sent has had its effect."""
    async with asyncio.timeout(30):
        for queue in queues:
            while True:
                depth = await victim.queues.depth(queue)
                if not (depth.visible or depth.in_flight):
                    break
                await asyncio.sleep(0.1)


async def sent_as_of_now(victim: Victim, address: str) -> int:
    """Return how many transactions of an address the chain has taken."""
    return await victim.node.transaction_count(address)


async def test_queue_writer__when_it_forges_an_intent_to_itself__is_refused_and_nothing_reaches_the_chain(
    victim: Victim, minted: Mint
) -> None:
    assert await victim.signs(minted)
    wallet = minted.wallet
    before = await sent_as_of_now(victim, wallet)
    intent = sign_mint(minted)
    forged = evolve(intent, nonce=before, voucher=evolve(intent.voucher, token_id=10**9, to=THIEF))

    await victim.queues.send(SIGN, forged, group=wallet, dedup=secrets.token_hex(8))

    line = await logged(victim, "signer-host", "intent_refused", sender=wallet, nonce=before)
    assert line["code"] == "acceptance_signature"
    await handled(victim, SIGN, BROADCAST)
    assert await sent_as_of_now(victim, wallet) == before
    assert (await victim.record(minted.mint_id)).status is MintStatus.FINALIZED


async def test_queue_writer__when_it_names_a_victims_wallet_in_its_own_mint__is_refused(
    victim: Victim, minted: Mint, mallory: User
) -> None:
    """The authorization is mallory's own, for a mint of mallory's own; the key is to be the victim's."""
    own = await victim.minted(mallory, "to be paid for by another")
    before = await sent_as_of_now(victim, minted.wallet)
    forged = evolve(sign_mint(own), signer=minted.sender, nonce=before)

    await victim.queues.send(SIGN, forged, group=minted.wallet, dedup=secrets.token_hex(8))

    line = await logged(victim, "signer-host", "intent_refused", mint_id=own.mint_id)
    assert line["code"] == "acceptance_signature"
    assert await sent_as_of_now(victim, minted.wallet) == before


async def test_queue_writer__when_it_replays_every_message_of_a_mint__mints_nothing_twice(
    victim: Victim, minted: Mint
) -> None:
    before = await sent_as_of_now(victim, minted.wallet)
    build = BuildMint(mint_id=minted.mint_id)

    for _ in range(5):
        await victim.queues.send(BUILD, build, group=minted.wallet, dedup=secrets.token_hex(8))
        await victim.queues.send(SIGN, sign_mint(minted), group=minted.wallet, dedup=secrets.token_hex(8))
    hashed = "0x" + (minted.tx_hash or b"").hex()
    await logged(victim, "signer-host", "intent_signed", tx_hash=hashed)
    await handled(victim, BUILD, SIGN, BROADCAST)

    assert await sent_as_of_now(victim, minted.wallet) == before
    record = await victim.record(minted.mint_id)
    assert (record.status, record.tx_hash) == (MintStatus.FINALIZED, minted.tx_hash)


async def test_queue_writer__when_it_passes_its_own_transaction_off_as_the_mints__changes_no_outcome(
    victim: Victim, minted: Mint
) -> None:
    """A transaction that the enclave never made, by a key that is no one's here."""
    stranger = Account.create()
    raw = stranger.sign_transaction(
        {
            "type": 2,
            "chainId": minted.chain_id,
            "nonce": 0,
            "gas": 21_000,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 1,
            "to": THIEF,
            "value": 0,
        }
    )
    forged = Broadcast(intent=sign_mint(minted), raw=bytes(raw.raw_transaction), tx_hash=bytes(raw.hash))

    await victim.queues.send(BROADCAST, forged, group=minted.wallet, dedup=secrets.token_hex(8))
    await handled(victim, BROADCAST)

    record = await victim.record(minted.mint_id)
    assert (record.status, record.tx_hash) == (MintStatus.FINALIZED, minted.tx_hash)
    assert await sent_as_of_now(victim, stranger.address) == 0


async def test_queue_writer__when_it_forges_a_refusal__ends_the_mint_in_our_words_alone(
    victim: Victim, user: User
) -> None:
    """It can stop a mint; it cannot choose what the mint's user reads."""
    host = victim.pid("signer-host")
    os.kill(host, signal.SIGSTOP)
    try:
        mint_id = await user.mint("to be refused")
        mint = await built(victim, mint_id)
        reason = "Your wallet is locked. Unlock it at https://evil.example <script>alert(1)</script>"
        forged = SigningRefused(intent=sign_mint(mint), code="pay_us", reason=reason)
        await victim.queues.send(BROADCAST, forged, group="any", dedup=secrets.token_hex(8))
        shown = await user.until(mint_id, "rejected")
    finally:
        os.kill(host, signal.SIGCONT)
    assert shown["problem"] == {"code": "signing_refused", "reason": "The signer refused to sign this."}
    assert "evil.example" not in str(shown)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("relayer", "authorization_missing"),
        ("treasury", "policy_signer"),
        ("issuer", "policy_issuer_transacts"),
    ],
)
async def test_queue_writer__when_it_asks_for_a_batch_of_mints_nobody_asked_for__is_refused(
    victim: Victim, minted: Mint, key: str, code: str
) -> None:
    """A relayer signs batches of what users asked for, any other key none."""
    signer = getattr(victim.known, key)
    lines = tuple(
        BatchMint(mint_id=f"mint_made_up_{n}", token_id=10**9 + n, to=THIEF, metadata_digest=bytes(32))
        for n in range(3)
    )
    nonce = 10**6 + len(key)
    forged = SignBatch(
        signer=signer,
        chain_id=signer.chain_id,
        nonce=nonce,
        gas=500_000,
        fees=sign_mint(minted).fees,
        contract=minted.contract,
        mints=lines,
    )
    await victim.queues.send(SIGN, forged, group="any", dedup=secrets.token_hex(8))
    line = await logged(victim, "signer-host", "intent_refused", nonce=nonce)
    assert line["code"] == code


async def test_queue_writer__when_it_writes_garbage__the_line_goes_on(victim: Victim, user: User) -> None:
    url = (await victim.sqs.get_queue_url(QueueName=SIGN.queue_name(victim.info["prefix"])))["QueueUrl"]
    noop = {"type": "sign_noop", "version": 1, "signer": {"address": "0x00"}}
    for body in ("{}", "[]", '{"type": "sign_hash"}', str(noop), "x" * 200_000):
        await victim.sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId="garbage",
            MessageDeduplicationId=secrets.token_hex(8),
        )

    await user.until(await user.mint("after the garbage"), "mined", "finalized")


async def test_queue_writer__when_a_message_names_more_than_it_may__is_read_without_that(
    minted: Mint,
) -> None:
    """A field of the next version may inform, never restrict: without it the intent is the same."""
    text = encode(sign_mint(minted))
    assert decode(text) == sign_mint(minted)
    assert decode(text.replace('"nonce":', '"calldata":"0xdeadbeef","nonce":', 1)) == sign_mint(minted)
    with pytest.raises(ValidationError, match="calldata"):
        type(sign_mint(minted)).model_validate({**sign_mint(minted).model_dump(), "calldata": b"rubbish"})


async def test_queue_writer__when_it_burns_nonces_with_no_ops__costs_gas_and_moves_nothing(
    victim: Victim,
) -> None:
    """What a queue writer can do: no-ops need no user, and go from a wallet to itself, within caps."""
    wallet = await victim.cold_wallet()
    noop = SignNoop(
        signer=wallet,
        chain_id=wallet.chain_id,
        nonce=0,
        gas=21_000,
        fees=Fees(max_fee_per_gas=10**9, max_priority_fee_per_gas=1),
    )
    await victim.queues.send(SIGN, noop, group=wallet.address, dedup=secrets.token_hex(8))
    await logged(victim, "signer-host", "intent_signed", sender=wallet.address)
    greedy = evolve(noop, nonce=1, gas=10**9)
    await victim.queues.send(SIGN, greedy, group=wallet.address, dedup=secrets.token_hex(8))
    line = await logged(victim, "signer-host", "intent_refused", sender=wallet.address)
    assert line["code"] == "policy_gas"


async def test_queue_writer__when_it_asks_for_gas_money_for_its_own_address__gets_none(
    victim: Victim, minted: Mint
) -> None:
    """The treasury pays wallets on record alone, and them only while a transaction of theirs is not mined."""
    thief = Account.create().address
    before = await victim.node.balance(minted.wallet)

    for wallet in (thief, minted.wallet):
        message = FundWallet(wallet=wallet, required=10**17, balance=10**18)
        await victim.queues.send(BUILD, message, group=wallet, dedup=secrets.token_hex(8))

    await logged(victim, "builder", "message_dead_lettered", code="wallet_unknown")
    await handled(victim, BUILD)
    # The treasury's nonces are used in order: what a message reserved is mined before this user's top-up.
    await victim.minted(await victim.sign_in(), "paid for behind both")
    assert await victim.node.balance(thief) == 0
    assert await victim.node.balance(minted.wallet) == before
