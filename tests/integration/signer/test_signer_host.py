"""Host and enclave as two processes, with SQS, Secrets Manager and KMS of the emulator."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from eth_account import Account

from mintline.attestation.registers import policy_register
from mintline.authorization import PublicAuthorizationKey
from mintline.aws.authorization_keys import generate_authorization_key, store_authorization_key
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import open_key_stores
from mintline.aws.keys import generate_key
from mintline.aws.queues import Queues
from mintline.aws.session import AwsCalls, open_client
from mintline.key_stores import StoredKey, StoreName
from mintline.messages.codec import decode
from mintline.messages.intents import AnyIntent
from mintline.messages.parts import KeyRef
from mintline.messages.signed import Broadcast, SigningRefused
from mintline.resources import BROADCAST, SIGN, WALLET_KEY
from mintline.settings import ServiceSettings
from mintline_devstack.kms_front import Caller, KmsFront, application
from mintline_devstack.principals import key_policy, role_arn
from mintline_signer.enclave.measurement import measured
from mintline_testkit.constants import CHAIN_ID

if TYPE_CHECKING:
    from mintline_testkit.signer import Authority
    from tests.integration.signer.conftest import EnclaveProcess, Player

pytestmark = pytest.mark.integration


@dataclass
class Pair:
    """The two processes, and the queues before and behind them."""

    queues: Queues
    enclave: EnclaveProcess
    host: subprocess.Popen[bytes]
    admin: str
    log: Path
    wallet: KeyRef
    example: Player

    async def send(self, intent: AnyIntent) -> None:
        group = intent.signer.address
        await self.queues.send(SIGN, intent, group=group, dedup=f"{intent.type}:{intent.nonce}")

    async def receive(self, count: int) -> list[Broadcast | SigningRefused]:
        answers: list[Any] = []
        async with asyncio.timeout(30):
            while len(answers) < count:
                received = await self.queues.receive(BROADCAST, wait=1)
                answers += [decode(message.body) for message in received]
                await asyncio.gather(*map(self.queues.delete, received))
        return answers

    def intent(self, nonce: int, **changes: Any) -> Any:
        """Return a mint that the wallet's user asked for, changes and all."""
        user = replace(self.example, subject=self.wallet.subject)
        return user.intent(nonce, **{"signer": self.wallet, **changes})

    async def ready(self) -> tuple[int, dict[str, Any]]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.admin}/readyz") as response:
            return response.status, await response.json()


async def until_ready(pair: Pair, status: int) -> dict[str, Any]:
    for _ in range(200):
        try:
            answered, body = await pair.ready()
        except aiohttp.ClientError:
            answered = 0
        if answered == status:
            return body
        if pair.host.poll() is not None:
            break
        await asyncio.sleep(0.1)
    pytest.fail(f"never became {status}: {pair.log.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def new_key(
    stack: AsyncExitStack, settings: ServiceSettings, subject: str, *, store: StoreName
) -> KeyRef:
    kms = await open_client(stack, "kms", settings, calls=AwsCalls())
    prefix = settings.resource_prefix
    dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=AwsCalls()), prefix)
    stack.push_async_callback(dynamo.aclose)
    stores = await open_key_stores(stack, settings, dynamo, calls=AwsCalls())
    key = await generate_key(kms, key_id=WALLET_KEY.alias(prefix), subject=subject, chain_id=CHAIN_ID)
    reference = await stores.named(store).create(
        StoredKey(address=key.address, chain_id=CHAIN_ID, subject=subject, wrapped=key.wrapped)
    )
    return KeyRef(address=key.address, subject=subject, chain_id=CHAIN_ID, secret_id=reference)


@dataclass
class Keys:
    """The platform's and a user's keys, made by the emulator's KMS."""

    issuer: KeyRef
    treasury: KeyRef
    wallet: KeyRef
    authorization: str
    """The authorization key's secret."""


@pytest.fixture
async def keys(
    stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str, authority: Authority
) -> Keys:
    """Keep the platform's keys in one store and the user's in the other: the host reads both."""
    issuer = await new_key(stack, aws_settings, "platform:issuer", store="secretsmanager")
    treasury = await new_key(stack, aws_settings, "platform:treasury", store="secretsmanager")
    wallet = await new_key(stack, aws_settings, "user-1", store="dynamodb")
    authorization = await new_authorization_key(stack, aws_settings, authority)
    return Keys(issuer, treasury, wallet, authorization)


