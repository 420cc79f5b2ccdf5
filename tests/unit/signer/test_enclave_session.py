"""Connections without sockets: a fake transport stands for the peer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from mintline.audit.records import NO_HASH, Batch, Record, decode_record
from mintline.clock import Monotonic, UnixSeconds
from mintline.eth import to_checksum_address
from mintline.kinds import meaning_of
from mintline_signer.connection import FramedConnection, Limits
from mintline_signer.enclave import server
from mintline_signer.enclave.audit import Audit
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.authorizer import AT_ONCE, Authorizer
from mintline_signer.enclave.client_budgets import ClientBudgets
from mintline_signer.enclave.http1 import HttpPool
from mintline_signer.enclave.keys import KeyCache
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.enclave.kms import KmsDecrypter, parse_endpoint
from mintline_signer.enclave.policy import Budget, ClientsPolicy
from mintline_signer.enclave.rates import RateLimiter
from mintline_signer.enclave.refusal_counts import MAX_ALIKE
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.enclave.server import Enclave, Server
from mintline_signer.enclave.signing_history import SigningHistory
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.errors import EnclaveFailure, FailureCode, RefusalCode
from mintline_signer.frames import FrameDecoder, frame
from mintline_signer.protocol import (
    Accepted,
    Begin,
    Credentials,
    Failure,
    HandedPolicy,
    Ping,
    Pong,
    Refusal,
    Response,
    Sign,
    Signed,
    Statistics,
    Stats,
    Stored,
    WrappedKey,
)
from mintline_signer.protocol_frames import read_response, request_frame
from tests.unit.signer.conftest import issue, sign

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

DOCUMENT = b"the policy document, as it was measured"


class FakeTransport:
    """Remembers what is written to it, and whether its reader is paused."""

    def __init__(self, connection: FramedConnection, peer: object = "") -> None:
        self.connection = connection
        self.peer = peer
        self.closed = False
        self.paused = False
        self.decoder = FrameDecoder()
        self.responses: dict[int, Response] = {}
        self.audited: list[Record] = []
        self.order: list[str] = []
        """What was written, in its order: `audit` or `response`."""
        self.writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        for body in self.decoder.feed(data):
            received = read_response(body)
            if isinstance(received, Batch):
                self.order.append("audit")
                self.audited += [decode_record(record) for record in received.records]
            else:
                self.order.append("response")
                self.responses[received[0]] = received[1]

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    close = abort

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_extra_info(self, name: str) -> object:
        return {"peername": self.peer}[name]


class GatedKms:
    """Unwraps keys and decrypts the authorization key, once its gate is open."""

    def __init__(self, authorization_key: bytes) -> None:
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.authorization_key = authorization_key
        self.unwraps = 0

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        assert context == {"sub": "platform:sealing", "chain": "31337"}
        assert ciphertext.startswith(b"sealing ")
        await self.gate.wait()
        return bytearray(self.authorization_key)

    async def unwrap(self, key: WrappedKey) -> bytearray:
        self.unwraps += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return bytearray(key.wrapped.removeprefix(b"wrapped "))


class Harness:
    """An enclave, and connections to it."""

    def __init__(
        self,
        cast_: Cast,
        *,
        connections: int = 4,
        in_flight: int = 8,
        follows: bytes | None = NO_HASH,
        clients: ClientsPolicy | None = None,
    ) -> None:
        self.unwrapper = GatedKms(cast_.authority.plaintext())
        self.keys = KeyCache(self.unwrapper, size=10, ttl=60, clock=lambda: Monotonic(0.0))
        kms = KmsDecrypter(
            HttpPool(cast("Any", None)),
            parse_endpoint("http://kms"),
            key_id="k",
            now=lambda: UnixSeconds(0.0),
            recipient=cast("Any", None),
        )
        policy = cast_.policy(clients=clients)
        statements = policy.authorization.statements()
        key = Ed25519PrivateKey.generate()
        self.audit = Audit(
            key, attested=b"document", now=lambda: UnixSeconds(float(cast_.now)), follows=follows
        )
        self.authorization_keys = AuthorizationKeyCache(self.unwrapper)
        self.authorization_keys.use(cast_.authority.authorization_keys().keys)
        self.enclave = Enclave(
            policy=policy,
            policy_digest=hashlib.sha384(DOCUMENT).digest(),
            authorizer=Authorizer(
                self.authorization_keys,
                TokenVerifier(policy.authorization, machine_clients=clients is not None),
                statements,
                RevokedTokens(statements, grace=policy.authorization.grace, secret=bytes(16), remembered=100),
            ),
            authorization_keys=self.authorization_keys,
            history=SigningHistory(size=100, secret=bytes(16)),
            budgets=ClientBudgets(policy, secret=bytes(16), remembered=100),
            rates=RateLimiter(policy),
            audit=self.audit,
            keys=self.keys,
            kms=kms,
            now=lambda: UnixSeconds(float(cast_.now)),
        )
        self.server = Server(
            self.enclave,
            limits=Limits(frame=10, drain=10, idle=60, tick=1000),
            connections=connections,
            in_flight=in_flight,
            parent_cid=3,
        )

    def connect(self, peer: object = "") -> FakeTransport:
        connection = self.server._accept()
        transport = FakeTransport(connection, peer)
        connection.connection_made(cast("Any", transport))
        return transport


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def mint_request(cast_: Cast) -> Sign:
    return Sign(intent=cast_.mint(), keys=[cast_.user.wrapped, cast_.issuer.wrapped])


async def test_session__when_keys_have_to_be_unwrapped__answers_each_request_by_its_id(cast: Cast) -> None:
    line = Harness(cast)
    peer = line.connect()
    noop = Sign(intent=cast.noop(), keys=[cast.user.wrapped])
    peer.connection.data_received(request_frame(1, mint_request(cast)) + request_frame(2, noop))
    voucher = Sign(intent=cast.voucher(), keys=[cast.issuer.wrapped])
    peer.connection.data_received(request_frame(3, Ping()) + request_frame(4, voucher))
    await settle()
    assert peer.responses == {3: Pong(credentials=False)}
    line.unwrapper.gate.set()
    await settle()
    assert peer.responses[1] == sign(cast.mint(), [cast.user.signing_key(), cast.issuer.signing_key()])
    assert isinstance(peer.responses[2], Signed)
    assert peer.responses[4] == issue(cast.voucher(), cast.issuer.signing_key())


async def test_session__when_keys_are_held__answers_within_the_turn_in_one_write(cast: Cast) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    await line.keys.obtain(mint_request(cast).keys)
    await line.authorization_keys.obtain(cast.authority.authorization_keys().keys[0].key_id)
    peer = line.connect()
    peer.connection.data_received(b"".join(request_frame(n, mint_request(cast)) for n in range(20)))
    await asyncio.sleep(0)
    assert len(peer.responses) == 20
    assert peer.writes == 1


async def test_session__when_the_policy_refuses__says_so_without_asking_for_keys(cast: Cast) -> None:
    line = Harness(cast)
    peer = line.connect()
    intent = cast.mint().model_copy(update={"gas": 10**9})
    request = Sign(intent=intent, keys=[cast.user.wrapped, cast.issuer.wrapped])
    peer.connection.data_received(request_frame(1, request) + request_frame(2, Stats()))
    await settle()
    assert peer.responses == {1: Refusal(code=RefusalCode.GAS), 2: Statistics(refused=1)}


async def test_session__when_its_host_hands_a_policy_over_again__takes_the_one_it_has_alone(
    cast: Cast,
) -> None:
    peer = Harness(cast).connect()
    handed = (HandedPolicy(document=DOCUMENT), HandedPolicy(document=DOCUMENT + b" "))
    peer.connection.data_received(b"".join(request_frame(n, policy) for n, policy in enumerate(handed)))
    await settle()
    assert peer.responses == {0: Accepted(), 1: Failure(code=FailureCode.POLICY_OTHER)}


async def test_session__when_it_signs_or_refuses__puts_it_on_record_before_the_answer(cast: Cast) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    await line.keys.obtain(mint_request(cast).keys)
    await line.authorization_keys.obtain(cast.authority.authorization_keys().keys[0].key_id)
    peer = line.connect()
    refused = Sign(intent=cast.mint().model_copy(update={"gas": 10**9}), keys=mint_request(cast).keys)
    voucher = Sign(intent=cast.voucher(), keys=[cast.issuer.wrapped])
    peer.connection.data_received(
        request_frame(1, mint_request(cast)) + request_frame(2, refused) + request_frame(3, voucher)
    )
    await asyncio.sleep(0)
    assert peer.order == ["audit", "response", "response", "response"]
    boot, signed, refusal, issued = peer.audited
    assert (boot.what, boot.result) == ("boot", b"document")
    mint, response = cast.mint(), peer.responses[1]
    assert isinstance(response, Signed)
    assert (signed.what, signed.outcome, signed.key) == ("sign_mint", "signed", cast.user.address)
    assert (signed.intent, signed.result) == (meaning_of(mint), response.tx_hash)
    assert (refusal.outcome, refusal.result) == ("policy_gas", b"")
    assert (issued.what, issued.key) == ("issue_voucher", cast.issuer.address)


async def test_session__when_its_peer_goes_without_having_stored__gives_the_records_to_the_next(
    cast: Cast,
) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    noop = request_frame(1, Sign(intent=cast.noop(), keys=[cast.user.wrapped]))
    first = line.connect()
    first.connection.data_received(noop)
    await settle()
    first.connection.data_received(request_frame(2, Stored(batches=1)) + noop)
    await settle()
    first.abort()
    await settle()
    second = line.connect()
    second.connection.data_received(request_frame(1, Ping()))
    await settle()
    assert [record.seq for record in first.audited] == [0, 1, 2]
    assert [record.seq for record in second.audited] == [2]
    assert second.order == ["audit", "response"]


async def test_session__when_too_much_is_not_stored__signs_and_records_nothing_more(cast: Cast) -> None:
    line = Harness(cast)
    line.audit._max_waiting = 2
    line.unwrapper.gate.set()
    peer = line.connect()
    noop = Sign(intent=cast.noop(), keys=[cast.user.wrapped])
    refused = Sign(intent=cast.mint().model_copy(update={"gas": 10**9}), keys=mint_request(cast).keys)
    for request_id, request in enumerate((noop, noop, refused)):
        peer.connection.data_received(request_frame(request_id, request))
        await settle()
    assert isinstance(peer.responses[0], Signed)
    assert peer.responses[1] == peer.responses[2] == Failure(code=FailureCode.AUDIT_BEHIND)
    assert len(peer.audited) == 2
    peer.connection.data_received(request_frame(3, Stored(batches=1)) + request_frame(4, noop))
    await settle()
    assert isinstance(peer.responses[4], Signed)


async def test_session__when_another_intent_comes_for_a_nonce__refuses_it(cast: Cast) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    peer = line.connect()
    other = cast.noop().model_copy(update={"nonce": cast.mint().nonce})
    for request_id, intent in enumerate((cast.mint(), other, cast.mint())):
        keys = [cast.user.wrapped] if intent is other else mint_request(cast).keys
        peer.connection.data_received(request_frame(request_id, Sign(intent=intent, keys=keys)))
        await settle()
    assert isinstance(peer.responses[0], Signed)
    assert isinstance(peer.responses[1], Signed)
    assert peer.responses[2] == Refusal(code=RefusalCode.NONCE_FILLED)


async def test_session__when_a_key_signs_too_often__fails_until_the_next_window(cast: Cast) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    peer = line.connect()
    noop = Sign(intent=cast.noop(), keys=[cast.user.wrapped])
    for request_id in range(31):
        peer.connection.data_received(request_frame(request_id, noop))
        await settle()
    assert isinstance(peer.responses[29], Signed)
    assert peer.responses[30] == Failure(code=FailureCode.RATE_LIMITED)
    line.enclave.now = lambda: UnixSeconds(cast.now + 60.0)
    peer.connection.data_received(request_frame(31, noop))
    await settle()
    assert isinstance(peer.responses[31], Signed)


async def test_session__when_a_key_signs_too_often__remembers_nothing_of_what_it_did_not_sign(
    cast: Cast,
) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    peer = line.connect()
    keys = [cast.user.wrapped]
    for request_id in range(31):
        noop = cast.noop().model_copy(update={"nonce": 100 + request_id})
        peer.connection.data_received(request_frame(request_id, Sign(intent=noop, keys=keys)))
        await settle()
    assert peer.responses[30] == Failure(code=FailureCode.RATE_LIMITED)
    assert len(line.enclave.history) == 30
    line.enclave.now = lambda: UnixSeconds(cast.now + 60.0)
    other = cast.authorized(cast.transfer().model_copy(update={"nonce": 130}))
    peer.connection.data_received(request_frame(31, Sign(intent=other, keys=keys)))
    await settle()
    assert isinstance(peer.responses[31], Signed)


async def test_session__when_a_signature_fails__neither_counts_nor_remembers_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    peer = line.connect()
    keys = [cast.user.wrapped]

    def failing(*_: object) -> None:
        raise EnclaveFailure(FailureCode.SIGNING_FAULT)

    with monkeypatch.context() as broken:
        broken.setattr(server, "sign_request", failing)
        for request_id in range(40):
            peer.connection.data_received(request_frame(request_id, Sign(intent=cast.noop(), keys=keys)))
            await settle()
    assert set(peer.responses.values()) == {Failure(code=FailureCode.SIGNING_FAULT)}
    assert len(line.enclave.history) == 0
    other = cast.authorized(cast.transfer().model_copy(update={"nonce": cast.noop().nonce}))
    peer.connection.data_received(request_frame(41, Sign(intent=other, keys=keys)))
    await settle()
    assert isinstance(peer.responses[41], Signed)


async def test_session__when_flooded_beyond_a_rate__puts_one_record_and_a_count_on_the_trail(
    cast: Cast,
) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    peer = line.connect()
    noop = Sign(intent=cast.noop(), keys=[cast.user.wrapped])
    peer.connection.data_received(request_frame(0, noop))
    await settle()
    peer.connection.data_received(b"".join(request_frame(n, noop) for n in range(1, 501)))
    await settle()
    limited = [record for record in peer.audited if record.outcome == "rate_limited"]
    assert [(record.what, record.key, record.count) for record in limited] == [
        ("sign_noop", cast.user.address, 1)
    ]
    line.audit._now = lambda: UnixSeconds(cast.now + 60.0)
    line.audit.settle_refusals()
    peer.connection.data_received(request_frame(501, Ping()))
    await settle()
    assert peer.audited[-1].count == 500 - 29 - 1
    assert sum(record.outcome == "signed" for record in peer.audited) == 30 + 1


@pytest.mark.slow
async def test_session__when_flooded_with_what_it_refuses__puts_a_bounded_number_of_records_on_the_trail(
    cast: Cast,
) -> None:
    line = Harness(cast)
    peer = line.connect()
    for request_id in range(1500):
        address = to_checksum_address(request_id.to_bytes(20, "big"))
        signer = cast.user.ref.model_copy(update={"address": address})
        intent = cast.noop().model_copy(update={"gas": 10**9, "signer": signer})
        peer.connection.data_received(
            request_frame(request_id, Sign(intent=intent, keys=[cast.user.wrapped]))
        )
    await settle()
    refused = [record for record in peer.audited if record.outcome == "policy_gas"]
    assert len(refused) == MAX_ALIKE + 1
    assert (refused[-1].key, len({record.key for record in refused})) == ("", MAX_ALIKE + 1)


async def test_session__when_no_host_told_which_life_came_before__signs_nothing_until_one_does(
    cast: Cast,
) -> None:
    line = Harness(cast, follows=None)
    line.unwrapper.gate.set()
    peer = line.connect()
    noop = Sign(intent=cast.noop(), keys=[cast.user.wrapped])
    refused = Sign(intent=cast.noop().model_copy(update={"gas": 10**9}), keys=[cast.user.wrapped])
    peer.connection.data_received(request_frame(1, noop) + request_frame(2, refused))
    await settle()
    assert list(peer.responses.values()) == [Failure(code=FailureCode.AUDIT_NOT_BEGUN)] * 2
    assert peer.audited == []
    begin = Begin(follows=bytes(31) + b"\1")
    peer.connection.data_received(request_frame(3, begin) + request_frame(4, noop))
    await settle()
    assert peer.responses[3] == Accepted()
    assert isinstance(peer.responses[4], Signed)
    assert [(record.what, record.seq) for record in peer.audited] == [("boot", 0), ("sign_noop", 1)]
    assert peer.audited[0].intent == begin.follows


async def test_session__when_given_credentials__accepts_them(cast: Cast) -> None:
    line = Harness(cast)
    peer = line.connect()
    credentials = Credentials(access_key_id="A", secret_access_key=SecretStr("hush"), region="eu-west-1")
    peer.connection.data_received(request_frame(1, credentials) + request_frame(2, Ping()))
    await settle()
    assert peer.responses == {1: Accepted(), 2: Pong(credentials=True)}


@pytest.mark.parametrize(
    "request_", [{"type": "sign", "hash": bytes(32)}, {"hash": bytes(32)}, [1], None, "sign", 7]
)
async def test_session__when_asked_to_sign_an_unknown_dict__refuses_and_stays(
    cast: Cast, request_: Any
) -> None:
    peer = Harness(cast).connect()
    peer.connection.data_received(frame({"id": 1, "request": request_}) + request_frame(2, Ping()))
    await settle()
    assert peer.responses[1] == Failure(code=FailureCode.BAD_REQUEST)
    assert isinstance(peer.responses[2], Pong)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(8), b"\x00\x00\x00\x01\xff"])
async def test_session__when_garbage_comes__closes_without_an_answer(cast: Cast, garbage: bytes) -> None:
    line = Harness(cast)
    peer = line.connect()
    peer.connection.data_received(garbage)
    await settle()
    assert peer.closed
    assert peer.responses == {}
    assert line.connect().closed is False


@pytest.mark.parametrize("late", [True, False])
async def test_session__when_something_breaks__answers_a_code_and_no_text(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], late: Any
) -> None:
    line = Harness(cast)
    peer = line.connect()
    error = RuntimeError("the key is 0x1111")
    line.unwrapper.error = error
    line.unwrapper.gate.set()
    if not late:
        monkeypatch.setattr(line.keys, "held", lambda _: (_ for _ in ()).throw(error))
    peer.connection.data_received(request_frame(1, mint_request(cast)))
    await settle()
    assert peer.responses == {1: Failure(code=FailureCode.INTERNAL)}
    assert "0x1111" not in capsys.readouterr().out


async def test_session__when_too_many_wait_for_kms__reads_no_more_until_one_is_done(cast: Cast) -> None:
    line = Harness(cast, in_flight=3)
    peer = line.connect()
    frames = b"".join(request_frame(n, mint_request(cast)) for n in range(1, 11))
    peer.connection.data_received(frames)
    await settle()
    assert peer.paused
    assert len(peer.connection._backlog) == 7
    line.unwrapper.gate.set()
    await settle()
    assert not peer.paused
    assert peer.responses.keys() == set(range(1, 11))


async def test_session__when_its_peer_goes__stops_working_for_it(cast: Cast) -> None:
    line = Harness(cast)
    peer = line.connect()
    peer.connection.data_received(request_frame(1, mint_request(cast)))
    await settle()
    peer.abort()
    await settle()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("sign ")]
    assert line.server._sessions == set()


async def test_server__when_full__refuses_one_more_and_takes_it_once_another_went(cast: Cast) -> None:
    line = Harness(cast, connections=1)
    first = line.connect()
    assert line.connect().closed
    first.abort()
    await settle()
    assert not line.connect().closed


async def test_server__when_a_foreign_machine_connects_over_vsock__refuses_it(cast: Cast) -> None:
    line = Harness(cast)
    assert line.connect(peer=(16, 5000)).closed
    assert not line.connect(peer=(3, 5000)).closed


def pass_time(peer: FakeTransport, seconds: float) -> None:
    """Let time pass for a connection, and its watch look."""
    then = peer.connection._clock()
    peer.connection._clock = lambda: then + seconds
    peer.connection._check()


async def test_session__when_a_frame_does_not_end__closes(cast: Cast) -> None:
    peer = Harness(cast).connect()
    peer.connection.data_received(request_frame(1, Ping())[:-1])
    pass_time(peer, 9)
    assert not peer.closed
    pass_time(peer, 2)
    assert peer.closed


async def test_session__when_bytes_trickle_in_without_completing_a_frame__closes(cast: Cast) -> None:
    peer = Harness(cast).connect()
    trickle = iter(frame({"id": 1, "request": {"type": "ping", "padding": bytes(50)}}))
    for byte in (next(trickle) for _ in range(10)):
        assert not peer.closed
        peer.connection.data_received(bytes((byte,)))
        pass_time(peer, 1.1)
    assert peer.closed


async def test_session__when_the_peer_does_not_read__stops_reading_it_and_then_closes(cast: Cast) -> None:
    peer = Harness(cast).connect()
    peer.connection.pause_writing()
    assert peer.paused
    pass_time(peer, 9)
    assert not peer.closed
    pass_time(peer, 2)
    assert peer.closed


async def test_session__when_the_peer_reads_again_in_time__goes_on(cast: Cast) -> None:
    peer = Harness(cast).connect()
    peer.connection.pause_writing()
    pass_time(peer, 9)
    peer.connection.resume_writing()
    assert not peer.paused
    pass_time(peer, 30)
    assert not peer.closed


async def test_session__when_the_peer_is_silent_too_long__closes(cast: Cast) -> None:
    peer = Harness(cast).connect()
    pass_time(peer, 59)
    assert not peer.closed
    peer.connection.data_received(request_frame(1, Ping()))
    pass_time(peer, 59)
    assert not peer.closed
    pass_time(peer, 2)
    assert peer.closed


async def test_session__when_the_silence_is_our_own_doing__stays(cast: Cast) -> None:
    line = Harness(cast, in_flight=1)
    peer = line.connect()
    peer.connection.data_received(request_frame(1, mint_request(cast)))
    await settle()
    pass_time(peer, 100)
    assert not peer.closed


def batch_request(cast: Cast, size: int = 3, *, missing: int | None = None) -> Sign:
    batch = cast.batch(size)
    given = [
        b"" if line == missing else authorization
        for line, authorization in enumerate(cast.authorizations(batch))
    ]
    return Sign(intent=batch, keys=[cast.relayer.wrapped], authorizations=given)


async def answered(line: Harness, request: Sign) -> Response:
    line.unwrapper.gate.set()
    peer = line.connect()
    peer.connection.data_received(request_frame(1, request))
    for _ in range(10):
        await settle()
    return peer.responses[1]


@pytest.mark.parametrize("size", [1, 3, 40])
async def test_session__when_every_line_of_a_batch_is_authorized__signs_it(cast: Cast, size: int) -> None:
    signed = sign(cast.batch(size), [cast.relayer.signing_key()])
    assert await answered(Harness(cast), batch_request(cast, size)) == signed


@pytest.mark.parametrize("size", [3, 40])
async def test_session__when_one_line_is_not_authorized__refuses_and_says_which(
    cast: Cast, size: int
) -> None:
    line, bad = Harness(cast), size - 2
    refusal = Refusal(code=RefusalCode.AUTHORIZATION_MISSING, operation_id=f"mint_b{bad}")
    for _ in range(2):
        assert await answered(line, batch_request(cast, size, missing=bad)) == refusal
    assert line.unwrapper.unwraps == 0, "no key is unwrapped for what nobody asked for"


@pytest.mark.parametrize("given", [0, 2, 4])
async def test_session__when_the_host_brings_more_or_fewer_authorizations_than_lines__fails(
    cast: Cast, given: int
) -> None:
    request = batch_request(cast)
    authorizations = [*request.authorizations, b"one more"][:given]
    response = await answered(Harness(cast), request.model_copy(update={"authorizations": authorizations}))
    assert response == Failure(code=FailureCode.BAD_REQUEST)


async def test_session__when_authorizations_come_beside_what_takes_none__fails(cast: Cast) -> None:
    for request in (mint_request(cast), Sign(intent=cast.noop(), keys=[cast.user.wrapped])):
        more = request.model_copy(update={"authorizations": [b"an authorization"]})
        assert await answered(Harness(cast), more) == Failure(code=FailureCode.BAD_REQUEST)


def client_request(cast: Cast, *lines: int) -> Sign:
    """Return a batch of these lines, for which a machine client asked; the nonce is the first line's."""
    batch = cast.batch(max(lines) + 1)
    mints = tuple(batch.mints[line].model_copy(update={"subject": "shop"}) for line in lines)
    batch = batch.model_copy(update={"mints": mints, "nonce": lines[0], "gas": 200_000 * len(lines)})
    token, session = cast.authority.client_token("shop", now=cast.now), cast.authority.session(now=cast.now)
    given = [
        cast.authority.sealed(required, token, now=cast.now, session=session)
        for required in required_authorizations(batch, [b""] * len(mints))
    ]
    return Sign(intent=batch, keys=[cast.relayer.wrapped], authorizations=given)


