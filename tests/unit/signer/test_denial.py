"""A host whose enclave KMS denies its keys: not ready, and slow to take what another host could sign."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mintline.errors import Unavailable
from mintline.resources import SIGN
from mintline_signer import addresses
from mintline_signer.errors import EnclaveFailure, FailureCode
from mintline_signer.frames import FrameDecoder
from mintline_signer.host.denial import Denial, HeldBack
from mintline_signer.host.enclave_client import EnclaveClient
from mintline_signer.protocol import Accepted, Failure, Response, Sign, Signed
from mintline_signer.protocol_frames import read_request, response_frame

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.signer.conftest import Cast


class NoTrail:
    """An audit trail of which nothing is stored."""

    def last(self) -> bytes:
        return bytes(32)


class Asked:
    """A queue that is always empty, and knows what was asked for."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    async def receive(self, _queue: Any, *, limit: int, wait: int) -> list[Any]:
        assert wait == 20
        self.limits.append(limit)
        return []


async def test_host__when_kms_denies_the_enclave__is_not_ready_until_something_is_signed(
    tmp_path: Path, cast: Cast
) -> None:
    request = Sign(intent=cast.batch(1), keys=[cast.relayer.wrapped], authorizations=[b""])
    denied: Response = Failure(code=FailureCode.KMS_DENIED)
    answers = [denied, Failure(code=FailureCode.RATE_LIMITED), Signed(raw=b"raw", tx_hash=bytes(32)), denied]
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        decoder = FrameDecoder()
        while data := await reader.read(1 << 16):
            for body in decoder.feed(data):
                request_id, request = read_request(body)
                response = answers.pop(0) if isinstance(request, Sign) else Accepted()
                writer.write(response_frame(request_id, response))
        writer.close()

    audit: Any = NoTrail()
    address = addresses.parse(f"unix://{tmp_path / 'enclave.sock'}")
    async with (
        await asyncio.start_unix_server(serve, tmp_path / "enclave.sock"),
        EnclaveClient(address, credentials=None, authorization_keys=None, audit=audit) as client,
    ):
        await client.denial.check()
        for _ in range(2):
            with pytest.raises(EnclaveFailure):
                await client.sign(request)
            with pytest.raises(Unavailable, match="kms_denied"):
                await client.denial.check()
        await client.sign(request)
        await client.denial.check()

        with pytest.raises(EnclaveFailure):
            await client.sign(request)
        # Another enclave, perhaps by another document: nothing is known of it yet.
        writers[-1].close()
        assert await client.denial.ends_within(20)


async def test_queue__when_kms_denies_the_enclave__gives_out_one_message_after_each_pause() -> None:
    denial, queue = Denial(), Asked()
    anything: Any = queue
    held = HeldBack(anything, denial, pause=0.01)
    await held.receive(SIGN)
    denial.begin()
    await held.receive(SIGN)
    await held.receive(SIGN)
    denial.end()
    await held.receive(SIGN)
    assert queue.limits == [10, 1, 1, 10]


async def test_queue__when_something_is_signed_during_the_pause__gives_out_messages_at_once() -> None:
    denial, queue = Denial(), Asked()
    anything: Any = queue
    denial.begin()
    receiving = asyncio.create_task(HeldBack(anything, denial, pause=60).receive(SIGN))
    await asyncio.sleep(0)
    denial.end()
    async with asyncio.timeout(5):
        await receiving
    assert queue.limits == [10]
