"""The KMS keys of the data stack, each with a policy of its own."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from mintline import intake_key as intake_policy
from mintline.resources import INTAKE_KEY, WALLET_KEY, WEBHOOK_KEY
from mintline.webhooks import kms_policy as webhook_policy
from mintline_infra.deployment import Deployment
from mintline_infra.removal import RETAIN
from mintline_infra.storage_key import key_policy as storage_policy
from mintline_infra.wallet_key import key_policy


def wallet_keys(stack: cdk.Stack, deployment: Deployment) -> list[kms.Key]:
    """Make the keys; the alias is the first one's, and where new wallets' keys are made."""
    keys = [_wallet_key(stack, deployment, number) for number in deployment.wallet_keys]
    alias = _alias(stack, "wallet-key-alias", WALLET_KEY.alias(deployment.prefix), keys[0])
    for other in keys[1:]:
        # Wallets are made while the alias moves: the key that it leaves may stop making them only then.
        other.node.add_dependency(alias)
    return keys


def _wallet_key(stack: cdk.Stack, deployment: Deployment, number: int) -> kms.Key:
    return _key(
        stack,
        "wallet-key" if number == 1 else f"wallet-key-{number}",
        "wraps every key in custody; only the attested enclave unwraps.",
        key_policy(deployment, number),
        enable_key_rotation=True,
        # A later one may have wrapped keys before the update that makes it fails.
        removal_policy=RETAIN if number == 1 else cdk.RemovalPolicy.RETAIN,
    )


def intake_key(stack: cdk.Stack, deployment: Deployment) -> kms.Key:
    """Make the key that certifies the api's session keys; its public half goes into the document."""
    document = intake_policy.key_policy(administrator=deployment.root_arn, api=deployment.role_arn("api"))
    key = _key(
        stack,
        "intake-key",
        "certifies the session keys by which the api signs what it accepts.",
        iam.PolicyDocument.from_json(document),
        key_spec=kms.KeySpec.ECC_NIST_P256,
        key_usage=kms.KeyUsage.SIGN_VERIFY,
    )
    _alias(stack, "intake-key-alias", INTAKE_KEY.alias(deployment.prefix), key)
    return key


def webhook_key(stack: cdk.Stack, deployment: Deployment) -> kms.Key:
    """Make the key that encrypts webhooks' secrets."""
    document = webhook_policy.key_policy(
        administrator=deployment.root_arn,
        api=deployment.role_arn("api"),
        notifier=deployment.role_arn("notifier"),
    )
    key = _key(
        stack,
        "webhook-key",
        "encrypts webhooks' secrets; the notifier alone decrypts them.",
        iam.PolicyDocument.from_json(document),
        enable_key_rotation=True,
    )
    _alias(stack, "webhook-key-alias", WEBHOOK_KEY.alias(deployment.prefix), key)
    return key


def storage_key(stack: cdk.Stack, deployment: Deployment) -> kms.Key:
    """Make the key under which wallets and alarms are stored; no service knows it, so it has no alias."""
    return _key(
        stack,
        "storage-key",
        "encrypts stored wallets, their wrapped keys, and the alarm topic.",
        storage_policy(deployment),
        enable_key_rotation=True,
    )


def _key(
    stack: cdk.Stack,
    name: str,
    purpose: str,
    policy: iam.PolicyDocument,
    *,
    enable_key_rotation: bool | None = None,
    key_spec: kms.KeySpec | None = None,
    key_usage: kms.KeyUsage | None = None,
    removal_policy: cdk.RemovalPolicy = RETAIN,
) -> kms.Key:
    key = kms.Key(
        stack,
        name,
        description=f"Mintline: {purpose}",
        enable_key_rotation=enable_key_rotation,
        key_spec=key_spec,
        key_usage=key_usage,
        pending_window=cdk.Duration.days(30),
        policy=policy,
        removal_policy=removal_policy,
    )
    cdk.CfnOutput(stack, f"{name}-arn", value=key.key_arn)
    return key


def _alias(stack: cdk.Stack, name: str, alias: str, key: kms.Key) -> kms.Alias:
    return kms.Alias(stack, name, alias_name=alias, target_key=key, removal_policy=RETAIN)
