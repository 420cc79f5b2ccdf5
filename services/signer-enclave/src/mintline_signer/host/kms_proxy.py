"""Pipes the enclave's bytes to KMS: one target, no look inside, and bounds on everything."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import structlog

from mintline_signer import addresses
from mintline_signer.host.pipes import pipe

log = structlog.get_logger()


class KmsProxy:
    """Listens at `listen` while it is entered, and connects each caller to `target` (host, port).

    At most `connections` at a time; each ends with either side's end, or after `idle_timeout` seconds without
    a byte. Over vsock only `peer_cid` is served.
    """

    def __init__(
        self,
        listen: addresses.Address,
        target: tuple[str, int],
        *,
        connections: int = 64,
        connect_timeout: float = 5.0,
        idle_timeout: float = 60.0,
        peer_cid: int | None = None,
    ) -> None:
        self._listen = listen
        self._target = target
        self._limit = connections
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._peer_cid = peer_cid
        self._pipes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        listening = addresses.listen(self._listen)
        self._server = await asyncio.start_server(self._accept, sock=listening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        addresses.withdraw(self._listen)
        for task in self._pipes:
            task.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        foreign = isinstance(peer, tuple) and peer[0] != self._peer_cid
        if foreign or len(self._pipes) >= self._limit:
            log.warning("kms_proxy_refused", foreign=foreign)
            writer.transport.abort()
            return
        task = asyncio.create_task(self._pipe(reader, writer), name="kms proxy")
        self._pipes.add(task)
        task.add_done_callback(self._pipes.discard)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        far: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(self._connect_timeout):
                far_reader, far = await asyncio.open_connection(*self._target)
            async with asyncio.timeout(self._idle_timeout) as deadline:
                await pipe(
                    (reader, writer),
                    (far_reader, far),
                    moved=lambda: deadline.reschedule(loop.time() + self._idle_timeout),
                )
        except (OSError, TimeoutError) as error:
            log.info("kms_proxy_ended", error=type(error).__name__)
        finally:
            for end in (writer, far):
                if end is not None:
                    end.close()
