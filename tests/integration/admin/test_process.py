"""A service's whole life: real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import asyncio, sys
from pydantic import Field, SecretStr
from mintline.errors import Misconfigured
from mintline.process import main
from mintline.settings import Settings

class Probe(Settings):
    mode: str = "wait"
    limit: int = Field(default=1, ge=0)
    password: SecretStr = SecretStr("hunter2")

async def run(settings, stop):
    print("running", flush=True)
    if settings.mode == "fail":
        raise RuntimeError("the roof is on fire")
    if settings.mode == "misconfigured":
        raise Misconfigured("rpc: no endpoint answers")
    if settings.mode == "stubborn":
        await asyncio.Event().wait()
    await stop.wait()

main("probe", Probe, run)
"""


def start(tmp_path: Path, **settings: str) -> subprocess.Popen[str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, **{f"MINTLINE_{name.upper()}": value for name, value in settings.items()}}
    return subprocess.Popen(
        [sys.executable, str(program)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def running(tmp_path: Path, **settings: str) -> subprocess.Popen[str]:
    child = start(tmp_path, **settings)
    assert child.stdout is not None
    for line in child.stdout:
        if line == "running\n":
            return child
    raise AssertionError("the process never ran")


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process__when_asked_to_stop__stops_and_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    child = running(tmp_path)
    child.send_signal(number)
    output, errors = child.communicate(timeout=10)
    assert child.returncode == 0
    assert errors == ""
    stopping, stopped = events(output)
    assert (stopping["event"], stopping["signal"]) == ("service_stopping", number.name)
    assert (stopped["event"], stopped["service"]) == ("service_stopped", "probe")


def test_process__when_it_starts__logs_its_public_settings_only(tmp_path: Path) -> None:
    child = start(tmp_path, mode="fail", password="correct-horse")
    output, _ = child.communicate(timeout=10)
    assert "horse" not in output
    started = events(output)[0]
    assert started["event"] == "service_started"
    assert started["settings"]["mode"] == "fail"
    assert "password" not in started["settings"]


def test_process__when_run_raises__logs_it_once_and_exits_1(tmp_path: Path) -> None:
    child = start(tmp_path, mode="fail")
    output, errors = child.communicate(timeout=10)
    assert child.returncode == 1
    assert [event["event"] for event in events(output)] == ["service_started", "service_failed"]
    assert output.count("the roof is on fire") == 1
    assert errors == ""


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"limit": "-1"}, "probe: settings: MINTLINE_LIMIT: Input should be greater than or equal to 0\n"),
        ({"mode": "misconfigured"}, "probe: rpc: no endpoint answers\n"),
    ],
)
def test_process__when_misconfigured__says_so_in_one_line_and_exits_2(
    tmp_path: Path, settings: dict[str, str], line: str
) -> None:
    child = start(tmp_path, **settings)
    _, errors = child.communicate(timeout=10)
    assert (child.returncode, errors) == (2, line)


def test_process__when_asked_twice__gives_up_waiting(tmp_path: Path) -> None:
    child = running(tmp_path, mode="stubborn")
    assert child.stdout is not None
    child.send_signal(signal.SIGTERM)
    assert "service_stopping" in child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    output, _ = child.communicate(timeout=10)
    assert child.returncode == 1
    assert "service_aborted" in output