async def new_authorization_key(
    stack: AsyncExitStack, settings: ServiceSettings, authority: Authority
) -> str:
    """Have KMS make an authorization key, and the authority seal with it."""
    kms = await open_client(stack, "kms", settings, calls=AwsCalls())
    secrets = await open_client(stack, "secretsmanager", settings, calls=AwsCalls())
    prefix = settings.resource_prefix
    key = await generate_authorization_key(kms, kms_key=WALLET_KEY.alias(prefix), chain_id=CHAIN_ID)
    authority.public_authorization_key = PublicAuthorizationKey(key.public_key)
    return await store_authorization_key(secrets, prefix=prefix, chain_id=CHAIN_ID, key=key)


@pytest.fixture
async def enclave(
    stack: AsyncExitStack,
    keys: Keys,
    make_enclave: Callable[..., EnclaveProcess],
    aws_settings: ServiceSettings,
) -> AsyncIterator[EnclaveProcess]:
    port = free_port()
    settings = {
        "MINTLINE_KMS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MINTLINE_KMS_KEY_ID": WALLET_KEY.alias(aws_settings.resource_prefix),
    }
    enclave = make_enclave(keys.issuer.address, keys.treasury.address, settings)
    await serve_kms(stack, enclave, upstream=str(aws_settings.aws_endpoint_url), port=port)
    await enclave.start()
    yield enclave
    enclave.stop()


