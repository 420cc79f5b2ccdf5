"""The KMS front answers what the key policy allows, and an attested caller by its key alone."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.document import Document
from mintline.attestation.registers import role_register
from mintline.audit.kms_log import modules_in
from mintline.errors import Misconfigured
from mintline_devstack.kms_errors import KmsRefusal
from mintline_devstack.kms_front import Caller, KmsFront, RecipientLog, load_callers, load_policy, load_root
from mintline_devstack.principals import ROLES, key_policy, role_arn
from mintline_devstack.state_folder import write_json
from mintline_signer.enclave.envelope import open_envelope
from mintline_signer.enclave.recipient import new_key
from mintline_testkit.constants import CHAIN_ID

URL = "http://127.0.0.1:4567/"
SECRET = b"the private key"
PLAINTEXT = base64.b64encode(SECRET).decode()
CONTEXT = {"sub": "user-1", "chain": str(CHAIN_ID)}
DECRYPT = {"CiphertextBlob": "AAAA", "EncryptionContext": CONTEXT}
PCRS = {index: bytes((index + 1,)) * 48 for index in (0, 1, 2, 16)} | {3: role_register(role_arn("enclave"))}
KEY = new_key()
EC_KEY = ec.generate_private_key(ec.SECP256R1())
SMALL_KEY = rsa.generate_private_key(65537, 1024)
NOW = datetime.now(UTC)
AUTHORITY = DevelopmentAuthority.create(now=NOW)
STRANGER = DevelopmentAuthority.create(now=NOW)
DENIED = "AccessDeniedException"
INVALID = "ValidationException"
UNKNOWN = {"Sid": "x", "Effect": "Allow", "NotPrincipal": {"AWS": "*"}, "Action": "*", "Resource": "*"}
ATTESTED = {"StringEquals": {"kms:RecipientAttestation:PCR0": PCRS[0].hex()}}


def public_key(key: Any) -> bytes:
    encoded: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def document(
    *,
    authority: DevelopmentAuthority = AUTHORITY,
    age: timedelta = timedelta(0),
    pcrs: Mapping[int, bytes] = PCRS,
    bound: bytes | None = None,
) -> str:
    """Return an attestation document in base64, as a request carries it."""
    at = datetime.now(UTC)
    key = public_key(KEY) if bound is None else bound
    attester = authority.attester("module", now=at)
    attestation = attester.attest(module_id="module", at=at - age, pcrs=pcrs, public_key=key)
    return base64.b64encode(attestation).decode()


def recipient(attestation: str, algorithm: str = "RSAES_OAEP_SHA_256") -> dict[str, Any]:
    return {"Recipient": {"AttestationDocument": attestation, "KeyEncryptionAlgorithm": algorithm}}


@dataclass
class Emulator:
    """The emulator behind the front: it checks nothing, and gives its plaintext to everyone."""

    status: int = 200
    away: bool = False
    requested: list[dict[str, Any]] = field(default_factory=list)
    secret_in: str = "Plaintext"
    refusal: Mapping[str, str] | None = None

    @asynccontextmanager
    async def post(self, _url: str, *, data: bytes, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        if self.away:
            raise aiohttp.ClientConnectionError("refused")
        self.requested.append({"target": headers["X-Amz-Target"], **json.loads(data)})
        if self.refusal is not None:
            yield _Answer(400, json.dumps(self.refusal).encode())
        else:
            yield _Answer(self.status, json.dumps({"KeyId": "key-1", self.secret_in: PLAINTEXT}).encode())


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 400

    async def read(self) -> bytes:
        return self.body


@dataclass
class Front:
    """A front, the emulator behind it, and what it was asked to record."""

    folder: Path
    emulator: Emulator = field(default_factory=Emulator)
    decrypted: list[Document] = field(default_factory=list)
    now: float | None = None

    def __post_init__(self) -> None:
        self.policy = self.folder / "policy.json"
        if not self.policy.exists():
            images, policies = (PCRS[0].hex(),), (PCRS[16].hex(),)
            write_json(self.policy, key_policy(CHAIN_ID, images=images, policies=policies))
        self.start()

    def start(self) -> None:
        self.front = KmsFront(
            callers={role: Caller(f"secret of {role}", role_arn(role)) for role in ROLES},
            policy=self.policy,
            root=lambda: AUTHORITY.fingerprint,
            http=cast("aiohttp.ClientSession", self.emulator),
            upstream=URL,
            region="us-east-1",
            now=lambda: datetime.now(UTC).timestamp() if self.now is None else self.now,
            decrypted=self.decrypted.append,
        )

    def allow(self, action: str, role: str, condition: Mapping[str, Any]) -> None:
        """Restart the front with one statement as its policy."""
        statement = {
            "Sid": "One",
            "Effect": "Allow",
            "Principal": {"AWS": role_arn(role)},
            "Action": action,
            "Resource": "*",
            "Condition": condition,
        }
        write_json(self.policy, {"Version": "2012-10-17", "Statement": [statement]})
        self.start()

    async def send(
        self,
        operation: str,
        body: Mapping[str, Any] | bytes,
        *,
        role: str = "enclave",
        secret: str | None = None,
        service: str = "kms",
        instead: bytes | None = None,
        signed: bool = True,
    ) -> tuple[int, dict[str, Any]]:
        """Send a request as an AWS client does; `instead` is a body that replaces the signed one."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        target = operation if "." in operation else f"TrentService.{operation}"
        request = AWSRequest(
            "POST", URL, headers={"X-Amz-Target": target, "Host": "127.0.0.1:4567"}, data=data
        )
        if signed:
            credentials = Credentials(role, secret or f"secret of {role}")
            SigV4Auth(credentials, service, "us-east-1").add_auth(request)
        headers = {name: str(value) for name, value in request.headers.items()}
        response = await self.front.handle(_incoming(headers, data if instead is None else instead))
        assert response.body is None or isinstance(response.body, bytes)
        return response.status, json.loads(response.body or b"{}")

    async def refused(self, operation: str, body: Mapping[str, Any] | bytes, **how: Any) -> str:
        """Return a refusal's code; nothing was asked of the emulator, and nothing of it is answered."""
        before = len(self.emulator.requested)
        status, response = await self.send(operation, body, **how)
        assert status == 400
        assert response.keys() == {"__type", "message"}
        assert self.emulator.requested[before:] == []
        assert self.decrypted == []
        code: str = response["__type"]
        return code


