"""Items of DynamoDB and its streams as JSON, without botocore's walk through the shapes of each value.

An item's attributes look the same in botocore's parameters as in the JSON that is sent, but for binary
values, which are base64 there. botocore visits every attribute all the same, once to write it and once to
read it: half of the CPU of a request with a hundred items. Here `json_text` does both for the operations on
items. Binary values of a response stay base64: `mintline.aws.items` decodes them. Times of a stream's changes
stay Unix seconds.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from mintline.aws import json_text

ITEM_OPERATIONS = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "GetItem",
        "GetRecords",
        "PutItem",
        "Query",
        "Scan",
        "TransactWriteItems",
        "UpdateItem",
    }
)
_OUTPUTS = frozenset(f"{name}Output" for name in ITEM_OPERATIONS)


def use_plain_json(client: Any) -> None:
    """Have a client of DynamoDB or its streams write and read items by `json`; errors are read as before."""
    client._serializer = _Serializer(client._serializer)  # noqa: SLF001 - botocore has no public way
    client._endpoint._response_parser_factory = _Parsers(  # noqa: SLF001 - likewise
        client._endpoint._response_parser_factory  # noqa: SLF001
    )


class _Serializer:
    """botocore's serializer, but for the body of an operation on items."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def serialize_to_request(self, parameters: Any, operation_model: Any) -> Any:
        """Return the request as botocore has it."""
        if operation_model.name not in ITEM_OPERATIONS:
            return self._original.serialize_to_request(parameters, operation_model)
        request = self._original.serialize_to_request({}, operation_model)
        request["body"] = json_text.dumps(parameters, default=_base64)
        return request


def _base64(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"DynamoDB cannot hold a {type(value).__name__}")


class _Parsers:
    """botocore's factory of parsers, but for DynamoDB's protocol."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self._parser = _item_parser(original.create_parser("json"))

    def create_parser(self, protocol: str) -> Any:
        """Return what reads responses of a protocol."""
        return self._parser if protocol == "json" else self._original.create_parser(protocol)


def _read(raw_body: bytes) -> Any:
    """Return the response; a body that is no JSON is the message, as botocore has it."""
    try:
        return json_text.loads(raw_body) if raw_body else {}
    except ValueError:
        return {"message": raw_body.decode(errors="replace")}


def _item_parser(parser: Any) -> Any:
    """Have a parser take the response to an operation on items as the JSON that it is."""
    walk = parser._handle_json_body  # noqa: SLF001 - botocore has no public way

    def handle(raw_body: bytes, shape: Any) -> Any:
        if shape is not None and shape.name in _OUTPUTS:
            return _read(raw_body)
        return walk(raw_body, shape)

    parser._handle_json_body = handle  # noqa: SLF001 - likewise
    return parser
