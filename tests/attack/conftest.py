"""A real line under attack: what an attacker would hold, and what unattacked use looks like.

Each test takes one part of the line over, with the credentials, sockets and records that this part has, and
must come away without a signature. `Victim.signs` is the control: the same path, unattacked, signs.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from mintline import key_subjects
from mintline.acceptance import Statement
from mintline.audit.records import Batch
from mintline.authorization import PublicAuthorizationKey
from mintline.aws.authorization_keys import read_authorization_key
from mintline.aws.authorizations import find_authorization
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys, SecretsManagerKeys
from mintline.aws.keys import encryption_context
from mintline.aws.operations import read_mint
from mintline.aws.queues import Queues
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.key_stores import KeyStores
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import AnyRequest, IssueVoucher, SignMint
from mintline.messages.parts import KeyRef
from mintline.p256 import load_p256
from mintline.records.operations import Mint
from mintline.set_aside import SetAside
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.auth.store import KmsIntake
from mintline_bench.users import sign_in_new
from mintline_devstack.known import Known, load_known
from mintline_devstack.principals import issue_credentials
from mintline_devstack.running_stack import running_stack
from mintline_devstack.state_folder import StateFolder
from mintline_ops.aws_clients import AwsCredentials, aws_client
from mintline_ops.wallets.dynamo import DynamoWalletRecords
from mintline_signer.frames import FrameDecoder
from mintline_signer.protocol import Request, Response, Sign, Signed, WrappedKey
from mintline_signer.protocol_frames import read_response, request_frame
from mintline_testkit.signer import digest_of

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_secretsmanager import SecretsManagerClient
    from types_aiobotocore_sqs import SQSClient

AuthorizedT = TypeVar("AuthorizedT", SignMint, IssueVoucher)

ENDS = ("finalized", "rejected", "reverted")


class Socket:
    """The enclave's socket, as an owner of the host can use it: any bytes, in any order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._ids = itertools.count(1)
        self._decoder = FrameDecoder()
        self._bodies: list[bytes] = []

    async def ask(self, request: Request) -> Response:
        """Send one request and return its answer."""
        self.writer.write(request_frame(next(self._ids), request))
        return (await self.receive())[1]

    async def receive(self) -> tuple[int, Response]:
        """Return the next answer, whatever the audit trail says; EOFError when the enclave has hung up."""
        async with asyncio.timeout(20):
            while True:
                while not self._bodies:
                    piece = await self.reader.read(65536)
                    if not piece:
                        raise EOFError
                    self._bodies += self._decoder.feed(piece)
                received = read_response(self._bodies.pop(0))
                if not isinstance(received, Batch):
                    return received