def _incoming(headers: Mapping[str, str], body: bytes) -> web.Request:
    protocol = aiohttp.base_protocol.BaseProtocol(loop=cast("Any", None))
    payload = StreamReader(protocol, 2**16, loop=cast("Any", None))
    payload.feed_data(body)
    payload.feed_eof()
    return make_mocked_request("POST", "/", headers, payload=payload)


@pytest.fixture
def front(tmp_path: Path) -> Front:
    return Front(tmp_path)


async def test_decrypt__when_the_enclave_attests__then_its_key_alone_opens_the_answer(front: Front) -> None:
    status, response = await front.send("Decrypt", DECRYPT | recipient(document()))

    assert status == 200
    assert response.keys() == {"KeyId", "CiphertextForRecipient"}
    assert bytes(open_envelope(base64.b64decode(response["CiphertextForRecipient"]), KEY)) == SECRET
    assert front.emulator.requested == [{"target": "TrentService.Decrypt", **DECRYPT}]
    assert [attested.module_id for attested in front.decrypted] == ["module"]


@pytest.mark.parametrize("role", ROLES)
async def test_decrypt__when_nobody_attests__then_every_role_is_denied(front: Front, role: str) -> None:
    assert await front.refused("Decrypt", DECRYPT, role=role) == DENIED


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"enclave"}))
async def test_decrypt__when_another_role_attests__then_it_is_denied(front: Front, role: str) -> None:
    assert await front.refused("Decrypt", DECRYPT | recipient(document()), role=role) == DENIED


