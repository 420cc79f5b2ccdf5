"""`mintline pipeline`: the pipeline of a deployment as a whole, for operators."""

from __future__ import annotations

from mintline.eth import ETHER
from mintline_cli.caller import Caller, calls_api
from mintline_cli.output import Screen
from mintline_client.models import PipelineView, WaitingOperationView

_SHOWN = 8


@calls_api("client")
def pipeline(caller: Caller) -> None:
    """Show queues, dead letters, blocks, what waits longest and why, and how long the money for gas lasts.

    Takes the scope admin. Example: mintline pipeline --url https://api.example.com --token "$TOKEN"
    """
    state = caller.run(lambda mintline: mintline.pipeline.get())
    show_pipeline(state, caller.screen)
    caller.screen.result(dict(state))


def show_pipeline(state: PipelineView, screen: Screen) -> None:
    """Show the pipeline's state to people."""
    if state["missing"]:
        screen.say(f"Not everything responded. Missing: {', '.join(state['missing'])}.", style="yellow")
    blocks = state["blocks"]
    screen.say(
        f"Chain at {_known(blocks['head'])}, index at {_known(blocks['indexed'])}, "
        f"final up to {_known(blocks['finalized'])}"
    )
    if state["queues"] is not None:
        screen.table(
            ("QUEUE", "WAITING", "IN FLIGHT", "DEAD LETTERS"),
            [
                (queue["name"], queue["waiting"], queue["in_flight"], queue["dead_letters"])
                for queue in state["queues"]
            ],
            empty="No queues.",
        )
    _show_dead_letters(screen, state)
    _show_waiting(screen, state)
    if state["senders"] is not None:
        screen.table(
            ("KEY", "ADDRESS", "ETH", "SENT IN 24 H", "DAYS LEFT"),
            [
                (
                    sender["role"],
                    sender["address"],
                    f"{int(sender['balance']) / ETHER:.6g}",
                    sender["transactions"],
                    _known(sender["days_left"]),
                )
                for sender in state["senders"]
            ],
            empty="The API knows of no treasury and no relayer.",
        )


def _show_dead_letters(screen: Screen, state: PipelineView) -> None:
    letters = state.get("dead_letters")
    if not letters:
        return
    screen.table(
        ("DEAD SINCE", "QUEUE", "MESSAGE", "ID", "CODE", "REASON"),
        [
            (
                letter["dead_lettered_at"],
                letter["queue"],
                letter["message_id"],
                letter["operation_id"] or "-",
                letter["code"],
                letter["reason"],
            )
            for letter in letters[:_SHOWN]
        ],
        empty="No dead letters.",
    )
    screen.say("Once the cause is fixed: mintline dlq redrive QUEUE MESSAGE, or in the console.")


def _why(operation: WaitingOperationView) -> str:
    if letter := operation.get("dead_letter"):
        return f"dead letter {letter}"
    return (operation["waiting"] or {"code": "-"})["code"]


def _show_waiting(screen: Screen, state: PipelineView) -> None:
    operations, transactions = state["operations"], state["transactions"]
    if operations is not None:
        screen.table(
            ("WAITS SINCE", "ID", "KIND", "STATUS", "WHY"),
            [
                (
                    operation["created_at"],
                    operation["operation_id"],
                    operation["kind"],
                    operation["status"],
                    _why(operation),
                )
                for operation in operations[:_SHOWN]
            ],
            empty="Nothing waits for a transaction.",
        )
    if transactions is not None:
        screen.table(
            ("OPEN SINCE", "SENDER", "NONCE", "KIND", "STATE", "ATTEMPTS"),
            [
                (
                    transaction["reserved_at"],
                    transaction["sender"],
                    transaction["nonce"],
                    transaction["kind"],
                    transaction["state"],
                    transaction["attempts"],
                )
                for transaction in transactions[:_SHOWN]
            ],
            empty="Every transaction is final.",
        )


def _known(value: float | None) -> str:
    return "-" if value is None else str(value)
