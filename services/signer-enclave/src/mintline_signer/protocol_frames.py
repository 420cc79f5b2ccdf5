"""Requests and responses of the protocol as frames on the socket."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from mintline.audit.records import Batch, BrokenRecord, read_batch
from mintline_signer.errors import BrokenFrame
from mintline_signer.frames import decode, frame
from mintline_signer.protocol import MAX_ID, Credentials, Request, Response, Sign

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_RESPONSE: TypeAdapter[Response] = TypeAdapter(Response)


class BadRequest(Exception):  # noqa: N818 - internal to a frame's way to its handler
    """The frame is sound, its request is not; `request_id` can still be answered."""

    def __init__(self, request_id: int) -> None:
        super().__init__()
        self.request_id = request_id


def request_frame(request_id: int, request: Request) -> bytes:
    """Return a request as one frame, without fields that have their default.

    So an enclave of an older image, which refuses any field that it does not know, serves a newer host until
    a request says something that the enclave must not pass over.
    """
    return frame({"id": request_id, "request": _plain(request)})


def _plain(request: Request) -> dict[str, Any]:
    match request:
        case Sign():
            return {
                "type": request.type,
                # `built_at` is for the metrics alone, and would have an older enclave refuse.
                "intent": request.intent.model_dump(mode="json", exclude={"built_at"}, exclude_defaults=True)
                | {"type": request.intent.type},
                "keys": [key.model_dump(exclude_defaults=True) for key in request.keys],
                **({"authorizations": request.authorizations} if request.authorizations else {}),
                **({"proofs": [proof.model_dump() for proof in request.proofs]} if request.proofs else {}),
            }
        case Credentials():
            token = request.session_token
            return {
                "type": request.type,
                "access_key_id": request.access_key_id,
                "secret_access_key": request.secret_access_key.get_secret_value(),
                "session_token": None if token is None else token.get_secret_value(),
                "region": request.region,
            }
        case _:
            return request.model_dump(exclude_defaults=True) | {"type": request.type}


def response_frame(request_id: int, response: Response) -> bytes:
    """Return a response as one frame."""
    return frame({"id": request_id, "response": response.model_dump()})


def audit_frame(batch: Batch) -> bytes:
    """Return a batch of the audit trail as one frame."""
    return frame({"audit": batch.plain()})


def read_request(body: bytes) -> tuple[int, Request]:
    """Parse one request strictly.

    Raises BrokenFrame when there is no id to answer to, BadRequest when there is one and the rest is wrong.
    """
    request_id, content = _envelope(decode(body), "request")
    try:
        return request_id, _REQUEST.validate_python(content, strict=True)
    except ValidationError:
        raise BadRequest(request_id) from None


def read_response(body: bytes) -> tuple[int, Response] | Batch:
    """Parse one response, or a batch of the audit trail; raises BrokenFrame.

    Fields of a response that this host does not know, of a newer enclave, are passed over.
    """
    value = decode(body)
    if isinstance(value, dict) and value.keys() == {"audit"}:
        try:
            return read_batch(value["audit"])
        except BrokenRecord:
            raise BrokenFrame("a batch is none of the audit trail's") from None
    request_id, content = _envelope(value, "response")
    try:
        return request_id, _RESPONSE.validate_python(content, strict=True, extra="ignore")
    except ValidationError:
        raise BrokenFrame("a response is none of the protocol's") from None


def _envelope(value: Any, content: str) -> tuple[int, Any]:
    if not isinstance(value, dict) or value.keys() != {"id", content}:
        raise BrokenFrame(f"a body is not a map of id and {content}")
    request_id = value["id"]
    if type(request_id) is not int or not 0 <= request_id <= MAX_ID:
        raise BrokenFrame("an id is not an integer of 63 bits")
    return request_id, value[content]