async def serve_kms(stack: AsyncExitStack, enclave: EnclaveProcess, *, upstream: str, port: int) -> None:
    """Serve KMS with the key policy that admits this very enclave, which signs by this very policy."""
    role = role_arn("enclave")
    admitted = key_policy(
        CHAIN_ID,
        images=(measured(role)[0].hex(),),
        policies=(policy_register(enclave.policy.read_bytes()).hex(),),
    )
    policy = enclave.folder / "key-policy.json"
    policy.write_text(json.dumps(admitted))
    front = KmsFront(
        callers={"test": Caller("a-secret-access-key", role)},
        policy=policy,
        root=lambda: enclave.root,
        http=await stack.enter_async_context(aiohttp.ClientSession()),
        upstream=upstream,
        region="us-east-1",
    )
    runner = web.AppRunner(application(front), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()


def start_host(enclave: EnclaveProcess, keys: Keys, settings: ServiceSettings, port: int) -> Any:
    endpoint = str(settings.aws_endpoint_url)
    environment = {
        **os.environ,
        "MINTLINE_AWS_ENDPOINT_URL": endpoint,
        "MINTLINE_RESOURCE_PREFIX": settings.resource_prefix,
        "MINTLINE_ADMIN_PORT": str(port),
        "MINTLINE_ISSUER": keys.issuer.model_dump_json(),
        "MINTLINE_AUDIT_DIR": str(enclave.folder / "audit"),
        "MINTLINE_AUTHORIZATION_KEY_SECRETS": json.dumps([keys.authorization]),
        "MINTLINE_ENCLAVE_ADDRESS": f"unix://{enclave.socket}",
        "MINTLINE_KMS_PROXY_ADDRESS": f"unix://{enclave.folder / 'kms.sock'}",
        "MINTLINE_KMS_PROXY_TARGET": enclave.environment["MINTLINE_KMS_ENDPOINT_URL"].removeprefix("http://"),
        "MINTLINE_ENCLAVE_ACCESS_KEY_ID": "test",
        "MINTLINE_ENCLAVE_SECRET_ACCESS_KEY": "a-secret-access-key",
    }
    with (enclave.folder / "host.log").open("wb") as output:
        argv = [sys.executable, "-m", "mintline_signer.host"]
        return subprocess.Popen(argv, env=environment, stdout=output, stderr=output)


@pytest.fixture
async def pair(
    stack: AsyncExitStack, keys: Keys, enclave: EnclaveProcess, aws_settings: ServiceSettings, issuer: Player
) -> AsyncIterator[Pair]:
    port = free_port()
    sqs = await open_client(stack, "sqs", aws_settings, calls=AwsCalls())
    queues = Queues(sqs, aws_settings.resource_prefix)
    stack.push_async_callback(queues.aclose)
    host = start_host(enclave, keys, aws_settings, port)
    log = enclave.folder / "host.log"
    pair = Pair(queues, enclave, host, f"http://127.0.0.1:{port}", log, keys.wallet, issuer)
    try:
        await until_ready(pair, 200)
        yield pair
    finally:
        host.terminate()
        assert host.wait(40) == 0


async def test_host__when_a_mint_arrives__has_it_signed_by_the_users_key_in_kms(pair: Pair) -> None:
    intent = pair.intent(0)
    await pair.send(intent)
    (response,) = await pair.receive(1)
    assert isinstance(response, Broadcast)
    assert response.intent == intent
    assert Account.recover_transaction(response.raw) == pair.wallet.address
    assert "a-secret-access-key" not in pair.log.read_text()


async def test_host__when_the_enclave_signs_by_another_policy__gets_no_key_from_kms(pair: Pair) -> None:
    await pair.send(pair.intent(0))
    await pair.receive(1)
    pair.enclave.kill()
    lenient = json.loads(pair.enclave.policy.read_text()) | {"max_gas": 10**9}
    pair.enclave.policy.write_text(json.dumps(lenient))
    await pair.enclave.start()
    await pair.send(pair.intent(1))
    for _ in range(200):
        # The host sends what was signed before its handler ends.
        if "message_refused" in pair.log.read_text():
            break
        await asyncio.sleep(0.1)
    assert "message_refused" in pair.log.read_text()
    assert "kms_denied" in pair.enclave.log.read_text()
    depth = await pair.queues.depth(BROADCAST)
    assert (depth.visible, depth.in_flight) == (0, 0)


async def test_host__when_the_policy_refuses__tells_the_broadcaster(pair: Pair) -> None:
    await pair.send(pair.intent(0, gas=10**8))
    (response,) = await pair.receive(1)
    assert isinstance(response, SigningRefused)
    assert response.code == "policy_gas"


async def test_host__when_someone_else_than_the_user_asks__has_nothing_signed(pair: Pair) -> None:
    stolen = pair.intent(0)
    await pair.send(stolen.model_copy(update={"mint_id": "mint_stolen"}))
    await pair.send(replace(pair.example, subject="user-2").intent(2, signer=pair.wallet))
    answers = await pair.receive(2)
    codes = [response.code for response in answers if isinstance(response, SigningRefused)]
    assert codes == ["acceptance_signature", "authorization_subject"]


async def test_host__when_the_wrapped_key_is_missing__dead_letters_the_intent(pair: Pair) -> None:
    nobody = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    lost = pair.wallet.model_copy(update={"secret_id": "no/such/secret", "address": nobody})
    await pair.send(pair.intent(0, signer=lost))
    for _ in range(200):
        if (await pair.queues.depth(SIGN, dead_letters=True)).visible == 1:
            return
        await asyncio.sleep(0.1)
    pytest.fail(pair.log.read_text())


async def test_host__when_the_wrapped_key_has_moved__signs_by_its_old_reference(pair: Pair) -> None:
    moved = pair.wallet.model_copy(update={"secret_id": f"p/wallets/{CHAIN_ID}/{pair.wallet.address}"})
    await pair.send(pair.intent(0, signer=moved))
    (response,) = await pair.receive(1)
    assert isinstance(response, Broadcast)


async def test_host__when_the_enclave_is_killed__is_unready_and_delays_but_loses_nothing(pair: Pair) -> None:
    pair.enclave.kill()
    body = await until_ready(pair, 503)
    assert body["missing"] == ["enclave"]
    for nonce in range(30):
        await pair.send(pair.intent(nonce))
    await pair.enclave.start()
    answers = await pair.receive(30)
    nonces = {response.intent.nonce for response in answers if isinstance(response, Broadcast)}
    assert nonces == set(range(30))
    await until_ready(pair, 200)


async def test_host__when_asked_for_metrics__shows_its_own_and_the_enclaves(pair: Pair) -> None:
    await pair.send(pair.intent(0))
    await pair.receive(1)
    async with aiohttp.ClientSession() as session, session.get(f"{pair.admin}/metrics") as response:
        text = await response.text()
    assert 'mintline_enclave{count="signed"}' in text
    assert 'mintline_aws_requests_total{operation="BatchGetItem",service="dynamodb"} 1.0' in text
    assert 'mintline_aws_requests_total{operation="GetSecretValue",service="secretsmanager"} 2.0' in text
