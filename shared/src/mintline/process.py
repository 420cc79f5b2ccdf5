"""How every process begins and ends: settings, logging, signals, event loop, exit code.

The event loop is asyncio's own: uvloop saved under 10 % of an SQS round trip's CPU, nothing on batches.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from mintline.errors import Misconfigured
from mintline.logging import configure
from mintline.settings import SettingsT, load

log = structlog.get_logger()

ALLOCATIONS = 30_000
"""Objects made, less those gone, between two collections of the youngest. Python's own 700 took 7 % of the
API's CPU; 10,000 took 0.3 % of it, but 6 % of the notifier's, which reads a thousand changes at once."""
TRIM_SECONDS = 30.0
"""How often memory that is free is given back to the system."""
EXIT_FAILED = 1
EXIT_MISCONFIGURED = 2


def main(
    service: str, model: type[SettingsT], run: Callable[[SettingsT, asyncio.Event], Awaitable[None]]
) -> NoReturn:
    """Run a service until SIGTERM or SIGINT sets its stop event, then exit 0.

    A second signal cancels `run`. Exits 2, with one line on stderr, when the process is misconfigured, and 1,
    with one log line, when `run` raises.
    """
    try:
        settings = load(model, os.environ)
        configure(service, settings)
        spare_collector()
        asyncio.run(_supervised(settings, run))
    except Misconfigured as error:
        sys.stderr.write(f"{service}: {error}\n")
        sys.exit(EXIT_MISCONFIGURED)
    except asyncio.CancelledError:
        log.warning("service_aborted")
        sys.exit(EXIT_FAILED)
    except Exception:
        log.exception("service_failed")
        sys.exit(EXIT_FAILED)
    sys.exit(0)


def spare_collector() -> None:
    """Have cyclic garbage looked for less often, and never among what is loaded by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 10, 10)


def return_free_memory() -> None:
    """Give the system back what the C library keeps of freed memory (`malloc_trim(3)`, which only glibc has).

    Without it a process stays as large as the models that it parsed, or its largest burst, made it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def _trimming() -> None:
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        # In a thread, as it takes tens of milliseconds, for which it gives up the interpreter's lock.
        await asyncio.to_thread(return_free_memory)


async def _supervised(
    settings: SettingsT, run: Callable[[SettingsT, asyncio.Event], Awaitable[None]]
) -> None:
    stop = asyncio.Event()
    task = asyncio.ensure_future(run(settings, stop))

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            task.cancel()
            return
        log.info("service_stopping", signal=number.name)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    log.info("service_started", pid=os.getpid(), settings=settings.public())
    trimming = asyncio.create_task(_trimming(), name="trimming")
    try:
        await task
    finally:
        trimming.cancel()
    log.info("service_stopped")
