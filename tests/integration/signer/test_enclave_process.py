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
from mintline.audit.trail import Chain, verify_trail
from mintline.errors import Unavailable
from mintline.eth import keccak256
from mintline.strict_cbor import loads
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.frames import FrameDecoder, frame
from mintline_signer.protocol import (
    Credentials,
    Failure,
    Issued,
    Sign,
    Signed,
    read_response,
    request_frame,
)

if TYPE_CHECKING:
    from tests.integration.signer.conftest import Line, Player

pytestmark = pytest.mark.integration


async def read_frame(reader: asyncio.StreamReader) -> object:
    length = int.from_bytes(await reader.readexactly(4), "big")
    return read_response(await reader.readexactly(length))


def check_signed(request: Sign, signed: Signed | Issued) -> None:
    assert isinstance(signed, Signed)
    assert keccak256(signed.raw) == signed.tx_hash
    assert Account.recover_transaction(signed.raw) == request.intent.signer.address


async def test_enclave__when_asked_for_a_mint__signs_with_keys_from_kms(
    line: Line, users: list[Player], issuer: Player
) -> None:
    request = users[0].mint(7, issuer)
    signed = await line.client.sign(request)
    check_signed(request, signed)
    assert line.kms.requests == 3, "two keys, and the one that seals"
    assert await line.client.sign(request) == signed
    assert line.kms.requests == 3


async def test_enclave__when_a_thousand_requests_are_pipelined__answers_each_rightly(
    line: Line, users: list[Player], issuer: Player
) -> None:
    requests = [users[nonce % len(users)].mint(nonce, issuer) for nonce in range(1000)]
    answers = await asyncio.gather(*(line.client.sign(request) for request in requests))
    assert line.kms.requests == len(users) + 2
    assert len({answer.tx_hash for answer in answers if isinstance(answer, Signed)}) == 1000
    for request, answer in zip(requests[::50], answers[::50], strict=True):
        check_signed(request, answer)


async def test_enclave__when_killed_while_it_signs__is_found_again_and_nothing_is_lost(
    line: Line, users: list[Player], issuer: Player
) -> None:
    requests = [users[nonce % len(users)].mint(nonce, issuer) for nonce in range(400)]
    signing = [asyncio.create_task(line.client.sign(request)) for request in requests]
    await asyncio.wait(signing, return_when=asyncio.FIRST_COMPLETED)
    line.enclave.kill()
    await line.enclave.start()
    answers = await asyncio.gather(*signing)
    again = [await line.client.sign(request) for request in requests[:20]]
    assert again == answers[:20]


async def test_enclave__when_the_audit_keys_time_is_over__signs_on_under_another(
    line: Line, users: list[Player]
) -> None:
    line.enclave.stop()
    line.enclave.environment["MINTLINE_AUDIT_ROTATION"] = "0.5"
    await line.enclave.start()
    nonce, signed = itertools.count(), 0
    async with asyncio.timeout(30):
        while line.enclave.log.read_text().count("audit_key_rotated") < 2:
            await line.client.sign(users[0].noop(next(nonce)))
            signed += 1
    await line.client.sign(users[0].noop(next(nonce)))
    report = verify_trail(line.folder / "audit", root=line.enclave.root)
    assert report.sound, [report.breaks, *(chain.breaks for chain in report.chains)]
    assert len([chain for chain in report.chains if chain.successor]) >= 2
    assert report.outcomes == {"signed": signed + 1}


async def test_enclave__when_it_lives_again__follows_its_life_before_and_shows_if_that_is_deleted(
    line: Line, users: list[Player]
) -> None:
    for nonce in range(3):
        await line.client.sign(users[0].noop(nonce))
        line.enclave.kill()
        await line.enclave.start()
    await line.client.sign(users[0].noop(9))
    folder = line.folder / "audit"
    report = verify_trail(folder, root=line.enclave.root)
    assert report.sound, [report.breaks, *(chain.breaks for chain in report.chains)]
    chains = report.chains
    assert [chain.outcomes["signed"] for chain in chains] == [1, 1, 1, 1]
    assert [chain.follows for chain in chains] == [NO_HASH, *(chain.head for chain in chains[:-1])]
    assert len({chain.module_id for chain in chains}) == 4

    kept = line.folder / "kept"
    kept.mkdir()
    for number, chain in enumerate(chains):
        if number != 1:
            batches = [Batch(chain.key, tuple(chain.records.values()), signature_of(folder, chain))]
            (kept / f"{number}.audit").write_bytes(write_batches(batches))
    lost = verify_trail(kept, root=line.enclave.root, modules=[chain.module_id for chain in chains])
    assert lost.breaks == [f"the enclave {chains[1].module_id} asked KMS for keys, and has no records here"]
    (unlinked,) = [chain for chain in lost.chains if chain.breaks]
    assert unlinked.module_id == chains[2].module_id
    assert "the life before is missing" in unlinked.breaks[0]


