"""The whole pipeline in one process: each schedule keeps every promise, and one with a bug in it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from mintline_harness.simulation.planted import BUGS
from mintline_harness.simulation.schedule import run

BUDGET = float(os.environ.get("SIMULATION_SECONDS", "60"))
"""Seconds; as many schedules as fit."""
ENOUGH = 300
"""Schedules within which every planted bug must show."""

NOTABLE = {
    "96": "a shard of a stream that was found late, since a round of the notifier failed as its parent ended",
    "114": "a request for many mints that was refused when an earlier try had put its mints on record",
    "194": "a no-op for the nonce of a batch whose mints were still being claimed",
    "374": "a node that finalized a losing fork while the two others were out of service",
    "466": "a notifier that told of a mint's transaction first: the builder's clock was five minutes behind",
    "722": "a notifier that told of a mint's transaction first, since it began amid the mints' shards",
    "5042": "likewise",
    "5477": "a batch that was sent after its mints had gone to other batches, which was told of them",
    "526": "a wallet that its builder thought rich enough, and the node did not",
    "2811": "a stranger's transaction that nobody would mine",
    "4468": "a replacement in the pool that cost more than what a refused one asked for",
    "3905": "a top-up that one node took for final on a branch that the others left",
    "8071": "a recipient that refused the mint's own transaction, and took a stranger's later",
    "9736": "a stranger's transaction in the pool that the node counted and the line did not",
}
"""Seeds that found a defect, in the line or in the harness, and what it was."""


def simulate(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run the command in a process of its own, where strings hash the same each time."""
    ran = subprocess.run(
        [sys.executable, "-m", "mintline_harness.simulation", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    lines = ran.stdout.splitlines()
    return ran.returncode, json.loads(lines[-1]) if lines else {}, ran.stderr + ran.stdout


def test_line__when_everything_that_can_fail_does__then_keeps_every_promise() -> None:
    code, result, output = simulate("--seconds", str(BUDGET))
    assert code == 0, output
    assert result["schedules"] > 0


def test_schedules__when_a_hundred_are_run__then_everything_that_can_fail_has_failed() -> None:
    code, result, output = simulate("--count", "100")
    assert code == 0, output
    struck = {"crashes", "pauses", "refusals", "lost answers", "slow calls", "reorgs", "duplicates"}
    struck.add("stale index reads")
    assert struck <= result["faults"].keys()
    lacks = {"nodes without a block", "nodes without receipts", "nodes forgetting their own pool"}
    others = {"lost messages", "recipients turned", "chains that price new accounts"}
    assert lacks | others <= result["faults"].keys()
    assert {"token ids taken", "transfers asked for", "burns asked for"} <= result["faults"].keys()
    many = {"requests for many mints", "requests half accepted", "forged batches", "lines cancelled"}
    assert many <= result["faults"].keys()
    items = {"item mints asked for", "transfers of items asked for", "burns of items asked for"}
    assert items | {"item mints refused"} <= result["faults"].keys()
    readers = {"crashes", "pauses", "refusals", "lost answers", "slow calls"}
    assert {f"notifiers: {fault}" for fault in readers} <= result["faults"].keys()
    troubles = {"standing still", "on a losing fork", "finalizing a losing fork", "stalling", "refusing"}
    assert {f"nodes {trouble}" for trouble in troubles} <= result["faults"].keys()


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_harness__when_a_bug_is_planted__then_catches_it(bug: str) -> None:
    code, result, output = simulate("--count", str(ENOUGH), "--plant", bug)
    assert (code, result.get("breaches")) == (1, 1), output
    assert f"replay: make simulate SEED={result['schedules'] - 1} PLANT={bug}" in output


@pytest.mark.parametrize("seed", NOTABLE)
def test_schedule__when_its_seed_found_a_defect_once__then_keeps_every_promise(seed: str) -> None:
    code, _, output = simulate("--seed", seed)
    assert code == 0, output


def test_schedule__when_its_seed_is_run_again__then_is_the_same() -> None:
    first, second = (simulate("--seed", "7")[2] for _ in range(2))
    assert first == second
    assert "the faults are over" in first


def test_schedule__when_it_is_run_after_others__then_is_the_same() -> None:
    first, *others = (run(30) for _ in range(4))
    assert first.faults["crashes"] > 0
    assert [other.notes == first.notes for other in others] == [True] * 3