@pytest.mark.parametrize(
    "pcrs",
    [
        PCRS | {0: b"\xee" * 48},
        PCRS | {3: role_register(role_arn("signer-host"))},
        PCRS | {16: b"\xee" * 48},
        {index: value for index, value in PCRS.items() if index != 16},
        {index: value for index, value in PCRS.items() if index != 3},
        PCRS | {0: PCRS[1], 1: PCRS[0]},
    ],
    ids=["image", "role", "policy", "no policy", "no role", "image in another register"],
)
async def test_decrypt__when_a_register_is_not_the_policys__then_it_is_denied(
    front: Front, pcrs: Mapping[int, bytes]
) -> None:
    assert await front.refused("Decrypt", DECRYPT | recipient(document(pcrs=pcrs))) == DENIED


@pytest.mark.parametrize(
    "context", [{"chain": "1", "sub": "user-1"}, {"sub": "user-1"}, {}, None, "chain", [str(CHAIN_ID)]]
)
async def test_decrypt__when_the_context_names_no_key_of_this_chain__then_it_is_denied(
    front: Front, context: Any
) -> None:
    request = DECRYPT | {"EncryptionContext": context} | recipient(document())

    assert await front.refused("Decrypt", request) == DENIED


@pytest.mark.parametrize(
    ("proof", "reason"),
    [
        (lambda: recipient(document(authority=STRANGER)), "foreign_root"),
        (lambda: recipient(document(age=timedelta(minutes=6))), "stale"),
        (lambda: recipient(document(pcrs=dict.fromkeys(range(16), bytes(48)))), "debug_mode"),
        (lambda: recipient(document(bound=b"")), "not of RSA"),
        (
            lambda: recipient(document(bound=public_key(ec.generate_private_key(ec.SECP256R1())))),
            "not of RSA",
        ),
        (lambda: recipient(document(bound=public_key(rsa.generate_private_key(65537, 1024)))), "2048 bits"),
        (lambda: recipient(base64.b64encode(b"rubbish").decode()), "not_cbor"),
        (lambda: recipient("!"), "not base64"),
        (lambda: recipient(document(), "RSAES_OAEP_SHA_1"), "must be RSAES_OAEP_SHA_256"),
        (lambda: {"Recipient": None}, "Recipient takes"),
        (lambda: {"Recipient": {}}, "Recipient takes"),
        (lambda: {"Recipient": {"AttestationDocument": document()}}, "Recipient takes"),
    ],
    ids=[
        *("root", "old", "debug mode", "no key", "EC key", "small key"),
        *("no document", "no base64", "algorithm", "null", "empty", "no algorithm"),
    ],
)
async def test_decrypt__when_the_proof_is_none__then_its_fault_is_named(
    front: Front, proof: Any, reason: str
) -> None:
    request = DECRYPT | proof()

    status, response = await front.send("Decrypt", request)
    assert reason in response["message"]
    assert (status, await front.refused("Decrypt", request)) == (400, INVALID)


def test_root__when_there_is_none__then_nobody_attests(tmp_path: Path) -> None:
    with pytest.raises(KmsRefusal, match="there is no root") as refused:
        load_root(tmp_path / "root.pem")
    assert refused.value.status == 500
    (tmp_path / "root.pem").write_text("no certificate")
    with pytest.raises(KmsRefusal, match="there is no root"):
        load_root(tmp_path / "root.pem")


@pytest.mark.parametrize("operation", ["Sign", "Encrypt", "DescribeKey", "PutKeyPolicy"])
async def test_recipient__when_the_operation_has_no_answer_for_one__then_it_is_refused(
    front: Front, operation: str
) -> None:
    assert await front.refused(operation, recipient(document()), role="operator") == INVALID


