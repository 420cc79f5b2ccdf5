"""KMS Decrypt through the host's proxy: the enclave's own client, from the signature to the TLS.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from mintline.clock import UnixSeconds
from mintline.errors import Unavailable
from mintline_signer import addresses
from mintline_signer.enclave.envelope import BrokenEnvelope, open_envelope
from mintline_signer.enclave.http1 import MAX_HEAD, HttpPool, HttpResponse, Stream
from mintline_signer.enclave.kms_tls import Tls
from mintline_signer.enclave.nsm import NsmFailed
from mintline_signer.enclave.recipient import Recipient
from mintline_signer.enclave.sigv4 import AwsKey, signed_headers
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import Credentials

_ENDPOINT = re.compile(r"(https?)://([a-z0-9.-]{1,253}(?::[0-9]{1,5})?)/?")

_FAULTS: dict[str, RefusalCode | FailureCode] = {
    # What no retry can fix: the blob, or the subject and chain that it was made for, are wrong.
    "InvalidCiphertextException": RefusalCode.KEY_UNDECRYPTABLE,
    "IncorrectKeyException": RefusalCode.KEY_UNDECRYPTABLE,
    # The document is refused: too old, of another root, or not what was asked for.
    "ValidationException": FailureCode.KMS_DENIED,
    "AccessDeniedException": FailureCode.KMS_DENIED,
    "UnrecognizedClientException": FailureCode.KMS_DENIED,
    "InvalidSignatureException": FailureCode.KMS_DENIED,
    "IncompleteSignatureException": FailureCode.KMS_DENIED,
    "MissingAuthenticationTokenException": FailureCode.KMS_DENIED,
    "ExpiredTokenException": FailureCode.CREDENTIALS_EXPIRED,
    "ThrottlingException": FailureCode.KMS_THROTTLED,
    "LimitExceededException": FailureCode.KMS_THROTTLED,
}


@dataclass(frozen=True, slots=True)
class KmsEndpoint:
    """KMS as the enclave names it: the host's proxy chooses the route, TLS proves the end."""

    host: str
    """With the port, if it is not the scheme's own: what the Host header says."""
    tls: bool

    @property
    def server_name(self) -> str:
        """The name that the certificate must prove."""
        return self.host.partition(":")[0]


def parse_endpoint(url: str) -> KmsEndpoint:
    """Read `http(s)://host[:port]`; raises ValueError."""
    match = _ENDPOINT.fullmatch(url)
    if match is None:
        raise ValueError("expected http://host[:port] or https://host[:port]")
    return KmsEndpoint(host=match[2], tls=match[1] == "https")


def dial(
    proxy: addresses.Address, endpoint: KmsEndpoint, *, tls: Tls | None
) -> Callable[[], Awaitable[Stream]]:
    """Return a function that connects to KMS through the host's proxy; TLS ends here.

    `tls` is needed if the endpoint is one of TLS.
    """
    if endpoint.tls and tls is None:
        raise ValueError("an endpoint of TLS needs roots to trust")

    async def connect() -> Stream:
        sock = await addresses.connect(proxy)
        return await asyncio.open_connection(
            sock=sock,
            limit=MAX_HEAD,
            ssl=tls if endpoint.tls else None,
            server_hostname=endpoint.server_name if endpoint.tls else None,
        )

    return connect


