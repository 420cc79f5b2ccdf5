"""`mintline up` as a process: a whole line that stops without a trace, by Ctrl-C or by the kernel."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mintline_local.places import StateFolder

pytestmark = pytest.mark.integration

MINTLINE = str(Path(sys.executable).parent / "mintline")
CHILDREN = {
    *("ministack", "anvil", "kms-front", "enclave"),
    *("signer-host", "builder", "broadcaster", "indexer", "api"),
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


async def test_up__when_interrupted_or_killed__leaves_no_process_and_finds_its_state_again(
    tmp_path: Path,
) -> None:
    async with up(tmp_path) as (process, info):
        pids = [process.pid, *info["pids"].values()]
        assert set(info["pids"]) == CHILDREN
        assert "operator" not in info
        code, out, err = await command("status", "--state", str(tmp_path), "--json")
        assert code == 0, err
        assert {entry["name"] for entry in json.loads(out)["processes"]} == CHILDREN
        code, _, err = await command("up", "--state", str(tmp_path))
        assert (code, err.count("\n")) == (1, 1)
        assert f"a line already runs from {tmp_path} (pid {process.pid})" in err

        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        await all_gone(pids, 0.5)
    assert not StateFolder(tmp_path).run.exists()

    async with up(tmp_path) as (process, again):
        assert again["contract"] == info["contract"]
        assert again["cognito"] == info["cognito"]
        pids = list(again["pids"].values())
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await all_gone(pids, 15)
    assert StateFolder(tmp_path).running() is None

    code, out, err = await command("demo", "--state", str(tmp_path))
    assert code == 0, out + err
    printed = json.loads(out.splitlines()[-1])
    assert printed["contract"] == info["contract"]
    assert printed["status"] == "finalized"
    assert set(printed) == {
        *("mint_id", "token_id", "contract", "owner", "tx_hash", "block", "status", "seconds"),
    }
