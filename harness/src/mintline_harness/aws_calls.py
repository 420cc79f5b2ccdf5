"""Which calls of AWS each service makes, as IAM sees them, and whether a role's statements allow them.

Sources: the Service Authorization Reference of each service; DynamoDB's developer guide on PartiQL and
transactions, which are authorized by what they contain; SQS's on batches, which are authorized as what they
are batches of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from mintline_harness.chaos.proxy import FaultProxy, Weather

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_STATEMENT = re.compile(
    r'^\s*(INSERT INTO|UPDATE|DELETE FROM|SELECT .*? FROM)\s+"([^"]+)"(?:\."([^"]+)")?', re.DOTALL
)
_PARTIQL = {"INSERT": "PartiQLInsert", "UPDATE": "PartiQLUpdate", "DELETE": "PartiQLDelete"}
_IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_ON_STREAMS = frozenset({"DescribeStream", "GetShardIterator", "GetRecords"})
_OBJECT = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}


@dataclass(frozen=True, slots=True, order=True)
class AwsCall:
    """One kind of call: who may be allowed or denied what, on what."""

    action: str
    """As policies name it, such as `dynamodb:GetItem`."""
    resource: str
    """The end of the ARN, without the deployment's prefix, such as `table/mints/index/open`."""
    creates: bool = False
    """Whether it fails where there is something already (`If-None-Match: *`)."""


class AwsCallRecorder(FaultProxy):
    """Passes requests on to an AWS emulator, and notes the calls by the access key that signed them."""

    def __init__(self, upstream: str, *, prefix: str) -> None:
        super().__init__(upstream, Weather())
        self._prefix = f"{prefix}-"
        self.calls: dict[str, set[AwsCall]] = {}
        self._iterated: dict[str, str] = {}
        """The stream that each iterator leads to, which only the answer to the one who asked for it says."""

    async def _through(self, request: web.Request) -> web.StreamResponse:
        signed = _signed(request)
        if signed is None:
            return await super()._through(request)
        body = await request.read()
        for call in self._calls(signed[2], request, body):
            self.calls.setdefault(signed[1], set()).add(call)
        response = await super()._through(request)
        operation = _operation(request)
        if operation in ("GetShardIterator", "GetRecords") and isinstance(response, web.Response):
            self._follow(json.loads(body), response)
        return response

    def _follow(self, parameters: Mapping[str, Any], response: web.Response) -> None:
        """Note which stream the iterator of an answer is of: that of the ARN, or of the iterator before."""
        if response.status != 200 or not isinstance(response.body, bytes):
            return
        answered = json.loads(response.body)
        following = answered.get("ShardIterator") or answered.get("NextShardIterator")
        if following:
            self._iterated[following] = self._stream(parameters)

    def _stream(self, parameters: Mapping[str, Any]) -> str:
        if "StreamArn" in parameters:
            return f"table/{parameters['StreamArn'].split('/')[1]}/stream/TIME"
        return self._iterated.get(parameters["ShardIterator"], "an iterator of no stream that was seen")

    def _calls(self, service: str, request: web.Request, body: bytes) -> Iterator[AwsCall]:
        operation = _operation(request)
        match service:
            case "s3":
                yield from self._objects(request)
            case "dynamodb" if operation in _ON_STREAMS:
                yield AwsCall(f"dynamodb:{operation}", self._named(self._stream(json.loads(body))))
            case "dynamodb":
                for action, resource in _dynamodb(operation, json.loads(body)):
                    yield AwsCall(f"dynamodb:{action}", self._named(resource))
            case "sqs":
                parameters = json.loads(body)
                queue = parameters.get("QueueName") or parameters["QueueUrl"].rpartition("/")[2]
                yield AwsCall(f"sqs:{operation.removesuffix('Batch')}", self._named(queue))
            case "secretsmanager":
                parameters = json.loads(body)
                secret = str(parameters.get("SecretId") or parameters.get("Name")).partition("/")[2]
                yield AwsCall(f"secretsmanager:{operation}", f"secret:{secret}")
            case "cognito-idp":
                yield AwsCall(f"cognito-idp:{operation}", "userpool")
            case _:
                yield AwsCall(f"{service}:{operation}", "*")

    def _objects(self, request: web.Request) -> Iterator[AwsCall]:
        bucket, _, key = unquote(request.path).lstrip("/").partition("/")
        if not key:
            yield AwsCall("s3:ListBucket", self._named(bucket))
            return
        creates = "if-none-match" in request.headers
        yield AwsCall(_OBJECT[request.method], f"{self._named(bucket)}/{key}", creates)
        if copied := request.headers.get("x-amz-copy-source"):
            # A copy is authorized as a read of the one and a write of the other.
            yield AwsCall("s3:GetObject", self._named(unquote(copied).lstrip("/").partition("?")[0]))

    def _named(self, resource: str) -> str:
        return resource.replace(self._prefix, "", 1)


