"""The supervisor with real children: starts in order, restarts, stops all of them, whatever they do."""

import asyncio
import contextlib
import errno
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from mintline_devstack.supervisor import ChildSpec, Event, StartFailed, Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


def child(
    tmp_path: Path,
    code: str,
    *,
    name: str = "child",
    grace: float = 5.0,
    restart: bool = True,
    timeout: float = 10,
) -> ChildSpec:
    log = tmp_path / f"{name}.log"

    async def ready() -> str:
        return "" if "up" in log.read_text() else "nothing printed yet"

    return ChildSpec(
        name=name,
        argv=(sys.executable, "-c", textwrap.dedent(code)),
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        ready=ready,
        ready_timeout=timeout,
        grace=grace,
        restart=restart,
    )


@contextlib.asynccontextmanager
async def supervised(tmp_path: Path) -> AsyncIterator[tuple[Supervisor, list[Event]]]:
    events: list[Event] = []
    supervisor = Supervisor(tmp_path, on_event=events.append)
    try:
        yield supervisor, events
    finally:
        await supervisor.stop()


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited is another process
            await asyncio.sleep(0.02)


def restarts(supervisor: Supervisor) -> dict[str, int]:
    return {name: each["count"] for name, each in supervisor.restarts().items()}


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_child__when_killed__is_started_again_with_another_pid(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, events):
        await supervisor.start(child(tmp_path, SLEEPER))
        first = supervisor.pids()["child"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(events) == 3)
        assert supervisor.pids()["child"] != first
        assert restarts(supervisor) == {"child": 1}
        assert abs(supervisor.restarts()["child"]["last"] - time.time()) < 10
        assert [event.what for event in events] == ["ready", "crashed", "restarted"]
        assert "SIGKILL" in events[1].detail
        second = supervisor.pids()["child"]
    assert gone(second)


async def test_child__when_the_disk_is_full__is_started_again_all_the_same(tmp_path: Path) -> None:
    events: list[Event] = []
    full = False

    def changed() -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")

    supervisor = Supervisor(tmp_path, on_event=events.append, changed=changed)
    try:
        await supervisor.start(child(tmp_path, SLEEPER))
        full = True
        os.kill(supervisor.pids()["child"], signal.SIGKILL)
        await until(lambda: restarts(supervisor) == {"child": 1} and len(events) == 3)
    finally:
        await supervisor.stop()
    assert [event.what for event in events] == ["ready", "crashed", "restarted", "stopped"]


async def test_child__when_it_crashes_at_once_again_and_again__is_restarted_ever_later(
    tmp_path: Path,
) -> None:
    async with supervised(tmp_path) as (supervisor, events):
        await supervisor.start(child(tmp_path, "print('up', flush=True); import time; time.sleep(.5)"))
        await until(lambda: restarts(supervisor).get("child") == 3)
        delays = [event.detail.rsplit(" ", 2)[1] for event in events if event.what == "crashed"]
        assert delays == ["0.2", "0.4", "0.8"]


async def test_child__when_it_ignores_sigterm__is_killed_after_its_grace(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        await supervisor.start(child(tmp_path, STUBBORN, grace=0.3))
        pid = supervisor.pids()["child"]
        before = time.monotonic()
        await supervisor.stop()
        assert 0.3 <= time.monotonic() - before < 3
        assert supervisor.disorderly == ["child"]
    assert gone(pid)


async def test_grandchild__when_its_parent_is_stopped__goes_too(tmp_path: Path) -> None:
    code = f"""
        import subprocess, sys, time
        grandchild = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
        print(grandchild.pid, "up", flush=True)
        time.sleep(600)
    """
    async with supervised(tmp_path) as (supervisor, _):
        await supervisor.start(child(tmp_path, code))
        grandchild = int((tmp_path / "child.log").read_text().split()[0])
        assert psutil.pid_exists(grandchild)
    await until(lambda: gone(grandchild))


async def test_start__when_the_child_exits__fails_at_once_with_its_last_words(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        with pytest.raises(
            StartFailed, match=r"child did not start: error: no such queue \(log: .*child\.log"
        ):
            await supervisor.start(child(tmp_path, "raise SystemExit('error: no such queue')"))


async def test_start__when_the_child_never_becomes_ready__says_what_is_missing(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        with pytest.raises(StartFailed, match=r"child was not ready within 1 s: nothing printed yet"):
            await supervisor.start(child(tmp_path, "import time; time.sleep(600)", timeout=1))
        pid = supervisor.pids()["child"]
    assert gone(pid)


async def test_start__when_the_command_is_missing__names_it(tmp_path: Path) -> None:
    spec = child(tmp_path, "")
    missing = ChildSpec(name="child", argv=("/no/such/tool",), env={}, cwd=tmp_path, ready=spec.ready)
    async with supervised(tmp_path) as (supervisor, _):
        with pytest.raises(StartFailed, match=r"cannot run /no/such/tool: No such file"):
            await supervisor.start(missing)


async def test_child__when_it_may_not_restart_and_dies__fails_the_line(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, events):
        await supervisor.start(child(tmp_path, SLEEPER, restart=False))
        os.kill(supervisor.pids()["child"], signal.SIGKILL)
        reason = await asyncio.wait_for(supervisor.failed, 5)
        assert "child ended: killed by SIGKILL" in reason
        assert [event.what for event in events] == ["ready", "died"]


async def test_stop__when_several_run__ends_the_last_started_first(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, events):
        for name in ("first", "second", "third"):
            await supervisor.start(child(tmp_path, SLEEPER, name=name))
        await supervisor.stop()
        stopped = [event.child for event in events if event.what == "stopped"]
    assert stopped == ["third", "second", "first"]


async def test_stop__when_a_start_is_under_way__leaves_nothing(tmp_path: Path) -> None:
    async with supervised(tmp_path) as (supervisor, _):
        starting = asyncio.create_task(supervisor.start(child(tmp_path, "import time; time.sleep(600)")))
        await until(lambda: "child" in supervisor.pids())
        pid = supervisor.pids()["child"]
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    assert gone(pid)


async def test_log__when_started_again__keeps_the_previous_one_beside_it(tmp_path: Path) -> None:
    for word in ("one", "two"):
        async with supervised(tmp_path) as (supervisor, _):
            await supervisor.start(child(tmp_path, f"print('{word}', flush=True); {SLEEPER}"))
    assert (tmp_path / "child.log").read_text().startswith("two")
    assert (tmp_path / "child.log.1").read_text().startswith("one")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_children__when_the_supervisor_is_killed__do_not_outlive_it(tmp_path: Path) -> None:
    script = f"""
        import asyncio, pathlib, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_supervisor import STUBBORN, Supervisor, child
        async def main():
            here = pathlib.Path({str(tmp_path)!r})
            supervisor = Supervisor(here, on_event=lambda event: None)
            await supervisor.start(child(here, STUBBORN))
            print(supervisor.pids()["child"], flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        pid = int(await asyncio.wait_for(process.stdout.readline(), 20))
        assert psutil.pid_exists(pid)
    finally:
        process.kill()
        await process.wait()
    await until(lambda: gone(pid))
