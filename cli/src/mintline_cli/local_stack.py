"""The local stack, for the commands that start one or remove what it kept: all that the CLI imports of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import typer

from mintline.errors import Misconfigured
from mintline_cli import curls
from mintline_cli.output import Screen
from mintline_devstack.ports import PortChoice, Ports
from mintline_devstack.replicas import parse
from mintline_devstack.running_stack import Stack, running_stack
from mintline_devstack.state_folder import StateFolder
from mintline_devstack.supervisor import Event

STYLES = {"ready": "green", "stopped": "dim", "crashed": "yellow", "restarted": "yellow", "died": "red"}


async def serve(screen: Screen, state: Path, *, ports: PortChoice, wanted: Ports, scale: list[str]) -> None:
    """Start a local stack and keep it running; raises Misconfigured when one of its parts dies for good."""
    copies = parse(scale)
    screen.say("starting the local stack")
    async with running_stack(
        state, ports=ports, wanted=wanted, copies=copies, on_event=events_on(screen)
    ) as stack:
        introduce(screen, stack)
        reason = await stack.supervisor.failed
    raise Misconfigured(f"{reason}; the local stack was stopped")


def started(screen: Screen, state: Path) -> AbstractAsyncContextManager[Stack]:
    """Return a local stack for as long as its context lasts, on free ports if the default ones are taken."""
    return running_stack(state, ports="fallback", on_event=events_on(screen))


def forget(state: Path) -> list[str]:
    """Remove what a local stack keeps in its folder; return the names; raises Misconfigured while it runs."""
    folder = StateFolder(state)
    if not folder.path.exists():
        return []
    with folder.locked():
        return folder.forget()


def events_on(screen: Screen) -> Callable[[Event], None]:
    """Return what prints, on a screen, what happens to the processes of a local stack."""

    def show(event: Event) -> None:
        what = f"{event.what}: {event.detail}" if event.detail else event.what
        screen.stage(event.child, what, style=STYLES.get(event.what, "default"))

    return show


def introduce(screen: Screen, stack: Stack) -> None:
    """Print where the local stack is, and how to use it."""
    info = stack.info
    screen.say()
    screen.say(
        f"The local stack is ready.  API {info['api_url']}  (docs: {info['api_url']}/docs)", style="bold"
    )
    screen.say(f"Contract {info['contract']} on chain {info['chain_id']}, node {info['rpc_url']}")
    screen.say(f"Logs {stack.state.logs}")
    console, user = info["console"], info["cognito"]
    screen.say()
    screen.say(f"Mint in a browser:  {console['url'].removesuffix('/home')}", style="bold")
    for who, account in (("a user", user), ("an operator", console)):
        screen.say(f"sign in as {who}: {account['username']}, password {account['password']}")
    for title, command in (
        ("Get a token:", curls.token_command(info)),
        ("Mint:", curls.mint_command(info)),
        ("Follow it, by its mint_id:", curls.follow_command(info)),
        ("Mint for somebody else, as your backend would:", curls.client_token_command(info)),
        ("", curls.client_mint_command(info)),
        ("Deploy a collection of your backend's own:", curls.collection_command(info)),
    ):
        if title:
            screen.say()
            screen.say(title, style="bold")
        screen.say(command)
    screen.say()
    screen.say("Ctrl-C stops everything; the state stays for the next time.", style="dim")
    screen.result({key: value for key, value in info.items() if key != "operator"})


def chosen_ports(assignments: list[str]) -> Ports:
    """Return the default ports with `NAME=NUMBER` changes."""
    ports = Ports()
    names = {name.replace("_", "-"): name for name, _ in ports.items()}
    for assignment in assignments:
        name, _, number = assignment.partition("=")
        if name not in names or not number.isdigit() or not 0 < int(number) < 2**16:
            known = ", ".join(names)
            raise typer.BadParameter(f"{assignment!r}: expected NAME=NUMBER with NAME one of {known}")
        ports = replace(ports, **{names[name]: int(number)})
    return ports
