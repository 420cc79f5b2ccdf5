"""One run: find or start the line, drive it, watch it, ask the chain, report."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Misconfigured
from mintline_bench.load import Driver
from mintline_bench.process_monitor import ProcessMonitor
from mintline_bench.report import summarize, table
from mintline_bench.users import sign_in_new
from mintline_bench.verify import Verdict, verify
from mintline_devstack.running_stack import running_stack
from mintline_devstack.state_folder import StateFolder

EMULATORS = frozenset({"ministack", "anvil", "kms-front"})
"""Parts of the local stack that AWS and the chain provide in production."""
IN_FLIGHT = 64


def progress(text: str) -> None:
    """Say where the run is; standard output is kept for the result."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command's own output


async def bench(
    *, mints: int, users: int, state: Path, patience: float, copies: Mapping[str, int] | None = None
) -> int:
    """Mint `mints` times for `users` users; print the figures; return the exit code.

    Uses the line that runs from `state`, or starts one there, with `copies` of its workers, and stops it
    afterwards. `patience` is in seconds, from the first POST. Returns 0 only when every mint is on chain
    exactly once.
    """
    folder = StateFolder(state)
    async with AsyncExitStack() as stack:
        if folder.running() is None:
            progress("no line runs; starting one")
            await stack.enter_async_context(running_stack(state, ports="free", copies=copies))
        elif copies:
            raise Misconfigured("a line runs already, with copies of its own: stop it, or leave --scale out")
        figures, verdict = await _drive(folder, mints=mints, users=users, patience=patience)
    own = frozenset(figures["cpu_ms_per_mint"]) - EMULATORS
    print(table(figures, own=own))  # noqa: T201 - the result
    print(json.dumps(figures))  # noqa: T201 - the result
    return 0 if verdict.clean else 1


async def _drive(
    folder: StateFolder, *, mints: int, users: int, patience: float
) -> tuple[dict[str, Any], Verdict]:
    info = folder.running()
    assert info is not None, "a line runs now"

    def where() -> tuple[Mapping[str, int], Mapping[str, str]]:
        now = folder.running() or info
        return now["pids"], now["admin"]

    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT * 2)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30))
        )
        rpc = Rpc([info["rpc_url"]])
        stack.push_async_callback(rpc.aclose)
        node = Node(rpc)

        progress(f"signing in {users} users")
        tokens = await sign_in_new(info, count=users)
        head = await node.block("latest", full=False)
        assert head is not None, "a node has a head"
        monitor, stop = ProcessMonitor(session, where), asyncio.Event()
        monitoring = asyncio.create_task(monitor.run(stop), name="process monitor")
        driver = Driver(session, api_url=info["api_url"], tokens=tokens, deadline=time.time() + patience)
        progress(f"posting {mints} mints")
        posted = await driver.post_all(mints, in_flight=IN_FLIGHT)
        progress("all accepted; waiting for the chain")
        await driver.follow(posted)
        stop.set()
        await monitoring
        progress("asking the chain for every token")
        verdict = await verify(node, contract=info["contract"], first_block=head.number, posted=posted)
    return summarize(posted, monitor.costs(), verdict, retries=driver.retries), verdict
