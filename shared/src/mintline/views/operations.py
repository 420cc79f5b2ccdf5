"""What is shown of operations of all kinds alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import WithJsonSchema

from mintline.fields import Bytes32, Wei
from mintline.records.operations import Attempt, Operation
from mintline.states import MintStatus
from mintline.views.base import Time, View, rfc3339

MintId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^mint_[0-9A-HJKMNP-TV-Z]{26}$",
            "examples": ["mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
        }
    ),
]


class AttemptView(View):
    """One signed transaction; any attempt can be the one that is mined."""

    tx_hash: Bytes32
    max_fee_per_gas: Wei
    max_priority_fee_per_gas: Wei
    at: Time


class ProblemView(View):
    """What went wrong: a stable code, and a sentence to show."""

    code: str
    reason: str


def attempt_views(operation: Operation) -> list[AttemptView]:
    """Return the attempts at an operation, oldest first."""
    return [AttemptView(**attempt_json(attempt)) for attempt in operation.attempts]


def attempt_json(attempt: Attempt) -> dict[str, str]:
    """Return one of them as JSON."""
    return {
        "tx_hash": "0x" + attempt.tx_hash.hex(),
        "max_fee_per_gas": str(attempt.max_fee_per_gas),
        "max_priority_fee_per_gas": str(attempt.max_priority_fee_per_gas),
        "at": rfc3339(attempt.at),
    }


def latest_tx_hash(operation: Operation) -> bytes | None:
    """Return the mined transaction's hash, before that the latest attempt's."""
    return operation.tx_hash or (operation.attempts[-1].tx_hash if operation.attempts else None)


def problem_view(operation: Operation) -> ProblemView | None:
    """Return why an operation ended badly, or what its user has to do."""
    problem = operation.problem
    return None if problem is None else ProblemView(code=problem.code, reason=problem.reason)


def waiting_view(operation: Operation) -> ProblemView | None:
    """Return what an accepted operation waits for, if somebody has to act."""
    waiting = operation.waiting
    if waiting is None or operation.status is not MintStatus.ACCEPTED:
        return None
    return ProblemView(code=waiting.code, reason=waiting.reason)
