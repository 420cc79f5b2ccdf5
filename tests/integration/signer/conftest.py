"""A real enclave process, a fake KMS that can misbehave, and the host's two ends between them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from eth_account import Account
from pydantic import SecretStr

from mintline.attestation import cose, document
from mintline.attestation.development import DevelopmentAuthority
from mintline.messages.intents import SignMint, SignNoop
from mintline.messages.parts import Fees, KeyRef, Voucher
from mintline_devstack.cms_envelope import enveloped
from mintline_devstack.principals import role_arn
from mintline_signer import addresses
from mintline_signer.host.audit_files import AuditFiles
from mintline_signer.host.enclave_client import EnclaveClient
from mintline_signer.host.kms_proxy import KmsProxy
from mintline_signer.protocol import Credentials, Revocation, Sign, WrappedKey
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.signer import Authority

KEY_ID = "alias/test-wallets"
DEADLINE = 4_000_000_000
SECRET = "a-secret-access-key-of-the-enclave"


@cache
def _authority() -> Authority:
    return Authority(chain_id=CHAIN_ID)


@dataclass(frozen=True)
class Player:
    subject: str
    secret: bytes

    @property
    def address(self) -> str:
        address: str = Account.from_key(self.secret).address
        return address

    @property
    def ref(self) -> KeyRef:
        return KeyRef(address=self.address, subject=self.subject, chain_id=CHAIN_ID, secret_id=self.subject)

    @property
    def wrapped(self) -> WrappedKey:
        return WrappedKey(
            address=self.address, subject=self.subject, chain_id=CHAIN_ID, wrapped=self.subject.encode()
        )

    def mint(self, nonce: int, issuer: Player) -> Sign:
        return Sign(intent=self.intent(nonce), keys=[self.wrapped, issuer.wrapped])

    def intent(self, nonce: int, **changes: Any) -> SignMint:
        """Return a mint that the player asked for, changes and all."""
        intent = SignMint(
            signer=self.ref,
            chain_id=CHAIN_ID,
            nonce=nonce,
            gas=200_000,
            fees=Fees(max_fee_per_gas=10**10, max_priority_fee_per_gas=10**9),
            mint_id=f"mint_{nonce}",
            contract=CONTRACT,
            voucher=Voucher(
                token_id=nonce, to=self.address, metadata_digest=bytes(range(32)), deadline=DEADLINE
            ),
        ).model_copy(update=changes)
        now = int(time.time())
        return _authority().authorized(intent, _authority().token(self.subject, now=now), now=now)

    def noop(self, nonce: int) -> Sign:
        intent = SignNoop(
            signer=self.ref,
            chain_id=CHAIN_ID,
            nonce=nonce,
            gas=21_000,
            fees=Fees(max_fee_per_gas=10**10, max_priority_fee_per_gas=10**9),
            mint_id="mint_1",
        )
        return Sign(intent=intent, keys=[self.wrapped])


ISSUER = Player("platform:issuer", b"\x22" * 32)
TREASURY = Player("platform:treasury", b"\x33" * 32)


def policy_document(issuer: str = ISSUER.address, treasury: str = TREASURY.address) -> dict[str, Any]:
    return {
        "version": 1,
        "chain_ids": [CHAIN_ID],
        "contracts": [CONTRACT],
        "authorization": _authority().policy(),
        "issuer": {"address": issuer, "subject": "platform:issuer"},
        "treasury": {"address": treasury, "subject": "platform:treasury"},
        "user_actions": ["mint", "transfer", "burn"],
        "rates": dict.fromkeys(("user", "treasury", "issuer"), 100_000) | {"window": 60},
        "max_gas": 500_000,
        "max_fee_per_gas": str(10**11),
        "max_transaction_cost": str(10**17),
        "max_top_up_value": str(10**18),
        "max_voucher_ttl": DEADLINE,
    }


ATTESTS = DevelopmentAuthority.create(now=datetime.now(UTC))


@dataclass
class FakeKms:
    """Decrypts a subject's name into that player's key, under the right context."""

    players: dict[str, Player] = field(default_factory=dict)
    requests: int = 0
    attested: bytes = b""
    """The last attestation document."""
    at_once: int = 0
    most_at_once: int = 0
    good_token: str | None = None
    """Where set, any other session token has expired."""
    port: int = 0

    def know(self, *players: Player) -> None:
        self.players |= {player.subject: player for player in players}

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.005)
        self.at_once -= 1
        parameters = json.loads(await request.read())
        blob = base64.b64decode(parameters["CiphertextBlob"])
        if blob == _authority().authorization_keys().keys[0].wrapped:
            return self._sealed(parameters, _authority().plaintext())
        subject = blob.decode()
        player = self.players.get(subject)
        assert request.headers["X-Amz-Target"] == "TrentService.Decrypt"
        assert SECRET not in str(request.headers)
        if self.good_token is not None and request.headers.get("X-Amz-Security-Token") != self.good_token:
            return self._fault("ExpiredTokenException")
        context = {"sub": subject, "chain": str(CHAIN_ID)}
        if player is None or parameters["EncryptionContext"] != context or parameters["KeyId"] != KEY_ID:
            return self._fault("InvalidCiphertextException")
        key = ec.derive_private_key(int.from_bytes(player.secret, "big"), ec.SECP256K1())
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return self._sealed(parameters, der)

    def _sealed(self, parameters: dict[str, Any], der: bytes) -> web.Response:
        """Answer the key of the attestation document, which this KMS believes whatever it says."""
        attestation = self.attested = base64.b64decode(parameters["Recipient"]["AttestationDocument"])
        key = load_der_public_key(document.read(cose.read(attestation).payload).public_key or b"")
        assert isinstance(key, RSAPublicKey)
        envelope = base64.b64encode(enveloped(der, key)).decode()
        return web.json_response(
            {"KeyId": "arn:aws:kms:x", "Plaintext": None, "CiphertextForRecipient": envelope},
            content_type="application/x-amz-json-1.1",
        )

    def _fault(self, kind: str) -> web.Response:
        return web.json_response({"__type": kind, "message": "a detail"}, status=400)

    async def serve(self, stack: AsyncExitStack, *, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_post("/", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls)
        await site.start()
        self.port = runner.addresses[0][1]


class EnclaveProcess:
    """`python -m mintline_signer.enclave`, its output in a file; the policy file is part of its image."""

    def __init__(self, folder: Path, *, policy: dict[str, Any], settings: dict[str, str]) -> None:
        self.folder = folder
        self.socket = folder / "enclave.sock"
        self.log = folder / "enclave.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.policy = folder / "policy.json"
        self.policy.write_text(json.dumps(policy))
        authority = folder / "authority.pem"
        authority.write_bytes(ATTESTS.to_pem())
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "MINTLINE_ENCLAVE_ADDRESS": f"unix://{self.socket}",
            "MINTLINE_KMS_PROXY_ADDRESS": f"unix://{folder / 'kms.sock'}",
            "MINTLINE_KMS_KEY_ID": KEY_ID,
            "MINTLINE_SIGNING_POLICY": str(self.policy),
            "MINTLINE_NSM": "development",
            "MINTLINE_DEVELOPMENT_AUTHORITY": str(authority),
            "MINTLINE_DEVELOPMENT_ROLE": role_arn("enclave"),
            **settings,
        }

    @property
    def root(self) -> bytes:
        """The fingerprint of the root under which it attests."""
        return ATTESTS.fingerprint

    def spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "mintline_signer.enclave"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    async def start(self) -> None:
        self.process = self.spawn()
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self.socket)) == 0:
                    return
            await asyncio.sleep(0.05)
        raise RuntimeError("the enclave did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@dataclass
class Harness:
    enclave: EnclaveProcess
    client: EnclaveClient
    kms: FakeKms
    folder: Path
    credentials: list[Credentials]
    """The last one is what the host hands over."""
    revocations: list[Revocation]
    """What the host hands over to each new connection."""

    def revocation(self, user: Player) -> Revocation:
        """Return what the api states now of a user whose tokens of the next minute are revoked, too."""
        now = int(time.time())
        return _authority().revocation(user.subject, revoked_before=now + 60, at=now)


def credentials(token: str | None = None) -> Credentials:
    return Credentials(
        access_key_id="AKIAEXAMPLE",
        secret_access_key=SecretStr(SECRET),
        session_token=None if token is None else SecretStr(token),
        region="eu-west-1",
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for sockets, wherever pytest keeps its own."""
    path = Path(tempfile.mkdtemp(prefix="ml-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def harness(stack: AsyncExitStack, folder: Path, kms: FakeKms) -> Harness:
    await kms.serve(stack)
    enclave = EnclaveProcess(
        folder,
        policy=policy_document(),
        settings={"MINTLINE_KMS_ENDPOINT_URL": f"http://127.0.0.1:{kms.port}", "MINTLINE_KMS_TIMEOUT": "2"},
    )
    await enclave.start()
    stack.callback(enclave.stop)
    handed, revocations = [credentials()], list[Revocation]()

    async def current() -> Credentials:
        return handed[-1]

    proxy = KmsProxy(addresses.parse(f"unix://{folder / 'kms.sock'}"), ("127.0.0.1", kms.port))
    await stack.enter_async_context(proxy)
    client = EnclaveClient(
        addresses.parse(f"unix://{enclave.socket}"),
        credentials=current,
        authorization_keys=_authority().authorization_keys(),
        audit=await stack.enter_async_context(AuditFiles(folder / "audit")),
        timeout=10.0,
        keepalive=0.2,
        revocations=lambda: revocations,
    )
    await stack.enter_async_context(client)
    return Harness(enclave, client, kms, folder, handed, revocations)


@pytest.fixture
def kms() -> FakeKms:
    """Return a KMS that serves nobody yet."""
    kms = FakeKms()
    kms.know(ISSUER)
    return kms


@pytest.fixture
def make_enclave(folder: Path) -> Callable[..., EnclaveProcess]:
    """Return a function that makes an enclave for given platform keys and settings."""

    def make(issuer: str, treasury: str, settings: dict[str, str]) -> EnclaveProcess:
        return EnclaveProcess(folder, policy=policy_document(issuer, treasury), settings=settings)

    return make


@pytest.fixture
def authority() -> Iterator[Authority]:
    """Return the user pool, whose authorization key a test may replace."""
    authority = _authority()
    key = authority.public_authorization_key
    yield authority
    authority.public_authorization_key = key


@pytest.fixture
def issuer() -> Player:
    return ISSUER


@pytest.fixture
def users(harness: Harness) -> list[Player]:
    """Return twenty users; a third of their keys begin with one zero byte, a third with two."""
    users = [
        Player(f"user-{n}", bytes(n % 3) + hashlib.sha256(bytes((n,))).digest()[n % 3 :]) for n in range(20)
    ]
    harness.kms.know(*users)
    return users
