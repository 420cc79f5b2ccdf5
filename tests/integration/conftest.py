"""The emulators that integration tests run against: real processes on free ports of the loopback."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.aws.provision import open_clients, provision
from mintline.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
ANVIL = (
    ROOT
    / "node_modules/@foundry-rs"
    / f"anvil-{sys.platform}-{MACHINES[platform.machine().lower()]}"
    / "bin/anvil"
)
MINISTACK = (ROOT / ".venv/ministack/bin/python", ROOT / "tests/integration/start_emulator.py")
TEMPLATE = "t-template"
"""The prefix of the deployment that is created by requests; those of tests are copies."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(argv: list[str], env: dict[str, str], ready: Callable[[], None]) -> Iterator[None]:
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(argv, env={**os.environ, **env}, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    ready()
                    break
                except OSError as error:
                    if child.poll() is not None or time.monotonic() > deadline:
                        output.seek(0)
                        text = output.read().decode(errors="replace")
                        raise RuntimeError(f"{argv[0]} did not start: {text[-2000:]}") from error
                    time.sleep(0.05)
            yield
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def rpc_ready(url: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=2) as response:
        response.read()


@contextmanager
def anvil_process(*arguments: str) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [str(ANVIL), "--host", "127.0.0.1", "--port", str(port), "--silent", *arguments]
    with process(argv, {}, lambda: rpc_ready(url)):
        yield url


def node_binary() -> str:
    """Node from PATH, or from the environment of these tests."""
    path = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    if path is None:
        pytest.fail("node is neither on PATH nor in the environment of these tests")
    return path


@contextmanager
def forked_node(hardfork: str, *arguments: str) -> Iterator[str]:
    """Run a node over EthereumJS, under the rules of a fork that anvil may not know."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    script = str(ROOT / "tests/integration/forks/node.mjs")
    argv = [node_binary(), script, "--port", str(port), "--hardfork", hardfork, *arguments]
    with process(argv, {}, lambda: rpc_ready(url)):
        yield url


@pytest.fixture(scope="session")
def anvil() -> Iterator[str]:
    """Run a chain with a block a second and a gas limit like mainnet's."""
    with anvil_process("--block-time", "1", "--slots-in-an-epoch", "1", "--gas-limit", "60000000") as url:
        yield url


@pytest.fixture
def anvil_automine() -> Iterator[str]:
    """Run a chain of this test's own, with a block per transaction."""
    with anvil_process("--slots-in-an-epoch", "1") as url:
        yield url


@pytest.fixture
def busy_anvil() -> Iterator[str]:
    """Run a chain of this test's own, with fifty blocks a second."""
    with anvil_process("--block-time", "0.02") as url:
        yield url


@pytest.fixture(scope="session")
def ministack() -> Iterator[str]:
    """Run the AWS emulator and return its endpoint URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def ready() -> None:
        with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2) as response:
            response.read()

    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "SERVICES": "sqs,dynamodb,dynamodbstreams,s3,kms,secretsmanager,cognito-idp,sts",
    }
    with process([str(part) for part in MINISTACK], environment, ready):
        yield url


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test an AWS environment of its own, that reaches no real account."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def aws_settings(ministack: str) -> ServiceSettings:
    """Return settings that lead to the emulator, under a prefix that no other test has."""
    return ServiceSettings(aws_endpoint_url=ministack, resource_prefix=f"t-{uuid.uuid4().hex[:12]}")


@dataclass(slots=True)
class Deployments:
    """Every declared resource under any number of prefixes: created once, then copied in the emulator."""

    url: str
    created: bool = False

    async def make(self, settings: ServiceSettings) -> None:
        """Give the settings' prefix every declared resource."""
        if not self.created:
            async with open_clients(settings) as clients:
                await provision(clients, TEMPLATE)
            self.created = True
        self._ask(f"copy/{TEMPLATE}/{settings.resource_prefix}")

    def drop(self, prefix: str) -> None:
        """Forget everything under a prefix."""
        self._ask(f"drop/{prefix}")

    def _ask(self, path: str) -> None:
        with urllib.request.urlopen(f"{self.url}/_tests/{path}", timeout=10) as response:
            response.read()


@pytest.fixture(scope="session")
def deployments(ministack: str) -> Deployments:
    return Deployments(ministack)


@pytest.fixture
async def aws_prefix(aws_settings: ServiceSettings, deployments: Deployments) -> AsyncIterator[str]:
    """Return a prefix under which every declared resource is there, for this test alone."""
    await deployments.make(aws_settings)
    yield aws_settings.resource_prefix
    deployments.drop(aws_settings.resource_prefix)


class SickNode:
    """Passes JSON-RPC on to `behind`; `tamper` changes results, `sick` spoils whole responses."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.tamper: Callable[[dict[str, Any], Any], Any] = lambda _, result: result
        self.sick = ""
        """One of `throttles`, `hangs`, `garbage`, `stalls`, `cut`, `endless`; empty when it is well."""
        self.requested: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self._over = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/", self._answer)
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession())
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        self._stack.push_async_callback(server.close)
        self.url = str(server.make_url("/"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        await self._stack.aclose()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        calls = await request.json()
        several = isinstance(calls, list)
        calls = calls if several else [calls]
        self.requested += [call["method"] for call in calls]
        self.headers.append(dict(request.headers))
        if self.sick == "throttles":
            return web.Response(status=429, headers={"Retry-After": "1"})
        if self.sick == "hangs":
            await self._over.wait()
        answers = [await self._pass_on(call) for call in calls]
        body = json.dumps(answers if several else answers[0]).encode()
        if self.sick == "garbage":
            body = b"<html>502 Bad Gateway</html>"
        if self.sick in ("stalls", "cut", "endless"):
            return await self._spoiled(request, body)
        return web.Response(body=body, content_type="application/json")

    async def _pass_on(self, call: dict[str, Any]) -> Any:
        async with self._http.post(self.behind, json=call) as response:
            body = await response.json(content_type=None)
        if "result" in body:
            body["result"] = self.tamper(call, body["result"])
        return body

    async def _spoiled(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if self.sick == "cut":
            response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if self.sick == "stalls":
            await self._over.wait()
        while self.sick == "endless":
            try:
                await response.write(b" " * 2**20)
            except ConnectionError:
                break
        assert request.transport is not None
        request.transport.abort()
        return response


@pytest.fixture
async def sick_node() -> AsyncIterator[Callable[[str], Awaitable[SickNode]]]:
    """Start nodes in front of others."""
    async with AsyncExitStack() as stack:

        async def start(behind: str) -> SickNode:
            return await stack.enter_async_context(SickNode(behind))

        yield start