def signature_of(folder: Path, chain: Chain) -> bytes:
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


async def test_enclave__when_it_is_away__is_unavailable(line: Line, users: list[Player]) -> None:
    await line.client.ping()
    line.enclave.kill()
    line.client._timeout = 0.3
    with pytest.raises(Unavailable):
        await line.client.sign(users[0].noop(1))


async def test_enclave__when_the_policy_forbids__refuses_with_a_code(line: Line, users: list[Player]) -> None:
    request = users[0].noop(1)
    costly = request.model_copy(update={"intent": request.intent.model_copy(update={"gas": 10**6})})
    with pytest.raises(EnclaveRefusal) as caught:
        await line.client.sign(costly)
    assert caught.value.code == RefusalCode.GAS
    assert line.kms.requests == 0


async def test_enclave__when_kms_does_not_know_the_key__refuses_that_key_alone(
    line: Line, users: list[Player]
) -> None:
    stranger = type(users[0])("stranger", b"\x09" * 32)
    with pytest.raises(EnclaveRefusal) as caught:
        await line.client.sign(stranger.noop(1))
    assert caught.value.code == RefusalCode.KEY_UNDECRYPTABLE
    await line.client.sign(users[0].noop(1))


async def test_enclave__when_a_wrapped_key_is_anothers__refuses_by_its_address(
    line: Line, users: list[Player]
) -> None:
    victim, thief = users[:2]
    line.kms.know(type(thief)(thief.subject, victim.secret))
    with pytest.raises(EnclaveRefusal) as caught:
        await line.client.sign(thief.noop(1))
    assert caught.value.code == RefusalCode.KEY_ADDRESS


async def test_enclave__when_a_key_begins_with_a_zero_byte__signs(line: Line, users: list[Player]) -> None:
    zeros = [user for user in users if user.secret[0] == 0]
    assert zeros
    for user in zeros:
        request = user.noop(1)
        check_signed(request, await line.client.sign(request))


async def exchange(line: Line, data: bytes, answers: int) -> list[Any]:
    reader, writer = await asyncio.open_unix_connection(str(line.enclave.socket))
    decoder, found = FrameDecoder(), list[Any]()
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            while len(found) < answers and (piece := await reader.read(4096)):
                received = [read_response(body) for body in decoder.feed(piece)]
                found += [answer for answer in received if not isinstance(answer, Batch)]
            if not answers:
                assert await reader.read() == b""
    finally:
        writer.close()
    return found


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
    line: Line, users: list[Player], garbage: bytes
) -> None:
    await line.client.sign(users[0].noop(1))
    assert await exchange(line, garbage, 0) == []
    await line.client.sign(users[0].noop(2))
    assert line.enclave.process is not None
    assert line.enclave.process.poll() is None


async def test_enclave__when_asked_to_sign_any_dict__answers_a_code_and_nothing_else(
    line: Line,
) -> None:
    answers = await exchange(line, frame({"id": 5, "request": {"type": "sign", "hash": bytes(32)}}), 1)
    assert answers == [(5, Failure(code=FailureCode.BAD_REQUEST))]


async def test_enclave__when_a_request_comes_bytewise__answers_it(line: Line, users: list[Player]) -> None:
    await line.client.sign(users[0].noop(1))
    reader, writer = await asyncio.open_unix_connection(str(line.enclave.socket))
    for byte in request_frame(1, users[0].noop(2)):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        audited = await read_frame(reader)
        answered = await read_frame(reader)
    assert isinstance(audited, Batch), "what was signed is on record before it is answered"
    assert answered == (1, await line.client.sign(users[0].noop(2)))
    writer.close()


