"""Serves the enclave's vsock port at a socket of its own, as the host's process expects it on this machine.

The vsock device has one socket for all ports: who connects says `CONNECT PORT` first, and is answered `OK`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from mintline import process
from mintline.settings import Settings
from mintline_signer import addresses
from mintline_signer.host.pipes import pipe

log = structlog.get_logger()

_PATIENCE = 10.0
"""Seconds for the enclave to take a connection."""


class RelaySettings(Settings):
    """Settings of the relay."""

    relay_listen: Path
    """Where the host connects to."""
    relay_device: Path
    """The vsock device's socket."""
    relay_port: int
    """The enclave's port."""


async def run(settings: RelaySettings, stop: asyncio.Event) -> None:
    """Relay until `stop` is set."""
    async with relaying(settings):
        await stop.wait()


@asynccontextmanager
async def relaying(settings: RelaySettings) -> AsyncIterator[None]:
    """Listen while the context lasts, and end every connection with it."""
    address = addresses.UnixAddress(settings.relay_listen)
    relays: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected = relay(reader, writer, device=settings.relay_device, port=settings.relay_port)
        task = asyncio.create_task(connected)
        relays.add(task)
        task.add_done_callback(relays.discard)

    server = await asyncio.start_server(accept, sock=addresses.listen(address))
    try:
        yield
    finally:
        server.close()
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)
        addresses.withdraw(address)


async def relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, device: Path, port: int
) -> None:
    """Connect one caller to the enclave's port, until either closes."""
    far: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_PATIENCE):
            far_reader, far = await asyncio.open_unix_connection(device)
            far.write(f"CONNECT {port}\n".encode())
            reply = await far_reader.readline()
        if not reply.startswith(b"OK "):
            log.warning("enclave_refused_connection", port=port)
            return
        await pipe((reader, writer), (far_reader, far))
    except (OSError, TimeoutError) as error:
        log.warning("enclave_unreachable", error=type(error).__name__)
    finally:
        for end in (writer, far):
            if end is not None:
                end.close()


if __name__ == "__main__":
    process.main("relay", RelaySettings, run)
