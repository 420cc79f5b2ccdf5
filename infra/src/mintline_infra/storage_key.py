"""The key of the deployment's own under which records of wallets, their wrapped keys and alarms are stored.

One key for all three, as a key costs a dollar a month. AWS's services encrypt and decrypt by it for their
callers, so a reader of such a table needs it too.
Source: Amazon DynamoDB developer guide, "DynamoDB encryption at rest: usage notes" and "Managing encrypted
tables" (authorizing use of a customer managed key).
"""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam

from mintline.resources import WALLETS, WRAPPED_KEYS
from mintline.wallet_key import ADMINISTRATION, statement
from mintline_infra.deployment import Deployment
from mintline_infra.permissions import GET, PERMISSIONS, PING, QUERY, SCAN

ENCRYPTED = (WALLETS, WRAPPED_KEYS)
"""Tables that are encrypted by it; the others are by keys that AWS owns."""
READING = ("kms:Decrypt", "kms:DescribeKey")
WRITING = ("kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


def readers() -> tuple[str, ...]:
    """Return the services whose roles use one of the tables, or its stream."""
    return tuple(
        service
        for service, permissions in PERMISSIONS.items()
        if any(table in permissions.tables or table in permissions.streams for table in ENCRYPTED)
    )


def writers() -> tuple[str, ...]:
    """Return those of them that write to one."""
    reads = {*GET, *QUERY, *SCAN, *PING}
    return tuple(
        service
        for service in readers()
        if any({*PERMISSIONS[service].tables.get(table, ())} - reads for table in ENCRYPTED)
    )


def callers() -> int:
    """Return how many pairs of a service and a table there are, for each of which DynamoDB caches a key."""
    return sum(
        table in permissions.tables or table in permissions.streams
        for permissions in PERMISSIONS.values()
        for table in ENCRYPTED
    )


def key_policy(deployment: Deployment) -> iam.PolicyDocument:
    """Return the policy: DynamoDB for its callers, the alarm topic for what alarms, nobody directly."""
    return iam.PolicyDocument.from_json(
        {
            "Version": "2012-10-17",
            "Statement": [
                statement("AccountAdministersStorage", deployment.root_arn, *ADMINISTRATION),
                *_tables(deployment),
                *_topic(deployment),
            ],
        }
    )


def _tables(deployment: Deployment) -> list[dict[str, Any]]:
    """Return who uses it through DynamoDB.

    The maker or restorer of a table lets DynamoDB keep using the key (CreateGrant): IAM says who that is.
    """
    through = {"StringEquals": {"kms:ViaService": f"dynamodb.{deployment.region}.{deployment.domain}"}}

    account = (*READING, *WRITING, "kms:CreateGrant")
    reading, writing = (
        {"AWS": [deployment.role_arn(name) for name in names]} for names in (readers(), writers())
    )
    return [
        statement("TablesAreMadeAndRestored", deployment.root_arn, *account, Condition=through),
        statement("TablesAreRead", "", *READING, Principal=reading, Condition=through),
        statement("TablesAreWritten", "", *WRITING, Principal=writing, Condition=through),
    ]


def _topic(deployment: Deployment) -> list[dict[str, Any]]:
    """Return who publishes to the encrypted topic; AWS's own key for SNS admits no alarm and no notice.

    EventBridge does not say whose rule it is, and would be refused by a condition: no notice would come.
    Source: Amazon SNS developer guide, "Key management", on EventBridge and encrypted topics.
    """
    publishing = ("kms:Decrypt", "kms:GenerateDataKey*")
    own = {"StringEquals": {"aws:SourceAccount": deployment.account}}
    role = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    scaling = {"ArnEquals": {"aws:PrincipalArn": f"{deployment.arns}:iam::{deployment.account}:{role}"}}
    alarms, notices = ({"Service": f"{name}.amazonaws.com"} for name in ("cloudwatch", "events"))
    return [
        statement("AlarmsAreTold", "", *publishing, Principal=alarms, Condition=own),
        statement("NoticesAreTold", "", *publishing, Principal=notices),
        # Of the signer's instances; not named as a principal, which would have to exist.
        statement("SignersAreTold", deployment.root_arn, *publishing, Condition=scaling),
    ]