@dataclass(slots=True)
class User:
    """A user of the line, with a token that is known."""

    session: aiohttp.ClientSession
    api: str
    token: str

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.token}"}
        async with self.session.request(method, self.api + path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def mint(self, name: str) -> str:
        """Post a mint and return its id."""
        metadata = {"name": name, "image": "https://example.com/1.png"}
        status, view = await self.call("POST", "/v1/mints", {"metadata": metadata})
        assert status == 202, view
        mint_id: str = view["mint_id"]
        return mint_id

    async def until(self, mint_id: str, *statuses: str, within: float = 60.0) -> Any:
        """Return the mint once it has come to one of `statuses`."""
        async with asyncio.timeout(within):
            while True:
                _, view = await self.call("GET", f"/v1/mints/{mint_id}")
                if view["status"] in statuses:
                    return view
                assert view["status"] not in ENDS, (view["status"], view["problem"])
                await asyncio.sleep(0.1)


@dataclass(slots=True)
class Victim:
    """A running stack, with everything that some part of it knows."""

    info: dict[str, Any]
    state: StateFolder
    known: Known
    credentials: dict[str, AwsCredentials]
    """Of every role of the line: an attacker has those of the parts that are taken over."""
    session: aiohttp.ClientSession
    node: Node
    dynamo: Dynamo
    stores: KeyStores
    queues: Queues
    emulator_kms: KMSClient
    """KMS behind the front, which asks nobody for anything: how a test knows what must stay secret."""
    sqs: SQSClient
    secretsmanager: SecretsManagerClient

    async def sign_in(self) -> User:
        """Sign in as a new user."""
        (token,) = await sign_in_new(self.info, count=1)
        return User(self.session, self.info["api_url"], token)

    async def rpc(self, method: str, *params: Any) -> Any:
        """Call the chain's node, as anyone may."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self.session.post(self.info["rpc_url"], json=call) as response:
            return (await response.json())["result"]

    async def record(self, mint_id: str) -> Mint:
        """Return a mint's record with its authorization, as a reader of the database has them."""
        mint = await read_mint(self.dynamo, mint_id, SetAside())
        assert mint is not None
        authorization = await find_authorization(self.dynamo, mint, SetAside())
        return mint.model_copy(update={"authorization": authorization.envelope})

    async def minted(self, user: User, name: str) -> Mint:
        """Have a user mint, and return the record with its authorization."""
        mint_id = await user.mint(name)
        await user.until(mint_id, "finalized")
        mint = await self.record(mint_id)
        assert mint.tx_hash is not None
        return mint

    async def cold_wallet(self) -> KeyRef:
        """Return a new wallet, whose key the enclave has never unwrapped."""
        user = await self.sign_in()
        _, view = await user.call("GET", "/v1/wallet")
        async for wallet in DynamoWalletRecords(self.dynamo).all():
            if wallet.address == view["address"]:
                return wallet.key()
        raise AssertionError("the wallet is not on record")

    @asynccontextmanager
    async def intake(self, role: str = "api") -> AsyncIterator[IntakeSessions]:
        """Have a session key certified with a role's credentials; only the api's will do."""
        kms_url, region = self.info["kms_url"], self.info["region"]
        async with aws_client(
            "kms", endpoint_url=kms_url, region=region, credentials=self.credentials[role]
        ) as kms:
            sessions = IntakeSessions(
                KmsIntake(kms, prefix=self.info["prefix"]).certify,
                intake_key=load_p256(base64.b64decode(self.known.intake_key)),
                now=lambda: time.time_ns() // 1_000_000,
            )
            await sessions.renew()
            yield sessions

    def sealed(self, intent: AuthorizedT, token: str, acceptance: Statement) -> AuthorizedT:
        """Return an intent with an envelope of somebody's making: the authorization key is public."""
        assert self.known.authorization_key is not None
        key = PublicAuthorizationKey(base64.b64decode(self.known.authorization_key.public_key))
        envelope = key.seal(token, digest_of(intent), acceptance)
        return intent.model_copy(update={"authorization": envelope})

    async def wrapped(self, key: KeyRef) -> WrappedKey:
        """Return a wrapped key, as the host reads it."""
        stored = await self.stores.read(key)
        return WrappedKey(
            address=stored.address, subject=stored.subject, chain_id=stored.chain_id, wrapped=stored.wrapped
        )

    async def request(self, intent: AnyRequest, *, keys: list[KeyRef] | None = None) -> Sign:
        """Return what a host asks the enclave for an intent; `keys` are others than the right ones."""
        right = [intent.signer, *([self.known.issuer] if isinstance(intent, SignMint) else [])]
        return Sign(intent=intent, keys=[await self.wrapped(key) for key in keys or right])

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Socket]:
        """Connect to the enclave, as the host does."""
        path = str(enclave_socket(self.state))
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            yield Socket(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def signs(self, mint: Mint) -> bool:
        """Tell whether the enclave, unattacked, signs what is on record: the very same bytes."""
        async with self.connected() as socket:
            response = await socket.ask(await self.request(sign_mint(mint)))
        return isinstance(response, Signed) and response.tx_hash == mint.tx_hash

    async def secrets(self, mint: Mint, user: User) -> dict[str, list[bytes]]:
        """Return what nobody but the enclave may ever see, in the forms in which it could lie about."""
        assert mint.sender is not None
        named = {
            "the user's key": await self._opened(await self.wrapped(mint.sender)),
            "the issuer's key": await self._opened(await self.wrapped(self.known.issuer)),
            "the treasury's key": await self._opened(await self.wrapped(self.known.treasury)),
        }
        secrets = {name: _forms_of(load_der_private_key(der, None)) for name, der in named.items()}
        secrets["the authorization key"] = _forms_of(await self.authorization_private_key())
        secrets["the user's token"] = [user.token.encode(), user.token.rsplit(".", 1)[1].encode()]
        return secrets

    async def authorization_private_key(self) -> ec.EllipticCurvePrivateKey:
        """Return the private half of the authorization key."""
        assert self.known.authorization_key is not None
        secret = await read_authorization_key(self.secretsmanager, self.known.authorization_key.secret_id)
        context = encryption_context(key_subjects.AUTHORIZATION_KEY, secret.chain_id)
        response = await self.emulator_kms.decrypt(CiphertextBlob=secret.wrapped, EncryptionContext=context)
        key = load_der_private_key(response["Plaintext"], None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    async def _opened(self, key: WrappedKey) -> bytes:
        response = await self.emulator_kms.decrypt(
            CiphertextBlob=key.wrapped, EncryptionContext=encryption_context(key.subject, key.chain_id)
        )
        der: bytes = response["Plaintext"]
        return der

    def pid(self, process: str) -> int:
        """Return a process's id; one that was restarted has another."""
        running = self.state.running()
        assert running is not None
        pid: int = running["pids"][process]
        return pid

    def logged(self, process: str, event: str) -> list[dict[str, Any]]:
        """Return the lines of a process's log that tell of an event."""
        lines = (self.state.logs / f"{process}.log").read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{") and f'"{event}"' in line]
        return [line for line in entries if line["event"] == event]


def _forms_of(key: Any) -> list[bytes]:
    """Return a private scalar as bytes in both orders, as hex, base64 and decimal."""
    number: int = key.private_numbers().private_value
    scalar = number.to_bytes(32, "big")
    encoded = base64.b64encode(scalar).rstrip(b"=")
    return [scalar, scalar[::-1], scalar.hex().encode(), encoded, str(number).encode()]


def enclave_socket(state: StateFolder) -> Path:
    """Return where the enclave of a running stack serves its host, by the host's own settings."""
    started = json.loads((state.logs / "signer-host.log").read_text().splitlines()[0])
    return Path(started["settings"]["enclave_address"].removeprefix("unix://"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def victim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Victim]:
    state = tmp_path_factory.mktemp("victim")
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_stack(state, ports="free"))
        info = running.info
        known = load_known(running.state)
        assert known is not None
        credentials = issue_credentials(running.state)
        rpc = Rpc([info["rpc_url"]])
        stack.push_async_callback(rpc.aclose)

        async def client(service: Any) -> Any:
            return await stack.enter_async_context(
                aws_client(
                    service,
                    endpoint_url=info["aws_endpoint_url"],
                    region=info["region"],
                    credentials=credentials["operator"],
                )
            )

        dynamo = Dynamo(await client("dynamodb"), info["prefix"])
        stack.push_async_callback(dynamo.aclose)
        sqs, secretsmanager = await client("sqs"), await client("secretsmanager")
        queues = Queues(sqs, info["prefix"])
        stack.push_async_callback(queues.aclose)
        secrets = SecretsManagerKeys(secretsmanager, prefix=info["prefix"])
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)))
        yield Victim(
            info=info,
            state=running.state,
            known=known,
            credentials=credentials,
            session=session,
            node=Node(rpc),
            dynamo=dynamo,
            stores=KeyStores(secrets, DynamoKeys(dynamo)),
            queues=queues,
            emulator_kms=await client("kms"),
            sqs=sqs,
            secretsmanager=secretsmanager,
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def user(victim: Victim) -> User:
    """Sign in as the user who is attacked."""
    return await victim.sign_in()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mallory(victim: Victim) -> User:
    """Sign in as an attacker who is a user, too, with a wallet of their own."""
    return await victim.sign_in()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def minted(victim: Victim, user: User) -> Mint:
    """Have the user mint: the attacker has seen all of it go by."""
    return await victim.minted(user, "a token worth having")


@pytest_asyncio.fixture(loop_scope="session")
async def socket(victim: Victim) -> AsyncIterator[Socket]:
    """Open the enclave's socket as a hostile host."""
    async with victim.connected() as opened:
        yield opened
