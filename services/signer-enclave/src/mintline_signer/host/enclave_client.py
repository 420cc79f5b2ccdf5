"""The enclave at the far end of a connection: pipelined, kept alive, found again when it restarts."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from mintline.audit.records import Batch
from mintline.clock import monotonic
from mintline.errors import MintlineError, Unavailable
from mintline_signer import addresses
from mintline_signer.connection import FramedConnection, Limits
from mintline_signer.errors import BrokenFrame, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.host.audit_files import AuditStore
from mintline_signer.host.credentials import CredentialSource
from mintline_signer.host.denial import Denial
from mintline_signer.host.outage import Outage
from mintline_signer.host.policy_file import PolicySource
from mintline_signer.protocol import (
    MAX_REVOCATIONS,
    Accepted,
    AuthorizationKeys,
    Begin,
    Credentials,
    Failure,
    HandedPolicy,
    Issued,
    Ping,
    Pong,
    Reassign,
    Request,
    Response,
    Revocation,
    Revocations,
    Rewrap,
    Rewrapped,
    Sign,
    Signed,
    Statistics,
    Stats,
    Stored,
    declined,
)
from mintline_signer.protocol_frames import read_response, request_frame

log = structlog.get_logger()

MAX_SENDS = 2
"""A request goes out again once when the connection breaks under it: signing is deterministic. Not more
often, since the request itself may be what broke it."""
BACKOFF_CAP = 2.0
_STALE = frozenset({FailureCode.CREDENTIALS_MISSING, FailureCode.CREDENTIALS_EXPIRED})


@dataclass(slots=True, eq=False)
class _Pending:
    frame: bytes
    response: asyncio.Future[Response]
    sends: int = 0


class EnclaveClient:
    """One connection to the enclave, for as long as it is entered.

    Invariants: on a new connection the policy document goes first, then the record that the enclave's life
    follows, the credentials, the authorization keys and the revocations, then all unanswered requests; no
    response is passed on before the audit trail that came ahead of it is stored.
    An enclave that was waiting for its policy document closes the connection over which it came.
    `timeout` is in seconds and covers one request with all its reconnections. Every `keepalive` seconds the
    enclave is given the credentials, if they have changed, and asked for its statistics: `observe` gets them.
    Without `policy`, `credentials` and `authorization_keys` it uses what the image has, or another connection
    has handed over. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        address: addresses.Address,
        *,
        credentials: CredentialSource | None,
        authorization_keys: AuthorizationKeys | None,
        audit: AuditStore,
        timeout: float = 10.0,
        keepalive: float = 10.0,
        observe: Callable[[Statistics], None] = lambda _: None,
        revocations: Callable[[], Sequence[Revocation]] = lambda: (),
        policy: PolicySource | None = None,
        rng: random.Random | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._authorization_keys = authorization_keys
        self._audit = audit
        self._durable: asyncio.Future[None] | None = None
        self._timeout = timeout
        self._keepalive = keepalive
        self._observe = observe
        self._revocations = revocations
        self._policy = policy
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._connection: FramedConnection | None = None
        self._greeted = False
        self._outage = Outage(clock=clock)
        self.denial = Denial()
        self._pushed: Credentials | None = None
        self._nudge = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_connected(), name="enclave connection")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    async def sign(self, request: Sign) -> Signed | Issued:
        """Return what was signed; raises EnclaveRefusal, EnclaveFailure, or Unavailable when nobody answers.

        A batch whose authorizations do not fit into a frame is refused here (`batch_too_large`).
        """
        try:
            response = await self._call(request)
        except BrokenFrame:
            raise EnclaveRefusal(RefusalCode.BATCH_TOO_LARGE) from None
        if isinstance(response, Signed | Issued):
            self.denial.end()
            return response
        if isinstance(response, Failure) and response.code in _STALE:
            self._pushed = None
            self._nudge.set()
        elif isinstance(response, Failure) and response.code == FailureCode.KMS_DENIED:
            self.denial.begin()
        raise declined(response)

    async def rewrap(self, request: Rewrap | Reassign) -> Rewrapped:
        response = await self._call(request)
        if isinstance(response, Rewrapped):
            return response
        raise declined(response)

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """Hand revocations over; raises Unavailable unless the enclave takes all of them."""
        for start in range(0, len(revocations), MAX_REVOCATIONS):
            some = list(revocations[start : start + MAX_REVOCATIONS])
            await self._hand_over(Revocations(revocations=some))

    async def ping(self) -> None:
        """Raise Unavailable unless the enclave answers and has credentials: a readiness check."""
        response = await self._call(Ping())
        if not isinstance(response, Pong) or not response.credentials:
            raise Unavailable("the enclave has no credentials")

    async def _call(self, request: Request, *, urgent: bool = False) -> Response:
        """Send a request and wait for its answer; an urgent one does not wait for the greeting."""
        request_id = next(self._ids)
        frame = request_frame(request_id, request)
        pending = _Pending(frame, asyncio.get_running_loop().create_future())
        self._pending[request_id] = pending
        try:
            if self._greeted or urgent:
                self._transmit(pending)
            async with asyncio.timeout(self._timeout):
                return await pending.response
        except TimeoutError:
            raise Unavailable("the enclave did not answer") from None
        finally:
            del self._pending[request_id]

    def _transmit(self, pending: _Pending) -> None:
        if self._connection is None or pending.response.done():
            return
        if pending.sends >= MAX_SENDS:
            pending.response.set_exception(Unavailable("the enclave broke off twice"))
            return
        pending.sends += 1
        self._connection.send(pending.frame)

    def _receive(self, body: bytes) -> None:
        received = read_response(body)
        if isinstance(received, Batch):
            self._store(received)
            return
        request_id, response = received
        pending = self._pending.get(request_id)
        if pending is None:
            return
        if self._durable is None or isinstance(response, Accepted):
            _settle(pending.response, response)
        else:
            self._durable.add_done_callback(lambda durable: _pass_on(durable, pending.response, response))

    def _store(self, batch: Batch) -> None:
        """Have a batch stored, and tell the enclave so; it is given again over the next connection if not."""
        connection = self._connection
        durable = self._durable = self._audit.store(batch)

        def done(_: asyncio.Future[None]) -> None:
            if self._durable is durable:
                self._durable = None
            if connection is None or not connection.open:
                return
            if durable.cancelled() or durable.exception() is not None:
                connection.abort()
            else:
                connection.send(request_frame(0, Stored(batches=1)))

        durable.add_done_callback(done)

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                await self._one_connection()
                failures = 0
            except (OSError, MintlineError) as error:
                failures += 1
                if (seconds := self._outage.goes_on()) is not None:
                    log.warning(
                        "enclave_unreachable",
                        error=type(error).__name__,
                        reason=str(error)[:200],
                        seconds=round(seconds),
                    )
            delay = min(BACKOFF_CAP, 0.05 * 2.0 ** min(failures, 10))
            await asyncio.sleep(delay * self._rng.uniform(0.5, 1))

    async def _one_connection(self) -> None:
        """Connect, and keep alive until the end; raises Unavailable if that comes before the greeting."""
        closed = asyncio.Event()
        sock = await addresses.connect(self._address)
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: FramedConnection(receive=self._receive, closed=closed.set, limits=Limits()), sock=sock
            )
        except BaseException:
            sock.close()
            raise
        self._connection, self._pushed = connection, None
        living = asyncio.create_task(self._live(), name="enclave keepalive")
        ending = asyncio.create_task(closed.wait())
        try:
            done, _ = await asyncio.wait({living, ending}, return_when=asyncio.FIRST_COMPLETED)
            if living in done:
                living.result()
            if not self._greeted:
                raise Unavailable("the enclave broke off at once")
            log.warning("enclave_connection_lost")
        finally:
            living.cancel()
            ending.cancel()
            self._connection, self._greeted = None, False
            connection.abort()

    async def _live(self) -> None:
        """Greet, send what waits, then ask after the enclave time and again; raises Unavailable."""
        if self._policy is not None:
            await self._hand_over(HandedPolicy(document=await self._policy()))
        await self._hand_over(Begin(follows=self._audit.last()))
        await self._push_credentials()
        if self._authorization_keys is not None:
            await self._hand_over(self._authorization_keys)
        try:
            await self.revoke(self._revocations())
        except Unavailable as error:
            # An enclave of an older image does not know them: it signs without.
            log.warning("revocations_not_handed_over", reason=str(error))
        self._greeted = True
        self._outage.ended()
        self.denial.end()
        log.info("enclave_connected")
        for pending in list(self._pending.values()):
            self._transmit(pending)
        while True:
            statistics = await self._call(Stats(), urgent=True)
            if isinstance(statistics, Statistics):
                self._observe(statistics)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._keepalive):
                    await self._nudge.wait()
            self._nudge.clear()
            await self._push_credentials()

    async def _push_credentials(self) -> None:
        credentials = None if self._credentials is None else await self._credentials()
        if credentials is not None and credentials != self._pushed:
            await self._hand_over(credentials)
            self._pushed = credentials

    async def _hand_over(
        self, what: HandedPolicy | Begin | Credentials | AuthorizationKeys | Revocations
    ) -> None:
        response = await self._call(what, urgent=True)
        if not isinstance(response, Accepted):
            code = f": {response.code}" if isinstance(response, Failure) else ""
            raise Unavailable(f"the enclave did not take the {what.type}{code}")


def _settle(pending: asyncio.Future[Response], response: Response) -> None:
    # Nobody waits for an answer that came too late, or twice.
    if not pending.done():
        pending.set_result(response)


def _pass_on(durable: asyncio.Future[None], pending: asyncio.Future[Response], response: Response) -> None:
    """Pass an answer to its caller, if the trail ahead of it was stored."""
    if pending.done():
        return
    if durable.cancelled() or durable.exception() is not None:
        pending.set_exception(Unavailable("the audit trail cannot be written"))
    else:
        pending.set_result(response)
