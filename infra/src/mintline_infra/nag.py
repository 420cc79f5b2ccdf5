"""Acknowledged findings of the rules that `make infra` applies: each with why it stands."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(where: IConstruct, **reasons: str) -> None:
    """Acknowledge AWS Solutions findings at a construct and below: `acknowledge(role, IAM5="because …")`."""
    for rule, reason in reasons.items():
        acknowledge_finding(where, rule, reason)


def acknowledge_finding(where: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge one finding, such as `IAM5[Resource::*]`."""
    cdk.Validations.of(where).acknowledge(cdk.Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