@pytest.mark.parametrize(
    ("operation", "secret_in"),
    [
        ("Decrypt", "Plaintext"),
        ("GenerateDataKey", "Plaintext"),
        ("GenerateDataKeyPair", "PrivateKeyPlaintext"),
    ],
)
async def test_statement__when_it_demands_attestation__then_no_caller_of_it_gets_a_plaintext(
    front: Front, operation: str, secret_in: str
) -> None:
    front.emulator.secret_in = secret_in
    front.allow(f"kms:{operation}", "api", ATTESTED)

    assert await front.refused(operation, DECRYPT, role="api") == DENIED
    _, response = await front.send(operation, DECRYPT | recipient(document()), role="api")

    assert PLAINTEXT not in json.dumps(response)
    assert bytes(open_envelope(base64.b64decode(response["CiphertextForRecipient"]), KEY)) == SECRET


@pytest.mark.parametrize("operation", ["Sign", "ReEncrypt", "DeriveSharedSecret"])
async def test_statement__when_it_demands_attestation_for_what_takes_none__then_it_allows_nobody(
    front: Front, operation: str
) -> None:
    front.allow(f"kms:{operation}", "api", ATTESTED)

    assert await front.refused(operation, DECRYPT, role="api") == DENIED
    assert await front.refused(operation, DECRYPT | recipient(document()), role="api") == INVALID


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_answer__when_the_caller_attested__then_no_status_of_success_brings_the_plaintext(
    front: Front, status: int
) -> None:
    front.emulator.status = status

    _, response = await front.send("Decrypt", DECRYPT | recipient(document()))

    assert PLAINTEXT not in json.dumps(response)


async def test_random__when_no_statement_speaks_of_it__then_the_attested_alone_get_an_envelope(
    front: Front,
) -> None:
    _, plain = await front.send("GenerateRandom", {"NumberOfBytes": 32}, role="builder")
    _, response = await front.send("GenerateRandom", {"NumberOfBytes": 32} | recipient(document()))

    assert plain["Plaintext"] == PLAINTEXT
    assert PLAINTEXT not in json.dumps(response)
    assert front.decrypted == []


async def test_key_pair__when_the_api_makes_a_wallets_key__then_only_without_its_plaintext(
    front: Front,
) -> None:
    pair = {"KeyPairSpec": "ECC_SECG_P256K1", "EncryptionContext": CONTEXT}
    without = "GenerateDataKeyPairWithoutPlaintext"

    assert (await front.send(without, pair, role="api"))[0] == 200
    assert await front.refused("GenerateDataKeyPair", pair, role="api") == DENIED
    assert await front.refused(without, pair | {"KeyPairSpec": "RSA_2048"}, role="api") == DENIED
    assert await front.refused(without, pair, role="builder") == DENIED


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"signed": False}, "MissingAuthenticationTokenException"),
        ({"secret": "guessed"}, "InvalidSignatureException"),
        ({"role": "stranger"}, "UnrecognizedClientException"),
        ({"service": "sqs"}, "InvalidSignatureException"),
        ({"instead": json.dumps(DECRYPT | {"KeyId": "other"}).encode()}, "InvalidSignatureException"),
    ],
)
async def test_request__when_its_signature_is_not_its_callers__then_it_is_refused(
    front: Front, how: dict[str, Any], code: str
) -> None:
    request = DECRYPT | recipient(document())

    assert await front.refused("Decrypt", request, **how) == code


@pytest.mark.parametrize("seconds", [-600, 600])
async def test_request__when_its_signature_is_of_another_time__then_it_is_refused(
    front: Front, seconds: int
) -> None:
    front.now = datetime.now(UTC).timestamp() + seconds

    assert await front.refused("Decrypt", DECRYPT) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("De/crypt", b"{}", "UnknownOperationException"),
        ("Other.Decrypt", b"{}", "UnknownOperationException"),
        ("Decrypt", b"<xml/>", "SerializationException"),
        ("Decrypt", b"[" * 20_000, "SerializationException"),
        ("Decrypt", b"[]", "SerializationException"),
        ("Decrypt", b"", DENIED),
    ],
)
async def test_request__when_it_is_none_of_kms__then_it_is_refused(
    front: Front, operation: str, body: bytes, code: str
) -> None:
    assert await front.refused(operation, body) == code


