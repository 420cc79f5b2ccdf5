"""What the network's endpoints let through."""

from __future__ import annotations

from typing import Any

import pytest

from mintline_infra.endpoints import INTERFACES
from synthesis import Templates, listed, properties

ACCOUNT = "111122223333"
OWN_RESOURCES = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
OWN_CALLERS = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}


def policies(templates: Templates) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of every endpoint, by the last part of its service's name."""
    by_service = {}
    for each in properties(templates["platform"], "AWS::EC2::VPCEndpoint"):
        service = each["ServiceName"]
        text = service if isinstance(service, str) else "".join(map(str, service["Fn::Join"][1]))
        by_service[text.rpartition("us-east-1")[2].rpartition("}")[2].lstrip(".")] = each["PolicyDocument"][
            "Statement"
        ]
    return by_service


def test_endpoints__when_synthesized__then_every_one_has_a_policy(templates: Templates) -> None:
    endpoints = properties(templates["platform"], "AWS::EC2::VPCEndpoint")

    assert len(endpoints) == len(INTERFACES) + 2
    assert all(each["PolicyDocument"]["Statement"] for each in endpoints)


@pytest.mark.parametrize("service", ["dynamodb", "kms", "sqs", "secretsmanager", "logs"])
def test_endpoint__when_a_request_names_another_accounts_resource__then_it_is_not_passed_on(
    templates: Templates, service: str
) -> None:
    (statement,) = policies(templates)[service]

    assert (statement["Effect"], statement["Condition"]) == ("Allow", OWN_RESOURCES)


def test_s3__when_the_bucket_is_not_the_accounts__then_only_packages_and_layers_are_read(
    templates: Templates,
) -> None:
    own, reading = policies(templates)["s3"]

    assert own["Condition"] == OWN_RESOURCES
    assert (reading["Action"], "Condition" in reading) == ("s3:GetObject", False)
    assert reading["Resource"] == [
        "arn:aws:s3:::al2023-repos-us-east-1-de612dc2/*",
        "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*",
    ]


def test_registry__when_an_image_is_pushed__then_it_is_not_passed_on(templates: Templates) -> None:
    for statements in (policies(templates)["ecr.api"], policies(templates)["ecr.dkr"]):
        (statement,) = statements
        assert statement["Condition"] == OWN_CALLERS
        assert not [action for action in listed(statement["Action"]) if "Put" in action or "*" in action]


def test_signals__when_an_instance_sends_one__then_it_is_all_that_cloudformation_gets(
    templates: Templates,
) -> None:
    (signals,) = policies(templates)["cloudformation"]
    (health,) = policies(templates)["autoscaling"]

    assert (signals["Action"], "Condition" in signals) == ("cloudformation:SignalResource", False)
    assert (health["Action"], health["Condition"]) == ("autoscaling:SetInstanceHealth", OWN_CALLERS)


@pytest.mark.parametrize("service", ["ssm", "ssmmessages", "ec2messages"])
def test_sessions__when_foreign_credentials_are_used__then_they_are_not_passed_on(
    templates: Templates, service: str
) -> None:
    (statement,) = policies(templates)[service]

    assert statement["Condition"] == OWN_CALLERS
