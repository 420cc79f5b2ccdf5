"""`mintline`: the tree of its commands."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import structlog
import typer

from mintline_cli import (
    attest,
    audit,
    clients,
    collection_queries,
    collections,
    dead_letters,
    drops,
    eif,
    index,
    metadata,
    operator,
    restore,
    reveals,
    wallets,
    webhooks,
)
from mintline_cli.collection_queries import tokens
from mintline_cli.demo import demo
from mintline_cli.events import events
from mintline_cli.login import login, logout, profiles
from mintline_cli.mint import mint, mints, token, wallet, watch
from mintline_cli.parser import CommandLine
from mintline_cli.pipeline import pipeline
from mintline_cli.reconcile import reconcile
from mintline_cli.stack import clean, up
from mintline_cli.status import status
from mintline_cli.trace import trace
from mintline_cli.transfers import burn, transfer
from mintline_cli.upload import upload
from mintline_cli.verify import verify

app = typer.Typer(
    name="mintline",
    cls=CommandLine,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group, name in (
    (attest.app, "attest"),
    (audit.app, "audit"),
    (clients.app, "clients"),
    (collections.app, "collections"),
    (drops.app, "drops"),
    (eif.app, "eif"),
    (dead_letters.app, "dlq"),
    (index.app, "index"),
    (metadata.app, "metadata"),
    (operator.app, "operator"),
    (restore.app, "restore"),
):
    app.add_typer(group, name=name)
app.add_typer(drops.app, name="drop", hidden=True)
app.command(name="reconcile")(reconcile)
app.add_typer(wallets.app, name="wallets")
for name, of_collections in (*reveals.COMMANDS, *collection_queries.COMMANDS):
    collections.app.command(name=name)(of_collections)
app.add_typer(webhooks.app, name="webhooks")
for command in (
    login,
    logout,
    profiles,
    mint,
    mints,
    watch,
    events,
    transfer,
    burn,
    wallet,
    tokens,
    upload,
    verify,
    up,
    demo,
    token,
    status,
    pipeline,
    trace,
    clean,
):
    app.command()(command)


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer calls it
    if value:
        sys.stdout.write(f"mintline {version('mintline-cli')}\n")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Mint, run the local stack, and operate deployments.

    Exit codes: 0 done; 1 failed, with one line on standard error; 2 arguments that make no command; 130 ended
    by Ctrl-C. With --json, standard output carries one JSON object, which is {"error": …} if it failed.
    """


def quieten() -> None:
    """Let only errors of what the library logs through, to standard error: output is the commands' own."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