async def test_request__when_the_emulator_is_away__then_kms_is_unavailable(front: Front) -> None:
    front.emulator.away = True

    status, response = await front.send("Decrypt", DECRYPT | recipient(document()))

    assert (status, response["__type"]) == (503, "KMSInternalException")
    assert front.decrypted == []


async def test_answer__when_kms_refuses__then_the_refusal_is_passed_on_and_nothing_is_on_record(
    front: Front,
) -> None:
    front.emulator.refusal = {"__type": "InvalidCiphertextException", "message": "another context"}

    answered = await front.send("Decrypt", DECRYPT | recipient(document()))

    assert answered == (400, front.emulator.refusal)
    assert front.decrypted == []


async def test_policy__when_the_operator_replaces_it__then_it_decides_at_once_and_after_a_restart(
    front: Front,
) -> None:
    shut = key_policy(CHAIN_ID)
    attested = DECRYPT | recipient(document())

    status, _ = await front.send("PutKeyPolicy", {"Policy": json.dumps(shut)}, role="operator")

    assert status == 200
    assert await front.refused("Decrypt", attested) == DENIED
    assert await Front(front.folder).refused("Decrypt", attested) == DENIED
    _, policy = await front.send("GetKeyPolicy", {}, role="operator")
    assert json.loads(policy["Policy"]) == shut


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"operator"}))
async def test_policy__when_another_role_replaces_it__then_it_is_denied_and_the_policy_stays(
    front: Front, role: str
) -> None:
    before = front.policy.read_bytes()

    assert (
        await front.refused("PutKeyPolicy", {"Policy": json.dumps(key_policy(CHAIN_ID))}, role=role) == DENIED
    )
    assert front.policy.read_bytes() == before


@pytest.mark.parametrize(
    "policy",
    [
        None,
        7,
        "",
        "[]",
        '{"Version": "1999", "Statement": []}',
        json.dumps(key_policy(CHAIN_ID) | {"Id": "unknown"}),
        json.dumps({"Version": "2012-10-17", "Statement": [UNKNOWN]}),
        "[" * 20_000,
    ],
)
async def test_policy__when_it_is_not_understood__then_the_one_before_stays(
    front: Front, policy: object
) -> None:
    before = front.policy.read_bytes()

    code = await front.refused("PutKeyPolicy", {"Policy": policy}, role="operator")

    assert code == "MalformedPolicyDocumentException"
    assert front.policy.read_bytes() == before
    assert (await front.send("Decrypt", DECRYPT | recipient(document())))[0] == 200


async def test_policy__when_one_statement_denies__then_no_other_allows(front: Front) -> None:
    policy = json.loads(front.policy.read_text())
    everything = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    policy["Statement"].append({"Sid": "Everything", **everything})
    await front.send("PutKeyPolicy", {"Policy": json.dumps(policy)}, role="operator")

    assert await front.refused("Decrypt", DECRYPT) == DENIED
    assert await front.refused("Decrypt", DECRYPT, role="operator") == DENIED


async def test_record__when_an_enclave_decrypts_again__then_it_has_one_event(
    front: Front, tmp_path: Path
) -> None:
    await front.send("Decrypt", DECRYPT | recipient(document()))
    log = RecipientLog(tmp_path / "decrypted.jsonl")

    for _ in range(2):
        log.note(front.decrypted[0])

    text = (tmp_path / "decrypted.jsonl").read_text()
    assert (text.count("\n"), modules_in(text)) == (1, {"module"})


@pytest.mark.parametrize(
    "principals", [{"id": {"secret": "x"}}, {"id": {"arn": "x"}}, {"id": "x"}, {"id": None}]
)
def test_principals__when_the_file_is_damaged__then_it_is_named(tmp_path: Path, principals: Any) -> None:
    path = tmp_path / "principals.json"
    write_json(path, principals)

    with pytest.raises(Misconfigured, match=r"principals\.json"):
        load_callers(path)


def test_policy_file__when_it_is_damaged__then_file_and_member_are_named(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    write_json(path, {"Version": "1999", "Statement": []})

    with pytest.raises(Misconfigured, match=r"policy\.json.*Version"):
        load_policy(path)
