"""The relay between the host's process and the enclave's port, against a vsock device that is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from mintline_harness.boot.relay import RelaySettings, relaying

pytestmark = pytest.mark.integration

Device = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be an enclave that listens on port 5000 alone, and answers what it is sent."""
    if await reader.readline() == b"CONNECT 5000\n":
        writer.write(b"OK 1073741824\n")
        while data := await reader.read(4096):
            writer.write(data)
    writer.close()


async def exchanged(folder: Path, device: Device | None, *, port: int, sent: bytes) -> bytes:
    """Return what comes back through a relay: as much as was sent, or what came before its end."""
    settings = RelaySettings(relay_listen=folder / "listen", relay_device=folder / "device", relay_port=port)
    async with AsyncExitStack() as stack:
        if device is not None:
            server = await asyncio.start_unix_server(device, settings.relay_device)
            stack.callback(server.close)
        await stack.enter_async_context(relaying(settings))
        await stack.enter_async_context(asyncio.timeout(10))
        reader, writer = await asyncio.open_unix_connection(settings.relay_listen)
        stack.callback(writer.close)
        writer.write(sent)
        received = b""
        # An end that leaves something unread resets the connection.
        with suppress(ConnectionResetError):
            while len(received) < len(sent) and (piece := await reader.read(4096)):
                received += piece
    assert not settings.relay_listen.exists()
    return received


async def test_relay__when_the_enclave_takes_the_port__brings_bytes_both_ways(tmp_path: Path) -> None:
    sent = bytes(range(256)) * 1024
    assert await exchanged(tmp_path, echo, port=5000, sent=sent) == sent


async def test_relay__when_the_enclave_does_not_listen_there__closes(tmp_path: Path) -> None:
    assert await exchanged(tmp_path, echo, port=5001, sent=b"hello") == b""


async def test_relay__when_there_is_no_device__closes(tmp_path: Path) -> None:
    assert await exchanged(tmp_path, None, port=5000, sent=b"hello") == b""
