from __future__ import annotations

import asyncio
import itertools
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account

from mintline.audit.records import NO_HASH, Batch, read_batch, write_batches
from mintline.audit.trail import RecordChain, verify_trail
from mintline.errors import Unavailable
from mintline.eth import keccak256
from mintline.strict_cbor import loads
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.frames import FrameDecoder, frame
from mintline_signer.protocol import Credentials, Failure, Issued, Sign, Signed
from mintline_signer.protocol_frames import read_response, request_frame

if TYPE_CHECKING:
    from tests.integration.signer.conftest import Harness, Player

pytestmark = pytest.mark.integration


async def read_frame(reader: asyncio.StreamReader) -> object:
    length = int.from_bytes(await reader.readexactly(4), "big")
    return read_response(await reader.readexactly(length))


def check_signed(request: Sign, signed: Signed | Issued) -> None:
    assert isinstance(signed, Signed)
    assert keccak256(signed.raw) == signed.tx_hash
    assert Account.recover_transaction(signed.raw) == request.intent.signer.address


async def test_enclave__when_asked_for_a_mint__signs_with_keys_from_kms(
    harness: Harness, users: list[Player], issuer: Player
) -> None:
    request = users[0].mint(7, issuer)
    signed = await harness.client.sign(request)
    check_signed(request, signed)
    assert harness.kms.requests == 3, "two keys, and the one that seals"
    assert await harness.client.sign(request) == signed
    assert harness.kms.requests == 3


async def test_enclave__when_a_thousand_requests_are_pipelined__answers_each_rightly(
    harness: Harness, users: list[Player], issuer: Player
) -> None:
    requests = [users[nonce % len(users)].mint(nonce, issuer) for nonce in range(1000)]
    answers = await asyncio.gather(*(harness.client.sign(request) for request in requests))
    assert harness.kms.requests == len(users) + 2
    assert len({response.tx_hash for response in answers if isinstance(response, Signed)}) == 1000
    for request, response in zip(requests[::50], answers[::50], strict=True):
        check_signed(request, response)


async def test_enclave__when_killed_while_it_signs__is_found_again_and_nothing_is_lost(
    harness: Harness, users: list[Player], issuer: Player
) -> None:
    requests = [users[nonce % len(users)].mint(nonce, issuer) for nonce in range(400)]
    signing = [asyncio.create_task(harness.client.sign(request)) for request in requests]
    await asyncio.wait(signing, return_when=asyncio.FIRST_COMPLETED)
    harness.enclave.kill()
    await harness.enclave.start()
    answers = await asyncio.gather(*signing)
    again = [await harness.client.sign(request) for request in requests[:20]]
    assert again == answers[:20]


async def test_enclave__when_the_audit_keys_time_is_over__signs_on_under_another(
    harness: Harness, users: list[Player]
) -> None:
    harness.enclave.stop()
    harness.enclave.environment["MINTLINE_AUDIT_ROTATION"] = "0.5"
    await harness.enclave.start()
    nonce, signed = itertools.count(), 0
    async with asyncio.timeout(30):
        while harness.enclave.log.read_text().count("audit_key_rotated") < 2:
            await harness.client.sign(users[0].noop(next(nonce)))
            signed += 1
    await harness.client.sign(users[0].noop(next(nonce)))
    report = verify_trail(harness.folder / "audit", root=harness.enclave.root)
    assert report.sound, [report.breaks, *(chain.breaks for chain in report.chains)]
    assert len([chain for chain in report.chains if chain.successor]) >= 2
    assert report.outcomes == {"signed": signed + 1}


async def test_enclave__when_it_lives_again__follows_its_life_before_and_shows_if_that_is_deleted(
    harness: Harness, users: list[Player]
) -> None:
    for nonce in range(3):
        await harness.client.sign(users[0].noop(nonce))
        harness.enclave.kill()
        await harness.enclave.start()
    await harness.client.sign(users[0].noop(9))
    folder = harness.folder / "audit"
    report = verify_trail(folder, root=harness.enclave.root)
    assert report.sound, [report.breaks, *(chain.breaks for chain in report.chains)]
    chains = report.chains
    assert [chain.outcomes["signed"] for chain in chains] == [1, 1, 1, 1]
    assert [chain.follows for chain in chains] == [NO_HASH, *(chain.head for chain in chains[:-1])]
    assert len({chain.module_id for chain in chains}) == 4

    kept = harness.folder / "kept"
    kept.mkdir()
    for number, chain in enumerate(chains):
        if number != 1:
            batches = [Batch(chain.key, tuple(chain.records.values()), signature_of(folder, chain))]
            (kept / f"{number}.audit").write_bytes(write_batches(batches))
    lost = verify_trail(kept, root=harness.enclave.root, modules=[chain.module_id for chain in chains])
    assert lost.breaks == [f"the enclave {chains[1].module_id} asked KMS for keys, and has no records here"]
    (unlinked,) = [chain for chain in lost.chains if chain.breaks]
    assert unlinked.module_id == chains[2].module_id
    assert "the life before is missing" in unlinked.breaks[0]


