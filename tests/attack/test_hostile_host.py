"""An owner of the signer's host: the enclave's socket, every wrapped key, every message, the way to KMS."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from mintline.acceptance import ACCEPTANCE
from mintline.audit.kms_log import modules_in
from mintline.authorization import Envelope
from mintline.eth import ETHER, Transaction, keccak256
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import SignMint, SignNoop, SignTopUp
from mintline_cli.main import app
from mintline_signer.errors import RefusalCode
from mintline_signer.frames import MAX_BODY, frame
from mintline_signer.protocol import Failure, Reassign, Refusal, Rewrap, Sign, Signed
from mintline_signer.protocol_frames import request_frame
from mintline_testkit.signer import digest_of

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from tests.attack.conftest import Socket, User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

THIEF = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def evolve(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


def voucher(intent: SignMint, **changes: Any) -> Any:
    return evolve(intent, voucher=evolve(intent.voucher, **changes))


SUBSTITUTIONS: dict[str, Callable[[SignMint], Any]] = {
    "the recipient": lambda i: voucher(i, to=THIEF),
    "the metadata": lambda i: voucher(i, metadata_digest=bytes(32)),
    "the contract": lambda i: evolve(i, contract=THIEF),
    "the chain": lambda i: evolve(i, chain_id=1, signer=evolve(i.signer, chain_id=1)),
    "the token id": lambda i: voucher(i, token_id=i.voucher.token_id + 1),
    "the mint": lambda i: evolve(i, mint_id="mint_00000000000000000000000000"),
    "the gas, to burn the wallet's ether": lambda i: evolve(i, gas=30_000_000),
    "the fees, to burn the wallet's ether": lambda i: evolve(i, fees=evolve(i.fees, max_fee_per_gas=ETHER)),
    "the deadline, for a voucher that lasts": lambda i: voucher(i, deadline=2**63),
    "the user's authorization by none": lambda i: evolve(i, authorization=b""),
    "a byte of the user's authorization": lambda i: evolve(
        i, authorization=i.authorization[:-1] + bytes((i.authorization[-1] ^ 1,))
    ),
    "the subject": lambda i: evolve(i, signer=evolve(i.signer, subject="somebody-else")),
}


@pytest.mark.parametrize("what", SUBSTITUTIONS)
async def test_hostile_host__when_it_replaces_something_of_an_intent__gets_no_signature(
    victim: Victim, minted: Mint, socket: Socket, what: str
) -> None:
    request = await victim.request(sign_mint(minted))
    assert isinstance(await socket.ask(request), Signed)

    forged = evolve(request, intent=SUBSTITUTIONS[what](sign_mint(minted)))
    response = await socket.ask(forged)

    assert isinstance(response, Refusal | Failure), response
    assert await victim.signs(minted)


async def test_hostile_host__when_it_gives_another_users_word__gets_no_signature(
    victim: Victim, minted: Mint, mallory: User, socket: Socket
) -> None:
    """The host is a user, too: with a token, a wallet and a mint that the enclave signs."""
    own = await victim.minted(mallory, "mallory's own")
    assert await victim.signs(own)

    forged = evolve(sign_mint(minted), authorization=own.authorization)
    response = await socket.ask(await victim.request(forged))

    assert isinstance(response, Refusal), response


async def test_hostile_host__when_it_has_a_token_of_its_own__cannot_speak_for_another_user(
    victim: Victim, minted: Mint, mallory: User, socket: Socket
) -> None:
    """The authorization key is public, so anyone can seal; nobody but the api can have accepted it."""
    own = await victim.minted(mallory, "mallory's own")
    assert own.authorization is not None
    accepted = Envelope.from_bytes(own.authorization).acceptance
    for wanted in (sign_mint(minted), voucher(sign_mint(minted), to=THIEF)):
        response = await socket.ask(await victim.request(victim.sealed(wanted, mallory.token, accepted)))
        assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)
    assert await victim.signs(minted)


async def test_hostile_host__when_it_has_even_the_apis_credentials__needs_the_users_token_still(
    victim: Victim, minted: Mint, user: User, mallory: User, socket: Socket
) -> None:
    """What a taken-over api can do, and no more: the control has the user's own token, and is signed."""
    wanted = evolve(sign_mint(minted), mint_id="mint_that_was_never_asked_for", nonce=10**6)
    wanted = voucher(wanted, token_id=10**9)
    async with victim.intake() as intake:
        now = time.time_ns() // 1_000_000
        accepted = intake.state(ACCEPTANCE, digest_of(wanted), minted.sub.encode(), at=now)
        response = await socket.ask(await victim.request(victim.sealed(wanted, mallory.token, accepted)))
        assert response == Refusal(code=RefusalCode.AUTHORIZATION_SUBJECT)
        control = await socket.ask(await victim.request(victim.sealed(wanted, user.token, accepted)))
        assert isinstance(control, Signed)


