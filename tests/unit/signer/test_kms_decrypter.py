from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from pydantic import SecretStr

from mintline.clock import UnixSeconds
from mintline.errors import Unavailable
from mintline_devstack.cms_envelope import enveloped, tlv
from mintline_signer.enclave import sigv4
from mintline_signer.enclave.http1 import HttpPool, HttpResponse
from mintline_signer.enclave.kms import KmsDecrypter, parse_endpoint
from mintline_signer.enclave.nsm import NsmFailed
from mintline_signer.enclave.pkcs8 import secp256k1_scalar
from mintline_signer.enclave.recipient import Recipient, new_key
from mintline_signer.enclave.sigv4 import AwsKey, signed_headers
from mintline_signer.enclave.wrapped import WalletUnwrapper
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import Credentials

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

KEY_ID = "arn:aws:kms:eu-west-1:111122223333:key/0e2d"
RECIPIENT = Recipient(new_key(), b"document")
ENDPOINT = parse_endpoint("https://kms.eu-west-1.amazonaws.com")
CREDENTIALS = Credentials(
    access_key_id="AKIAEXAMPLE",
    secret_access_key=SecretStr("hush"),
    session_token=SecretStr("quiet"),
    region="eu-west-1",
)


def pkcs8(key: Any, encryption: KeySerializationEncryption | None = None) -> bytes:
    der: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption or NoEncryption())
    return der


def secp256k1(secret: bytes) -> Any:
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256K1())


@dataclass
class FakeHttp(HttpPool):
    response: HttpResponse | Exception
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def post(self, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        self.requests.append((dict(headers), body))
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


def answering(status: int, content: object) -> FakeHttp:
    return FakeHttp(HttpResponse(status, json.dumps(content).encode()))


def enveloped_for(recipient: Recipient, plaintext: bytes) -> str:
    return base64.b64encode(enveloped(plaintext, recipient.key.public_key())).decode()


def decrypted(secret: bytes, key_id: str = KEY_ID) -> FakeHttp:
    envelope = enveloped_for(RECIPIENT, pkcs8(secp256k1(secret)))
    return answering(200, {"KeyId": key_id, "Plaintext": None, "CiphertextForRecipient": envelope})


def decrypter_over(http: HttpPool, *, key_id: str = KEY_ID, credentials: bool = True) -> KmsDecrypter:
    decrypter = KmsDecrypter(
        http, ENDPOINT, key_id=key_id, now=lambda: UnixSeconds(1_800_000_000.0), recipient=lambda: RECIPIENT
    )
    if credentials:
        decrypter.use(CREDENTIALS)
    return decrypter


async def unwrap(decrypter: KmsDecrypter, cast: Cast) -> bytearray:
    return await WalletUnwrapper(decrypter).unwrap(cast.user.wrapped)


async def test_decrypt__when_kms_decrypts__asks_for_one_key_and_one_context(cast: Cast) -> None:
    http = decrypted(cast.user.secret)
    assert await unwrap(decrypter_over(http), cast) == cast.user.secret
    ((headers, body),) = http.requests
    assert json.loads(body) == {
        "CiphertextBlob": base64.b64encode(cast.user.wrapped.wrapped).decode(),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "EncryptionContext": {"sub": "user-1", "chain": "31337"},
        "KeyId": KEY_ID,
        "Recipient": {
            "AttestationDocument": base64.b64encode(RECIPIENT.document).decode(),
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        },
    }
    assert headers["x-amz-target"] == "TrentService.Decrypt"
    assert headers["x-amz-security-token"] == "quiet"
    assert headers["host"] == "kms.eu-west-1.amazonaws.com"


async def test_decrypt__when_the_key_begins_with_zeros__keeps_them(cast: Cast) -> None:
    secret = bytes(3) + b"\x09" * 29
    assert await unwrap(decrypter_over(decrypted(secret)), cast) == secret


async def test_decrypt__when_there_are_no_credentials__fails(cast: Cast) -> None:
    decrypter = decrypter_over(decrypted(cast.user.secret), credentials=False)
    assert not decrypter.ready
    with pytest.raises(EnclaveFailure) as caught:
        await unwrap(decrypter, cast)
    assert caught.value.code is FailureCode.CREDENTIALS_MISSING


async def test_decrypt__when_kms_used_another_key_than_the_pinned_one__is_refused(cast: Cast) -> None:
    other = KEY_ID.replace("0e2d", "ffff")
    with pytest.raises(EnclaveRefusal) as caught:
        await unwrap(decrypter_over(decrypted(cast.user.secret, other)), cast)
    assert caught.value.code == RefusalCode.KEY_UNDECRYPTABLE


async def test_decrypt__when_the_pinned_key_is_an_alias__takes_what_kms_resolved(cast: Cast) -> None:
    decrypter = decrypter_over(decrypted(cast.user.secret), key_id="alias/mintline-wallets")
    assert await unwrap(decrypter, cast) == cast.user.secret


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "InvalidCiphertextException", RefusalCode.KEY_UNDECRYPTABLE),
        (400, "IncorrectKeyException", RefusalCode.KEY_UNDECRYPTABLE),
        (400, "AccessDeniedException", FailureCode.KMS_DENIED),
        (400, "ValidationException", FailureCode.KMS_DENIED),
        (400, "com.amazonaws.kms#AccessDeniedException", FailureCode.KMS_DENIED),
        (403, "InvalidSignatureException", FailureCode.KMS_DENIED),
        (400, "ExpiredTokenException", FailureCode.CREDENTIALS_EXPIRED),
        (400, "ThrottlingException", FailureCode.KMS_THROTTLED),
        (500, "KMSInternalException", FailureCode.KMS_UNAVAILABLE),
        (400, "NeverHeardOfException", FailureCode.KMS_UNAVAILABLE),
    ],
)
async def test_decrypt__when_kms_declines__gives_a_code_and_no_text(
    cast: Cast, status: int, kind: str, code: RefusalCode | FailureCode
) -> None:
    http = answering(status, {"__type": kind, "message": "secret detail"})
    with pytest.raises((EnclaveRefusal, EnclaveFailure)) as caught:
        await unwrap(decrypter_over(http), cast)
    assert isinstance(caught.value, EnclaveRefusal | EnclaveFailure)
    assert caught.value.code == code
    assert "detail" not in str(caught.value)


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(502, b"<html>"),
        Unavailable("gone"),
    ],
)
async def test_decrypt__when_the_answer_is_no_answer__fails_as_unavailable(
    cast: Cast, response: HttpResponse | Exception
) -> None:
    with pytest.raises(EnclaveFailure) as caught:
        await unwrap(decrypter_over(FakeHttp(response)), cast)
    assert caught.value.code is FailureCode.KMS_UNAVAILABLE


