"""Start the AWS emulator with Cognito's checks of tokens and sign-in flows switched on.

By itself ministack checks them only together with IAM and every signature (`AUTH=true`). Without them,
`/oauth2/userInfo` would still know a user who is signed out or disabled, and a client could sign users in by
flows that it does not list. Nor does it know the second secret of an app client, which Cognito has since
2026: AddUserPoolClientSecret, ListUserPoolClientSecrets, DeleteUserPoolClientSecret. Presigned URLs of S3 are
the one thing whose signature it always checks, by keys that its own IAM made: `MINTLINE_PRINCIPALS` tells it
the local stack's. Without that file (in containers) it takes their signatures unchecked. And what PartiQL
writes is in no table's stream by itself: here it is, as on AWS. A receive that waits is answered when a
message comes, as by SQS, and not up to 0.1 seconds later. DynamoDB's statements and expressions, which repeat
with other values, are parsed once. It is served by uvicorn with httptools in place of hypercorn, whose parser
is Python. ministack has no settings for any of this, so its private functions are replaced (`SLF001`). Runs
in the emulator's own environment, pinned by hash.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import resource
import secrets
import signal
import sys
import threading
import time
from contextlib import nullcontext
from contextvars import ContextVar
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from ministack.app import app
from ministack.services import cognito, dynamodb, s3, sqs

# The emulator has no public hooks: what it answers is changed by replacing these functions of its own.
answer_userinfo = cognito.handle_oauth2_userinfo
run_idp_handler = cognito._run_idp_handler  # noqa: SLF001
dispatch_idp = cognito._dispatch_idp  # noqa: SLF001
authenticate_client = cognito._authenticate_client  # noqa: SLF001
parse_partiql = dynamodb.parse_partiql_statement
verify_presigned = s3._verify_presigned_sigv4  # noqa: SLF001
resolve_credential = s3.resolve_credential
MOST_SECRETS = 2
GRACE = 3
"""Seconds that requests have to end in: those that wait for messages would take twenty."""
PRINCIPALS = os.environ.get("MINTLINE_PRINCIPALS")
"""The file with the secrets of the local stack's access keys, by their ids."""
CREATING = threading.Lock()
OWN_KEYS = "LOCAL"
"""What these ids begin with."""


def checked_userinfo(method: str, path: str, headers: dict[str, str], body: bytes, query_params: Any) -> Any:
    """Answer 401 for the token of a user who was signed out, disabled or deleted."""
    token = headers.get("authorization", "").partition(" ")[2].strip()
    if error := cognito._userinfo_token_error(token):  # noqa: SLF001
        return cognito._oauth2_error("invalid_token", error, 401)  # noqa: SLF001
    return answer_userinfo(method, path, headers, body, query_params)


def checked_idp_handler(handler: Any, action: str, data: Any) -> Any:
    """Refuse sign-in flows that the client does not list, and access tokens that do not count.

    Users are created one at a time: each request has a thread of its own, and two would get one name.
    """

    def checked(data: Any) -> Any:
        refused = cognito._auth_flow_error(action, data) or cognito._access_token_error(data)  # noqa: SLF001
        if refused:
            return refused
        with CREATING if action == "AdminCreateUser" else nullcontext():
            return handler(data)

    return run_idp_handler(checked, action, data)


def secrets_of(client: Any) -> list[dict[str, Any]]:
    """Return an app client's secrets, oldest first."""
    first = {
        "ClientSecretId": f"{client['ClientId']}--1",
        "ClientSecretValue": client["ClientSecret"],
        "ClientSecretCreateDate": client["CreationDate"],
    }
    known: list[dict[str, Any]] = client.setdefault("ClientSecrets", [first])
    return known


def refused(code: str, message: str) -> Any:
    """Return an error of Cognito's."""
    return cognito.error_response_json(code, message, 400)


def secret_action(action: str, data: Any) -> Any:
    """Add, list or delete a secret of an app client, as Cognito's API reference has it."""
    pool, error = cognito._resolve_pool(data.get("UserPoolId"))  # noqa: SLF001
    client = None if error else pool["_clients"].get(data.get("ClientId"))
    if client is None:
        return error or refused("ResourceNotFoundException", "Client not found.")
    if not client.get("ClientSecret"):
        return refused("InvalidParameterException", "Client has no secret.")
    if action == "ListUserPoolClientSecrets":
        names = ("ClientSecretId", "ClientSecretCreateDate")
        shown = [{name: secret[name] for name in names} for secret in secrets_of(client)]
        return cognito.json_response({"ClientSecrets": shown})
    return add_secret(client, data) if action == "AddUserPoolClientSecret" else delete_secret(client, data)


