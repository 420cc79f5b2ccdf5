"""Which grants no recorded call uses, and why each of them is there.

`grants_used.json` holds what end-to-end tests used of the roles' grants; infra/README.md says how to
record it. A grant that is not in it needs a reason here; otherwise it is to go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

from test_grants import SERVICES, STATED

USED = Path(__file__).with_name("grants_used.json")

Grant: TypeAlias = tuple[str, str, str]
"""A service, an action and a resource."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some grants are there though no recorded call used them; `*` stands for anything."""

    service: str
    action: str
    resource: str
    why: str

    def covers(self, grant: Grant) -> bool:
        mine = (self.service, self.action, self.resource)
        return all(fnmatchcase(value, pattern) for value, pattern in zip(grant, mine, strict=True))


REASONS = (
    Reason(
        "*",
        "dynamodb:PutItem",
        "table/*",
        "puts in transactions, and those whose condition failed in a batch",
    ),
    Reason(
        "*",
        "dynamodb:UpdateItem",
        "table/*",
        "updates that PartiQL cannot say, and those whose condition failed in a batch",
    ),
    Reason("*", "dynamodb:BatchWriteItem", "table/*", "records that have expired or are superseded"),
    Reason("*", "dynamodb:DeleteItem", "table/*", "records that are taken back, or deleted by a request"),
    Reason("*", "sqs:*", "*-dlq.fifo", "messages that fail for good"),
    Reason("*", "sqs:ChangeMessageVisibility", "*", "messages that are tried again later"),
    Reason("api", "sqs:*", "*.fifo", "the operators' view of the queues, and self-custody"),
    Reason("broadcaster", "sqs:*", "*.fifo", "the sweep, which finds what was lost"),
    Reason("indexer", "sqs:*", "broadcast.fifo", "blocks that tell the broadcaster of an end"),
    Reason("api", "sts:AssumeRole", "*", "redrive of dead letters"),
    Reason("api", "cognito-idp:*", "*", "machine clients, and users that they create"),
    Reason("api", "*", "table/clients", "machine clients and their budgets"),
    Reason("api", "*", "table/requests", "requests for many mints"),
    Reason("*", "*", "table/drop*", "drops"),
    Reason("api", "*", "drops*", "drops"),
    Reason("api", "*", "table/links*", "wallets that users link"),
    Reason("api", "*", "table/uploads", "uploads"),
    Reason("api", "*", "uploads*", "uploads"),
    Reason("api", "*", "media*", "uploads"),
    Reason("api", "*", "metadata*", "objects that do not exist"),
    Reason("*", "*", "table/notices", "notices to clients"),
    Reason("api", "*", "table/rates", "budgets of writes near their limit"),
    Reason("api", "*", "table/revocations", "users who withdraw their sessions"),
    Reason("api", "*", "table/authorizations", "authorizations that are given later"),
    Reason("api", "*", "table/wrapped-keys", "keys of wallets that are stored in DynamoDB"),
    Reason("api", "*", "table/*/index/*", "lists and the operators' view"),
    Reason(
        "api", "dynamodb:Query", "table/trans*", "lists of transfers, and the operators' view of a sender"
    ),
    Reason("api", "dynamodb:*", "table/transactions", "transactions that their sender replaces or cancels"),
    Reason("api", "dynamodb:BatchGetItem", "table/*", "requests that read single records"),
    Reason("notifier", "dynamodb:Query", "table/webhooks/index/open", "webhooks where there are many"),
    Reason("builder", "*", "table/transactions", "a sender's last nonce, when it is not known"),
    Reason("builder", "dynamodb:*", "table/mints", "mints that end without a transaction"),
    Reason("builder", "s3:GetObject", "metadata/*", "metadata that the api stored before"),
    Reason(
        "broadcaster", "dynamodb:*", "table/*", "transactions that were lost, replaced or reorganized away"
    ),
    Reason("indexer", "dynamodb:*", "table/balances", "items of ERC-1155"),
    Reason("indexer", "dynamodb:*", "table/*", "reorganizations, transfers, and contracts that join"),
    Reason(
        "notifier", "dynamodb:Scan", "table/*", "streams that were lost: records are compared with the logs"
    ),
    Reason("notifier", "dynamodb:BatchGetItem", "table/*", "events that take another record"),
    Reason("signer", "dynamodb:BatchGetItem", "table/*", "keys of wallets that are stored in DynamoDB"),
    Reason("signer", "*", "arn:aws:*", "the instance's own machinery"),
    Reason("signer", "ssm*:*", "*", "Systems Manager's agent on the instance"),
    Reason("signer", "ec2messages:*", "*", "Systems Manager's agent on the instance"),
    Reason("signer", "ecr:GetAuthorizationToken", "*", "the instance's own machinery"),
    Reason("signer", "s3:*", "artifacts/*", "the enclave's image, which an instance fetches"),
    Reason("signer", "s3:*", "audit/*", "the audit trail, which an instance ships"),
)
"""What the recorded runs do not have. A rule that covers many is replaced by recording more."""


def stated() -> set[Grant]:
    grants = json.loads(STATED.read_text())
    return {
        (service, action, resource)
        for service in SERVICES
        for statement in grants[service]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def used() -> set[Grant]:
    return {
        (service, action, resource)
        for service, actions in json.loads(USED.read_text()).items()
        for action, resources in actions.items()
        for resource in resources
    }


def test_grants__when_no_recorded_call_uses_one__then_it_has_a_reason() -> None:
    unused = sorted(stated() - used())

    bare = [grant for grant in unused if not any(reason.covers(grant) for reason in REASONS)]

    assert bare == [], "remove them, or record a run that uses them"


def test_reasons__when_their_grants_are_used_or_gone__then_they_go_too() -> None:
    unused = stated() - used()

    idle = [reason for reason in REASONS if not any(reason.covers(grant) for grant in unused)]

    assert idle == []


def test_record__when_a_grant_is_gone__then_it_is_recorded_no_more() -> None:
    assert used() <= stated(), "record again"