def signature_of(folder: Path, chain: RecordChain) -> bytes:
    """Return the signature over a chain's last record, out of the files."""
    for path in folder.iterdir():
        for batch in read_batches(path):
            if batch.key == chain.key and batch.records[-1] == chain.records[len(chain.records) - 1]:
                return batch.signature
    raise AssertionError("no batch ends with that record")


def read_batches(path: Path) -> list[Batch]:
    data, batches = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:4], "big")
        batches.append(read_batch(loads(data[4 : 4 + length], max_depth=3)))
        data = data[4 + length :]
    return batches


async def test_enclave__when_it_is_away__is_unavailable(harness: Harness, users: list[Player]) -> None:
    await harness.client.ping()
    harness.enclave.kill()
    harness.client._timeout = 0.3
    with pytest.raises(Unavailable):
        await harness.client.sign(users[0].noop(1))


async def test_enclave__when_the_policy_forbids__refuses_with_a_code(
    harness: Harness, users: list[Player]
) -> None:
    request = users[0].noop(1)
    costly = request.model_copy(update={"intent": request.intent.model_copy(update={"gas": 10**6})})
    with pytest.raises(EnclaveRefusal) as caught:
        await harness.client.sign(costly)
    assert caught.value.code == RefusalCode.GAS
    assert harness.kms.requests == 0


async def test_enclave__when_kms_does_not_know_the_key__refuses_that_key_alone(
    harness: Harness, users: list[Player]
) -> None:
    stranger = type(users[0])("stranger", b"\x09" * 32)
    with pytest.raises(EnclaveRefusal) as caught:
        await harness.client.sign(stranger.noop(1))
    assert caught.value.code == RefusalCode.KEY_UNDECRYPTABLE
    await harness.client.sign(users[0].noop(1))


async def test_enclave__when_a_wrapped_key_is_anothers__refuses_by_its_address(
    harness: Harness, users: list[Player]
) -> None:
    victim, thief = users[:2]
    harness.kms.know(type(thief)(thief.subject, victim.secret))
    with pytest.raises(EnclaveRefusal) as caught:
        await harness.client.sign(thief.noop(1))
    assert caught.value.code == RefusalCode.KEY_ADDRESS


async def test_enclave__when_a_key_begins_with_a_zero_byte__signs(
    harness: Harness, users: list[Player]
) -> None:
    zeros = [user for user in users if user.secret[0] == 0]
    assert zeros
    for user in zeros:
        request = user.noop(1)
        check_signed(request, await harness.client.sign(request))


async def exchange(harness: Harness, data: bytes, answers: int) -> list[Any]:
    reader, writer = await asyncio.open_unix_connection(str(harness.enclave.socket))
    decoder, responses = FrameDecoder(), list[Any]()
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            while len(responses) < answers and (piece := await reader.read(4096)):
                received = [read_response(body) for body in decoder.feed(piece)]
                responses += [response for response in received if not isinstance(response, Batch)]
            if not answers:
                assert await reader.read() == b""
    finally:
        writer.close()
    return responses


@pytest.mark.parametrize(
    "garbage",
    [
        os.urandom(64 * 1024),
        b"GET / HTTP/1.1\r\nHost: enclave\r\n\r\n",
        bytes(64),
        (2**20 + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x01\xff",
        frame({"id": 1, "request": {"type": "ping"}})[:-1] + b"\xff",
        frame({"request": {"type": "ping"}}),
    ],
    ids=["random", "http", "zeros", "too long", "break", "damaged", "no id"],
)
async def test_enclave__when_garbage_comes__closes_that_connection_alone(
    harness: Harness, users: list[Player], garbage: bytes
) -> None:
    await harness.client.sign(users[0].noop(1))
    assert await exchange(harness, garbage, 0) == []
    await harness.client.sign(users[0].noop(2))
    assert harness.enclave.process is not None
    assert harness.enclave.process.poll() is None


async def test_enclave__when_asked_to_sign_any_dict__answers_a_code_and_nothing_else(
    harness: Harness,
) -> None:
    answers = await exchange(harness, frame({"id": 5, "request": {"type": "sign", "hash": bytes(32)}}), 1)
    assert answers == [(5, Failure(code=FailureCode.BAD_REQUEST))]


async def test_enclave__when_a_request_comes_bytewise__answers_it(
    harness: Harness, users: list[Player]
) -> None:
    await harness.client.sign(users[0].noop(1))
    reader, writer = await asyncio.open_unix_connection(str(harness.enclave.socket))
    for byte in request_frame(1, users[0].noop(2)):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        audited = await read_frame(reader)
        answered = await read_frame(reader)
    assert isinstance(audited, Batch), "what was signed is on record before it is answered"
    assert answered == (1, await harness.client.sign(users[0].noop(2)))
    writer.close()


async def test_enclave__when_a_peer_never_reads__serves_the_others(
    harness: Harness, users: list[Player]
) -> None:
    await harness.client.sign(users[0].noop(1))
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(harness.enclave.socket))
        deaf.settimeout(0.2)
        noop = users[0].noop(1)
        flood = b"".join(request_frame(n, noop) for n in range(20_000))
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(deaf.sendall, flood)
        request = users[0].noop(9999)
        check_signed(request, await harness.client.sign(request))


