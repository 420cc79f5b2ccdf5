"""The policy document from the host, which an enclave without one in its image takes before anything else.

Nothing here trusts the host: whatever document comes first is measured and locked, and KMS, which knows the
measurement of the right one, gives its keys to no other.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mintline.errors import Misconfigured
from mintline_signer.connection import FramedConnection, Limits, is_foreign
from mintline_signer.enclave.nsm import NsmFailed
from mintline_signer.enclave.policy import SigningPolicy, parse_policy
from mintline_signer.errors import FailureCode
from mintline_signer.protocol import (
    Accepted,
    Failure,
    HandedPolicy,
    Request,
    Response,
)
from mintline_signer.protocol_frames import BadRequest, read_request, response_frame

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MeasuredPolicy:
    """A policy, and the document of which the security module holds the measurement."""

    document: bytes
    policy: SigningPolicy


class PolicyReceiver:
    """Serves the host until it has handed over a sound policy document, which is measured at once.

    `measure` measures and locks. Invariant: it is called once, with the very bytes that were parsed.
    """

    def __init__(
        self, measure: Callable[[bytes], None], *, limits: Limits, connections: int, parent_cid: int
    ) -> None:
        self._measure = measure
        self._limits = limits
        self._connections = connections
        self._parent_cid = parent_cid
        self._open: set[FramedConnection] = set()
        self._received: asyncio.Future[MeasuredPolicy] = asyncio.get_running_loop().create_future()

    async def receive(self, listening: socket.socket, stop: asyncio.Event) -> MeasuredPolicy | None:
        """Return the policy, None if `stop` is set before it came; raises NsmFailed.

        The socket stays open: connections that come meanwhile wait in its queue.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, sock=listening.dup())
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._received.cancel())
        try:
            return await self._received
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
            return None
        finally:
            stopping.cancel()
            server.close()
            for connection in list(self._open):
                connection.close()

    def _accept(self) -> FramedConnection:
        connection = FramedConnection(
            receive=lambda body: self._receive(connection, body),
            opened=lambda: self._opened(connection),
            closed=lambda: self._open.discard(connection),
            limits=self._limits,
        )
        return connection

    def _opened(self, connection: FramedConnection) -> None:
        foreign = is_foreign(connection.peer, self._parent_cid)
        if foreign or len(self._open) >= self._connections:
            log.warning("connection_refused", foreign=foreign)
            connection.abort()
            return
        self._open.add(connection)

    def _receive(self, connection: FramedConnection, body: bytes) -> None:
        try:
            request_id, request = read_request(body)
        except BadRequest as error:
            response: Response = Failure(code=FailureCode.BAD_REQUEST)
            connection.send(response_frame(error.request_id, response))
            return
        connection.send(response_frame(request_id, self._answer(request)))

    def _answer(self, request: Request) -> Response:
        if not isinstance(request, HandedPolicy):
            return Failure(code=FailureCode.POLICY_MISSING)
        if self._received.done():
            return self._repeated(request.document)
        try:
            policy = parse_policy(request.document)
        except Misconfigured as fault:
            log.warning("policy_refused", reason=str(fault)[:500])
            return Failure(code=FailureCode.POLICY_INVALID)
        try:
            self._measure(request.document)
        except NsmFailed as fault:
            self._received.set_exception(fault)
            return Failure(code=FailureCode.INTERNAL)
        self._received.set_result(MeasuredPolicy(request.document, policy))
        return Accepted()

    def _repeated(self, document: bytes) -> Response:
        """Answer what came in the same turn of the loop as the document that counts, or as a failure."""
        if self._received.exception() is not None:
            return Failure(code=FailureCode.INTERNAL)
        same = self._received.result().document == document
        return Accepted() if same else Failure(code=FailureCode.POLICY_OTHER)