@pytest.mark.parametrize("at_once", [True, False])
async def test_session__when_a_clients_budget_is_used_up__refuses_the_one_line_by_name(
    cast: Cast, *, at_once: bool
) -> None:
    """Forged or not: a batch without that line is signed, and what was signed is signed again."""
    budget = Budget(mints_per_hour=20, wei_per_day=10**24)
    line = Harness(cast, clients=ClientsPolicy(default=budget), connections=8)
    size = AT_ONCE if at_once else AT_ONCE + 1
    first, over = range(size), range(size, 21)
    assert isinstance(await answered(line, client_request(cast, *first)), Signed)

    refusal = Refusal(code=RefusalCode.CLIENT_BUDGET, operation_id=f"mint_b{over[-1]}")
    assert await answered(line, client_request(cast, *over)) == refusal
    assert isinstance(await answered(line, client_request(cast, *over[:-1])), Signed)
    assert await answered(line, client_request(cast, over[-1])) == refusal
    assert isinstance(await answered(line, client_request(cast, *first)), Signed)


async def test_session__when_a_large_batch_is_judged__answers_others_in_between(cast: Cast) -> None:
    line = Harness(cast)
    line.unwrapper.gate.set()
    peer = line.connect()
    peer.connection.data_received(request_frame(1, batch_request(cast, 40)))
    await asyncio.sleep(0)
    peer.connection.data_received(request_frame(2, Ping()))
    await settle()
    assert list(peer.responses) == [2]
    for _ in range(10):
        await settle()
    assert isinstance(peer.responses[1], Signed)
