"""The way to KMS: the host's proxy, and TLS that ends in the enclave."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mintline.attestation.development import DevelopmentAuthority
from mintline.clock import UnixSeconds
from mintline_signer import addresses
from mintline_signer.enclave.http1 import HttpPool
from mintline_signer.enclave.kms import KmsDecrypter, dial, parse_endpoint
from mintline_signer.enclave.kms_tls import kms_tls
from mintline_signer.enclave.recipient import Recipient, new_key
from mintline_signer.enclave.wrapped import WalletUnwrapper
from mintline_signer.errors import EnclaveFailure, FailureCode
from mintline_signer.host.kms_proxy import KmsProxy
from mintline_signer.protocol import Credentials

if TYPE_CHECKING:
    from tests.integration.signer.conftest import FakeKms, Harness, Player

pytestmark = pytest.mark.integration

BIG = bytes(range(256)) * 4096


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def echo_server(stack: AsyncExitStack) -> int:
    server = await stack.enter_async_context(await asyncio.start_server(echo, "127.0.0.1", 0))
    port: int = server.sockets[0].getsockname()[1]
    return port


async def proxy_to(stack: AsyncExitStack, folder: Path, port: int, **limits: float) -> str:
    path = folder / "kms.sock"
    proxy = KmsProxy(addresses.parse(f"unix://{path}"), ("127.0.0.1", port), **limits)  # type: ignore[arg-type]  # numbers all
    await stack.enter_async_context(proxy)
    return str(path)


async def test_proxy__when_bytes_go_through__leaves_them_as_they_are(
    stack: AsyncExitStack, folder: Path
) -> None:
    path = await proxy_to(stack, folder, await echo_server(stack))
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(BIG)
    assert await reader.readexactly(len(BIG)) == BIG
    writer.close()


async def test_proxy__when_too_many_connect__refuses_one_more(stack: AsyncExitStack, folder: Path) -> None:
    path = await proxy_to(stack, folder, await echo_server(stack), connections=1)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"a")
    assert await reader.readexactly(1) == b"a"
    second, other = await asyncio.open_unix_connection(path)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await second.readexactly(1)
    writer.write(b"b")
    assert await reader.readexactly(1) == b"b"
    writer.close()
    other.close()


async def test_proxy__when_nothing_moves__closes(stack: AsyncExitStack, folder: Path) -> None:
    path = await proxy_to(stack, folder, await echo_server(stack), idle_timeout=0.1)
    reader, writer = await asyncio.open_unix_connection(path)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_proxy__when_the_target_is_away__closes(stack: AsyncExitStack, folder: Path) -> None:
    path = await proxy_to(stack, folder, 1)
    reader, writer = await asyncio.open_unix_connection(path)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


def contents(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_proxy__when_it_ends__takes_its_socket_and_its_connections_along(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        path = await proxy_to(stack, folder, await echo_server(stack))
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        await stack.aclose()
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
    assert contents(folder) == []


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """Make a self-signed certificate for an address; return the server's context, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kms")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    trusted, private = folder / "trusted.pem", folder / "private.pem"
    trusted.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted


async def unwrap_over_tls(
    stack: AsyncExitStack,
    folder: Path,
    kms: FakeKms,
    player: Player,
    *,
    certified: str,
    trusting: bool = True,
) -> bytearray:
    context, trusted = certificate(folder, certified)
    await kms.serve(stack, tls=context)
    path = await proxy_to(stack, folder, kms.port)
    endpoint = parse_endpoint(f"https://127.0.0.1:{kms.port}")
    tls = kms_tls(trusted if trusting else None)
    http = HttpPool(dial(addresses.parse(f"unix://{path}"), endpoint, tls=tls), timeout=5)
    stack.push_async_callback(http.aclose)
    key = new_key()
    attester = DevelopmentAuthority.create(now=dt.datetime.now(dt.UTC)).attester(
        "m", now=dt.datetime.now(dt.UTC)
    )
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    attestation = attester.attest(
        module_id="m", at=dt.datetime.now(dt.UTC), pcrs={0: bytes(48)}, public_key=public
    )
    decrypter = KmsDecrypter(
        http,
        endpoint,
        key_id="alias/test-wallets",
        now=lambda: UnixSeconds(0.0),
        recipient=lambda: Recipient(key, attestation),
    )
    decrypter.use(Credentials.model_validate({"access_key_id": "A", "secret_access_key": "s", "region": "r"}))
    return await WalletUnwrapper(decrypter).unwrap(player.wrapped)


async def test_tls__when_the_certificate_is_trusted__ends_in_the_enclave(
    stack: AsyncExitStack, folder: Path, kms: FakeKms, issuer: Player
) -> None:
    assert await unwrap_over_tls(stack, folder, kms, issuer, certified="127.0.0.1") == issuer.secret
    assert kms.requests == 1


async def test_tls__when_only_the_system_trusts_the_certificate__asks_for_nothing(
    stack: AsyncExitStack, folder: Path, kms: FakeKms, issuer: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "trusted.pem"))
    with pytest.raises(EnclaveFailure) as caught:
        await unwrap_over_tls(stack, folder, kms, issuer, certified="127.0.0.1", trusting=False)
    assert caught.value.code is FailureCode.KMS_UNAVAILABLE
    assert kms.requests == 0


async def test_tls__when_the_certificate_is_for_another_name__asks_for_nothing(
    stack: AsyncExitStack, folder: Path, kms: FakeKms, issuer: Player
) -> None:
    with pytest.raises(EnclaveFailure) as caught:
        await unwrap_over_tls(stack, folder, kms, issuer, certified="127.0.0.2")
    assert caught.value.code is FailureCode.KMS_UNAVAILABLE
    assert kms.requests == 0


async def test_route__when_many_keys_are_cold__asks_kms_for_several_at_once(
    harness: Harness, users: list[Player]
) -> None:
    await asyncio.gather(*(harness.client.sign(user.noop(1)) for user in users))
    assert harness.kms.requests == len(users)
    assert 1 < harness.kms.most_at_once <= 16