def add_secret(client: Any, data: Any) -> Any:
    """Give an app client a second secret."""
    held = secrets_of(client)
    if len(held) >= MOST_SECRETS:
        return refused("LimitExceededException", "Two secrets at most.")
    added = {
        "ClientSecretId": f"{client['ClientId']}--{secrets.token_hex(8)}",
        "ClientSecretValue": data.get("ClientSecret") or cognito._client_secret(),  # noqa: SLF001
        "ClientSecretCreateDate": time.time(),
    }
    held.append(added)
    return cognito.json_response({"ClientSecretDescriptor": added})


def delete_secret(client: Any, data: Any) -> Any:
    """Delete one of an app client's two secrets."""
    held = secrets_of(client)
    left = [secret for secret in held if secret["ClientSecretId"] != data.get("ClientSecretId")]
    if len(left) == len(held):
        return refused("ResourceNotFoundException", "Secret not found.")
    if not left:
        return refused("InvalidParameterException", "The last secret stays.")
    client["ClientSecrets"], client["ClientSecret"] = left, left[0]["ClientSecretValue"]
    return cognito.json_response({})


async def dispatch_with_secrets(action: str, data: Any) -> Any:
    """Answer the actions that the emulator lacks."""
    if action.endswith(("UserPoolClientSecret", "UserPoolClientSecrets")):
        return secret_action(action, data)
    return await dispatch_idp(action, data)


def authenticate_by_any_secret(headers: Any, form: Any) -> Any:
    """Read a client's credentials; any secret of its stands for the one that the emulator compares with."""
    client_id, secret = authenticate_client(headers, form)
    _, _, client = cognito._find_pool_by_client_id(client_id)  # noqa: SLF001
    if client and client.get("ClientSecret"):
        values = [secret["ClientSecretValue"] for secret in secrets_of(client)]
        if secret in values:
            return client_id, client["ClientSecret"]
    return client_id, secret


def resolve_own_credential(access_key_id: str, *more: Any) -> Any:
    """Return an access key's secret; the local stack's are in a file that is made after this start."""
    if PRINCIPALS is not None and access_key_id.startswith(OWN_KEYS):
        known = json.loads(Path(PRINCIPALS).read_text(encoding="utf-8"))
        if access_key_id in known:
            return SimpleNamespace(secret_access_key=known[access_key_id]["secret"])
    return resolve_credential(access_key_id, *more)


def verify_own_presigned(method: str, path: str, headers: Any, query_params: Any) -> Any:
    """Check a presigned URL; one by a key of the local stack passes where the secrets are not known."""
    credential = s3._qp(query_params, "X-Amz-Credential", "")  # noqa: SLF001
    if PRINCIPALS is None and credential.startswith(OWN_KEYS):
        return None
    return verify_presigned(method, path, headers, query_params)


def streamed(write: Any) -> Any:
    """Have a PartiQL write in its table's stream, as every other write is."""

    def run(table: Any, parsed: Any, *more: Any) -> Any:
        item = parsed.get("item") or {}
        item = item["M"] if set(item) == {"M"} else item
        keys = {name: value for name, op, value in parsed.get("conditions") or [] if op == "="} | item
        place = [
            dynamodb._extract_key_val(keys.get(table[name])) if table[name] else "__no_sort__"  # noqa: SLF001
            for name in ("pk_name", "sk_name")
        ]
        old = table["items"].get(place[0], {}).get(place[1])
        response = write(table, parsed, *more)
        new = table["items"].get(place[0], {}).get(place[1])
        if response[0] == HTTPStatus.OK and new is not old:
            event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
            dynamodb._emit_stream_event(parsed["table"], event, old, new)  # noqa: SLF001
        return response

    return run


receiving: ContextVar[str] = ContextVar("receiving")
"""The name of the queue that a request receives from."""
waiting: dict[str, set[asyncio.Future[None]]] = {}
"""Receives that wait, by the names of their queues."""


def queue_of(data: Any, url: str) -> str:
    """Return the name of the queue that a request names."""
    return str(data.get("QueueUrl", url)).rpartition("/")[2]


def end_wait(wait: asyncio.Future[None]) -> None:
    """Have a receive look for messages again."""
    if not wait.done():
        wait.set_result(None)


async def sleep_until_changed(seconds: float) -> None:
    """Sleep until the queue that is received from changes; at the latest for so many seconds."""
    loop = asyncio.get_running_loop()
    wait: asyncio.Future[None] = loop.create_future()
    name = receiving.get()
    waiting.setdefault(name, set()).add(wait)
    timer = loop.call_later(seconds, end_wait, wait)
    try:
        await wait
    finally:
        timer.cancel()
        waiting[name].discard(wait)
        if not waiting[name]:
            del waiting[name]


