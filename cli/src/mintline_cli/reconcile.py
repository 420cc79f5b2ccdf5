"""`mintline reconcile`: reads the tables and the chain, and says where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from mintline_cli.execution import execute
from mintline_cli.options import REGION, EndpointUrl, Json, Prefix, Region, RpcUrls, State, target_of
from mintline_cli.output import Screen
from mintline_indexer.reconciler.findings import MEANING, Finding
from mintline_indexer.reconciler.passes import Pass
from mintline_ops.deployments import Target
from mintline_ops.reconcile import in_range, open_scheduled_checks, report, settled
from mintline_ops.run_file import DEFAULT_STATE

DEFAULT_BLOCKS = 1_000
"""Final blocks that `--every` checks in its first pass, without `--last`."""


def reconcile(
    *,
    from_block: Annotated[
        int | None, typer.Option(min=0, help="The first of a range of final blocks to check.")
    ] = None,
    to_block: Annotated[
        int | None, typer.Option(min=0, help="The last one; the newest final block by default.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Check so many of the newest final blocks.")
    ] = None,
    every: Annotated[
        float | None, typer.Option(min=1, help="Seconds between passes over the newest final blocks.")
    ] = None,
    admin_port: Annotated[
        int,
        typer.Option(min=0, max=65_535, help="With --every: the port of /metrics and /readyz; 0 picks one."),
    ] = 0,
    patience: Annotated[float, typer.Option(min=0, help="Seconds for which a mint may stand still.")] = 900.0,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    rpc: RpcUrls = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Compare what was accepted, minted and indexed; exits 1 if they differ.

    Example: mintline reconcile --last 1000
    """
    if last is not None and (from_block is not None or to_block is not None):
        raise typer.BadParameter("goes without --from-block and --to-block", param_hint="--last")
    if every is not None and (from_block is not None or to_block is not None):
        raise typer.BadParameter("goes without --from-block and --to-block", param_hint="--every")
    screen = Screen(as_json=as_json)
    target = target_of(state, prefix, region, endpoint_url, rpc)
    blocks = DEFAULT_BLOCKS if last is None else last
    if every is not None:
        watching = watch(target, screen, every=every, blocks=blocks, patience=patience, admin_port=admin_port)
        execute(watching, interrupted_is_success=True)
        return
    if from_block is None and to_block is None and last is None:
        books, reconciliation = execute(settled(target, patience=patience))
        _say(
            screen, f"blocks {books.first} to {books.last}, the index at {books.head}", reconciliation.counts
        )
        findings, differences = reconciliation.findings, len(reconciliation.differences)
        result = report(books, reconciliation)
    else:
        done = execute(in_range(target, first=from_block, last=to_block, blocks=blocks, patience=patience))
        result = done.to_json()
        _say(screen, f"final blocks {done.blocks.first} to {done.blocks.last}", result["counts"])
        findings, differences = done.findings, done.alarming
    for finding in findings:
        screen.say(_describe(finding), style="red" if finding.is_difference else "dim")
    screen.say(f"{differences} differences" if differences else "no difference", style="bold")
    screen.result(result)
    if differences:
        raise typer.Exit(1)


def _say(screen: Screen, about: str, counts: Mapping[str, int]) -> None:
    screen.say(about)
    for name, count in counts.items():
        screen.say(f"  {name:<20} {count}", style="dim")


async def watch(
    target: Target, screen: Screen, *, every: float, blocks: int, patience: float, admin_port: int
) -> None:
    """Check a deployment's newest final blocks again and again, until it is interrupted."""
    async with open_scheduled_checks(
        target, every=every, blocks=blocks, patience=patience, admin_port=admin_port
    ) as watching:
        screen.say(f"metrics at {watching.metrics_url}")
        async for done in watching.passes():
            if isinstance(done, Pass):
                _show(screen, done)
            else:
                screen.say(f"failed: {done}", style="red")


def _show(screen: Screen, done: Pass) -> None:
    line = f"blocks {done.blocks.first} to {done.blocks.last}: {done.alarming} findings"
    screen.say(line, style="red" if done.alarming else "dim")
    for finding in done.findings:
        if finding.kind.is_alarming:
            screen.say(_describe(finding), style="red")
    screen.result(done.to_json())


def _describe(finding: Finding) -> str:
    token = f"token {finding.token_id} of {finding.contract}" if finding.token_id is not None else ""
    block = f"block {finding.block}" if finding.block is not None else ""
    about = ", ".join(part for part in (finding.mint_id, token, block) if part)
    return f"{finding.kind.value}: {about}: {MEANING[finding.kind]} ({finding.detail})"
