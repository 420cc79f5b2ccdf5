"""The resource policy of a queue: only the roles that send may send, only the one that receives may receive.

Explicit denials, so that no permission elsewhere in the account makes an exception: an IAM policy that allows
`sqs:*` is enough for neither. They hold as long as nobody changes the policy itself.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mintline.resource_types import Queue
from mintline.resources import REDRIVE

SENDING = ("sqs:SendMessage",)
"""Also what SendMessageBatch requires."""
RECEIVING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:PurgeQueue")
"""All that hands out, hides or deletes a message; no role is allowed to purge."""
SQS_ITSELF = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
"""Exempts AWS's own services: SQS moves what was received too often. No statement allows them anything."""


def queue_statements(queue: Queue, *, arn: str, role_arn: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the statements for the queue whose ARN is `arn`; `role_arn` gives a role's ARN by its name."""
    return [
        _only("OnlySendersSend", SENDING, arn, map(role_arn, (*queue.senders, REDRIVE))),
        _only("OnlyTheReceiverReceives", RECEIVING, arn, [role_arn(queue.receiver)]),
    ]


def dead_letter_statements(queue: Queue, *, arn: str, role_arn: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the statements for the queue's dead-letter queue: its receiver sends, operators receive."""
    return [
        _only("OnlyTheReceiverSends", SENDING, arn, [role_arn(queue.receiver)], **SQS_ITSELF),
        _only("OnlyOperatorsReceive", RECEIVING, arn, [role_arn(REDRIVE)]),
    ]


def _only(
    sid: str, actions: Iterable[str], arn: str, principals: Iterable[str], **conditions: Any
) -> dict[str, Any]:
    """Return a statement that denies the actions to all but these roles, whose sessions it covers too."""
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": list(actions),
        "Resource": arn,
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": list(principals)}, **conditions},
    }
