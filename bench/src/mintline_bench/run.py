"""One run: find or start the line, drive it, watch it, ask the chain, report."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Misconfigured
from mintline_bench.load import Driver, Posted
from mintline_bench.process_monitor import ProcessMonitor
from mintline_bench.report import summarize, table
from mintline_bench.sponsored import BulkDriver, SponsoredDriver, new_address, read_expense
from mintline_bench.users import sign_in_new
from mintline_bench.verify import Verdict, verify
from mintline_client.sign_in import demo_client_token
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

    async def drive(load: Load) -> tuple[dict[str, Any], bool]:
        progress(f"signing in {users} users")
        tokens = await sign_in_new(load.info, count=users)
        driver = Driver(load.session, api_url=load.info["api_url"], tokens=tokens, deadline=load.deadline)
        run = await load.measure(driver, mints=mints)
        return run.figures, run.verdict.clean

    return await _bench(drive, state=state, patience=patience, copies=copies)


async def bench_sponsored(
    *, mints: int, state: Path, patience: float, bulk: bool, copies: Mapping[str, int] | None = None
) -> int:
    """Have the demo client mint `mints` times, each time to a new address, as `bench` does otherwise.

    `bulk` posts as many in one request as it takes. Returns 0 only when, in addition, no recipient has ether
    or has sent anything.
    """

    async def drive(load: Load) -> tuple[dict[str, Any], bool]:
        tokens = await demo_client_token(load.session, load.info)
        driver = (BulkDriver if bulk else SponsoredDriver)(
            load.session,
            api_url=load.info["api_url"],
            tokens=[tokens.access_token],
            deadline=load.deadline,
            recipients=[new_address() for _ in range(mints)],
        )
        run = await load.measure(driver, mints=mints)
        progress("asking the chain for the gas, and for what the recipients have")
        spent = await read_expense(load.node, run.posted)
        figures = {**run.figures, **spent.figures()}
        return figures, run.verdict.clean and spent.untouched == mints

    return await _bench(drive, state=state, patience=patience, copies=copies)


@dataclass(frozen=True, slots=True)
class Run:
    """What was posted, what it took, and what came of it."""

    posted: Sequence[Posted]
    figures: dict[str, Any]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Load:
    """The local stack that is measured; `deadline` is in Unix seconds."""

    folder: StateFolder
    info: Mapping[str, Any]
    session: aiohttp.ClientSession
    node: Node
    deadline: float

    async def measure(self, driver: Driver, *, mints: int) -> Run:
        """Post mints, wait for their ends, and ask the chain for each token."""
        head = await self.node.block("latest", full=False)
        assert head is not None, "a node has a head"
        monitor, stop = ProcessMonitor(self.session, self._where), asyncio.Event()
        monitoring = asyncio.create_task(monitor.run(stop), name="process monitor")
        progress(f"posting {mints} mints")
        posted = await driver.post_all(mints, in_flight=IN_FLIGHT)
        progress("all accepted; waiting for the chain")
        await driver.follow(posted)
        stop.set()
        await monitoring
        await driver.collect(posted)
        progress("asking the chain for every token")
        contract = self.info["contract"]
        verdict = await verify(self.node, contract=contract, first_block=head.number, posted=posted)
        figures = summarize(posted, monitor.costs(), verdict, retries=driver.retries)
        return Run(posted, figures, verdict)

    def _where(self) -> tuple[Mapping[str, int], Mapping[str, str]]:
        now = self.folder.running() or self.info
        return now["pids"], now["admin"]


async def _bench(
    drive: Callable[[Load], Awaitable[tuple[dict[str, Any], bool]]],
    *,
    state: Path,
    patience: float,
    copies: Mapping[str, int] | None,
) -> int:
    folder = StateFolder(state)
    async with AsyncExitStack() as stack:
        if folder.running() is None:
            progress("no line runs; starting one")
            await stack.enter_async_context(running_stack(state, ports="free", copies=copies))
        elif copies:
            raise Misconfigured("a line runs already, with copies of its own: stop it, or leave --scale out")
        info = folder.running()
        assert info is not None, "a line runs now"
        connector = aiohttp.TCPConnector(limit=IN_FLIGHT * 2)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30))
        )
        rpc = Rpc([info["rpc_url"]])
        stack.push_async_callback(rpc.aclose)
        figures, clean = await drive(Load(folder, info, session, Node(rpc), time.time() + patience))
    own = frozenset(figures["cpu_ms_per_mint"]) - EMULATORS
    print(table(figures, own=own))  # noqa: T201 - the result
    print(json.dumps(figures))  # noqa: T201 - the result
    return 0 if clean else 1
