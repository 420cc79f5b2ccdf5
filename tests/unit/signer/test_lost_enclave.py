"""What a host reports of an enclave that it cannot reach, over a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from mintline_signer import addresses
from mintline_signer.frames import FrameDecoder
from mintline_signer.host.enclave_client import EnclaveClient
from mintline_signer.protocol import Accepted, Stats
from mintline_signer.protocol_frames import read_request, response_frame


class NoTrail:
    """An audit trail of which nothing is stored."""

    def last(self) -> bytes:
        return bytes(32)


async def half_an_enclave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what a host hands over, and answer nothing that it asks afterwards."""
    decoder = FrameDecoder()
    while data := await reader.read(1 << 16):
        for body in decoder.feed(data):
            request_id, request = read_request(body)
            if not isinstance(request, Stats):
                writer.write(response_frame(request_id, Accepted()))
    writer.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is logged has no event
            await asyncio.sleep(0.01)


async def test_outage__when_the_enclave_was_reached_in_between__then_the_next_one_begins_anew(
    tmp_path: Path,
) -> None:
    now = [1_000.0]
    audit: Any = NoTrail()
    client = EnclaveClient(
        addresses.parse(f"unix://{tmp_path / 'enclave.sock'}"),
        credentials=None,
        authorization_keys=None,
        audit=audit,
        timeout=0.3,
        clock=lambda: now[0],
    )
    with capture_logs() as logs:

        def reported() -> list[int]:
            return [line["seconds"] for line in logs if line["event"] == "enclave_unreachable"]

        async with client:
            await until(lambda: len(reported()) == 1)
            async with await asyncio.start_unix_server(half_an_enclave, tmp_path / "enclave.sock"):
                await until(lambda: any(line["event"] == "enclave_connected" for line in logs))
                now[0] += 3_600
                await until(lambda: len(reported()) == 2)

    assert reported() == [0, 0]