async def test_enclave__when_a_peer_never_reads__serves_the_others(line: Line, users: list[Player]) -> None:
    await line.client.sign(users[0].noop(1))
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(line.enclave.socket))
        deaf.settimeout(0.2)
        noop = users[0].noop(1)
        flood = b"".join(request_frame(n, noop) for n in range(20_000))
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(deaf.sendall, flood)
        request = users[0].noop(9999)
        check_signed(request, await line.client.sign(request))


async def test_enclave__when_kms_is_away__fails_and_signs_once_it_is_back(
    line: Line, users: list[Player]
) -> None:
    (line.folder / "kms.sock").rename(line.folder / "away.sock")
    with pytest.raises(EnclaveFailure) as caught:
        await line.client.sign(users[0].noop(1))
    assert caught.value.code is FailureCode.KMS_UNAVAILABLE
    (line.folder / "away.sock").rename(line.folder / "kms.sock")
    await line.client.sign(users[0].noop(1))


async def test_enclave__when_the_credentials_have_expired__gets_new_ones_from_the_host(
    line: Line, users: list[Player]
) -> None:
    def renewed() -> Credentials:
        from pydantic import SecretStr

        return line.credentials[0].model_copy(update={"session_token": SecretStr("new")})

    line.kms.good_token = "new"
    await line.client.ping()
    line.client._keepalive = 3600
    with pytest.raises(EnclaveFailure) as caught:
        await line.client.sign(users[0].noop(1))
    assert caught.value.code is FailureCode.CREDENTIALS_EXPIRED
    line.credentials.append(renewed())
    for _ in range(100):
        try:
            await line.client.sign(users[0].noop(1))
            break
        except EnclaveFailure:
            await asyncio.sleep(0.05)
    else:
        pytest.fail("the new credentials never arrived")


async def test_enclave__when_it_runs__shows_no_secret_in_logs_or_arguments(
    line: Line, users: list[Player], issuer: Player
) -> None:
    await line.client.sign(users[3].mint(1, issuer))
    await exchange(line, frame({"id": 1, "request": {"type": "credentials", "secret": "hush-hush"}}), 1)
    line.enclave.stop()
    shown = line.enclave.log.read_text()
    assert line.enclave.process is not None
    shown += repr(line.enclave.process.args)
    assert "enclave_listening" in shown
    keys = (users[3].secret.hex(), issuer.secret.hex())
    for secret in ("a-secret-access-key", "AKIAEXAMPLE", "hush-hush", *keys):
        assert secret not in shown


async def test_enclave__when_it_listens__serves_its_owner_alone(line: Line) -> None:
    mode = line.enclave.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_enclave__when_told_to_stop__exits_cleanly_and_takes_its_socket_along(line: Line) -> None:
    assert line.enclave.stop() == 0
    assert not line.enclave.socket.exists()


async def test_enclave__when_the_address_is_taken__exits_with_one_line(line: Line) -> None:
    second = line.enclave.spawn()
    assert second.wait(20) == 2
    assert "another process does" in line.enclave.log.read_text().splitlines()[-1]


async def test_enclave__when_the_policy_is_missing__exits_with_one_line(line: Line) -> None:
    line.enclave.stop()
    (line.folder / "policy.json").unlink()
    assert line.enclave.spawn().wait(20) == 2
    last = line.enclave.log.read_text().splitlines()[-1]
    assert "cannot read" in last


async def test_enclave__when_a_user_was_signed_out__signs_nothing_by_tokens_of_before_also_in_its_next_life(
    line: Line, users: list[Player], issuer: Player
) -> None:
    await line.client.sign(users[0].mint(1, issuer))
    line.revocations.append(line.revocation(users[0]))
    await line.client.revoke(line.revocations * 450)  # three requests
    refused = users[0].mint(2, issuer)
    for _ in range(2):
        with pytest.raises(EnclaveRefusal) as caught:
            await line.client.sign(refused)
        assert caught.value.code == RefusalCode.TOKEN_REVOKED
        await line.client.sign(users[1].mint(2, issuer))
        line.enclave.kill()
        await line.enclave.start()
