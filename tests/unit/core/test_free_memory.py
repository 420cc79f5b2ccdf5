"""A service gives freed memory back to the system, again and again."""

from __future__ import annotations

import asyncio
import ctypes
import threading

import psutil
import pytest

from mintline import process
from mintline.settings import Settings

BLOCK = 16 * 1024
"""Small enough for the C library's heap: larger blocks are given back when they are freed."""
BLOCKS = 4_000


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_free_memory__when_what_was_allocated_last_is_kept__then_what_lies_below_is_given_back() -> None:
    own = psutil.Process()
    blocks = [bytes(BLOCK) for _ in range(BLOCKS)]
    kept = blocks.pop()
    blocks.clear()
    before = own.memory_info().rss
    process.return_free_memory()
    assert before - own.memory_info().rss > BLOCK * BLOCKS // 2
    assert len(kept) == BLOCK


def test_free_memory__when_a_service_runs__then_it_is_given_back_repeatedly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []
    twice = asyncio.Event()

    def give_back() -> None:
        threads.append(threading.get_ident())
        if len(threads) > 1:
            loops[0].call_soon_threadsafe(twice.set)

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        del settings, stop
        loops.append(asyncio.get_running_loop())
        await twice.wait()

    monkeypatch.setattr(process, "TRIM_SECONDS", 0.0)
    monkeypatch.setattr(process, "return_free_memory", give_back)
    asyncio.run(process._supervised(Settings(), run))
    assert len(threads) >= 2
    assert threading.get_ident() not in threads, "the event loop stood still meanwhile"
