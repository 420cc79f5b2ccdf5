"""`mintline restore plan | tables | apply | check`: restore a deployment's tables to a point in time."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from mintline_cli.execution import ending_on_errors, execute, stop
from mintline_cli.options import REGION, EndpointUrl, Json, Region, deployment
from mintline_cli.output import Screen
from mintline_indexer.reconciler.findings import MEANING
from mintline_ops.deployments import Target
from mintline_ops.restore import apply as restoring
from mintline_ops.restore import verdict
from mintline_ops.restore.copies import parse_time
from mintline_ops.restore.filling import Filled
from mintline_ops.restore.reopening import Reopened
from mintline_ops.restore.rules import RULES

app = typer.Typer(help="Restore a deployment's tables to a point in time.", no_args_is_help=True)

Prefix = Annotated[str, typer.Option(help="The deployment whose resources have this prefix.")]
Rpc = Annotated[
    list[str], typer.Option("--rpc", help="A node of its chain; repeatable, in order of preference.")
]
Tables = Annotated[
    list[str] | None, typer.Option("--table", help="A table to restore; repeatable. All by default.")
]
To = Annotated[str, typer.Option("--to", help="When: 2026-11-30T16:05:00Z, or latest.")]
EVERY_BLOCK = 10**12


@app.callback()
def restore() -> None:
    """Restore a deployment's tables to a point in time."""


@app.command()
def plan(
    *,
    prefix: Prefix,
    to: To,
    table: Tables = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    as_json: Json = False,
) -> None:
    """Say which tables can be restored, to when, and what may be done with each; changes nothing.

    Example: mintline restore plan --prefix shop --to 2026-11-30T16:05:00Z
    """
    screen = Screen(as_json=as_json)
    target = _target(prefix, region, endpoint_url)
    _show_plan(screen, execute(restoring.plan(target, to=to, tables=table or ())))


@app.command()
def tables(
    *,
    prefix: Prefix,
    to: To,
    table: Tables = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    as_json: Json = False,
) -> None:
    """Have DynamoDB make a copy of each table as it was at that time, and wait for them.

    The services may run meanwhile. Copies that exist are not made again.

    Example: mintline restore tables --prefix shop --to 2026-11-30T16:05:00Z
    """
    screen = Screen(as_json=as_json)
    target = _target(prefix, region, endpoint_url)
    with screen.waiting("copying tables: AWS takes minutes to hours"):
        planned = execute(restoring.make_copies(target, to=to, tables=table or ()))
    _show_plan(screen, planned)
    screen.say(f"next: {_next(prefix, planned.at, table or (), region, endpoint_url)}", style="bold")


@app.command("apply")
def put_back(
    *,
    prefix: Prefix,
    to: To,
    rpc: Rpc,
    table: Tables = None,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            help="A table in which items that differ become those of the copy; repeatable. Without it only "
            "what is missing is put back."
        ),
    ] = None,
    skip_ids: Annotated[
        int,
        typer.Option(
            min=0, help="Move counters of token ids that are put back on by so many: twice the mints since."
        ),
    ] = 0,
    watch: Annotated[
        float, typer.Option(min=0, help="Seconds in which no service may write before anything is.")
    ] = 30.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be written.")] = False,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    as_json: Json = False,
) -> None:
    """Put back what the tables lack of their copies; stop the services first. It may be repeated.

    Example: mintline restore apply --prefix shop --to 2026-11-30T16:05:00Z
    --rpc https://ethereum.example.com --dry-run
    """
    screen = Screen(as_json=as_json)
    with ending_on_errors():
        at = parse_time(to)
    if at is None:
        stop("pass the time that `mintline restore tables` printed as --to")
    with screen.waiting("comparing the tables with their copies"):
        done = execute(
            restoring.put_back(
                _target(prefix, region, endpoint_url, rpc),
                at=at,
                tables=table or (),
                replace=replace or (),
                skip_ids=skip_ids,
                watch=watch,
                dry_run=dry_run,
            )
        )
    _show_done(screen, done, at=at, dry_run=dry_run)


