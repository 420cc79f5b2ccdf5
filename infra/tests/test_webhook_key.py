"""The webhooks' key's policy: the api encrypts, the notifier decrypts, and nobody else does either."""

from __future__ import annotations

from typing import Any

import pytest

from mintline_infra.deployment import Deployment
from policies import allows
from synthesis import Templates, properties

OF_A_WEBHOOK = {"kms:EncryptionContext:webhook": "wh_5d1f0a6be7c94d2f8a3b6c1e9f402d7a"}
OF_A_WALLET = {"kms:EncryptionContext:sub": "alice", "kms:EncryptionContext:chain": "1"}


def may(templates: Templates, principal: str, action: str, **context: str) -> bool:
    (key,) = (
        key
        for key in properties(templates["data"], "AWS::KMS::Key")
        if "webhooks" in key.get("Description", "")
    )
    statements: list[dict[str, Any]] = key["KeyPolicy"]["Statement"]
    return allows(statements, principal=principal, action=action, context=context)


def test_webhook_key__when_it_names_a_webhook__then_the_api_encrypts_and_the_notifier_decrypts(
    templates: Templates, deployment: Deployment
) -> None:
    api, notifier = deployment.role_arn("api"), deployment.role_arn("notifier")
    assert may(templates, api, "kms:Encrypt", **OF_A_WEBHOOK)
    assert may(templates, notifier, "kms:Decrypt", **OF_A_WEBHOOK)
    assert not may(templates, api, "kms:Decrypt", **OF_A_WEBHOOK)
    assert not may(templates, notifier, "kms:Encrypt", **OF_A_WEBHOOK)
    for context in ({}, OF_A_WALLET):
        assert not may(templates, api, "kms:Encrypt", **context)
        assert not may(templates, notifier, "kms:Decrypt", **context)
    aliases = {alias["AliasName"] for alias in properties(templates["data"], "AWS::KMS::Alias")}
    assert "alias/acme-mintline-webhooks" in aliases


@pytest.mark.parametrize("service", ["builder", "signer", "broadcaster", "indexer", None])
def test_webhook_key__when_another_asks__then_it_may_not(
    templates: Templates, deployment: Deployment, service: str | None
) -> None:
    principal = f"arn:aws:iam::{deployment.account}:root" if service is None else deployment.role_arn(service)
    for action in ("kms:Encrypt", "kms:Decrypt", "kms:CreateGrant"):
        assert not may(templates, principal, action, **OF_A_WEBHOOK)
