"""The KMS front over HTTP, called by the AWS client that the services use, with the emulator behind it."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiobotocore.session import get_session
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import role_register
from mintline.audit.kms_log import modules_in
from mintline_devstack.kms_front import Caller, KmsFront, RecipientLog, application
from mintline_devstack.principals import issue_credentials, key_policy, role_arn
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_ops.aws_clients import AwsCredentials
from mintline_signer.enclave.envelope import open_envelope
from mintline_signer.enclave.recipient import new_key
from mintline_testkit.constants import CHAIN_ID

CONTEXT = {"sub": "user-1", "chain": str(CHAIN_ID)}
PAIR = {"KeyPairSpec": "ECC_SECG_P256K1", "EncryptionContext": CONTEXT}

KEY = new_key()
AUTHORITY = DevelopmentAuthority.create(now=datetime.now(UTC))
PCRS = {index: bytes((index + 1,)) * 48 for index in (0, 1, 2, 16)} | {3: role_register(role_arn("enclave"))}

pytestmark = pytest.mark.integration


class Front:
    """A running front and the credentials of its principals."""

    def __init__(self, url: str, credentials: dict[str, AwsCredentials], policy: Path) -> None:
        self.url = url
        self.policy = policy
        self.credentials = credentials

    @contextlib.asynccontextmanager
    async def client(self, role: str) -> AsyncIterator[Any]:
        credentials = self.credentials[role]
        async with get_session().create_client(
            "kms",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
        ) as client:
            yield client


@contextlib.asynccontextmanager
async def serving(upstream: str, state: StateFolder) -> AsyncIterator[Front]:
    state.prepare()
    credentials = issue_credentials(state)
    callers = {
        own.access_key_id: Caller(own.secret_access_key, role_arn(role)) for role, own in credentials.items()
    }
    policy = state.kms / "policy.json"
    images, policies = (PCRS[0].hex(),), (PCRS[16].hex(),)
    write_json(policy, key_policy(CHAIN_ID, images=images, policies=policies))
    async with aiohttp.ClientSession() as http:
        front = KmsFront(
            callers=callers,
            policy=policy,
            root=lambda: AUTHORITY.fingerprint,
            http=http,
            upstream=upstream,
            region="us-east-1",
            decrypted=RecipientLog(state.kms / "decrypted.jsonl").note,
        )
        runner = web.AppRunner(application(front), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield Front(f"http://127.0.0.1:{runner.addresses[0][1]}", credentials, policy)
        finally:
            await runner.cleanup()


@pytest.fixture
async def front(ministack: str, tmp_path: Path) -> AsyncIterator[Front]:
    async with serving(ministack, StateFolder(tmp_path)) as running:
        yield running


@pytest.fixture
async def wrapped(front: Front) -> tuple[str, bytes]:
    """A key, and a wrapped private key made under it by the api."""
    async with front.client("operator") as operator:
        key_id = (await operator.create_key())["KeyMetadata"]["KeyId"]
    async with front.client("api") as api:
        pair = await api.generate_data_key_pair_without_plaintext(KeyId=key_id, **PAIR)
    return key_id, pair["PrivateKeyCiphertextBlob"]


def spki() -> bytes:
    return KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def attestation(
    *,
    authority: DevelopmentAuthority = AUTHORITY,
    age: timedelta = timedelta(0),
    pcrs: Mapping[int, bytes] = PCRS,
) -> bytes:
    now = datetime.now(UTC)
    attester = authority.attester("module", now=now)
    return attester.attest(module_id="module", at=now - age, pcrs=pcrs, public_key=spki())


def recipient(document: bytes, algorithm: str = "RSAES_OAEP_SHA_256") -> dict[str, Any]:
    return {"Recipient": {"AttestationDocument": document, "KeyEncryptionAlgorithm": algorithm}}


async def decrypt(
    front: Front, wrapped: tuple[str, bytes], role: str = "enclave", **more: Any
) -> dict[str, Any]:
    parameters = {"EncryptionContext": CONTEXT, **more}
    async with front.client(role) as client:
        response: dict[str, Any] = await client.decrypt(CiphertextBlob=wrapped[1], **parameters)
        return response


async def denied(front: Front, wrapped: tuple[str, bytes], role: str = "enclave", **more: Any) -> str:
    with pytest.raises(ClientError) as caught:
        await decrypt(front, wrapped, role, **more)
    code: str = caught.value.response["Error"]["Code"]
    return code


async def test_decrypt__when_the_enclave_attests__unwraps_the_key_for_it_alone(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    response = await decrypt(front, wrapped, **recipient(attestation()))
    assert not response.get("Plaintext")
    plaintext = open_envelope(response["CiphertextForRecipient"], KEY)
    assert isinstance(load_der_private_key(bytes(plaintext), None), ec.EllipticCurvePrivateKey)


async def test_decrypt__when_enclaves_attest__are_on_record_once_each_and_the_denied_are_not(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    log = front.policy.with_name("decrypted.jsonl")
    await denied(front, wrapped)
    await denied(front, wrapped, **recipient(attestation(pcrs={**PCRS, 0: bytes([9]) * 48})))
    assert not log.exists()
    for _ in range(2):
        await decrypt(front, wrapped, **recipient(attestation()))
    assert log.read_text().count("\n") == 1
    assert modules_in(log.read_text()) == {"module"}


async def test_decrypt__when_the_enclave_does_not_attest__is_denied(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    assert await denied(front, wrapped) == "AccessDeniedException"


@pytest.mark.parametrize("register", [0, 3, 16])
async def test_decrypt__when_one_register_is_another__is_denied(
    front: Front, wrapped: tuple[str, bytes], register: int
) -> None:
    for pcrs in ({**PCRS, register: b"\xee" * 48}, {**PCRS, register: PCRS[1]}):
        document = attestation(pcrs=pcrs)
        assert await denied(front, wrapped, **recipient(document)) == "AccessDeniedException"


async def test_decrypt__when_the_policy_was_not_measured__is_denied(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    unmeasured = {index: value for index, value in PCRS.items() if index != 16}
    document = attestation(pcrs=unmeasured)
    assert await denied(front, wrapped, **recipient(document)) == "AccessDeniedException"


async def test_decrypt__when_the_enclave_is_in_debug_mode__is_denied(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    document = attestation(pcrs=dict.fromkeys(range(16), bytes(48)))
    assert await denied(front, wrapped, **recipient(document)) == "ValidationException"


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(days=365)])
async def test_decrypt__when_the_document_is_old__is_denied(
    front: Front, wrapped: tuple[str, bytes], age: timedelta
) -> None:
    assert await denied(front, wrapped, **recipient(attestation(age=age))) == "ValidationException"


async def test_decrypt__when_the_root_is_another__is_denied(front: Front, wrapped: tuple[str, bytes]) -> None:
    document = attestation(authority=DevelopmentAuthority.create(now=datetime.now(UTC)))
    assert await denied(front, wrapped, **recipient(document)) == "ValidationException"


async def test_decrypt__when_the_key_encryption_algorithm_is_another__is_denied(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    parameters = recipient(attestation(), "RSAES_OAEP_SHA_1")
    assert await denied(front, wrapped, **parameters) == "ValidationException"


@pytest.mark.parametrize("role", ["api", "builder", "signer-host", "broadcaster", "indexer", "operator"])
async def test_decrypt__when_anyone_else_asks_even_attested__is_denied_as_kms_denies(
    front: Front, wrapped: tuple[str, bytes], role: str
) -> None:
    with pytest.raises(ClientError, match=rf"role/mintline-{role} is not authorized") as caught:
        await decrypt(front, wrapped, role, **recipient(attestation()))
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


async def test_random__when_a_caller_attests__is_for_that_caller_alone(front: Front) -> None:
    async with front.client("enclave") as client:
        response = await client.generate_random(NumberOfBytes=32, **recipient(attestation()))
    assert not response.get("Plaintext")
    assert len(open_envelope(response["CiphertextForRecipient"], KEY)) == 32


async def test_data_key__when_the_policy_allows_it_to_the_attested__is_for_them_alone(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    measured = {"StringEquals": {"kms:RecipientAttestation:PCR0": PCRS[0].hex()}}
    async with front.client("operator") as operator:
        policy = json.loads((await operator.get_key_policy(KeyId=wrapped[0]))["Policy"])
        policy["Statement"] = [s for s in policy["Statement"] if s["Sid"] != "NobodySeesKeys"]
        policy["Statement"].append(
            {
                "Sid": "Attested",
                "Effect": "Allow",
                "Principal": {"AWS": role_arn("enclave")},
                "Action": "kms:GenerateDataKey",
                "Resource": "*",
                "Condition": measured,
            }
        )
        await operator.put_key_policy(KeyId=wrapped[0], Policy=json.dumps(policy))
    async with front.client("enclave") as client:
        response = await client.generate_data_key(
            KeyId=wrapped[0], NumberOfBytes=32, **recipient(attestation())
        )
        assert not response.get("Plaintext")
        assert len(open_envelope(response["CiphertextForRecipient"], KEY)) == 32
        with pytest.raises(ClientError, match="not authorized"):
            await client.generate_data_key(KeyId=wrapped[0], NumberOfBytes=32)


async def test_policy__when_someone_else_than_the_operator_puts_it__is_denied(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    document = json.dumps(key_policy(CHAIN_ID))
    for role in ("enclave", "signer-host", "api"):
        async with front.client(role) as client:
            with pytest.raises(ClientError, match="not authorized"):
                await client.put_key_policy(KeyId=wrapped[0], Policy=document)


async def test_policy__when_no_image_is_admitted__then_no_enclave_decrypts_after_a_restart_either(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    async with front.client("operator") as operator:
        await operator.put_key_policy(KeyId=wrapped[0], Policy=json.dumps(key_policy(CHAIN_ID)))
        with pytest.raises(ClientError, match="not understood"):
            await operator.put_key_policy(KeyId=wrapped[0], Policy='{"Version": "1999"}')
    assert await denied(front, wrapped, **recipient(attestation())) == "AccessDeniedException"
    assert json.loads(front.policy.read_text()) == key_policy(CHAIN_ID)


async def test_decrypt__when_the_context_names_another_user__fails(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    parameters = {**recipient(attestation()), "EncryptionContext": {**CONTEXT, "sub": "user-2"}}
    assert await denied(front, wrapped, **parameters) == "InvalidCiphertextException"


async def test_key_pair__when_asked_with_plaintext__is_denied_to_the_api(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    async with front.client("api") as api:
        with pytest.raises(ClientError) as caught:
            await api.generate_data_key_pair(KeyId=wrapped[0], **PAIR)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


async def test_request__when_the_secret_is_wrong__is_refused(front: Front) -> None:
    own = front.credentials["enclave"]
    front.credentials["enclave"] = AwsCredentials(own.access_key_id, "guessed")
    async with front.client("enclave") as enclave:
        with pytest.raises(ClientError) as refused:
            await enclave.decrypt(CiphertextBlob=b"x", EncryptionContext=CONTEXT)
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


async def post(front: Front, body: bytes, *, send: bytes | None = None, target: str = "Decrypt") -> Any:
    own = front.credentials["enclave"]
    request = AWSRequest(
        "POST", front.url + "/", headers={"X-Amz-Target": f"TrentService.{target}"}, data=body
    )
    SigV4Auth(Credentials(own.access_key_id, own.secret_access_key), "kms", "us-east-1").add_auth(request)
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            front.url + "/", data=body if send is None else send, headers=dict(request.headers)
        ) as response,
    ):
        return await response.json(content_type=None)


async def test_request__when_its_body_was_changed_on_the_way__is_refused(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    mine = json.dumps({"CiphertextBlob": "AA==", "EncryptionContext": CONTEXT}).encode()
    response = await post(front, mine, send=mine.replace(b"user-1", b"user-2"))
    assert response["__type"] == "InvalidSignatureException"


@pytest.mark.parametrize("body", [b"<xml/>", b"[" * 20_000])
async def test_request__when_it_is_no_json__says_so(front: Front, body: bytes) -> None:
    assert (await post(front, body))["__type"] == "SerializationException"


async def test_request__when_the_operation_is_no_name__says_so(front: Front) -> None:
    assert (await post(front, b"{}", target="De/crypt"))["__type"] == "UnknownOperationException"


async def test_request__when_the_emulator_is_away__answers_that_kms_is_unavailable(tmp_path: Path) -> None:
    async with serving("http://127.0.0.1:9", StateFolder(tmp_path)) as front:
        body = json.dumps({"NumberOfBytes": 32}).encode()
        assert (await post(front, body, target="GenerateRandom"))["__type"] == "KMSInternalException"
