"""What services were recorded to call of KMS, held to the keys' policies as synthesized.

`kms_calls.json` is recorded by end-to-end tests with the option `--grants`, as `grants_used.json` is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mintline_infra.deployment import Deployment
from policies import Context, allows, applies, text
from synthesis import Templates, listed, resources

RECORDED = Path(__file__).with_name("kms_calls.json")
SERVICES = ("api", "builder", "signer", "broadcaster", "indexer", "reconciler", "notifier")
PURPOSES = {"wallets": "in custody", "intake": "session keys", "webhooks": "webhooks' secrets"}
"""What tells a key's description from the others', by its name in `mintline.resources`."""
VALUES = {
    "kms:EncryptionContext:chain": "1",
    "kms:EncryptionContext:sub": "user",
    "kms:EncryptionContext:webhook": "wh_1",
}
CALLS = [
    pytest.param(service, call, id=f"{service} {call['action']} {call['key']}")
    for service, calls in json.loads(RECORDED.read_text()).items()
    for call in calls
]


def statements_of(templates: Templates, key: str) -> list[dict[str, Any]]:
    (of_key,) = (
        resource["Properties"]
        for resource in resources(templates["data"], "AWS::KMS::Key").values()
        if PURPOSES[key] in resource["Properties"]["Description"]
    )
    statements: list[dict[str, Any]] = of_key["KeyPolicy"]["Statement"]
    return statements


def context_of(call: dict[str, Any], deployment: Deployment) -> Context:
    context = {key: VALUES.get(key, value) for key, value in call["conditions"].items()}
    if call["attested"]:
        assert deployment.enclave.pcr8 is not None
        context |= {
            "kms:RecipientAttestation:ImageSha384": deployment.enclave.pcr0[0],
            "kms:RecipientAttestation:PCR3": deployment.pcr3(),
            "kms:RecipientAttestation:PCR8": deployment.enclave.pcr8,
            "kms:RecipientAttestation:PCR16": deployment.enclave.pcr16[0],
        }
    return context


@pytest.mark.parametrize(("service", "call"), CALLS)
def test_calls__when_the_keys_are_synthesized__then_their_policies_allow_them_to_that_service_alone(
    templates: Templates, deployment: Deployment, service: str, call: dict[str, Any]
) -> None:
    statements, context = statements_of(templates, call["key"]), context_of(call, deployment)

    may = {
        name
        for name in SERVICES
        if allows(statements, principal=deployment.role_arn(name), action=call["action"], context=context)
    }

    assert may == {service}


def test_policies__when_they_allow_a_service_something__then_a_recorded_call_uses_it(
    templates: Templates, deployment: Deployment
) -> None:
    recorded = json.loads(RECORDED.read_text())
    unused = {
        statement["Sid"]
        for key in PURPOSES
        for statement in statements_of(templates, key)
        if statement["Effect"] == "Allow"
        for service in SERVICES
        if deployment.role_arn(service) in [text(arn) for arn in listed(statement["Principal"]["AWS"])]
        and not any(
            call["key"] == key
            and applies(statement, deployment.role_arn(service), call["action"], context_of(call, deployment))
            for call in recorded.get(service, [])
        )
    }

    assert unused == set(), "remove them, or record a run that uses them"
