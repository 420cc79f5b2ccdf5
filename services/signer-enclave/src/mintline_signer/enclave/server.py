"""Serves the host: reads requests, answers each one, and never says more than a code."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from mintline.audit.records import SIGNED
from mintline.clock import UnixSeconds
from mintline.kinds import meaning_of
from mintline.messages.intents import AnyRequest
from mintline_signer.connection import FramedConnection, Limits, is_foreign
from mintline_signer.enclave.audit import Audit, SessionTrail
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.authorizer import Authorizer, Judgement
from mintline_signer.enclave.client_budgets import ClientBudgets
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.keys import KeyCache
from mintline_signer.enclave.kinds import check
from mintline_signer.enclave.kms import KmsDecrypter
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.enclave.rates import RateLimiter
from mintline_signer.enclave.rewrapping import Reassigner, Rewrapper
from mintline_signer.enclave.signing import match_keys, sign_request
from mintline_signer.enclave.signing_history import SigningHistory
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import (
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
    Refusal,
    Request,
    Response,
    Revocations,
    Rewrap,
    Rewrapped,
    Sign,
    Signed,
    Statistics,
    Stats,
    Stored,
    WrappedAuthorizationKey,
)
from mintline_signer.protocol_frames import BadRequest, audit_frame, read_request, response_frame

log = structlog.get_logger()


@dataclass(slots=True)
class Counts:
    """What has been answered since the start."""

    signed: int = 0
    refused: int = 0
    failed: int = 0


@dataclass(slots=True, kw_only=True)
class Enclave:
    """What answers requests: a policy, authorizations, keys, and the way to get more of them.

    Invariant: a signature is made in the turn of the loop in which the keys for it were found.
    """

    policy: SigningPolicy
    policy_digest: bytes
    """The SHA-384 of the policy document, as it is measured."""
    authorizer: Authorizer
    authorization_keys: AuthorizationKeyCache
    history: SigningHistory
    rates: RateLimiter
    budgets: ClientBudgets
    keys: KeyCache
    audit: Audit
    kms: KmsDecrypter
    now: Callable[[], UnixSeconds]
    rewrapper: Rewrapper | None = None
    reassigner: Reassigner | None = None
    counts: Counts = field(default_factory=Counts)

    def respond(self, request: Request, trail: SessionTrail) -> Response | None:
        """Answer at once what can be; None means that keys have to be fetched first (`respond_later`)."""
        match request:
            case Sign():
                return self._judged(request, trail)
            case Rewrap() | Reassign():
                return None
            case HandedPolicy():
                same = hashlib.sha384(request.document).digest() == self.policy_digest
                return Accepted() if same else self.failure(FailureCode.POLICY_OTHER)
            case Begin() | Credentials() | AuthorizationKeys() | Revocations() | Stored():
                self._take(request, trail)
                return Accepted()
            case Ping():
                return Pong(credentials=self.kms.ready)
            case Stats():
                return self._statistics()

    def _take(
        self, given: Begin | Credentials | AuthorizationKeys | Revocations | Stored, trail: SessionTrail
    ) -> None:
        match given:
            case Begin():
                trail.begin(given.follows)
            case Credentials():
                self.kms.use(given)
            case AuthorizationKeys():
                self.authorization_keys.use(given.keys)
            case Revocations():
                self.authorizer.revoked.take(given.revocations, now=self.now())
            case Stored():
                trail.stored(given.batches)

    def _judged(self, request: Sign, trail: SessionTrail) -> Response | None:
        now, intent = self.now(), request.intent
        try:
            trail.check_room()
            role = check(self.policy, intent, now=now)
            match_keys(request, self.policy)
            judgement = self.authorizer.judge(
                intent, now=now, authorizations=request.authorizations, proofs=request.proofs
            )
            if judgement is None:
                return None
            keys = self.keys.held(request.keys)
            return None if keys is None else self._sign(intent, role, judgement, keys, now=now, trail=trail)
        except (EnclaveRefusal, EnclaveFailure) as error:
            return self._declined(error, intent, trail)

    async def respond_later(self, request: Sign | Rewrap | Reassign, trail: SessionTrail) -> Response:
        """Answer a request that the policy allows and for which some key has to be unwrapped."""
        if isinstance(request, Rewrap | Reassign):
            return await self._rewrap(request, trail)
        intent = request.intent
        try:
            judgement = await self.authorizer.judge_later(
                intent, now=self.now(), authorizations=request.authorizations, proofs=request.proofs
            )
            keys = await self.keys.obtain(request.keys)
            now = self.now()
            trail.check_room()
            return self._sign(
                intent, check(self.policy, intent, now=now), judgement, keys, now=now, trail=trail
            )
        except (EnclaveRefusal, EnclaveFailure) as error:
            return self._declined(error, intent, trail)

    async def _rewrap(self, request: Rewrap | Reassign, trail: SessionTrail) -> Response:
        """Wrap a key again, on record by the digests of what it was wrapped as before and after."""
        key = request.key
        name = key.key_id.hex() if isinstance(key, WrappedAuthorizationKey) else key.address
        before = hashlib.sha256(key.wrapped).digest()
        try:
            trail.check_room()
            rewrapped = await self._rewrapped(request)
        except EnclaveRefusal as refused:
            trail.refuse(what=request.type, outcome=refused.code, key=name, intent=before)
            return Refusal(code=RefusalCode(refused.code))
        except EnclaveFailure as error:
            return self.failure(error.code)
        after = hashlib.sha256(rewrapped.wrapped).digest()
        trail.record(what=request.type, outcome=SIGNED, key=name, intent=before, result=after)
        return rewrapped

    async def _rewrapped(self, request: Rewrap | Reassign) -> Rewrapped:
        if isinstance(request, Reassign):
            if self.reassigner is None:
                raise EnclaveRefusal(RefusalCode.REASSIGN)
            return await self.reassigner.reassign(request.key, request.to)
        if self.rewrapper is None:
            raise EnclaveRefusal(RefusalCode.REWRAP)
        return await self.rewrapper.rewrap(request.key)

    def _sign(
        self,
        intent: AnyRequest,
        role: Role,
        judgement: Judgement,
        keys: list[SigningKey],
        *,
        now: UnixSeconds,
        trail: SessionTrail,
    ) -> Signed | Issued:
        """Sign what was judged, if its rate, clients' budgets and what was signed before allow it.

        Invariant: only a signature is counted and remembered, whatever fails or is refused before it.
        """
        meaning = meaning_of(intent)
        self.rates.check(intent, role, now=now)
        self.history.check(intent, meaning)
        self.budgets.check(intent, judgement.client_mints, now=now)
        signed = sign_request(intent, keys)
        self.rates.count(intent, role, now=now)
        self.budgets.count(intent, judgement.client_mints)
        self.history.remember(intent, meaning)
        result = signed.tx_hash if isinstance(signed, Signed) else hashlib.sha256(signed.signature).digest()
        trail.record(
            what=intent.type, outcome=SIGNED, key=intent.signer.address, intent=meaning, result=result
        )
        self.counts.signed += 1
        return signed

    def _declined(
        self, error: EnclaveRefusal | EnclaveFailure, intent: AnyRequest, trail: SessionTrail
    ) -> Response:
        limited = error.code == FailureCode.RATE_LIMITED
        if isinstance(error, EnclaveRefusal) or limited:
            trail.refuse(
                what=intent.type,
                outcome=str(error.code),
                key=intent.signer.address,
                intent=meaning_of(intent),
            )
        if isinstance(error, EnclaveFailure):
            return self.failure(error.code)
        self.counts.refused += 1
        log.warning("signing_refused", code=error.code)
        return Refusal(code=RefusalCode(error.code), operation_id=error.operation_id)

    def failure(self, code: FailureCode) -> Failure:
        """Return a failure, counted."""
        self.counts.failed += 1
        log.warning("signing_failed", code=code.value)
        return Failure(code=code)

    def _statistics(self) -> Statistics:
        return Statistics(
            signed=self.counts.signed,
            refused=self.counts.refused,
            failed=self.counts.failed,
            keys_unwrapped=self.keys.unwrapped,
            keys_held=len(self.keys),
        )


class Session:
    """One connection of the host's.

    Invariant: at most `in_flight` requests of a connection are being worked on; beyond that nothing is read.
    """

    def __init__(self, enclave: Enclave, *, limits: Limits, in_flight: int, server: Server) -> None:
        self._enclave = enclave
        self._in_flight = in_flight
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._trail = SessionTrail(enclave.audit)
        self.connection = FramedConnection(
            receive=self._receive,
            opened=self._opened,
            closed=self._closed,
            flushing=self._audited,
            limits=limits,
        )

    def _opened(self) -> None:
        if not self._server.admit(self):
            self.connection.abort()

    def _closed(self) -> None:
        self._server.forget(self)
        for task in self._tasks:
            task.cancel()
        self._trail.close()

    def _audited(self) -> list[bytes]:
        return [audit_frame(batch) for batch in self._trail.batches()]

    def _receive(self, body: bytes) -> None:
        try:
            request_id, request = read_request(body)
        except BadRequest as error:
            response: Response = self._enclave.failure(FailureCode.BAD_REQUEST)
            self.connection.send(response_frame(error.request_id, response))
            return
        reply = self._at_once(request)
        if reply is not None:
            self.connection.send(response_frame(request_id, reply))
        elif isinstance(request, Sign | Rewrap | Reassign):
            task = asyncio.create_task(self._later(request_id, request), name=f"answer {request_id}")
            self._tasks.add(task)
            task.add_done_callback(self._finished)
            if len(self._tasks) >= self._in_flight:
                self.connection.hold()

    def _at_once(self, request: Request) -> Response | None:
        try:
            return self._enclave.respond(request, self._trail)
        except Exception as error:  # noqa: BLE001 - the host must get a code whatever broke
            return self._broken(error)

    async def _later(self, request_id: int, request: Sign | Rewrap | Reassign) -> None:
        try:
            response = await self._enclave.respond_later(request, self._trail)
        except Exception as error:  # noqa: BLE001 - the host must get a code whatever broke
            response = self._broken(error)
        self.connection.send(response_frame(request_id, response))

    def _broken(self, error: Exception) -> Response:
        # The type alone: an exception's text may quote a key.
        log.error("request_broke", error=type(error).__name__)
        return self._enclave.failure(FailureCode.INTERNAL)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if len(self._tasks) == self._in_flight - 1 and self.connection.open:
            self.connection.release()


class Server:
    """Accepts the host's connections: up to `connections` of them, over vsock from `parent_cid` alone."""

    def __init__(
        self, enclave: Enclave, *, limits: Limits, connections: int, in_flight: int, parent_cid: int
    ) -> None:
        self._enclave = enclave
        self._limits = limits
        self._connections = connections
        self._in_flight = in_flight
        self._parent_cid = parent_cid
        self._sessions: set[Session] = set()

    def admit(self, session: Session) -> bool:
        """Take a session in, if there is room and its peer is the host."""
        foreign = is_foreign(session.connection.peer, self._parent_cid)
        if foreign or len(self._sessions) >= self._connections:
            log.warning("connection_refused", foreign=foreign)
            return False
        self._sessions.add(session)
        return True

    def forget(self, session: Session) -> None:
        """Note that a session has ended."""
        self._sessions.discard(session)

    def _accept(self) -> FramedConnection:
        session = Session(self._enclave, limits=self._limits, in_flight=self._in_flight, server=self)
        return session.connection

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then close every connection."""
        server = await asyncio.get_running_loop().create_server(self._accept, sock=listening)
        try:
            await stop.wait()
        finally:
            server.close()
            for session in list(self._sessions):
                session.connection.close()