STRANGER = Recipient(new_key(), b"document")
PLAINTEXT = base64.b64encode(pkcs8(secp256k1(b"\x11" * 32))).decode()


@pytest.mark.parametrize(
    "content",
    [
        "not an object",
        [],
        {"KeyId": KEY_ID},
        {"CiphertextForRecipient": enveloped_for(RECIPIENT, b"secret")},
        {"KeyId": KEY_ID, "Plaintext": PLAINTEXT},
        {
            "KeyId": KEY_ID,
            "Plaintext": PLAINTEXT,
            "CiphertextForRecipient": enveloped_for(RECIPIENT, b"secret"),
        },
        {"KeyId": KEY_ID, "CiphertextForRecipient": PLAINTEXT},
        {"KeyId": KEY_ID, "CiphertextForRecipient": "!!"},
        {"KeyId": KEY_ID, "CiphertextForRecipient": "é"},
        {"KeyId": KEY_ID, "CiphertextForRecipient": enveloped_for(STRANGER, b"secret")},
    ],
)
async def test_decrypt__when_the_answer_is_in_the_clear_or_not_for_this_enclave__is_not_taken(
    cast: Cast, content: object
) -> None:
    with pytest.raises(EnclaveFailure) as caught:
        await unwrap(decrypter_over(answering(200, content)), cast)
    assert caught.value.code is FailureCode.KMS_ANSWER


async def test_decrypt__when_the_key_is_rotated_in_flight__opens_the_answer_by_the_older_one() -> None:
    recipients = [RECIPIENT, STRANGER]
    envelope = enveloped_for(RECIPIENT, b"secret")
    http = answering(200, {"KeyId": KEY_ID, "CiphertextForRecipient": envelope})
    decrypter = KmsDecrypter(
        http, ENDPOINT, key_id=KEY_ID, now=lambda: UnixSeconds(0.0), recipient=lambda: recipients.pop(0)
    )
    decrypter.use(CREDENTIALS)
    assert await decrypter.decrypt(b"wrapped", {}) == b"secret"


async def test_decrypt__when_the_security_module_fails__asks_nothing(cast: Cast) -> None:
    def failing() -> Recipient:
        raise NsmFailed("gone")

    http = decrypted(cast.user.secret)
    decrypter = KmsDecrypter(http, ENDPOINT, key_id=KEY_ID, now=lambda: UnixSeconds(0.0), recipient=failing)
    decrypter.use(CREDENTIALS)
    with pytest.raises(EnclaveFailure) as caught:
        await decrypter.decrypt(b"wrapped", {})
    assert caught.value.code is FailureCode.NOT_ATTESTED
    assert http.requests == []