def access_key_of(request: web.Request) -> str | None:
    """Return the access key that signed a request; None if it is unsigned."""
    signed = _signed(request)
    return None if signed is None else signed[1]


def _signed(request: web.Request) -> re.Match[str] | None:
    return _CREDENTIAL.search(request.headers.get("authorization", "") or _presigned(request))


def _operation(request: web.Request) -> str:
    return request.headers.get("x-amz-target", "").rpartition(".")[2]


def _presigned(request: web.Request) -> str:
    """Return the query of a presigned URL, which IAM decides as a call of the one who signed it."""
    return "" if request.method == "OPTIONS" else unquote(request.query_string)


def _dynamodb(operation: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what IAM is asked for one request: the action, and the table or index."""
    if operation in ("TransactWriteItems", "TransactGetItems"):
        for item in parameters["TransactItems"]:
            ((kind, about),) = item.items()
            yield _IN_TRANSACTION[kind], f"table/{about['TableName']}"
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in parameters["RequestItems"]:
            yield operation, f"table/{table}"
    elif operation in ("BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction"):
        for statement in parameters.get("Statements") or parameters.get("TransactStatements") or [parameters]:
            matched = _STATEMENT.match(statement["Statement"])
            assert matched is not None, "a statement of ours"
            verb, table, index = matched.groups()
            resource = f"table/{table}" if index is None else f"table/{table}/index/{index}"
            yield _PARTIQL.get(verb.split()[0], "PartiQLSelect"), resource
    elif "TableName" in parameters:
        index = parameters.get("IndexName")
        yield operation, f"table/{parameters['TableName']}" + (f"/index/{index}" if index else "")
    else:
        yield operation, "*"


def allowed(statements: Sequence[Mapping[str, Any]], call: AwsCall) -> bool:
    """Decide as IAM does by a role's statements, whose resources are ends of ARNs as in `AwsCall`.

    Knows the one condition that Mintline's roles have, and raises ValueError for another.
    """
    effects = {statement["Effect"] for statement in statements if _concerns(statement, call)}
    return effects == {"Allow"}


def grants_of(statements: Sequence[Mapping[str, Any]], call: AwsCall) -> set[tuple[str, str]]:
    """Return which of a role's grants allow a call: an action and a resource as the statement has it."""
    if not allowed(statements, call):
        return set()
    return {
        (call.action, resource)
        for statement in statements
        if statement["Effect"] == "Allow" and _concerns(statement, call)
        for resource in statement["Resource"]
        if fnmatchcase(call.resource, resource)
    }


def _concerns(statement: Mapping[str, Any], call: AwsCall) -> bool:
    conditions = statement.get("Condition", {})
    if conditions not in ({}, {"Null": {"s3:if-none-match": "false"}}):
        raise ValueError(f"a condition that is not known here: {conditions}")
    return (
        call.action in statement["Action"]
        and any(fnmatchcase(call.resource, pattern) for pattern in statement["Resource"])
        and (not conditions or call.creates)
    )