class KmsDecrypter:
    """A Decrypter that asks KMS to decrypt under one pinned key, and to answer this enclave alone.

    `key_id` is the key's ARN, id or alias; `now` gives Unix seconds; `recipient` returns the key and the
    document to ask with. Hazard: the envelope carries no integrity. That it comes from KMS is proven by TLS,
    that it holds the right key by the address derived from it.
    """

    def __init__(
        self,
        http: HttpPool,
        endpoint: KmsEndpoint,
        *,
        key_id: str,
        now: Callable[[], UnixSeconds],
        recipient: Callable[[], Recipient],
    ) -> None:
        self._http = http
        self._host = endpoint.host
        self._key_id = key_id
        self._now = now
        self._recipient = recipient
        self._credentials: AwsKey | None = None

    @property
    def ready(self) -> bool:
        """Tell whether there are credentials."""
        return self._credentials is not None

    def use(self, credentials: Credentials) -> None:
        """Replace the credentials."""
        token = credentials.session_token
        self._credentials = AwsKey(
            access_key_id=credentials.access_key_id,
            secret=credentials.secret_access_key.get_secret_value(),
            token=None if token is None else token.get_secret_value(),
            region=credentials.region,
            service="kms",
        )

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Return the plaintext if it was made under `context`; raises EnclaveRefusal or EnclaveFailure."""
        return await self.decrypt_under(self._key_id, ciphertext, context)

    async def decrypt_under(self, key_id: str, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Return what `ciphertext` holds, if it was made under this key and context."""
        try:
            recipient = self._recipient()
        except NsmFailed:
            raise EnclaveFailure(FailureCode.NOT_ATTESTED) from None
        parameters = {
            "CiphertextBlob": base64.b64encode(ciphertext).decode(),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "EncryptionContext": dict(context),
            "KeyId": key_id,
            "Recipient": {
                "AttestationDocument": base64.b64encode(recipient.document).decode(),
                "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            },
        }
        return self._opened(await self._ask("Decrypt", parameters), recipient, key_id)

    async def encrypt_under(self, arn: str, plaintext: bytearray, context: Mapping[str, str]) -> bytes:
        """Return the ciphertext of `plaintext` under the key of that ARN; raises EnclaveFailure.

        Hazard: unlike an answer, what is asked goes to KMS in the clear within TLS, and the JSON that
        carries it is freed but not overwritten.
        """
        parameters = {
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "EncryptionContext": dict(context),
            "KeyId": arn,
            "Plaintext": base64.b64encode(plaintext).decode(),
        }
        body = _object(await self._ask("Encrypt", parameters))
        used, ciphertext = body.get("KeyId"), body.get("CiphertextBlob")
        if used != arn or not isinstance(ciphertext, str):
            raise EnclaveFailure(FailureCode.KMS_ANSWER)
        try:
            return base64.b64decode(ciphertext, validate=True)
        except ValueError:
            raise EnclaveFailure(FailureCode.KMS_ANSWER) from None

    async def _ask(self, operation: str, parameters: Mapping[str, Any]) -> HttpResponse:
        if self._credentials is None:
            raise EnclaveFailure(FailureCode.CREDENTIALS_MISSING)
        body = json.dumps(parameters).encode()
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": self._host,
            "x-amz-target": f"TrentService.{operation}",
        }
        try:
            response = await self._http.post(
                signed_headers(self._credentials, headers, body, now=self._now()), body
            )
        except Unavailable:
            raise EnclaveFailure(FailureCode.KMS_UNAVAILABLE) from None
        if response.status != 200:
            _raise_fault(response)
        return response

    def _opened(self, response: HttpResponse, recipient: Recipient, key_id: str) -> bytearray:
        """Return what the envelope in the answer holds; an answer in the clear is none."""
        body = _object(response)
        used, envelope = body.get("KeyId"), body.get("CiphertextForRecipient")
        if not isinstance(used, str) or not isinstance(envelope, str) or body.get("Plaintext"):
            raise EnclaveFailure(FailureCode.KMS_ANSWER)
        if ":key/" in key_id and used != key_id:
            raise EnclaveRefusal(RefusalCode.KEY_UNDECRYPTABLE)
        try:
            return open_envelope(base64.b64decode(envelope, validate=True), recipient.key)
        except (ValueError, BrokenEnvelope):
            raise EnclaveFailure(FailureCode.KMS_ANSWER) from None


@dataclass(frozen=True, slots=True)
class SuccessorKey:
    """A Wrapper: the other key that the policy names, asked for by the same client."""

    kms: KmsDecrypter
    arn: str

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Return what `ciphertext` holds."""
        return await self.kms.decrypt_under(self.arn, ciphertext, context)

    async def encrypt(self, plaintext: bytearray, context: Mapping[str, str]) -> bytes:
        """Return the ciphertext of `plaintext`."""
        return await self.kms.encrypt_under(self.arn, plaintext, context)


def _object(response: HttpResponse) -> dict[str, Any]:
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        body = None
    return body if isinstance(body, dict) else {}


def _raise_fault(response: HttpResponse) -> NoReturn:
    """Raise what a KMS error means; its message goes nowhere."""
    kind = str(_object(response).get("__type", "")).rpartition("#")[2]
    fault = _FAULTS.get(kind, FailureCode.KMS_UNAVAILABLE)
    if isinstance(fault, RefusalCode):
        raise EnclaveRefusal(fault)
    raise EnclaveFailure(fault)
