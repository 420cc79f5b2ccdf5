from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from mintline.errors import Unavailable
from mintline_signer.errors import BrokenFrame, EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.frames import frame
from mintline_signer.protocol import (
    Accepted,
    Credentials,
    Failure,
    Ping,
    Pong,
    Refusal,
    Response,
    Revocations,
    Sign,
    Signed,
    Statistics,
    Stats,
    Stored,
    declined,
)
from mintline_signer.protocol_frames import (
    BadRequest,
    read_request,
    read_response,
    request_frame,
    response_frame,
)

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

CREDENTIALS = Credentials(
    access_key_id="AKIAEXAMPLE", secret_access_key=SecretStr("hush"), session_token=None, region="eu-west-1"
)


def plain_sign(cast: Cast) -> dict[str, Any]:
    return {
        "type": "sign",
        "intent": cast.mint().model_dump(mode="json"),
        "keys": [cast.user.wrapped.model_dump(), cast.issuer.wrapped.model_dump()],
    }


def body(request: object) -> bytes:
    return frame({"id": 9, "request": request})[4:]


def test_request__when_written_and_read__is_the_same(cast: Cast) -> None:
    for intent in cast.everything():
        request = Sign(intent=intent, keys=[cast.user.wrapped])
        assert read_request(request_frame(3, request)[4:]) == (3, request)
    batch = cast.batch()
    request = Sign(intent=batch, keys=[cast.relayer.wrapped], authorizations=cast.authorizations(batch))
    assert read_request(request_frame(3, request)[4:]) == (3, request)
    revoked = Revocations(
        revocations=[cast.authority.revocation("user-1", revoked_before=cast.now, at=cast.now)]
    )
    for other in (
        CREDENTIALS,
        cast.authority.authorization_keys(),
        revoked,
        Stored(batches=3),
        Ping(),
        Stats(),
    ):
        assert read_request(request_frame(4, other)[4:]) == (4, other)


def test_request__when_the_intent_says_when_it_was_built__keeps_that_from_the_enclave(cast: Cast) -> None:
    intent = cast.mint()
    timed = Sign(intent=intent.model_copy(update={"built_at": 1}), keys=[cast.user.wrapped])
    assert request_frame(3, timed) == request_frame(3, Sign(intent=intent, keys=timed.keys))
    assert b"built_at" not in request_frame(3, timed)


def test_request__when_no_authorizations_come_beside_it__says_nothing_of_them(cast: Cast) -> None:
    """An enclave of an older image, which does not know the field, serves a newer host."""
    assert b"authorizations" not in request_frame(3, Sign(intent=cast.mint(), keys=[cast.user.wrapped]))


@pytest.mark.parametrize(
    "response",
    [
        Signed(raw=b"\x02raw", tx_hash=bytes(32)),
        Refusal(code=RefusalCode.GAS),
        Refusal(code=RefusalCode.TOKEN_EXPIRED, operation_id="mint_1"),
        Failure(code=FailureCode.KMS_UNAVAILABLE),
        Accepted(),
        Pong(credentials=True),
        Statistics(signed=2**40),
    ],
)
def test_response__when_written_and_read__is_the_same(response: Response) -> None:
    assert read_response(response_frame(5, response)[4:]) == (5, response)


def test_request__when_read_from_the_plain_form__is_typed(cast: Cast) -> None:
    _, request = read_request(body(plain_sign(cast)))
    assert isinstance(request, Sign)
    assert request.intent == cast.mint()


