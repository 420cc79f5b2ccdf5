"""The whole stack, once a session, as processes or in containers; tests talk to it over HTTP as users do."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp
import pytest
import pytest_asyncio

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline_bench.users import sign_in_new
from mintline_client import AsyncMintline, Retries
from mintline_client.api import ONCE
from mintline_client.models import MintView
from mintline_client.sign_in import client_token, demo_client_token
from mintline_devstack.running_stack import Stack, running_stack
from mintline_devstack.state_folder import StateFolder
from tests.e2e.recording import recorded_stack

T = TypeVar("T")
PATIENT = Retries(tries=300, longest_delay=0.5)
"""For requests that processes are killed under: the call ends by its own timeout."""
ENDS = frozenset({"finalized", "rejected", "reverted"})
SVG = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="


def metadata(name: str) -> dict[str, Any]:
    return {"name": name, "image": SVG, "attributes": [{"trait_type": "made by", "value": "a test"}]}


@dataclass(slots=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class User:
    """One signed-in user of the line, or a machine client.

    `client` tries each request once, so that no failure is hidden. `patient` is for requests that processes
    are killed under. `call` is for what the response itself says: its status, its headers, a refusal.
    """

    session: aiohttp.ClientSession
    api: str
    token: str
    client: AsyncMintline = field(init=False)
    patient: AsyncMintline = field(init=False)

    def __post_init__(self) -> None:
        self.client = AsyncMintline(self.api, token=self.token, http=self.session, retries=ONCE)
        self.patient = AsyncMintline(self.api, token=self.token, http=self.session, retries=PATIENT)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self.session.request(method, self.api + path, json=body, headers=sent) as response:
            text = await response.text()
            is_json = "json" in response.content_type
            return Answer(
                response.status, await response.json(content_type=None) if is_json else text, response.headers
            )

    async def mint(self, name: str, *, key: str | None = None, **fields: Any) -> Any:
        """Post a mint; while a process of the line is being killed, the same key is tried again."""
        request: Any = {"metadata": metadata(name), **fields}
        async with asyncio.timeout(60):
            return await self.patient.mints.create(request, idempotency_key=key or name.replace(" ", "-"))

    async def until(self, mint_id: str, *statuses: str, within: float = 90.0) -> Any:
        """Poll the mint until its status is one of `statuses` (or any end)."""
        wanted = frozenset(statuses) or ENDS
        mint: MintView | None = None
        try:
            async with asyncio.timeout(within):
                while True:
                    mint = await self.patient.mints.get(mint_id)
                    if mint["status"] in wanted | ENDS:
                        assert mint["status"] in wanted, mint
                        return mint
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{mint_id} did not become {sorted(wanted)} in {within} s: {mint}") from None


async def listed(items: AsyncIterator[T]) -> list[T]:
    """Return all items of a list."""
    return [item async for item in items]


async def demo_client(harness: Harness) -> User:
    """Return the machine client of the local stack."""
    tokens = await demo_client_token(harness.session, harness.info)
    return User(harness.session, harness.info["api_url"], tokens.access_token)


async def new_client(harness: Harness, name: str, **budget: Any) -> User:
    """Make a machine client, with a budget if one is given; the demo client may, by its scope `admin`."""
    admin = await demo_client(harness)
    request: Any = {"name": name, **({"budget": budget} if budget else {})}
    created = await admin.client.clients.create(request)
    tokens = await client_token(
        harness.session, harness.info, client_id=created["client_id"], secret=created["client_secret"]
    )
    return User(harness.session, harness.info["api_url"], tokens.access_token)


class Parts(Protocol):
    """The parts of a running stack, by name."""

    async def kill(self, name: str) -> None:
        """Kill -9 the part and wait until it runs again."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The parts of a line of local processes, whose supervisor starts them again."""

    folder: StateFolder

    def _pid(self, name: str) -> int | None:
        running = self.folder.running()
        assert running is not None
        pid: int | None = running["pids"].get(name)
        return pid

    async def kill(self, name: str) -> None:
        """Kill -9 the process and wait until another one runs in its place."""
        victim = self._pid(name)
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while self._pid(name) in (None, victim):
            assert time.monotonic() < deadline, f"{name} was not restarted"
            await asyncio.sleep(0.1)


@dataclass(slots=True)
class Harness:
    """The running stack, and what tests may do to it."""

    info: dict[str, Any]
    session: aiohttp.ClientSession
    node: Node
    rpc: Rpc
    parts: Parts
    stack: Stack | None = None
    """None if it runs in containers."""

    async def sign_in(self) -> User:
        """Sign in as a new user."""
        (token,) = await sign_in_new(self.info, count=1)
        return User(self.session, self.info["api_url"], token)

    async def kill(self, name: str) -> None:
        """Kill -9 a part and wait until it runs again."""
        await self.parts.kill(name)


@asynccontextmanager
async def _stack(state: Path, grants: Path | None) -> AsyncIterator[Stack]:
    """Run the stack; `grants` is a file that gets the grants that its calls of AWS use."""
    if grants is None:
        async with running_stack(state, ports="free") as running:
            yield running
    else:
        async with recorded_stack(state, into=grants) as recorded:
            yield recorded.stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def harness(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Harness]:
    async with AsyncExitStack() as stack:
        parts: Parts
        if request.config.getoption("--stack") == "containers":
            containers = request.getfixturevalue("containers")
            parts, info, local = containers, containers.info, None
        else:
            state: Path = tmp_path_factory.mktemp("line")
            running = await stack.enter_async_context(_stack(state, request.config.getoption("--grants")))
            parts, info, local = Processes(StateFolder(state)), running.info, running
        rpc = Rpc([info["rpc_url"]])
        stack.push_async_callback(rpc.aclose)
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)))
        yield Harness(info, session, Node(rpc), rpc, parts, local)


@pytest_asyncio.fixture(loop_scope="session")
async def user(harness: Harness) -> User:
    """Sign in as a user whom no other test knows."""
    return await harness.sign_in()
