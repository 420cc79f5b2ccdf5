"""An enclave whose host hands the policy document over: by processes and sockets, as on AWS by vsock."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mintline.attestation import cose, document
from mintline.attestation.registers import policy_register
from mintline.errors import Unavailable
from mintline_signer import addresses
from mintline_signer.errors import FailureCode
from mintline_signer.host.audit_files import AuditFiles
from mintline_signer.host.enclave_client import EnclaveClient
from mintline_signer.host.kms_proxy import KmsProxy
from mintline_signer.host.policy_file import policy_source
from mintline_signer.protocol import (
    Accepted,
    Credentials,
    Failure,
    HandedPolicy,
)
from mintline_signer.protocol_frames import read_response, request_frame
from tests.integration.signer.conftest import (
    EnclaveProcess,
    FakeKms,
    Player,
    _authority,
    credentials,
    policy_document,
)

if TYPE_CHECKING:
    from mintline_signer.protocol import Response

pytestmark = pytest.mark.integration


@pytest.fixture
async def enclave(stack: AsyncExitStack, folder: Path, kms: FakeKms) -> EnclaveProcess:
    """Return an enclave that waits for its policy; its own file of that name is the host's."""
    await kms.serve(stack)
    enclave = EnclaveProcess(
        folder,
        policy=policy_document(),
        settings={"MINTLINE_KMS_ENDPOINT_URL": f"http://127.0.0.1:{kms.port}", "MINTLINE_KMS_TIMEOUT": "2"},
    )
    del enclave.environment["MINTLINE_SIGNING_POLICY"]
    proxy = KmsProxy(addresses.parse(f"unix://{folder / 'kms.sock'}"), ("127.0.0.1", kms.port))
    await stack.enter_async_context(proxy)
    await enclave.start()
    stack.callback(enclave.stop)
    return enclave


@pytest.fixture
async def client(stack: AsyncExitStack, enclave: EnclaveProcess) -> EnclaveClient:
    async def current() -> Credentials:
        return credentials()

    client = EnclaveClient(
        addresses.parse(f"unix://{enclave.socket}"),
        credentials=current,
        authorization_keys=_authority().authorization_keys(),
        audit=await stack.enter_async_context(AuditFiles(enclave.folder / "audit")),
        policy=policy_source(enclave.policy),
        keepalive=0.2,
    )
    return await stack.enter_async_context(client)


def measured(kms: FakeKms) -> bytes:
    """Return PCR16 as KMS has seen it last."""
    return document.read(cose.read(kms.attested).payload).pcrs[16]


async def hand(enclave: EnclaveProcess, content: bytes) -> Response:
    reader, writer = await asyncio.open_unix_connection(str(enclave.socket))
    writer.write(request_frame(1, HandedPolicy(document=content)))
    async with asyncio.timeout(20):
        length = int.from_bytes(await reader.readexactly(4), "big")
        response = read_response(await reader.readexactly(length))
    writer.close()
    assert isinstance(response, tuple)
    return response[1]


def a_user(kms: FakeKms) -> Player:
    user = Player("user-1", b"\x44" * 32)
    kms.know(user)
    return user


async def test_enclave__when_its_host_hands_the_policy_over__signs_and_attests_that_document(
    enclave: EnclaveProcess, client: EnclaveClient, kms: FakeKms, issuer: Player
) -> None:
    # A connection that says nothing keeps nobody waiting.
    _, silent = await asyncio.open_unix_connection(str(enclave.socket))
    user, content = a_user(kms), enclave.policy.read_bytes()
    await client.sign(user.mint(1, issuer))
    assert measured(kms) == policy_register(content)
    assert await hand(enclave, content) == Accepted()
    assert await hand(enclave, content + b" ") == Failure(code=FailureCode.POLICY_OTHER)
    await client.sign(user.mint(2, issuer))
    silent.close()


async def test_host__when_the_policy_is_rolled__signs_by_the_new_one_once_the_enclave_was_restarted(
    enclave: EnclaveProcess, client: EnclaveClient, kms: FakeKms
) -> None:
    user = a_user(kms)
    await client.sign(user.noop(1))
    before = measured(kms)
    rolled = {**policy_document(), "max_gas": 400_000}
    enclave.policy.write_text(json.dumps(rolled))
    # Over the connection that there is, the enclave goes on by the document that it has.
    await client.sign(user.noop(2))
    assert measured(kms) == before

    enclave.kill()
    await enclave.start()
    await client.sign(user.noop(3))
    assert measured(kms) == policy_register(enclave.policy.read_bytes()) != before


async def test_host__when_another_document_was_handed_over_first__gets_no_signature(
    enclave: EnclaveProcess, kms: FakeKms, stack: AsyncExitStack
) -> None:
    assert await hand(enclave, json.dumps({**policy_document(), "max_gas": 1}).encode()) == Accepted()
    client = EnclaveClient(
        addresses.parse(f"unix://{enclave.socket}"),
        credentials=None,
        authorization_keys=None,
        audit=await stack.enter_async_context(AuditFiles(enclave.folder / "audit")),
        policy=policy_source(enclave.policy),
        timeout=1.0,
    )
    await stack.enter_async_context(client)
    with pytest.raises(Unavailable):
        await client.sign(a_user(kms).noop(1))
    assert kms.requests == 0


@pytest.mark.parametrize("content", [None, b"", b" " * (512 * 1024 + 1)])
async def test_policy_file__when_it_is_missing_empty_or_too_long__is_not_handed_over(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "policy.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unavailable, match="signing policy"):
        await policy_source(path)()


async def test_enclave__when_told_to_stop_before_it_has_a_policy__exits_cleanly(
    enclave: EnclaveProcess,
) -> None:
    assert enclave.stop() == 0
    assert not enclave.socket.exists()
