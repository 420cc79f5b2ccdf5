"""Which calls of KMS each service makes, as a key's policy sees them.

Keys' policies alone decide about them, so no role's statement names one.
Source: developer guide of KMS, "Condition keys for AWS KMS".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from mintline_devstack.kms_front import context_of
from mintline_harness.aws_calls import access_key_of
from mintline_harness.chaos.proxy import FaultProxy, Weather

_CONTEXT = "kms:EncryptionContext:"


@dataclass(frozen=True, slots=True, order=True)
class KmsCall:
    """One kind of call of KMS."""

    action: str
    """As policies name it, such as `kms:Decrypt`."""
    key: str
    """The key's name (`KmsKey`), or what the call names if no answer told whose ARN that is."""
    conditions: tuple[tuple[str, str], ...]
    """The condition keys that it sets, each with its value; of the encryption context without values."""
    attested: bool
    """Whether it carries an attestation document (`Recipient`)."""


class KmsCallRecorder(FaultProxy):
    """Passes requests on to a KMS, and notes the calls by the access key that signed them."""

    def __init__(self, upstream: str, *, prefix: str) -> None:
        super().__init__(upstream, Weather())
        self._alias = f"alias/{prefix}-"
        self._noted: dict[str, set[KmsCall]] = {}
        self._arns: dict[str, str] = {}
        """The names of the keys, by their ARNs, as answers to calls by alias tell them."""

    @property
    def calls(self) -> dict[str, set[KmsCall]]:
        """The calls by access key."""
        return {
            signer: {replace(call, key=self._arns.get(call.key, call.key)) for call in calls}
            for signer, calls in self._noted.items()
        }

    async def _through(self, request: web.Request) -> web.StreamResponse:
        response = await super()._through(request)
        signer = access_key_of(request)
        if signer is None or not isinstance(response, web.Response) or response.status != 200:
            return response
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        parameters = json.loads(await request.read() or b"{}")
        named = str(parameters.get("KeyId", ""))
        call = KmsCall(
            f"kms:{operation}", self._name(named), _conditions(parameters), "Recipient" in parameters
        )
        self._noted.setdefault(signer, set()).add(call)
        assert isinstance(response.body, bytes)
        if named.startswith(self._alias) and (arn := json.loads(response.body).get("KeyId")):
            self._arns[arn] = call.key
        return response

    def _name(self, key_id: str) -> str:
        return key_id.removeprefix(self._alias)


def _conditions(parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the condition keys that a request sets; encryption contexts are of each user and webhook."""
    return tuple(
        sorted(
            (key, "" if key.startswith(_CONTEXT) else value) for key, value in context_of(parameters).items()
        )
    )
