"""The enclave takes one sound policy document from its host, measures it, and answers nothing else before."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from pydantic import SecretStr

from mintline.audit.records import NO_HASH
from mintline_signer.connection import Limits
from mintline_signer.enclave.handover import PolicyReceiver
from mintline_signer.enclave.nsm import NsmFailed
from mintline_signer.errors import FailureCode
from mintline_signer.frames import FrameDecoder, frame
from mintline_signer.protocol import (
    MAX_POLICY,
    Accepted,
    Begin,
    Credentials,
    Failure,
    HandedPolicy,
    Ping,
    Request,
    Response,
    Stats,
)
from mintline_signer.protocol_frames import read_response, request_frame
from mintline_testkit.signer import policy_document

HOST = (3, 1024)
DOCUMENT = json.dumps(policy_document()).encode()
OTHER = DOCUMENT + b"\n"
"""The same policy in other bytes, and so another document."""


class Transport:
    """Stands for the host's end of a connection."""

    def __init__(self, peer: object) -> None:
        self.peer = peer
        self.closed = False
        self.answers: dict[int, Response] = {}
        self._decoder = FrameDecoder()

    def write(self, data: bytes) -> None:
        for body in self._decoder.feed(data):
            received = read_response(body)
            assert isinstance(received, tuple)
            self.answers[received[0]] = received[1]

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_extra_info(self, name: str) -> object:
        return {"peername": self.peer}[name]


class Receiver(PolicyReceiver):
    """A receiver with up to two connections, whose module remembers what it measured, or is broken."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__(self._remember, limits=Limits(), connections=2, parent_cid=HOST[0])
        self.measured: list[bytes] = []
        self._broken = broken

    def _remember(self, document: bytes) -> None:
        self.measured.append(document)
        if self._broken:
            raise NsmFailed("the security module did not answer")

    def connect(self, peer: object = HOST) -> tuple[Any, Transport]:
        connection, transport = self._accept(), Transport(peer)
        connection.connection_made(cast("asyncio.Transport", transport))
        return connection, transport

    async def answers(self, *requests: Request | bytes) -> list[Response]:
        """Return the answers to requests that arrive in one turn of the loop, over one connection."""
        connection, transport = self.connect()
        connection.data_received(
            b"".join(
                request if isinstance(request, bytes) else request_frame(number, request)
                for number, request in enumerate(requests)
            )
        )
        await asyncio.sleep(0)
        connection.connection_lost(None)
        return [transport.answers[number] for number in range(len(requests))]

    @property
    def document(self) -> bytes:
        return self._received.result().document


async def test_policy__when_the_first_one_is_sound__is_measured_and_taken() -> None:
    receiver = Receiver()
    assert await receiver.answers(HandedPolicy(document=DOCUMENT)) == [Accepted()]
    assert receiver.measured == [DOCUMENT]
    assert receiver.document == DOCUMENT


@pytest.mark.parametrize(
    "document",
    [
        b"not JSON",
        b"\xff",
        b"{}",
        b"[" * 100_000,
        DOCUMENT[:-1] + b',"version":1}',
        DOCUMENT[:-1] + b',"unknown":1}',
        b" " * MAX_POLICY,
    ],
)
async def test_policy__when_it_is_not_sound__is_not_measured_and_the_next_one_is_taken(
    document: bytes,
) -> None:
    receiver = Receiver()
    refused = Failure(code=FailureCode.POLICY_INVALID)
    assert await receiver.answers(HandedPolicy(document=document)) == [refused]
    assert receiver.measured == []
    assert await receiver.answers(HandedPolicy(document=DOCUMENT)) == [Accepted()]


@pytest.mark.parametrize("document", [b"", b" " * (MAX_POLICY + 1), DOCUMENT.decode(), None])
async def test_policy__when_it_is_none_empty_or_too_long__is_a_bad_request(document: Any) -> None:
    receiver = Receiver()
    request = frame({"id": 0, "request": {"type": "policy", "document": document}})
    assert await receiver.answers(request) == [Failure(code=FailureCode.BAD_REQUEST)]
    assert receiver.measured == []


@pytest.mark.parametrize(
    "request_before",
    [
        Ping(),
        Stats(),
        Begin(follows=NO_HASH),
        Credentials(access_key_id="AKIA", secret_access_key=SecretStr("hush"), region="eu-west-1"),
    ],
)
async def test_enclave__when_it_has_no_policy_yet__takes_nothing_else(request_before: Request) -> None:
    missing = Failure(code=FailureCode.POLICY_MISSING)
    assert await Receiver().answers(request_before) == [missing]


async def test_policy__when_two_come_at_once__only_the_first_one_counts() -> None:
    receiver = Receiver()
    policies = (
        HandedPolicy(document=DOCUMENT),
        HandedPolicy(document=OTHER),
        HandedPolicy(document=DOCUMENT),
    )
    other = Failure(code=FailureCode.POLICY_OTHER)
    assert await receiver.answers(*policies) == [Accepted(), other, Accepted()]
    assert receiver.measured == [DOCUMENT]
    assert receiver.document == DOCUMENT


async def test_policy__when_it_cannot_be_measured__is_not_served_by_and_no_other_is_measured() -> None:
    receiver = Receiver(broken=True)
    policies = (HandedPolicy(document=DOCUMENT), HandedPolicy(document=OTHER))
    broken = Failure(code=FailureCode.INTERNAL)
    assert await receiver.answers(*policies) == [broken, broken]
    assert receiver.measured == [DOCUMENT]
    with pytest.raises(NsmFailed, match="did not answer"):
        _ = receiver.document


async def test_connection__when_it_is_another_machines_or_one_too_many__is_refused() -> None:
    receiver = Receiver()
    _, foreign = receiver.connect((4, 1024))
    assert foreign.closed
    (silent, first), (_, second), (_, third) = (receiver.connect() for _ in range(3))
    assert [first.closed, second.closed, third.closed] == [False, False, True]
    silent.connection_lost(None)
    assert await receiver.answers(HandedPolicy(document=DOCUMENT)) == [Accepted()]
