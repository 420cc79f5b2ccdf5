"""The whole API in memory: its application over the in-memory ports, reached by HTTP without a socket.

For tests and simulations: time stands still until it is moved, and randomness comes from a seed.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from types import TracebackType
from typing import Any, Self, cast

from aiohttp import web
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from mintline.acceptance import Certificate
from mintline.eth import address_of_public_key
from mintline.scopes import SIGN_IN_SCOPES
from mintline.tracing import OFF, Tracer
from mintline_api.app import GROUPS, build_app
from mintline_api.auth.access_tokens import AccessTokens
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.auth.jwks import KeySet
from mintline_api.auth.revocations import Revocations
from mintline_api.features.links.signatures import personal_hash
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.system.readiness import Readiness
from mintline_api.features.tokens.use_cases import Collections, MetadataCache
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.context import Api
from mintline_api.http.cursors import Cursors
from mintline_api.http.operations import Operations
from mintline_api.http.protocol import protocols, runner_of
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.rates import Rates
from mintline_api.memory import (
    MemoryChain,
    MemoryGas,
    MemoryIndex,
    MemoryJwks,
    MemoryKeys,
    MemoryLine,
    MemoryLinks,
    MemoryMetadata,
    MemoryMints,
    MemoryRates,
    MemoryRevocations,
    MemoryTokenIds,
    MemoryUserPool,
    MemoryWallets,
)
from mintline_api.metrics import Metrics
from mintline_api.settings import Settings

CHAIN_ID = 31337
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_TestPool"
CLIENT_ID = "test-client"
PUBLIC_URL = "https://api.example.com"
START = 1_795_398_654.0
"""Where the clock of a `Stage` starts, in Unix seconds."""


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class UserPool:
    """A user pool that signs tokens as Cognito does."""

    def __init__(self, *, kid: str = "key-1") -> None:
        self.kid = kid
        self.private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, Any]:
        """Return the pool's public key as its JWKS has it."""
        numbers = self.private_key.public_key().public_numbers()
        modulus, exponent = (
            base64url(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.n, numbers.e)
        )
        return {"kty": "RSA", "kid": self.kid, "alg": "RS256", "use": "sig", "n": modulus, "e": exponent}

    def claims(self, sub: str, *, now: float = START) -> dict[str, Any]:
        """Return the claims of a user's access token, good for an hour."""
        return {
            "sub": sub,
            "iss": ISSUER,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": " ".join(SIGN_IN_SCOPES),
            "iat": int(now),
            "exp": int(now) + 3600,
            "jti": "d8f1a1de-8f9f-4d1c-9a3a-4f4e0f5c9f1e",
            "username": sub,
        }

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Return a token of these claims, right or wrong; `header` overrides members of its header."""
        head = {"kid": self.kid, "alg": "RS256", **header}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self.private_key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{base64url(signature)}"


@dataclass(frozen=True, slots=True)
class OwnWallet:
    """A wallet of a user's own, whose key is a number."""

    key: int = 1

    @property
    def address(self) -> str:
        """The wallet's address."""
        return address_of_public_key(self._private().public_key.format(compressed=False))

    def sign(self, digest: bytes) -> bytes:
        """Return r‖s‖v over a hash."""
        signature = self._private().sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def personal_sign(self, text: str) -> str:
        """Sign a text as wallets do (EIP-191)."""
        return "0x" + self.sign(personal_hash(text.encode())).hex()

    def _private(self) -> PrivateKey:
        return PrivateKey(self.key.to_bytes(32, "big"))


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON value."""
        return json.loads(self.body)


class _Transport(asyncio.Transport):
    """Collects what a server writes, until it closes the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed.done()

    def close(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        """Do nothing: the whole request is in memory anyway."""

    def resume_reading(self) -> None:
        """Do nothing."""


class _Stream:
    """What `http.client` reads an answer from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


class MemoryClient:
    """Speaks HTTP to an application through its real parser, without a socket."""

    def __init__(self, app: web.Application) -> None:
        self._runner = runner_of(app, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered:
        """Send one request on a connection of its own and return the answer."""
        lines = [f"{method} {target} HTTP/1.1", "Host: api.example.com", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return await self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body, method=method)

    async def post_json(self, target: str, body: Any, *, headers: Mapping[str, str]) -> Answered:
        """Post a JSON body."""
        typed = {**headers, "Content-Type": "application/json"}
        return await self.request("POST", target, headers=typed, body=json.dumps(body).encode())

    @contextmanager
    def unfinished(self, raw: bytes) -> Iterator[None]:
        """Have the beginning of a request arrive on a connection of its own, and no more of it."""
        assert self._runner.server is not None
        protocol = protocols(self._runner.app, self._runner.server)()
        protocol.connection_made(_Transport())
        protocol.data_received(raw)
        try:
            yield
        finally:
            protocol.connection_lost(None)

    async def send(self, raw: bytes, *, method: str) -> Answered:
        """Send the bytes of one request, which must ask for the connection to be closed."""
        assert self._runner.server is not None
        protocol = protocols(self._runner.app, self._runner.server)()
        transport = _Transport()
        protocol.connection_made(transport)
        protocol.data_received(raw)
        async with asyncio.timeout(10):
            await transport.closed
        protocol.connection_lost(None)
        response = HTTPResponse(cast("Any", _Stream(bytes(transport.written))), method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, headers, response.read())


def public_key_of(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a public key as settings have it: SubjectPublicKeyInfo, DER in base64."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(der).decode()


@dataclass(slots=True)
class Stage:
    """An api with all its ports in the open."""

    pool: UserPool
    sealing_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    """Opens what the api seals for the enclaves."""
    intake_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    """Certifies the api's session keys, as KMS does."""
    intake: IntakeSessions = field(init=False)
    kms_failure: Exception | None = None
    """What certifying a session key fails with."""
    seed: int = 0
    request_seconds: float = 25.0
    user_rate: int = 600
    user_gas_budget: int = 10**19
    rates: MemoryRates = field(default_factory=MemoryRates)
    gas: MemoryGas = field(default_factory=MemoryGas)
    now: float = START
    mints: MemoryMints = field(default_factory=MemoryMints)
    token_ids: MemoryTokenIds = field(default_factory=MemoryTokenIds)
    wallets: MemoryWallets = field(default_factory=MemoryWallets)
    links: MemoryLinks = field(default_factory=lambda: MemoryLinks(chain_id=CHAIN_ID))
    chain: MemoryChain | None = field(default_factory=MemoryChain)
    keys: MemoryKeys = field(default_factory=lambda: MemoryKeys(chain_id=CHAIN_ID))
    index: MemoryIndex = field(default_factory=MemoryIndex)
    metadata: MemoryMetadata = field(default_factory=MemoryMetadata)
    line: MemoryLine = field(default_factory=MemoryLine)
    jwks: MemoryJwks = field(default_factory=MemoryJwks)
    user_pool: MemoryUserPool = field(default_factory=MemoryUserPool)
    revocations: MemoryRevocations = field(default_factory=MemoryRevocations)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    missing: dict[str, Exception] = field(default_factory=dict)
    """What the readiness checks of `dynamodb` and `sqs` fail with."""
    tracer: Tracer = OFF
    meanwhile: Callable[[], Awaitable[None]] = field(default=lambda: asyncio.sleep(0))
    """What happens while an answer waits."""

    def __post_init__(self) -> None:
        self.jwks.keys.append(self.pool.jwk())
        self.intake = IntakeSessions(
            self._certify, intake_key=self.intake_key.public_key(), now=self.milliseconds
        )

    async def _certify(self, certificate: Certificate) -> Certificate:
        if self.kms_failure is not None:
            raise self.kms_failure
        return certificate.signed(self.intake_key.sign(certificate.to_sign(), ec.ECDSA(SHA256())))

    def app(self, groups: Sequence[Operations] = GROUPS) -> web.Application:
        """Return the application over this stage's ports."""
        settings = Settings(
            public_url=PUBLIC_URL,
            chain_id=CHAIN_ID,
            default_collection=CONTRACT,
            cognito_issuer=ISSUER,
            cognito_client_id=CLIENT_ID,
            cognito_userinfo_url="https://test.auth.us-east-1.amazoncognito.com/oauth2/userInfo",
            sealing_key=public_key_of(self.sealing_key),
            wallet_key_arns=("arn:aws:kms:us-east-1:000000000000:key/wallets",),
            intake_key=public_key_of(self.intake_key),
            cursor_secret=SecretStr("a secret that is long enough for cursors"),
            sign_in_domains=("app.example.com",),
            request_seconds=self.request_seconds,
            user_gas_budget=self.user_gas_budget,
        )
        keys = KeySet(self.jwks, clock=self.clock)
        api = Api(
            settings=settings,
            access_tokens=AccessTokens(
                keys=keys,
                pool=self.user_pool,
                issuer=ISSUER,
                client_id=CLIENT_ID,
                now=self.clock,
                revocations=Revocations(self.revocations, self.intake, now=self.clock),
            ),
            wallets=WalletDirectory(
                chain_id=CHAIN_ID,
                wallets=self.wallets,
                keys=self.keys,
                now=self.milliseconds,
                clock=self.clock,
            ),
            links=self.links,
            chain=self.chain,
            mints=self.mints,
            line=self.line,
            rates=Rates(self.rates, limit=self.user_rate, now=self.milliseconds, clock=self.clock),
            gas=GasBudget(self.gas, budget=settings.user_gas_budget, now=self.milliseconds, clock=self.clock),
            index=self.index,
            collections=Collections(self.index, clock=self.clock),
            metadata=MetadataCache(self.metadata, clock=self.clock),
            token_ids=TokenIds(self.token_ids, used=(self.index, self.mints), clock=self.clock),
            authorizations=Authorizations(settings.sealer(), self.intake),
            cursors=Cursors(settings.cursor_secret.get_secret_value()),
            readiness=Readiness(
                {
                    "dynamodb": self._check("dynamodb"),
                    "sqs": self._check("sqs"),
                    "jwks": keys.check,
                    "intake": self.intake.check,
                },
                clock=self.clock,
            ),
            now=self.milliseconds,
            sleep=self.sleep,
            entropy=random.Random(self.seed).randbytes,  # noqa: S311 - reproducible on purpose
        )
        app = build_app(api, metrics=Metrics(self.registry), tracer=self.tracer, groups=groups)
        app.on_startup.append(self._begin)
        return app

    async def _begin(self, _: web.Application) -> None:
        await self.intake.begin()

    def clock(self) -> float:
        """Return the stage's time in Unix seconds."""
        return self.now

    def milliseconds(self) -> int:
        """Return the stage's time in Unix milliseconds."""
        return int(self.now * 1000)

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and what was planned for it happen."""
        self.now += seconds
        await self.meanwhile()

    def token(self, sub: str = "alice") -> str:
        """Return a good access token of a user."""
        return self.pool.sign(self.pool.claims(sub, now=self.now))

    def headers(self, sub: str = "alice", **more: str) -> dict[str, str]:
        """Return the headers of a user's request; `idempotency_key="…"` becomes `Idempotency-Key: …`."""
        named = {name.replace("_", "-").title(): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.token(sub)}", **named}

    def _check(self, name: str) -> Any:
        async def check() -> None:
            if name in self.missing:
                raise self.missing[name]

        return check
