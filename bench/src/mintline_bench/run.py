"""Runs: find or start the stack, drive it, watch it, ask the chain, report."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from mintline.atomic_files import replace_file
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Misconfigured, Unavailable
from mintline_bench.cpu import LOAD
from mintline_bench.drop import DropDriver
from mintline_bench.idle import MEASURED, SETTLING, idle_figures, idle_table
from mintline_bench.load import Driver, Posted
from mintline_bench.machine import cores, describe
from mintline_bench.process_monitor import ProcessMonitor
from mintline_bench.profiles import Plan
from mintline_bench.report import summarize, table
from mintline_bench.runs import spans, summary
from mintline_bench.sponsored import BulkDriver, SponsoredDriver, new_address, read_expense
from mintline_bench.users import sign_in_new
from mintline_bench.verify import Verdict, verify
from mintline_client import AsyncMintline
from mintline_client.sign_in import demo_client_token
from mintline_devstack.running_stack import running_stack
from mintline_devstack.state_folder import StateFolder

IN_FLIGHT = 64
SAMPLE_PAUSE = 2.0
"""Seconds between two samples."""


def progress(text: str) -> None:
    """Say where the run is; standard output is kept for the result."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command's own output


@dataclass(frozen=True, slots=True)
class Run:
    """What was posted, what it took, and what came of it."""

    posted: Sequence[Posted]
    figures: dict[str, Any]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Load:
    """The local stack that is measured; `patience` is in seconds, for each run."""

    folder: StateFolder
    info: Mapping[str, Any]
    session: aiohttp.ClientSession
    node: Node
    patience: float

    async def run(self, plan: Plan) -> tuple[dict[str, Any], bool]:
        """Run a plan once: return the figures, and whether all is on chain as it has to be."""
        if plan.load.shape == "idle":
            return await self._idle(), True
        deadline = time.time() + self.patience
        if plan.load.shape == "custodial":
            run = await self.measure(await self._custodial(plan, deadline), plan)
            return run.figures, run.verdict.clean
        async with AsyncExitStack() as stack:
            run = await self.measure(await self._sponsored(plan, deadline, stack), plan)
        progress("asking the chain for the gas, and for what the recipients have")
        spent = await read_expense(self.node, run.posted)
        return {**run.figures, **spent.figures()}, run.verdict.clean and spent.untouched == plan.mints

    async def _idle(self) -> dict[str, Any]:
        await asyncio.sleep(SETTLING)
        monitor, started = ProcessMonitor(self.session, self._where), time.monotonic()
        await monitor.sample()
        await asyncio.sleep(MEASURED)
        seconds = time.monotonic() - started
        await monitor.sample()
        return idle_figures(monitor.costs(), seconds=seconds)

    async def _custodial(self, plan: Plan, deadline: float) -> Driver:
        progress(f"signing in {plan.users} users")
        tokens = await sign_in_new(self.info, count=plan.users)
        url = self.info["api_url"]
        if plan.load.warm:
            progress("minting once for each of them")
            first = Driver(self.session, api_url=url, tokens=tokens, deadline=deadline)
            posted = await first.post_all(plan.users, in_flight=IN_FLIGHT)
            await first.follow(posted, pause=1.0)
            if any(mint.at("mined") is None for mint in posted):
                raise Unavailable("the first mint of a user was not mined in time")
        return Driver(self.session, api_url=url, tokens=tokens, deadline=deadline)

    async def _sponsored(self, plan: Plan, deadline: float, stack: AsyncExitStack) -> Driver:
        token = (await demo_client_token(self.session, self.info)).access_token
        url = self.info["api_url"]
        if plan.load.shape == "drop":
            driver = DropDriver(self.session, api_url=url, tokens=[token], deadline=deadline)
            demo = self.info["demo_client"]
            driver.client = await stack.enter_async_context(
                AsyncMintline(url, client_id=demo["client_id"], client_secret=demo["client_secret"])
            )
            return driver
        return (BulkDriver if plan.load.shape == "bulk" else SponsoredDriver)(
            self.session,
            api_url=url,
            tokens=[token],
            deadline=deadline,
            recipients=[new_address() for _ in range(plan.mints)],
        )

    async def measure(self, driver: Driver, plan: Plan) -> Run:
        """Post mints, wait for their ends, and ask the chain for each token."""
        head = await self.node.block("latest", full=False)
        assert head is not None, "a node has a head"
        monitor, stop = ProcessMonitor(self.session, self._where), asyncio.Event()
        await monitor.sample()
        monitoring = asyncio.create_task(monitor.run(stop, pause=SAMPLE_PAUSE), name="process monitor")
        progress(f"posting {plan.mints} mints")
        if plan.rate is None:
            posted = await driver.post_all(plan.mints, in_flight=IN_FLIGHT)
        else:
            posted = await driver.post_at_rate(plan.mints, rate=plan.rate)
        progress("all accepted; waiting for the chain")
        await driver.settle(posted)
        stop.set()
        await monitoring
        await driver.follow(posted, pause=1.0)
        await driver.collect(posted)
        progress("asking the chain for every token")
        contract = self.info["contract"]
        verdict = await verify(self.node, contract=contract, first_block=head.number, posted=posted)
        figures = summarize(posted, monitor.costs(), verdict, retries=driver.retries, cores=cores())
        return Run(posted, figures, verdict)

    def _where(self) -> tuple[Mapping[str, int], Mapping[str, str]]:
        now = self.folder.running() or self.info
        return {**now["pids"], LOAD: os.getpid()}, now["admin"]