@pytest.mark.parametrize("scalar", [1, 2**248 - 1, 2**255, 0x00FF << 232])
def test_pkcs8__when_the_scalar_has_leading_zeros__gives_32_bytes(scalar: int) -> None:
    secret = scalar.to_bytes(32, "big")
    assert secp256k1_scalar(pkcs8(secp256k1(secret))) == secret


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30\x03\x02\x01\x00",
        pkcs8(secp256k1(b"\x01" * 32))[:-1],
        pkcs8(secp256k1(b"\x01" * 32)) + b"\x00",
        pkcs8(ec.generate_private_key(ec.SECP256R1())),
        pkcs8(rsa.generate_private_key(65537, 2048)),
        pkcs8(secp256k1(b"\x01" * 32), BestAvailableEncryption(b"pass")),
    ],
    ids=["nothing", "rubbish", "cut short", "a tail", "another curve", "rsa", "encrypted"],
)
def test_pkcs8__when_it_is_no_plain_secp256k1_key__is_refused(der: bytes) -> None:
    with pytest.raises(EnclaveRefusal) as caught:
        secp256k1_scalar(der)
    assert caught.value.code == RefusalCode.KEY_MALFORMED


def test_pkcs8__when_a_writer_dropped_leading_zeros__puts_them_back() -> None:
    algorithm = tlv(0x30, bytes.fromhex("06072a8648ce3d020106052b8104000a"))
    private = tlv(0x30, tlv(0x02, b"\x01"), tlv(0x04, b"\x09" * 30))
    der = tlv(0x30, tlv(0x02, b"\x00"), algorithm, tlv(0x04, private))
    assert secp256k1_scalar(der) == bytes(2) + b"\x09" * 30


def test_pkcs8__when_it_is_cut_or_changed_anywhere__is_refused_or_another_scalar() -> None:
    sound = pkcs8(secp256k1(b"\x11" * 32))
    for cut in range(len(sound)):
        with pytest.raises(EnclaveRefusal):
            secp256k1_scalar(sound[:cut])
    for place in range(len(sound)):
        changed = bytearray(sound)
        changed[place] ^= 0x81
        with suppress(EnclaveRefusal):
            assert len(secp256k1_scalar(changed)) == 32


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("body", [b"", b'{"KeyId": "alias/x"}'])
def test_sigv4__when_given_a_request__signs_as_botocore_does(
    monkeypatch: pytest.MonkeyPatch, token: str | None, body: bytes
) -> None:
    key = AwsKey("AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token, "eu-west-1", "kms")
    headers = {
        "host": "kms.eu-west-1.amazonaws.com",
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "TrentService.Decrypt",
    }
    ours = signed_headers(key, headers, body, now=UnixSeconds(1_800_000_000.5))
    request = AWSRequest("POST", "https://kms.eu-west-1.amazonaws.com/", headers=dict(headers), data=body)
    monkeypatch.setattr("botocore.auth.get_current_datetime", _stamp_time)
    SigV4Auth(BotoCredentials(key.access_key_id, key.secret, token), "kms", "eu-west-1").add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"] == "20270115T080000Z"


def _stamp_time() -> Any:
    return dt.datetime.fromtimestamp(1_800_000_000, dt.UTC)


def test_sigv4__when_the_key_is_shown__hides_all_that_is_secret() -> None:
    shown = repr(sigv4.AwsKey("AKIAEXAMPLE", "hush", "quiet", "eu-west-1", "kms"))
    assert not any(secret in shown for secret in ("AKIAEXAMPLE", "hush", "quiet"))


def test_endpoint__when_it_is_a_url__says_whom_to_trust() -> None:
    public = parse_endpoint("https://kms.us-east-1.amazonaws.com")
    assert (public.host, public.tls) == ("kms.us-east-1.amazonaws.com", True)
    local = parse_endpoint("http://127.0.0.1:4567/")
    assert (local.host, local.server_name, local.tls) == ("127.0.0.1:4567", "127.0.0.1", False)


@pytest.mark.parametrize(
    "url", ["kms:443", "ftp://kms", "https://", "https://kms/path", "https://kms\r\nx: y"]
)
def test_endpoint__when_it_is_no_url__raises(url: str) -> None:
    with pytest.raises(ValueError, match="expected http"):
        parse_endpoint(url)


async def test_decrypt__when_it_is_no_key__gives_the_bytes_as_they_are() -> None:
    http = answering(
        200, {"KeyId": KEY_ID, "CiphertextForRecipient": enveloped_for(RECIPIENT, b"\x00any\xff")}
    )
    assert await decrypter_over(http).decrypt(b"wrapped", {"purpose": "sealing"}) == b"\x00any\xff"
    ((_, body),) = http.requests
    assert json.loads(body)["EncryptionContext"] == {"purpose": "sealing"}


async def test_wallet_unwrapper__when_it_has_the_scalar__erases_the_plaintext(cast: Cast) -> None:
    plaintext = bytearray(pkcs8(secp256k1(cast.user.secret)))

    class Remembered:
        async def decrypt(self, _ciphertext: bytes, _context: Mapping[str, str]) -> bytearray:
            return plaintext

    assert await WalletUnwrapper(Remembered()).unwrap(cast.user.wrapped) == cast.user.secret
    assert plaintext == bytes(len(plaintext))