MUTATIONS: dict[str, Any] = {
    "an unknown field": lambda r: r | {"raw_hash": bytes(32)},
    "an unknown field of the intent": lambda r: r | {"intent": r["intent"] | {"data": "0x"}},
    "an unknown type": lambda r: r | {"type": "sign_hash"},
    "an unknown intent": lambda r: r | {"intent": {"type": "sign_anything", "hash": "0x00"}},
    "no type": lambda r: {k: v for k, v in r.items() if k != "type"},
    "no keys": lambda r: r | {"keys": []},
    "three keys": lambda r: r | {"keys": [r["keys"][0]] * 3},
    "a nonce that is text": lambda r: r | {"intent": r["intent"] | {"nonce": "7"}},
    "a nonce that is a boolean": lambda r: r | {"intent": r["intent"] | {"nonce": True}},
    "a nonce that is a float": lambda r: r | {"intent": r["intent"] | {"nonce": 7.0}},
    "a negative nonce": lambda r: r | {"intent": r["intent"] | {"nonce": -1}},
    "a zero address": lambda r: r | {"intent": r["intent"] | {"contract": "0x" + "00" * 20}},
    "a wrong checksum": lambda r: (
        r | {"intent": r["intent"] | {"contract": "0x5fbDB2315678afecb367f032d93F642f64180aa3"}}
    ),
    "a foreign version": lambda r: r | {"intent": r["intent"] | {"version": 2}},
    "wrapped bytes as text": lambda r: r | {"keys": [r["keys"][0] | {"wrapped": "abc"}]},
    "a list": lambda _: [1, 2],
    "null": lambda _: None,
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_request__when_it_is_none_of_the_protocol__can_be_answered(cast: Cast, what: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_request(body(MUTATIONS[what](plain_sign(cast))))
    assert caught.value.request_id == 9
    assert str(caught.value) == ""


@pytest.mark.parametrize(
    "envelope",
    [
        {},
        {"id": 1},
        {"request": {"type": "ping"}},
        {"id": 1, "request": {"type": "ping"}, "more": 1},
        {"id": "1", "request": {"type": "ping"}},
        {"id": True, "request": {"type": "ping"}},
        {"id": -1, "request": {"type": "ping"}},
        {"id": 2**63, "request": {"type": "ping"}},
        {"id": 1, "response": {"type": "pong", "credentials": True}},
    ],
)
def test_envelope__when_there_is_no_id_to_answer_to__breaks_the_connection(envelope: dict[str, Any]) -> None:
    with pytest.raises(BrokenFrame):
        read_request(frame(envelope)[4:])


@pytest.mark.parametrize(
    "response",
    [
        {"type": "signed", "raw": b"", "tx_hash": bytes(31)},
        {"type": "refused", "code": "because"},
        {"type": "other"},
    ],
)
def test_response__when_it_is_none_of_the_protocol__breaks_the_connection(response: dict[str, Any]) -> None:
    with pytest.raises(BrokenFrame):
        read_response(frame({"id": 1, "response": response})[4:])


def test_response__when_a_newer_enclave_says_more__then_is_read_without_that() -> None:
    response = {"type": "failed", "code": "kms_unavailable", "detail": "Traceback"}
    reply = read_response(frame({"id": 1, "response": response})[4:])
    assert reply == (1, Failure(code=FailureCode.KMS_UNAVAILABLE))


def test_request__when_a_field_has_its_default__then_is_not_said_to_an_older_enclave(cast: Cast) -> None:
    intent = cast.mint().model_copy(update={"attempt": 0, "authorization": b"", "trace": ""})
    written = request_frame(3, Sign(intent=intent, keys=[cast.user.wrapped]))
    for name in (b"attempt", b"authorization", b"trace", b"version", b"kms_key"):
        assert name not in written
    assert read_request(written[4:]) == (3, Sign(intent=intent, keys=[cast.user.wrapped]))


@pytest.mark.parametrize(
    ("response", "kind", "text"),
    [
        (Refusal(code=RefusalCode.GAS), EnclaveRefusal, "gas limit"),
        (Failure(code=FailureCode.OVERLOADED), EnclaveFailure, "overloaded"),
        (Pong(credentials=True), Unavailable, "something else"),
    ],
)
def test_answer__when_it_is_not_what_was_asked_for__is_an_error_of_its_family(
    response: Response, kind: type[Exception], text: str
) -> None:
    error = declined(response)
    assert type(error) is kind
    assert text in str(error)


def test_credentials__when_shown__hide_all_that_is_secret() -> None:
    credentials = Credentials(
        access_key_id="AKIAEXAMPLE",
        secret_access_key=SecretStr("hush"),
        session_token=SecretStr("quiet"),
        region="eu-west-1",
    )
    for shown in (repr(credentials), str(credentials), credentials.model_dump_json()):
        assert "hush" not in shown
        assert "quiet" not in shown
    assert "AKIA" not in repr(credentials)


def test_wrapped_key__when_shown__hides_its_bytes(cast: Cast) -> None:
    assert "wrapped" not in repr(cast.user.wrapped)
