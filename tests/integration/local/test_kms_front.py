"""The KMS front over HTTP, called by the AWS client that the services use, with the emulator behind it."""

import contextlib
import json
from collections.abc import AsyncIterator
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

from mintline_local.kms_front import Caller, KmsFront, application
from mintline_local.places import StateFolder, write_json
from mintline_local.principals import AwsCredentials, issue_credentials, key_policy, role_arn

CHAIN = 31337
CONTEXT = {"sub": "user-1", "chain": str(CHAIN)}
PAIR = {"KeyPairSpec": "ECC_SECG_P256K1", "EncryptionContext": CONTEXT}

pytestmark = pytest.mark.integration


class Front:
    """A running front and the credentials of its principals."""

    def __init__(self, url: str, credentials: dict[str, AwsCredentials]) -> None:
        self.url = url
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
    write_json(policy, key_policy(CHAIN))
    async with aiohttp.ClientSession() as http:
        front = KmsFront(
            callers=callers,
            policy=policy,
            root=lambda: bytes(32),
            http=http,
            upstream=upstream,
            region="us-east-1",
        )
        runner = web.AppRunner(application(front), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield Front(f"http://127.0.0.1:{runner.addresses[0][1]}", credentials)
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


async def test_decrypt__when_the_enclave_asks__unwraps_the_key(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    async with front.client("enclave") as enclave:
        answer = await enclave.decrypt(CiphertextBlob=wrapped[1], EncryptionContext=CONTEXT)
    assert len(answer["Plaintext"]) > 32


@pytest.mark.parametrize("role", ["api", "builder", "signer-host", "broadcaster", "indexer", "operator"])
async def test_decrypt__when_anyone_else_asks__is_denied_as_kms_denies(
    front: Front, wrapped: tuple[str, bytes], role: str
) -> None:
    async with front.client(role) as client:
        with pytest.raises(ClientError, match=rf"role/mintline-{role} is not authorized") as denied:
            await client.decrypt(CiphertextBlob=wrapped[1], EncryptionContext=CONTEXT)
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


async def test_decrypt__when_the_context_names_another_user__fails(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    async with front.client("enclave") as enclave:
        with pytest.raises(ClientError) as denied:
            await enclave.decrypt(CiphertextBlob=wrapped[1], EncryptionContext={**CONTEXT, "sub": "user-2"})
    assert denied.value.response["Error"]["Code"] == "InvalidCiphertextException"


async def test_key_pair__when_asked_with_plaintext__is_denied_to_the_api(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    async with front.client("api") as api:
        with pytest.raises(ClientError) as denied:
            await api.generate_data_key_pair(KeyId=wrapped[0], **PAIR)
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


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
        ) as answer,
    ):
        return await answer.json(content_type=None)


async def test_request__when_its_body_was_changed_on_the_way__is_refused(
    front: Front, wrapped: tuple[str, bytes]
) -> None:
    mine = json.dumps({"CiphertextBlob": "AA==", "EncryptionContext": CONTEXT}).encode()
    answer = await post(front, mine, send=mine.replace(b"user-1", b"user-2"))
    assert answer["__type"] == "InvalidSignatureException"


async def test_request__when_it_is_no_json__says_so(front: Front) -> None:
    assert (await post(front, b"<xml/>"))["__type"] == "SerializationException"


async def test_request__when_the_operation_is_no_name__says_so(front: Front) -> None:
    assert (await post(front, b"{}", target="De/crypt"))["__type"] == "UnknownOperationException"


async def test_request__when_the_emulator_is_away__answers_that_kms_is_unavailable(tmp_path: Path) -> None:
    async with serving("http://127.0.0.1:9", StateFolder(tmp_path)) as front:
        body = json.dumps({"EncryptionContext": CONTEXT}).encode()
        assert (await post(front, body))["__type"] == "KMSInternalException"
