"""The internal entry point beside a running stack: see `mintline_harness.entry`."""

from __future__ import annotations

import sys

import aiohttp

from mintline_devstack import services
from mintline_devstack.paths import CHECKOUT
from mintline_devstack.ports import HOST, free_port
from mintline_devstack.probes import http_ready
from mintline_devstack.running_stack import Stack
from mintline_devstack.supervisor import ChildSpec


async def start_entry(stack: Stack, http: aiohttp.ClientSession) -> str:
    """Start the entry point beside a line, supervised like its services, and return its URL."""
    port, admin = free_port(), free_port()
    url = f"http://{HOST}:{port}"
    environment = {
        **services.variables_of(stack.environment, "api"),
        "MINTLINE_API_HOST": HOST,
        "MINTLINE_API_PORT": str(port),
        "MINTLINE_ADMIN_HOST": HOST,
        "MINTLINE_ADMIN_PORT": str(admin),
        "MINTLINE_PUBLIC_URL": url,
    }
    await stack.supervisor.start(
        ChildSpec(
            name="entry",
            argv=(sys.executable, "-m", "mintline_harness.entry"),
            env=environment,
            cwd=CHECKOUT,
            ready=http_ready(http, f"http://{HOST}:{admin}/readyz"),
            grace=35.0,
        )
    )
    return url
