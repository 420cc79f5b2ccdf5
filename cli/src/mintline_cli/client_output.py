"""How the command line shows machine clients."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from mintline_cli.output import Screen, harmless
from mintline_client.models import ClientUseView, ClientView, UseView


def show_clients(clients: Sequence[ClientView], screen: Screen) -> None:
    """Show all clients in a table."""
    if screen.as_json:
        screen.result({"clients": list(clients)})
    elif clients:
        Console(highlight=False).print(_table(clients))
    else:
        screen.say("there are no clients; make one with `mintline clients create NAME`")


def show_client(client: ClientView | ClientUseView, screen: Screen) -> None:
    """Show one client, and what it has used if that is known."""
    budget = client["budget"]
    collections = budget["collections"]
    used: UseView | None = client.get("used")  # type: ignore[assignment]
    mints, wei = _limit(budget["mints_per_hour"]), _limit(budget["wei_per_day"])
    if used is not None:
        mints += f", {used['mints']} used until {used['mints_reset_at']}"
        wei += f", {used['wei']} used until {used['wei_reset_at']}"
    for name, text in (
        ("client", client["client_id"]),
        ("name", client["name"]),
        ("scopes", " ".join(client["scopes"])),
        ("mints/hour", mints),
        ("wei/day", wei),
        ("collections", "all" if collections is None else " ".join(collections)),
        ("created", client["created_at"]),
        ("disabled", client["disabled_at"] or "no"),
    ):
        screen.stage(name, text)


def _table(clients: Sequence[ClientView]) -> Table:
    first = Column("Client", no_wrap=True, overflow="fold")
    table = Table(first, "Name", "Mints/hour", "Wei/day", "State", box=None)
    for client in clients:
        table.add_row(
            harmless(client["client_id"]),
            harmless(client["name"]),
            _limit(client["budget"]["mints_per_hour"]),
            _limit(client["budget"]["wei_per_day"]),
            "active" if client["disabled_at"] is None else "disabled",
        )
    return table


def _limit(value: int | str | None) -> str:
    return "no limit" if value is None else str(value)