async def test_enclave__when_kms_is_away__fails_and_signs_once_it_is_back(
    harness: Harness, users: list[Player]
) -> None:
    (harness.folder / "kms.sock").rename(harness.folder / "away.sock")
    with pytest.raises(EnclaveFailure) as caught:
        await harness.client.sign(users[0].noop(1))
    assert caught.value.code is FailureCode.KMS_UNAVAILABLE
    (harness.folder / "away.sock").rename(harness.folder / "kms.sock")
    await harness.client.sign(users[0].noop(1))


async def test_enclave__when_the_credentials_have_expired__gets_new_ones_from_the_host(
    harness: Harness, users: list[Player]
) -> None:
    def renewed() -> Credentials:
        from pydantic import SecretStr

        return harness.credentials[0].model_copy(update={"session_token": SecretStr("new")})

    harness.kms.good_token = "new"
    await harness.client.ping()
    harness.client._keepalive = 3600
    with pytest.raises(EnclaveFailure) as caught:
        await harness.client.sign(users[0].noop(1))
    assert caught.value.code is FailureCode.CREDENTIALS_EXPIRED
    harness.credentials.append(renewed())
    for _ in range(100):
        try:
            await harness.client.sign(users[0].noop(1))
            break
        except EnclaveFailure:
            await asyncio.sleep(0.05)
    else:
        pytest.fail("the new credentials never arrived")


async def test_enclave__when_it_runs__shows_no_secret_in_logs_or_arguments(
    harness: Harness, users: list[Player], issuer: Player
) -> None:
    await harness.client.sign(users[3].mint(1, issuer))
    await exchange(harness, frame({"id": 1, "request": {"type": "credentials", "secret": "hush-hush"}}), 1)
    harness.enclave.stop()
    shown = harness.enclave.log.read_text()
    assert harness.enclave.process is not None
    shown += repr(harness.enclave.process.args)
    assert "enclave_listening" in shown
    keys = (users[3].secret.hex(), issuer.secret.hex())
    for secret in ("a-secret-access-key", "AKIAEXAMPLE", "hush-hush", *keys):
        assert secret not in shown


async def test_enclave__when_it_listens__serves_its_owner_alone(harness: Harness) -> None:
    mode = harness.enclave.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_enclave__when_told_to_stop__exits_cleanly_and_takes_its_socket_along(harness: Harness) -> None:
    assert harness.enclave.stop() == 0
    assert not harness.enclave.socket.exists()


async def test_enclave__when_the_address_is_taken__exits_with_one_line(harness: Harness) -> None:
    second = harness.enclave.spawn()
    assert second.wait(20) == 2
    assert "another process does" in harness.enclave.log.read_text().splitlines()[-1]


async def test_enclave__when_the_policy_is_missing__exits_with_one_line(harness: Harness) -> None:
    harness.enclave.stop()
    (harness.folder / "policy.json").unlink()
    assert harness.enclave.spawn().wait(20) == 2
    last = harness.enclave.log.read_text().splitlines()[-1]
    assert "cannot read" in last


async def test_enclave__when_a_user_was_signed_out__signs_nothing_by_tokens_of_before_also_in_its_next_life(
    harness: Harness, users: list[Player], issuer: Player
) -> None:
    await harness.client.sign(users[0].mint(1, issuer))
    harness.revocations.append(harness.revocation(users[0]))
    await harness.client.revoke(harness.revocations * 450)  # three requests
    refused = users[0].mint(2, issuer)
    for _ in range(2):
        with pytest.raises(EnclaveRefusal) as caught:
            await harness.client.sign(refused)
        assert caught.value.code == RefusalCode.TOKEN_REVOKED
        await harness.client.sign(users[1].mint(2, issuer))
        harness.enclave.kill()
        await harness.enclave.start()