async def test_hostile_host__when_it_brings_another_wrapped_key__gets_no_signature_by_either(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    """Neither the thief's own key in the victim's name, nor the other way round."""
    theirs, mine = await victim.cold_wallet(), await victim.cold_wallet()
    fees = sign_mint(minted).fees
    noop = SignNoop(signer=theirs, chain_id=theirs.chain_id, nonce=0, gas=21_000, fees=fees)
    right, own = await victim.wrapped(theirs), await victim.wrapped(mine)
    treasury = await victim.wrapped(victim.known.treasury)

    for key in (
        evolve(right, wrapped=own.wrapped),
        evolve(right, wrapped=treasury.wrapped),
        evolve(right, wrapped=bytes(byte ^ 1 for byte in right.wrapped)),
        evolve(own, wrapped=right.wrapped),
        own,
        treasury,
    ):
        response = await socket.ask(Sign(intent=noop, keys=[key]))
        assert isinstance(response, Refusal | Failure), (key, response)

    assert isinstance(await socket.ask(Sign(intent=noop, keys=[right])), Signed)


async def test_hostile_host__when_it_uses_a_platform_key_for_a_user__gets_no_signature(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    """Issuer and treasury do what they are for, and nothing else."""
    mint = sign_mint(minted)
    common: dict[str, Any] = {
        "chain_id": mint.chain_id,
        "nonce": 10**6,
        "gas": 21_000,
        "fees": mint.fees,
    }
    issuer, treasury = victim.known.issuer, victim.known.treasury
    forbidden: tuple[Any, ...] = (
        evolve(mint, signer=issuer),
        evolve(mint, signer=treasury),
        SignNoop(signer=issuer, **common),
        SignTopUp(signer=issuer, recipient=THIEF, value=1, **common),
        SignTopUp(signer=mint.signer, recipient=THIEF, value=1, **common),
        SignTopUp(signer=treasury, recipient=THIEF, value=10**24, **common),
        SignTopUp(signer=treasury, recipient=mint.contract, value=1, **common),
    )

    for intent in forbidden:
        response = await socket.ask(await victim.request(intent))
        assert isinstance(response, Refusal), (intent, response)


async def test_hostile_host__when_it_asks_for_a_hash_or_foreign_calldata__gets_no_signature(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    request = await victim.request(sign_mint(minted))
    drain = Transaction(
        chain_id=minted.chain_id,
        nonce=10**6,
        max_priority_fee_per_gas=1,
        max_fee_per_gas=1,
        gas=21_000,
        to=THIEF,
        value=ETHER,
        data=b"",
    )
    plain: dict[str, Any] = {
        "type": "sign",
        "intent": request.intent.model_dump(mode="json"),
        "keys": [key.model_dump() for key in request.keys],
    }
    smuggled: list[dict[str, Any]] = [
        {"type": "sign", "hash": drain.signing_hash()},
        {"type": "sign_hash", "hash": drain.signing_hash(), "keys": plain["keys"]},
        {**plain, "hash": drain.signing_hash()},
        {**plain, "intent": {**plain["intent"], "data": "0xdeadbeef"}},
        {**plain, "intent": {**plain["intent"], "value": str(ETHER)}},
        {**plain, "intent": {**plain["intent"], "to": THIEF}},
        {**plain, "intent": {**plain["intent"], "type": "sign_transaction"}},
    ]

    socket.writer.write(frame({"id": 1, "request": plain}))
    assert isinstance((await socket.receive())[1], Signed)
    for attempt in smuggled:
        socket.writer.write(frame({"id": 1, "request": attempt}))
        _, response = await socket.receive()
        assert isinstance(response, Failure), (attempt, response)


async def test_hostile_host__when_it_replays_and_reorders__gets_the_same_bytes_and_no_others(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    request = await victim.request(sign_mint(minted))
    wanted = 50

    socket.writer.write(b"".join(request_frame(n, request) for n in reversed(range(1, wanted + 1))))
    answers = [await socket.receive() for _ in range(wanted)]

    raws = {response.raw for _, response in answers if isinstance(response, Signed)}
    assert {request_id for request_id, _ in answers} == set(range(1, wanted + 1))
    assert {keccak256(raw) for raw in raws} == {minted.tx_hash}


async def test_hostile_host__when_it_wants_a_second_meaning_for_a_nonce_or_mint__gets_no_signature(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    """The API accepted one token; the enclave holds on to what it signed at a nonce."""
    intent = sign_mint(minted)
    assert isinstance(await socket.ask(await victim.request(intent)), Signed)

    for forged, code in (
        (voucher(intent, token_id=intent.voucher.token_id + 10**6), "acceptance_signature"),
        (evolve(voucher(intent, token_id=10**9), nonce=10**6), "acceptance_signature"),
        (voucher(intent, deadline=intent.voucher.deadline - 1), "memory_nonce"),
    ):
        response = await socket.ask(await victim.request(forged))
        assert isinstance(response, Refusal), (forged, response)
        assert response.code == code
    assert await victim.signs(minted)


async def test_hostile_host__when_a_nonce_was_given_up__gets_nothing_more_for_it(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    wallet = await victim.cold_wallet()
    common: dict[str, Any] = {"chain_id": wallet.chain_id, "gas": 21_000, "fees": sign_mint(minted).fees}
    noop = SignNoop(signer=wallet, nonce=0, **common)
    assert isinstance(await socket.ask(await victim.request(noop)), Signed)
    treasury = victim.known.treasury
    top_up = SignTopUp(signer=treasury, nonce=10**6, recipient=THIEF, value=1, **common)
    assert isinstance(await socket.ask(await victim.request(top_up)), Signed)

    late = evolve(top_up, value=2)
    response = await socket.ask(await victim.request(late))

    assert isinstance(response, Refusal), response
    filled = SignNoop(signer=treasury, nonce=10**6, **common)
    assert isinstance(await socket.ask(await victim.request(filled)), Signed)
    response = await socket.ask(await victim.request(top_up))
    assert isinstance(response, Refusal), response
    assert response.code == "memory_nonce_filled"


async def test_hostile_host__when_it_deletes_what_an_enclave_signed__is_found_out_by_kms(
    victim: Victim, minted: Mint, tmp_path: Path
) -> None:
    """The host's disk is its own; which enclaves KMS decrypted keys for is not."""
    assert await victim.signs(minted)
    root = ["--root", str(victim.state.kms / "root.pem")]
    kept = await asyncio.to_thread(shutil.copytree, victim.state.audit, tmp_path / "kept")
    lives = CliRunner().invoke(app, ["audit", "verify", str(kept), *root]).stdout
    # Other attacks start enclaves of their own, which no trail tells of.
    lines = (victim.state.kms / "decrypted.jsonl").read_text().splitlines(keepends=True)
    log = tmp_path / "decrypted.jsonl"
    log.write_text("".join(line for line in lines if any(module in lives for module in modules_in(line))))
    options = [*root, "--kms-log", str(log)]
    whole = CliRunner().invoke(app, ["audit", "verify", str(kept), *options])
    assert whole.exit_code == 0, whole.output

    for file in kept.iterdir():
        file.unlink()
    deleted = CliRunner().invoke(app, ["audit", "verify", str(kept), *options])

    assert deleted.exit_code == 1
    for module_id in modules_in(log.read_text()):
        assert f"the enclave {module_id} asked KMS for keys" in deleted.stderr


async def test_hostile_host__when_it_asks_for_keys_to_be_wrapped_anew__gets_none(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    """Under which key is for the policy document to say, and this one names none."""
    assert minted.sender is not None
    key = await victim.wrapped(minted.sender)
    thiefs = "arn:aws:kms:us-east-1:666666666666:key/thiefs-own"

    for wrapped in (key, evolve(key, kms_key=thiefs)):
        response = await socket.ask(Rewrap(key=wrapped))
        assert isinstance(response, Refusal), response
        assert response.code == "key_rewrap"
    named = {"id": 1, "request": {"type": "rewrap", "key": key.model_dump(), "to": thiefs}}
    socket.writer.write(frame(named))
    _, response = await socket.receive()
    assert isinstance(response, Failure), response


async def test_hostile_host__when_it_asks_for_a_wallet_to_be_reassigned__is_refused(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    """From whom to whom is for the policy document to say, and this one names nobody."""
    assert minted.sender is not None
    key = await victim.wrapped(minted.sender)

    for reassign in (
        Reassign(key=key, to="thief"),
        Reassign(key=evolve(key, subject="thief"), to=key.subject),
    ):
        response = await socket.ask(reassign)
        assert isinstance(response, Refusal), response
        assert response.code == "key_reassign"
    assert await victim.signs(minted)


async def hung_up(socket: Socket) -> bool:
    try:
        await socket.receive()
    except (EOFError, ConnectionError):
        return True
    return False


async def test_hostile_host__when_it_sends_ten_megabytes__is_hung_up_on_and_no_one_else(
    victim: Victim, minted: Mint, socket: Socket
) -> None:
    size = 10 * 2**20
    assert size > MAX_BODY
    pid = victim.pid("enclave")
    before = resident(pid)

    socket.writer.write(size.to_bytes(4, "big") + bytes(size))

    assert await hung_up(socket)
    assert resident(pid) - before < size
    assert await victim.signs(minted)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    from psutil import Process

    memory: int = Process(pid).memory_info().rss
    return memory


async def test_hostile_host__when_it_cuts_frames_off__is_hung_up_on(victim: Victim, minted: Mint) -> None:
    whole = request_frame(1, await victim.request(sign_mint(minted)))
    for length in (1, 3, 4, 5, len(whole) // 2, len(whole) - 1):
        async with victim.connected() as socket:
            socket.writer.write(whole[:length])
            socket.writer.write_eof()
            assert await hung_up(socket), length
    for broken in (whole[:4] + b"\xff" + whole[5:], bytes(4) + whole, whole[1:]):
        async with victim.connected() as socket:
            socket.writer.write(broken)
            socket.writer.write_eof()
            assert await hung_up(socket), broken[:8]

    assert await victim.signs(minted)


async def test_hostile_host__when_it_floods_and_never_reads__starves_no_one(
    victim: Victim, minted: Mint
) -> None:
    request = await victim.request(sign_mint(minted))
    flood = b"".join(request_frame(n, request) for n in range(1, 3001))
    async with victim.connected() as deaf:
        deaf.writer.write(flood)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await deaf.writer.drain()

        async with asyncio.timeout(20):
            assert await victim.signs(minted)


async def test_hostile_host__when_it_leaves_sockets_half_open_or_writes_slowly__starves_no_one(
    victim: Victim, minted: Mint, user: User
) -> None:
    """As many as the enclave takes, but for the host's own: what is beyond is turned away at once."""
    whole = request_frame(1, await victim.request(sign_mint(minted)))
    async with AsyncExitStack() as stack:
        taken = [await stack.enter_async_context(victim.connected()) for _ in range(40)]
        for slow in taken:
            slow.writer.write(whole[:7])
        ended = sum(await asyncio.gather(*(ended_within(slow, 1) for slow in taken)))
        assert 0 < ended < 40
        mint_id = await user.mint("while the sockets are taken")
        await user.until(mint_id, "submitted", "mined", "finalized")

        outlasted = sum(await asyncio.gather(*(ended_within(slow, 15) for slow in taken)))
        assert outlasted == 40, "a frame has ten seconds from its first byte to its last"
        assert await victim.signs(minted)


async def ended_within(socket: Socket, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await hung_up(socket)
    except TimeoutError:
        return False
