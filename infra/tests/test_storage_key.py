"""The storage key's policy: DynamoDB for the tables' own callers, and nobody who asks KMS himself."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.resources import WALLETS, WRAPPED_KEYS
from mintline_infra.deployment import Deployment
from mintline_infra.storage_key import callers, readers, writers
from policies import allows
from synthesis import Templates, resources

THROUGH = {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}
SERVICES = ("api", "builder", "signer", "broadcaster", "indexer", "reconciler", "notifier")


def key(templates: Templates) -> tuple[str, dict[str, Any]]:
    """Return the key's logical id with its properties."""
    (matching,) = (
        (logical, resource["Properties"])
        for logical, resource in resources(templates["data"], "AWS::KMS::Key").items()
        if "stored wallets" in resource["Properties"]["Description"]
    )
    return matching


def may(templates: Templates, principal: str, action: str, **context: str) -> bool:
    statements = [
        statement
        for statement in key(templates)[1]["KeyPolicy"]["Statement"]
        # Of the topic's, one names a caller by its ARN, and the others services of AWS.
        if "AWS" in statement["Principal"] and "ArnEquals" not in statement.get("Condition", {})
    ]
    return allows(statements, principal=principal, action=action, context=context)


@pytest.mark.parametrize("table", [WALLETS, WRAPPED_KEYS])
def test_table__when_it_holds_what_custody_rests_on__then_it_is_encrypted_by_the_storage_key(
    templates: Templates, table: Any
) -> None:
    logical, key_properties = key(templates)
    (stored,) = (
        each["Properties"]
        for each in resources(templates["data"], "AWS::DynamoDB::Table").values()
        if each["Properties"]["TableName"] == table.table_name("acme-mintline")
    )

    assert key_properties["EnableKeyRotation"] is True
    assert stored["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": {"Fn::GetAtt": [logical, "Arn"]},
    }


@pytest.mark.parametrize("service", SERVICES)
def test_service__when_it_uses_an_encrypted_table__then_it_decrypts_through_dynamodb_alone(
    templates: Templates, deployment: Deployment, service: str
) -> None:
    role = deployment.role_arn(service)

    assert may(templates, role, "kms:Decrypt", **THROUGH) == (service in {"api", "signer", "notifier"})
    assert may(templates, role, "kms:GenerateDataKey", **THROUGH) == (service == "api")
    for action in ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"):
        assert not may(templates, role, action)
    assert not may(templates, role, "kms:CreateGrant", **THROUGH)


def test_account__when_it_makes_or_restores_a_table__then_through_dynamodb_and_not_by_kms_itself(
    templates: Templates, deployment: Deployment
) -> None:
    for action in ("kms:CreateGrant", "kms:Decrypt", "kms:ReEncryptFrom"):
        assert may(templates, deployment.root_arn, action, **THROUGH)
        assert not may(templates, deployment.root_arn, action)
        assert not may(
            templates, deployment.root_arn, action, **{"kms:ViaService": "s3.us-east-1.amazonaws.com"}
        )
    assert may(templates, deployment.root_arn, "kms:PutKeyPolicy")


def test_callers__when_they_are_counted_for_the_costs__then_each_service_and_table_is_one() -> None:
    assert (readers(), writers()) == (("api", "signer", "notifier"), ("api",))
    # The api's two tables, the signer's keys, and the notifier's stream of wallets.
    assert callers() == 4
