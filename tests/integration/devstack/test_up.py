"""`mintline up` as a process: a whole pipeline that stops without a trace, by Ctrl-C or by the kernel."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from mintline_devstack.state_folder import StateFolder

pytestmark = pytest.mark.integration

MINTLINE = str(Path(sys.executable).parent / "mintline")
CHILDREN = {
    *("ministack", "anvil", "kms-front", "enclave"),
    *("signer-host", "builder", "broadcaster", "indexer", "reconciler", "notifier", "api"),
}


@contextlib.asynccontextmanager
async def up(state: Path) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """Run `mintline up` until it says in JSON where everything is."""
    command = [MINTLINE, "up", "--ports", "free", "--json", "--state", str(state)]
    with (state / "up.err").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=errors)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 90)
        assert line, (state / "up.err").read_text()
        yield process, json.loads(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), 60)


async def all_gone(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if psutil.pid_exists(pid)]:
        assert time.monotonic() < deadline, [psutil.Process(pid).cmdline() for pid in left]
        await asyncio.sleep(0.1)


async def command(*arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(MINTLINE, *arguments, stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 150)
    return process.returncode, out.decode(), err.decode()


async def test_up__when_killed_then_started_again__finds_its_state_and_leaves_no_process(
    tmp_path: Path,
) -> None:
    async with up(tmp_path) as (process, info):
        assert set(info["pids"]) == CHILDREN
        assert "operator" not in info
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await all_gone(list(info["pids"].values()), 15)
    assert StateFolder(tmp_path).running() is None

    async with up(tmp_path) as (process, again):
        assert again["contract"] == info["contract"]
        assert again["cognito"] == info["cognito"]
        await check_commands(tmp_path, process.pid, again)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        await all_gone([process.pid, *again["pids"].values()], 0.5)
    assert not StateFolder(tmp_path).run.exists()


async def status_until(at: tuple[str, str], shown: Callable[[int | None, str], bool]) -> None:
    async with asyncio.timeout(60):
        while not shown(*(await command("status", *at))[:2]):  # noqa: ASYNC110 - another process is awaited
            await asyncio.sleep(0.2)


async def check_commands(state: Path, pid: int, info: dict[str, Any]) -> None:
    """Use the running stack by every command that needs one; none of them stops it."""
    at = ("--state", str(state))
    code, out, err = await command("status", *at, "--json")
    assert code == 0, err
    processes = {entry["name"]: entry for entry in json.loads(out)["processes"]}
    assert set(processes) == CHILDREN
    assert all((entry["restarts"], entry["restarted_at"]) == (0, None) for entry in processes.values())
    os.kill(processes["indexer"]["pid"], signal.SIGKILL)
    await status_until(at, lambda _, out: "indexer" in out and "ago, once in all" in out)
    await status_until(at, lambda code, _: code == 0)

    code, _, err = await command("up", *at)
    assert (code, err.count("\n")) == (1, 1)
    assert f"a local stack already runs from {state} (pid {pid})" in err

    code, out, err = await command("mint", *at, "--name", "n", "--image", "ftp://x/y", "--json")
    assert (code, err) == (1, f"error: {json.loads(out)['error']}\n")
    assert "#/metadata/image" in err

    code, out, err = await command("mint", *at, "--name", "n", "--image", "https://x.test/y", "--json")
    assert code == 0, err
    assert json.loads(out)["status"] == "finalized"

    code, out, err = await command("demo", *at)
    assert code == 0, out + err
    assert (out.count("\n"), "checked" in err) == (1, True)
    printed = json.loads(out)
    assert (printed["contract"], printed["status"]) == (info["contract"], "finalized")
    shown = {"mint_id", "token_id", "contract", "owner", "tx_hash", "block", "status"}
    assert set(printed) == {*shown, "seconds", "sponsored"}
    given = printed["sponsored"]
    assert set(given) >= shown
    assert (given["status"], given["contract"]) == ("finalized", info["contract"])
    assert StateFolder(state).running() is not None
