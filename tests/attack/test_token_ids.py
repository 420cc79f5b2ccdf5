"""A holder of a token, a queue or the signer's host who wants a token id that is someone else's.

Each has a control: the same request as the api accepted it is signed, and the mint ends as it was asked for.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from mintline.acceptance import ACCEPTANCE, CERTIFICATE_BYTES, Certificate, Session, Statement
from mintline.authorization import Envelope
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import IssueVoucher, SignMint
from mintline.messages.parts import Fees, Voucher
from mintline.messages.signed import SelfRedeem
from mintline.resources import BROADCAST, SIGN
from mintline.states import MintStatus
from mintline.vouchers import calldata
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Failure, Refusal, Signed
from mintline_testkit.signer import Authority, digest_of

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from tests.attack.conftest import User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

THIEF = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FUNDED = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The chain's first development account: it has ether."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def acceptance_of(mint: Mint) -> Statement:
    assert mint.authorization is not None
    return Envelope.from_bytes(mint.authorization).acceptance


def with_token(intent: SignMint, token_id: int, **changes: Any) -> SignMint:
    voucher = intent.voucher.evolve(token_id=token_id, deadline=int(time.time()) + 3000)
    return intent.evolve(voucher=voucher, **changes)


async def until(holds: Callable[[], Awaitable[Any]], *, within: float = 60) -> Any:
    """Return the first answer of the outside world, which announces nothing, that is not None."""
    async with asyncio.timeout(within):
        while (value := await holds()) is None:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.1)
    return value


async def built(victim: Victim, mint_id: str) -> Mint:
    async def found() -> Mint | None:
        mint = await victim.record(mint_id)
        return mint if mint.status is MintStatus.BUILT else None

    mint: Mint = await until(found)
    return mint


async def with_gas_money(user: User) -> None:
    """Have a user's wallet topped up, which takes the signer."""
    await user.until(await user.mint("first, for the wallet's gas money"), "finalized")


async def redeemed(victim: Victim, raw: bytes) -> bytes:
    """Send a transaction past the pipeline, and return its hash once it is mined."""
    response = await victim.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    receipt = await until(lambda: victim.rpc("eth_getTransactionReceipt", response))
    assert receipt["status"] == "0x1"
    return bytes.fromhex(response[2:])


async def funded(victim: Victim, **fields: Any) -> Any:
    """Return a transaction that the funded account signed."""
    nonce = int(await victim.rpc("eth_getTransactionCount", FUNDED.address, "pending"), 16)
    fees = {"maxFeePerGas": 100 * 10**9, "maxPriorityFeePerGas": 10**9}
    return FUNDED.sign_transaction({"type": 2, "nonce": nonce, "gas": 300_000, "value": 0, **fees, **fields})


async def test_host__when_it_holds_a_mint_back_and_asks_for_its_token_by_a_token_of_its_own__gets_nothing(
    victim: Victim, user: User, mallory: User
) -> None:
    """The issuer signs a voucher only for what the api accepted; the victim's mint ends as asked for."""
    await with_gas_money(user)
    pid = victim.pid("signer-host")
    os.kill(pid, signal.SIGSTOP)
    try:
        mint_id = await user.mint("the victim's")
        mint = await built(victim, mint_id)
        assert mint.token_id is not None
        wanted = IssueVoucher(
            signer=victim.known.issuer,
            chain_id=mint.chain_id,
            mint_id="mint_nobody_ever_asked_for",
            contract=mint.contract,
            subject=mint.sub,
            voucher=Voucher(
                token_id=mint.token_id,
                to=THIEF,
                metadata_digest=mint.metadata_digest,
                deadline=int(time.time()) + 3000,
            ),
        )
        async with victim.connected() as socket:
            for intent in (wanted, wanted.evolve(mint_id=mint_id)):
                forged = victim.sealed(intent, mallory.token, acceptance_of(mint))
                response = await socket.ask(await victim.request(forged))
                assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)
    finally:
        os.kill(pid, signal.SIGCONT)
    end = await user.until(mint_id, "finalized")
    _, token = await user.call("GET", f"/v1/tokens/{mint.contract}/{mint.token_id}")
    assert (end["token_id"], token["owner"]) == (str(mint.token_id), mint.to)


async def test_host__when_it_certifies_a_session_key_by_itself__gets_nothing(
    victim: Victim, minted: Mint, user: User
) -> None:
    """With the user's very token: what is missing is the intake key, which KMS keeps for the api."""
    wanted = with_token(sign_mint(minted), 10**9 + 1, mint_id="mint_of_ones_own", nonce=10**6 + 1)
    own = Authority().session(now=int(time.time()))
    stolen = Certificate.from_bytes(acceptance_of(minted).to_bytes()[:CERTIFICATE_BYTES])
    sessions = {RefusalCode.ACCEPTANCE_KEY: own, RefusalCode.ACCEPTANCE_SIGNATURE: Session(own.key, stolen)}
    async with victim.connected() as socket:
        for code, session in sessions.items():
            accepted = session.state(ACCEPTANCE, digest_of(wanted), minted.sub.encode(), at=now_ms())
            response = await socket.ask(await victim.request(victim.sealed(wanted, user.token, accepted)))
            assert response == Refusal(code=code)


