"""Two of every worker on one line: they share the work, and mint nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from mintline_bench.profiles import plan
from mintline_bench.run import bench
from mintline_devstack.replicas import WORKERS

pytestmark = pytest.mark.e2e


async def test_bench__when_every_worker_runs_twice__finds_every_mint_on_chain_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = dict.fromkeys(WORKERS, 2)
    assert await bench(plan("burst", mints=100, users=10), state=tmp_path, patience=120, copies=copies) == 0
    printed = capsys.readouterr().out
    for worker in WORKERS:
        assert f"{worker}-2 " in printed
