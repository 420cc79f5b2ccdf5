"""The emulators that integration tests run against: real processes on free ports of the loopback."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mintline.aws.provision import deprovision, open_clients, provision
from mintline.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
ANVIL = (
    ROOT
    / "node_modules/@foundry-rs"
    / f"anvil-{sys.platform}-{MACHINES[platform.machine().lower()]}"
    / "bin/anvil"
)
MINISTACK = ROOT / ".venv/ministack/bin/ministack"


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
        "SERVICES": "sqs,dynamodb,s3,kms,secretsmanager,cognito-idp,sts",
    }
    with process([str(MINISTACK)], environment, ready):
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


@pytest.fixture
async def aws_prefix(aws_settings: ServiceSettings) -> AsyncIterator[str]:
    """Create every declared resource under a fresh prefix, and delete them after the test."""
    prefix = aws_settings.resource_prefix
    async with open_clients(aws_settings) as clients:
        await provision(clients, prefix)
        yield prefix
        await deprovision(clients, prefix)