@pytest.mark.parametrize("role", ["builder", "signer-host", "enclave", "broadcaster", "indexer", "operator"])
async def test_intake_key__when_another_role_would_sign_with_it__kms_refuses(
    victim: Victim, role: str
) -> None:
    with pytest.raises(Exception, match="AccessDenied"):
        async with victim.intake(role):
            pass
    async with victim.intake("api") as control:
        await control.check()


async def test_queue_writer__when_it_asks_for_another_token_id_by_its_own_mint__takes_nobodys(
    victim: Victim,
) -> None:
    """Only `sqs:SendMessage` on `sign.fifo`, and an account: the next user's mint is not hurt."""
    attacker, next_user = await victim.sign_in(), await victim.sign_in()
    await with_gas_money(attacker)
    pid = victim.pid("signer-host")
    os.kill(pid, signal.SIGSTOP)
    try:
        mint = await built(victim, await attacker.mint("the attacker's"))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert mint.token_id is not None
    theirs = await next_user.mint("the next user's")
    stolen = with_token(sign_mint(mint), mint.token_id + 1)
    forged = victim.sealed(stolen, attacker.token, acceptance_of(mint))
    await victim.queues.send(SIGN, forged, group="elsewhere", dedup=secrets.token_hex(8))

    end = await next_user.until(theirs, "finalized")
    record = await victim.record(theirs)
    _, token = await next_user.call("GET", f"/v1/tokens/{record.contract}/{end['token_id']}")
    assert token["owner"] == record.to
    own = await attacker.until(mint.mint_id, "finalized", "rejected")
    assert own["token_id"] == str(mint.token_id)
    if own["status"] == "finalized":
        _, token = await attacker.call("GET", f"/v1/tokens/{mint.contract}/{mint.token_id}")
        assert token["owner"] == mint.to


async def test_enclave__when_it_was_restarted__signs_one_authorization_for_no_second_token(
    victim: Victim, user: User
) -> None:
    """An enclave without any memory knows the token id from the authorization itself."""
    mint = await victim.minted(user, "one of one")
    assert mint.token_id is not None
    before = victim.pid("enclave")
    os.kill(before, signal.SIGKILL)
    own = sign_mint(mint)
    second = with_token(own, mint.token_id + 10**6, nonce=own.nonce + 1)

    async def served() -> Any:
        try:
            if victim.pid("enclave") == before:
                return None
            async with victim.connected() as socket:
                answers = [await socket.ask(await victim.request(intent)) for intent in (second, own)]
        except (KeyError, OSError, EOFError):
            return None
        # Until a host has told the new enclave which journal it continues, it fails every request.
        return None if any(isinstance(response, Failure) for response in answers) else answers

    refused, control = await until(served)
    assert refused == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)
    assert isinstance(control, Signed)
    assert control.tx_hash == mint.tx_hash


async def linked(user: User, account: Any) -> None:
    status, challenge = await user.call("POST", "/v1/wallet/links/challenges", {"address": account.address})
    assert status in (200, 201), challenge
    signature = account.sign_message(encode_defunct(text=challenge["message"])).signature
    link = {"message": challenge["message"], "signature": "0x" + bytes(signature).hex()}
    status, response = await user.call("POST", "/v1/wallet/links", link)
    assert status == 201, response


async def issued(victim: Victim, user: User, name: str) -> Mint:
    """Have a voucher issued for a wallet of the user's own."""
    await linked(user, Account.create())
    metadata = {"name": name, "image": "https://example.com/1.png"}
    status, view = await user.call("POST", "/v1/mints", {"custody": "self", "metadata": metadata})
    assert status == 202, view
    await user.until(view["mint_id"], "issued")
    return await victim.record(view["mint_id"])


async def test_queue_writer__when_it_posts_anothers_redemption_for_a_mint__that_mint_waits_on(
    victim: Victim,
) -> None:
    """Only `sqs:SendMessage` on `broadcast.fifo`; the control is the mint that was really redeemed."""
    user, attacker = await victim.sign_in(), await victim.sign_in()
    mint, own = await issued(victim, user, "the victim's"), await issued(victim, attacker, "the attacker's")
    signed = await funded(victim, chainId=own.chain_id, to=own.contract, data=calldata(own))
    forged = SelfRedeem(
        mint_id=mint.mint_id,
        chain_id=mint.chain_id,
        sender=mint.to,
        nonce=5,
        fees=Fees(max_fee_per_gas=10**11, max_priority_fee_per_gas=10**9),
        raw=bytes(signed.raw_transaction),
        tx_hash=bytes(signed.hash),
    )
    await victim.queues.send(BROADCAST, forged, group=secrets.token_hex(4), dedup=secrets.token_hex(8))

    async def warnings() -> Any:
        lines = victim.logged("broadcaster", "mint_outcome_refused")
        return next((line for line in lines if line["mint_id"] == mint.mint_id), None)

    assert (await until(warnings))["level"] == "warning"
    await redeemed(victim, bytes(signed.raw_transaction))

    await attacker.until(own.mint_id, "finalized")
    _, view = await user.call("GET", f"/v1/mints/{mint.mint_id}")
    assert (view["status"], view["tx_hash"]) == ("issued", None)
    assert view["self_custody"]["voucher"]["token_id"] == str(mint.token_id)
    assert (await victim.record(mint.mint_id)).attempts == ()
