"""KMS as its callers know it, in front of an emulator that checks neither callers nor policies.

Speaks KMS's JSON protocol: verifies the caller's signature and attestation, decides by the key policy, and
passes what is allowed on to the emulator. A caller that attests gets its answer encrypted. A refusal answers
as KMS does. The webhooks' key, which is named by its alias, has a policy of its own; all other keys have one
policy, which `PutKeyPolicy` replaces.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import Field, ValidationError

from mintline import process
from mintline.admin import ALIVE
from mintline.attestation.document import Document
from mintline.audit.kms_log import event_of
from mintline.settings import Settings
from mintline_devstack.key_policy import Context, KeyPolicy
from mintline_devstack.kms_errors import JSON_1_1, KmsRefusal, error
from mintline_devstack.kms_recipient import Recipient, recipient_of
from mintline_devstack.principals import WEBHOOK_ALIAS, account_allows, webhook_key_policy
from mintline_devstack.sigv4 import SignatureRefused, SignedRequest, verify
from mintline_devstack.state_folder import write_json
from mintline_ops.run_file import corrupt, read_json

TARGET = "TrentService."
"""The prefix of `X-Amz-Target` for KMS, whose first name it was."""
MAX_BODY = 64 * 1024
_OWN = frozenset({"kms:GetKeyPolicy", "kms:PutKeyPolicy"})

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class KmsFrontSettings(Settings):
    """Settings of the KMS front."""

    kms_front_host: str = "127.0.0.1"
    kms_front_port: int = Field(ge=0, le=65535)
    kms_front_upstream: str
    """URL of the emulator."""
    kms_front_principals: Path
    """JSON file: access key id → {"secret", "arn"}."""
    kms_front_policy: Path
    """JSON file: the key policy. `PutKeyPolicy` replaces it."""
    kms_front_root: Path
    """PEM file: the root under which enclaves attest. It may come later than the front."""
    kms_front_log: Path
    """Gets an event, as CloudTrail would, for each enclave that a key is decrypted for."""
    aws_region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom an access key id stands for."""

    secret: str
    arn: str


class KmsFront:
    """Decides about one request after another; its one state is the key policy, which it keeps in a file.

    `root` returns the SHA-256 of the root under which callers attest; it is asked when one does. `decrypted`
    is called for each enclave that a key was decrypted for, before it gets the key.
    """

    def __init__(
        self,
        *,
        callers: Mapping[str, Caller],
        policy: Path,
        root: Callable[[], bytes],
        http: aiohttp.ClientSession,
        upstream: str,
        region: str,
        now: Callable[[], float] = time.time,
        decrypted: Callable[[Document], None] = lambda _: None,
    ) -> None:
        self._decrypted = decrypted
        self._callers = callers
        self._secrets = {key_id: caller.secret for key_id, caller in callers.items()}
        self._policy_file = policy
        self._policy = load_policy(policy)
        self._webhooks_policy = KeyPolicy.model_validate(webhook_key_policy())
        self._root = root
        self._http = http
        self._upstream = upstream.rstrip("/") + "/"
        self._region = region
        self._now = now

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one KMS request."""
        body = await request.read()
        target = request.headers.get("X-Amz-Target", "")
        try:
            caller = self._authenticate(request, body)
            action, parameters = parse(target, body)
            recipient = recipient_of(action, parameters, root=self._root, now=self._now)
            self._authorize(caller, action, parameters, recipient)
            if action in _OWN:
                return self._serve_policy(action, parameters)
            parameters.pop("Recipient", None)
            return await self._forward(target, parameters, recipient)
        except KmsRefusal as refusal:
            log.warning("kms_refused", code=refusal.code, reason=str(refusal))
            return error(refusal)

    def _authenticate(self, request: web.Request, body: bytes) -> Caller:
        signed = SignedRequest(request.method, {k.lower(): v for k, v in request.headers.items()}, body)
        try:
            return self._callers[verify(signed, self._secrets, service="kms", now=self._now())]
        except SignatureRefused as fault:
            raise KmsRefusal(400, fault.code, str(fault)) from None

    def _authorize(
        self, caller: Caller, action: str, parameters: dict[str, Any], recipient: Recipient | None
    ) -> None:
        context = {**context_of(parameters), **(recipient.context if recipient else {})}
        if account_allows(caller.arn, action):
            return
        # A ciphertext of another key does not decrypt so: no other key's encryption context names a webhook.
        own = parameters.get("KeyId") == WEBHOOK_ALIAS
        policy = self._webhooks_policy if own else self._policy
        if not policy.allows(principal=caller.arn, action=action, context=context):
            raise KmsRefusal(
                400,
                "AccessDeniedException",
                f"User: {caller.arn} is not authorized to perform: {action} on this resource because no "
                f"resource-based policy allows the {action} action",
            )

    def _serve_policy(self, action: str, parameters: dict[str, Any]) -> web.Response:
        if action == "kms:GetKeyPolicy":
            body = {"Policy": self._policy_file.read_text(), "PolicyName": "default"}
            return web.json_response(body, content_type=JSON_1_1)
        try:
            document = json.loads(parameters.get("Policy", ""))
            self._policy = KeyPolicy.model_validate(document)
        except (TypeError, ValueError, RecursionError):
            raise KmsRefusal(
                400, "MalformedPolicyDocumentException", "the policy is not understood"
            ) from None
        write_json(self._policy_file, document)
        log.info("kms_policy_replaced")
        return web.Response(content_type=JSON_1_1)

    async def _forward(
        self, target: str, parameters: dict[str, Any], recipient: Recipient | None
    ) -> web.Response:
        body = json.dumps(parameters).encode()
        headers = {"X-Amz-Target": target, "Content-Type": JSON_1_1}
        signed = AWSRequest("POST", self._upstream, headers=headers, data=body)
        SigV4Auth(Credentials("test", "test"), "kms", self._region).add_auth(signed)
        try:
            async with self._http.post(self._upstream, data=body, headers=dict(signed.headers)) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as fault:
            log.warning("kms_upstream_unavailable", reason=str(fault) or type(fault).__name__)
            raise KmsRefusal(
                503, "KMSInternalException", "the emulator behind the KMS front is not there"
            ) from None
        if recipient is not None and response.ok:
            action = f"kms:{target.removeprefix(TARGET)}"
            if action == "kms:Decrypt":
                self._decrypted(recipient.document)
            content = recipient.seal(action, content)
        return web.Response(status=response.status, body=content, content_type=JSON_1_1)


def parse(target: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """Return the action (`kms:Decrypt`) and the parameters of a request; raises KmsRefusal."""
    operation = target.removeprefix(TARGET)
    if not target.startswith(TARGET) or not operation.isalnum():
        raise KmsRefusal(400, "UnknownOperationException", f"not a KMS operation: {target[:100]!r}")
    try:
        parameters = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise KmsRefusal(400, "SerializationException", "the body is not JSON") from None
    if not isinstance(parameters, dict):
        raise KmsRefusal(400, "SerializationException", "the body is not a JSON object")
    return f"kms:{operation}", parameters


def context_of(parameters: Mapping[str, Any]) -> Context:
    """Return the condition keys that a request sets.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    context: dict[str, str] = {}
    encryption_context = parameters.get("EncryptionContext")
    if isinstance(encryption_context, dict):
        context |= {f"kms:EncryptionContext:{k}": str(v) for k, v in encryption_context.items()}
    if isinstance(spec := parameters.get("KeyPairSpec"), str):
        context["kms:DataKeyPairSpec"] = spec
    if isinstance(algorithm := parameters.get("SigningAlgorithm"), str):
        context["kms:SigningAlgorithm"] = algorithm
    return context


