"""What `tests/e2e/test_aws_calls.py` holds the pipeline's calls to are the roles as synthesized."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from policies import text
from synthesis import Templates, described, listed, policies_of, resources, synthesized

STATED = Path(__file__).with_name("grants.json")
PREFIX, CHAIN_ID = "mintline", 31337
ARN = re.compile(r"^arn:aws:(?:dynamodb|sqs|s3|secretsmanager):[^:]*:[^:]*:(?:secret:)?(.*)$")
SERVICES = ("api", "builder", "signer", "broadcaster", "indexer", "reconciler", "notifier")


def end(resource: Any) -> str:
    """Return what follows the prefix in an ARN; any resource, for what AWS alone knows."""
    if not isinstance(resource, str) and "Fn::Join" not in resource:
        return "*"
    full = text(resource)
    matched = ARN.match(full)
    if matched is None:
        return full
    secret = "secret:" if ":secret:" in full else ""
    return secret + re.sub(rf"(^|/){PREFIX}[-/]", r"\1", matched[1], count=1)


def granted(templates: Templates, service: str) -> list[dict[str, Any]]:
    """Return the statements of a service's role; the identity stack adds to the api's."""
    role = f"{PREFIX}-{service}"
    (logical,) = (
        name
        for name, resource in resources(templates["access"], "AWS::IAM::Role").items()
        if resource["Properties"]["RoleName"] == role
    )
    return [
        {
            "Effect": statement["Effect"],
            "Action": listed(statement["Action"]),
            "Resource": [end(resource) for resource in listed(statement["Resource"])],
            **({"Condition": statement["Condition"]} if "Condition" in statement else {}),
        }
        for stack in ("access", "identity")
        for policy in policies_of(templates[stack])
        if {"Ref": logical} in policy["Roles"] or role in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def test_grants__when_they_are_synthesized__then_they_are_those_that_recorded_calls_are_held_to(
    tmp_path: Path,
) -> None:
    deployment = described(PREFIX)
    chain = deployment.chain.model_copy(update={"chain_id": CHAIN_ID})
    templates = synthesized(deployment.model_copy(update={"chain": chain}), tmp_path)

    synthesized_grants = {service: granted(templates, service) for service in SERVICES}

    assert json.loads(STATED.read_text()) == synthesized_grants, "if the change is meant, write it there"


def test_grants__when_they_name_an_index__then_for_what_reads_it_alone() -> None:
    """IAM asks about an index for what reads it; another action on it would only look like a permission."""
    pairs = [
        (service, statement)
        for service in SERVICES
        for statement in json.loads(STATED.read_text())[service]
        if any("/index/" in resource for resource in statement["Resource"])
    ]

    assert {service for service, _ in pairs} == {"api", "broadcaster", "indexer", "reconciler", "notifier"}
    for _, statement in pairs:
        assert statement["Action"] in (["dynamodb:Query"], ["dynamodb:PartiQLSelect"])
        assert all("/index/" in resource for resource in statement["Resource"])