async def bench(plan: Plan, *, state: Path, patience: float, copies: Mapping[str, int] | None = None) -> int:
    """Run a plan as often as it says; print the figures; return the exit code.

    Uses the stack that runs from `state`; otherwise starts one with `copies` of its workers in a new folder
    (the more the emulator holds, the slower it is) and stops it afterwards. Keeps that folder if mints are
    lost. `patience` is in seconds, from the beginning of each run. Returns 0 only when every mint is on chain
    exactly once, and no recipient of a sponsored one has ether or has sent anything.
    """
    where, runs, clean = describe(), [], True
    async with AsyncExitStack() as stack:
        folder = StateFolder(state)
        if folder.running() is None:
            folder = StateFolder(Path(tempfile.mkdtemp(prefix="mintline-bench-")))
            stack.callback(lambda: _remove(folder.path, keep=not clean))
        load = await _load(stack, folder, patience=patience, copies=copies)
        for number in range(plan.runs):
            progress(f"run {number + 1} of {plan.runs}: {plan.profile}, {plan.load.about}")
            figures, well = await load.run(plan)
            runs.append({"profile": plan.profile, "users": plan.users, "rate": plan.rate, **figures})
            clean = clean and well
            text = idle_table(figures) if plan.load.shape == "idle" else table(figures)
            print(text, flush=True)  # noqa: T201 - the result
            print(json.dumps(runs[-1]), flush=True)  # noqa: T201 - the result
    if plan.runs > 1:
        print(summary(runs))  # noqa: T201 - the result
    if plan.report is not None:
        report = {"machine": where, "profile": plan.profile, "runs": runs, "figures": spans(runs)}
        plan.report.parent.mkdir(parents=True, exist_ok=True)
        replace_file(plan.report, json.dumps(report, indent=2).encode() + b"\n", mode=0o644)
    return 0 if clean else 1


def _remove(folder: Path, *, keep: bool) -> None:
    if keep:
        progress(f"kept {folder}: `mintline up --state {folder} --ports free` starts that stack again")
    else:
        shutil.rmtree(folder, ignore_errors=True)


async def _load(
    stack: AsyncExitStack, folder: StateFolder, *, patience: float, copies: Mapping[str, int] | None
) -> Load:
    if folder.running() is None:
        progress("no stack runs; starting one")
        await stack.enter_async_context(running_stack(folder.path, ports="free", copies=copies))
    elif copies:
        raise Misconfigured("a stack runs already, with copies of its own: stop it, or leave --scale out")
    info = folder.running()
    assert info is not None, "a stack runs now"
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT * 2)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30))
    )
    rpc = Rpc([info["rpc_url"]])
    stack.push_async_callback(rpc.aclose)
    return Load(folder, info, session, Node(rpc), patience)