@app.command()
def check(
    *,
    prefix: Prefix,
    rpc: Rpc,
    whole_blocks: Annotated[
        int, typer.Option(min=0, help="Read only so many of the newest blocks whole, as index rebuild does.")
    ] = EVERY_BLOCK,
    patience: Annotated[float, typer.Option(min=0, help="Seconds for which a mint may stand still.")] = 900.0,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    as_json: Json = False,
) -> None:
    """Repair the index from the chain and compare all records, while services run; exit 1 if not in order.

    Example: mintline restore check --prefix shop --rpc https://ethereum.example.com
    """
    screen = Screen(as_json=as_json)
    target = _target(prefix, region, endpoint_url, rpc)
    with screen.waiting("reading the chain and the tables"):
        judged = execute(verdict.check(target, whole=whole_blocks, patience=patience))
    index = judged.index
    screen.say(f"index: {len(index.repaired or ())} items repaired, {len(index.differences or ())} differ")
    screen.say(f"external ids without their mint: {len(judged.unmatched)}")
    for finding in judged.reconciliation.findings:
        if finding.is_difference:
            screen.say(f"{finding.kind.value}: {finding.mint_id}: {MEANING[finding.kind]}", style="red")
    for name, count in judged.reconciliation.counts.items():
        screen.say(f"  {name:<20} {count}", style="dim")
    summary = "records, index and chain agree" if judged.in_order else "not in order: see docs/restore.md"
    screen.say(summary, style="bold")
    screen.result(judged.to_json())
    if not judged.in_order:
        raise typer.Exit(1)


def _next(prefix: str, at: datetime, tables: Sequence[str], region: str, endpoint_url: str | None) -> str:
    """Return the command that follows `mintline restore tables`, but for the node."""
    words = ["mintline", "restore", "apply", "--prefix", prefix, "--to", f"{at:%FT%TZ}"]
    for table in tables:
        words += ["--table", table]
    words += ["--region", region] if region != REGION else []
    words += ["--endpoint-url", endpoint_url] if endpoint_url else []
    return f"{shlex.join(words)} --rpc URL --dry-run"


def _target(prefix: str, region: str, endpoint_url: str | None, rpc: Sequence[str] = ()) -> Target:
    return Target(deployment(prefix, region, endpoint_url), tuple(rpc), None)


def _show_plan(screen: Screen, planned: restoring.Planned) -> None:
    screen.say(f"to {planned.at.astimezone(UTC):%FT%TZ}")
    rows = [
        (copy.table.name, copy.state, RULES[copy.table].means, RULES[copy.table].why)
        for copy in planned.copies
    ]
    screen.table(("table", "copy", "put back", "because"), rows, empty="no table")
    screen.result(
        {
            "to": f"{planned.at:%FT%TZ}",
            "tables": [
                {"table": copy.table.name, "copy": copy.name, "state": copy.state} for copy in planned.copies
            ],
        }
    )


def _show_done(screen: Screen, done: restoring.PutBack, *, at: datetime, dry_run: bool) -> None:
    _show_filled(screen, done.tables, dry_run=dry_run)
    _show_reopened(screen, done.reopened, dry_run=dry_run)
    if not dry_run:
        screen.say("next: start the services, indexer first, then mintline restore check", style="bold")
    screen.result(
        {
            "to": f"{at:%FT%TZ}",
            "dry_run": dry_run,
            "tables": [_to_json(each) for each in done.tables],
            "transactions_reopened": done.reopened.transactions,
            "mints_built_again": done.reopened.mints,
            "left_without_transaction": done.reopened.left,
            "left_ids": list(done.reopened.left_ids),
        }
    )


def _show_filled(screen: Screen, filled: Sequence[Filled], *, dry_run: bool) -> None:
    rows = [(each.table.name, each.missing, _differing(each), each.newer, each.expired) for each in filled]
    columns = ("table", "missing", "differing", "not in the copy", "expired")
    screen.table(columns, rows, empty="no table")
    due = sum(each.due for each in filled)
    screen.say(f"{due} items {'would be written' if dry_run else 'were written'}, none removed", style="bold")


def _show_reopened(screen: Screen, reopened: Reopened, *, dry_run: bool) -> None:
    are = "would be" if dry_run else "are"
    screen.say(f"{reopened.transactions} closed transactions {are} open again for mints of before")
    screen.say(f"{reopened.mints} mints {are} built again, whose transactions are on no record")
    if reopened.left:
        screen.say(_left(reopened), style="red")


def _left(reopened: Reopened) -> str:
    more = ", …" if reopened.left > len(reopened.left_ids) else ""
    return (
        f"{reopened.left} stay as they are, though their transactions are on no record: restore transactions "
        f"to a time at which it had these (docs/restore.md): {', '.join(reopened.left_ids)}{more}"
    )


def _differing(filled: Filled) -> str:
    if not filled.differing:
        return "0"
    return f"{filled.differing} {'replaced' if filled.replaced else 'kept as they are'}"


def _to_json(filled: Filled) -> dict[str, Any]:
    return {
        "table": filled.table.name,
        "missing": filled.missing,
        "differing": filled.differing,
        "replaced": filled.replaced,
        "not_in_copy": filled.newer,
        "expired": filled.expired,
    }
