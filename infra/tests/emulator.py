"""The AWS emulator with CloudFormation, as a process of its own, and stacks that are deployed to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
from aiobotocore.session import get_session

from synthesis import ROOT

MINISTACK = ROOT / ".venv/ministack/bin/ministack"
REGION = "us-east-1"


@contextmanager
def emulator(settings: Mapping[str, str]) -> Iterator[str]:
    """Run the emulator for as long as the context lasts, and give its address; skips without it."""
    if not MINISTACK.exists():
        pytest.skip("the emulator is not installed: run `make setup`")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        **settings,
    }
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen([MINISTACK], env=environment, stdout=output, stderr=output)
        try:
            wait_until_healthy(url, child)
            yield url
        finally:
            child.terminate()
            child.wait(30)


def wait_until_healthy(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2) as response:
                response.read()
            return
        time.sleep(0.1)
    raise AssertionError("the emulator did not start")


@asynccontextmanager
async def client(service: str, endpoint: str) -> AsyncIterator[Any]:
    async with get_session().create_client(
        service,  # type: ignore[call-overload] # a service by its name
        region_name=REGION,
        endpoint_url=endpoint,
    ) as aws_client:
        yield aws_client


async def deploy(template: dict[str, Any], endpoint: str, stack: str = "data") -> dict[str, str]:
    """Deploy a template as a stack, uploaded first as the CDK does, and return its outputs.

    The data stack's is too large for a request, which takes 51,200 bytes.
    """
    bucket, key = "cdk-hnb659fds-assets-000000000000-us-east-1", f"{stack}.template.json"
    async with client("s3", endpoint) as s3:
        await s3.create_bucket(Bucket=bucket)
        await s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
    async with client("ssm", endpoint) as ssm:
        # What `cdk bootstrap` leaves in an account, and every template asks for.
        await ssm.put_parameter(
            Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String", Overwrite=True
        )
    async with client("cloudformation", endpoint) as cloudformation:
        await cloudformation.create_stack(
            StackName=stack, TemplateURL=f"{endpoint}/{bucket}/{key}", Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        await cloudformation.get_waiter("stack_create_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        (description,) = (await cloudformation.describe_stacks(StackName=stack))["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
