"""The intake key's policy: the api alone has it sign."""

from __future__ import annotations

from typing import Any

import pytest

from mintline_infra.deployment import Deployment
from policies import allows
from synthesis import Templates, properties, resources

ROOT_PRINCIPAL = "arn:aws:iam::111122223333:root"
SIGNING = {"kms:SigningAlgorithm": "ECDSA_SHA_256"}


def intake_key(templates: Templates) -> dict[str, Any]:
    (intake,) = (
        key for key in properties(templates["data"], "AWS::KMS::Key") if key.get("KeySpec") == "ECC_NIST_P256"
    )
    return intake


def may(templates: Templates, principal: str, action: str, **context: str) -> bool:
    statements = intake_key(templates)["KeyPolicy"]["Statement"]
    return allows(statements, principal=principal, action=action, context=context)


def test_intake_key__when_synthesized__then_it_signs_and_has_its_alias(templates: Templates) -> None:
    assert intake_key(templates)["KeyUsage"] == "SIGN_VERIFY"
    aliases = {alias["AliasName"] for alias in properties(templates["data"], "AWS::KMS::Alias")}
    assert "alias/acme-mintline-intake" in aliases


def test_sign__when_the_api_asks__then_it_may_by_that_algorithm_alone(
    templates: Templates, deployment: Deployment
) -> None:
    api = deployment.role_arn("api")
    assert may(templates, api, "kms:Sign", **SIGNING)
    assert not may(templates, api, "kms:Sign", **{"kms:SigningAlgorithm": "ECDSA_SHA_512"})
    assert not may(templates, api, "kms:Sign")


@pytest.mark.parametrize("service", ["builder", "signer", "broadcaster", "indexer", None])
def test_sign__when_another_asks__then_it_may_not(
    templates: Templates, deployment: Deployment, service: str | None
) -> None:
    principal = ROOT_PRINCIPAL if service is None else deployment.role_arn(service)
    assert not may(templates, principal, "kms:Sign", **SIGNING)
    assert not may(templates, principal, "kms:CreateGrant")


def test_public_half__when_the_operator_asks__then_it_may(
    templates: Templates, deployment: Deployment
) -> None:
    assert may(templates, ROOT_PRINCIPAL, "kms:GetPublicKey")
    assert not may(templates, deployment.role_arn("signer"), "kms:GetPublicKey")


def test_intake_key__when_the_stack_is_deleted__then_it_stays(templates: Templates) -> None:
    kept = [
        resource["DeletionPolicy"]
        for resource in resources(templates["data"], "AWS::KMS::Key").values()
        if resource["Properties"].get("KeyUsage") == "SIGN_VERIFY"
    ]
    # It is deleted with a creation that fails alone: nothing was sealed for it by then.
    assert kept == ["RetainExceptOnCreate"]