async def healthy(_request: web.Request) -> web.Response:
    """Answer that the front serves."""
    return web.json_response(ALIVE)


def application(front: KmsFront) -> web.Application:
    """Return the front as an aiohttp application."""
    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.post("/", front.handle), web.get("/healthz", healthy)])
    return app


class RecipientLog:
    """Writes to a file which enclaves keys were decrypted for, once for each: the stack's own CloudTrail."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[str] = set()

    def note(self, attested: Document) -> None:
        """Put an enclave on record, unless it is."""
        if attested.module_id in self._known:
            return
        event = event_of(attested, at=datetime.now(UTC))
        with self._path.open("a") as file:
            file.write(json.dumps(event) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._known.add(attested.module_id)


def load_callers(path: Path) -> dict[str, Caller]:
    """Read the principals' file; raises Misconfigured."""
    try:
        return {key_id: Caller(entry["secret"], entry["arn"]) for key_id, entry in read_json(path).items()}
    except (KeyError, TypeError):
        raise corrupt(path, "not a file of principals") from None


def load_policy(path: Path) -> KeyPolicy:
    """Read the key policy; raises Misconfigured."""
    try:
        return KeyPolicy.model_validate(read_json(path))
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        raise corrupt(path, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None


def load_root(path: Path) -> bytes:
    """Return the SHA-256 of a root's certificate; raises KmsRefusal when there is none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(SHA256())
    except (OSError, ValueError):
        raise KmsRefusal(500, "KMSInternalException", "there is no root under which to attest") from None


async def run(config: KmsFrontSettings, stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), trust_env=False)
        )
        front = KmsFront(
            callers=load_callers(config.kms_front_principals),
            policy=config.kms_front_policy,
            root=partial(load_root, config.kms_front_root),
            http=http,
            upstream=config.kms_front_upstream,
            region=config.aws_region,
            decrypted=RecipientLog(config.kms_front_log).note,
        )
        runner = web.AppRunner(application(front), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, config.kms_front_host, config.kms_front_port).start()
        await stop.wait()


if __name__ == "__main__":
    process.main("kms-front", KmsFrontSettings, run)
