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
    alias = kms.Alias(
        stack,
        "wallet-key-alias",
        alias_name=WALLET_KEY.alias(deployment.prefix),
        target_key=keys[0],
        removal_policy=RETAIN,
    )
    for other in keys[1:]:
        # Wallets are made while the alias moves: the key that it leaves may stop making them only then.
        other.node.add_dependency(alias)
    return keys


def _wallet_key(stack: cdk.Stack, deployment: Deployment, number: int) -> kms.Key:
    name = "wallet-key" if number == 1 else f"wallet-key-{number}"
    key = kms.Key(
        stack,
        name,
        description="Mintline: wraps every key in custody; only the attested enclave unwraps.",
        enable_key_rotation=True,
        pending_window=cdk.Duration.days(30),
        policy=key_policy(deployment, number),
        # A later one may have wrapped keys before the update that makes it fails.
        removal_policy=RETAIN if number == 1 else cdk.RemovalPolicy.RETAIN,
    )
    cdk.CfnOutput(stack, f"{name}-arn", value=key.key_arn)
    return key


def intake_key(stack: cdk.Stack, deployment: Deployment) -> kms.Key:
    """Make the key that certifies the api's session keys; its public half goes into the document."""
    document = intake_policy.key_policy(administrator=deployment.root_arn, api=deployment.role_arn("api"))
    key = kms.Key(
        stack,
        "intake-key",
        description="Mintline: certifies the session keys by which the api signs what it accepts.",
        key_spec=kms.KeySpec.ECC_NIST_P256,
        key_usage=kms.KeyUsage.SIGN_VERIFY,
        pending_window=cdk.Duration.days(30),
        policy=iam.PolicyDocument.from_json(document),
        removal_policy=RETAIN,
    )
    kms.Alias(
        stack,
        "intake-key-alias",
        alias_name=INTAKE_KEY.alias(deployment.prefix),
        target_key=key,
        removal_policy=RETAIN,
    )
    cdk.CfnOutput(stack, "intake-key-arn", value=key.key_arn)
    return key


def webhook_key(stack: cdk.Stack, deployment: Deployment) -> kms.Key:
    """Make the key that encrypts webhooks' secrets."""
    document = webhook_policy.key_policy(
        administrator=deployment.root_arn,
        api=deployment.role_arn("api"),
        notifier=deployment.role_arn("notifier"),
    )
    key = kms.Key(
        stack,
        "webhook-key",
        description="Mintline: encrypts webhooks' secrets; the notifier alone decrypts them.",
        enable_key_rotation=True,
        pending_window=cdk.Duration.days(30),
        policy=iam.PolicyDocument.from_json(document),
        removal_policy=RETAIN,
    )
    kms.Alias(
        stack,
        "webhook-key-alias",
        alias_name=WEBHOOK_KEY.alias(deployment.prefix),
        target_key=key,
        removal_policy=RETAIN,
    )
    cdk.CfnOutput(stack, "webhook-key-arn", value=key.key_arn)
    return key


def storage_key(stack: cdk.Stack, deployment: Deployment) -> kms.Key:
    """Make the key under which wallets and alarms are stored; no service knows it, so it has no alias."""
    key = kms.Key(
        stack,
        "storage-key",
        description="Mintline: encrypts stored wallets, their wrapped keys, and the alarm topic.",
        enable_key_rotation=True,
        pending_window=cdk.Duration.days(30),
        policy=storage_policy(deployment),
        removal_policy=RETAIN,
    )
    cdk.CfnOutput(stack, "storage-key-arn", value=key.key_arn)
    return key