def noting_queue(receive: Any) -> Any:
    """Have a receive know which queue's changes it waits for."""

    async def run(data: Any, url: str) -> Any:
        receiving.set(queue_of(data, url))
        return await receive(data, url)

    return run


def waking(change: Any) -> Any:
    """Have a change of a queue end the waits of receives: it may have made messages visible."""

    def run(data: Any, url: str) -> Any:
        response = change(data, url)
        for wait in waiting.get(queue_of(data, url), ()):
            end_wait(wait)
        return response

    return run


CHANGES = ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")
actions = sqs._HANDLERS  # noqa: SLF001
for changing in (*CHANGES, *(f"{change}Batch" for change in CHANGES)):
    actions[changing] = waking(actions[changing])
actions["ReceiveMessage"] = noting_queue(actions["ReceiveMessage"])
sqs.asyncio = SimpleNamespace(**vars(asyncio) | {"sleep": sleep_until_changed})


class Placeholder(dict[str, Any]):
    """Stands for a parameter of its type in a statement that is parsed for any."""

    def __init__(self, index: int, kind: str) -> None:
        super().__init__({kind: ""})
        self.index = index


@lru_cache(maxsize=4096)
def template_of(text: str, kinds: tuple[str, ...]) -> Any:
    """Return a statement as it is parsed, with a placeholder for each parameter; None if some are lost."""
    template = parse_partiql(text, [Placeholder(index, kind) for index, kind in enumerate(kinds)])
    return template if placeholders(template) == len(kinds) else None


def placeholders(node: Any) -> int:
    """Count the placeholders in what was parsed."""
    if isinstance(node, Placeholder):
        return 1
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return sum(map(placeholders, inner))


def filled(node: Any, parameters: list[Any]) -> Any:
    """Copy what was parsed, with parameters in the places of their placeholders."""
    kind = type(node)
    if kind is str:
        return node
    if kind is Placeholder:
        return parameters[node.index]
    if kind is dict:
        return {name: filled(inner, parameters) for name, inner in node.items()}
    if kind is list or kind is tuple:
        return kind([filled(inner, parameters) for inner in node])
    return node


def parse_once(text: str, parameters: Any) -> Any:
    """Parse a PartiQL statement: our services repeat the same ones with other parameters."""
    try:
        template = template_of(text, tuple([next(iter(parameter)) for parameter in parameters or ()]))
    except Exception:  # noqa: BLE001 - it is parsed as it came, and refused as the emulator does
        template = None
    return parse_partiql(text, parameters) if template is None else filled(template, parameters)


def copied(value: Any) -> Any:
    """Copy an item, which is a tree of JSON."""
    if type(value) is dict:
        return {name: copied(inner) for name, inner in value.items()}
    if type(value) is list:
        return [copied(inner) for inner in value]
    return value if type(value) is str else copy.deepcopy(value)


tokens_of = lru_cache(maxsize=4096)(dynamodb._tokenize)  # noqa: SLF001
dynamodb._tokenize = lambda text: [*tokens_of(text)]  # noqa: SLF001
dynamodb._condition_syntax_error = lru_cache(maxsize=4096)(dynamodb._condition_syntax_error)  # noqa: SLF001
dynamodb.parse_partiql_statement = parse_once
dynamodb.copy = SimpleNamespace(**vars(copy) | {"deepcopy": copied})
for written in ("_partiql_insert", "_partiql_update", "_partiql_delete"):
    setattr(dynamodb, written, streamed(getattr(dynamodb, written)))
s3.resolve_credential = resolve_own_credential
s3._verify_presigned_sigv4 = verify_own_presigned  # noqa: SLF001
cognito.handle_oauth2_userinfo = checked_userinfo
cognito._dispatch_idp = dispatch_with_secrets  # noqa: SLF001
cognito._authenticate_client = authenticate_by_any_secret  # noqa: SLF001
cognito._run_idp_handler = checked_idp_handler  # noqa: SLF001


def serve() -> None:
    """Serve the emulator until SIGTERM or SIGINT; it saves its state at the end."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # The server raises its signal again once it has ended; that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=os.environ.get("BIND_HOST", "0.0.0.0"),  # noqa: S104 - the containers' own network
        port=int(os.environ.get("GATEWAY_PORT", "4566")),
        http="httptools",
        loop="uvloop",
        access_log=False,
        log_level=os.environ.get("LOG_LEVEL", "INFO").lower(),
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )


if __name__ == "__main__":
    serve()
