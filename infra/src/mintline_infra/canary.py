"""Canaries: one tries to decrypt without attestation, one looks for signing keys that the policy lacks."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_logs as logs
from constructs import Construct

from mintline_infra.data import DataStack
from mintline_infra.deployment import Deployment

HANDLER = Path(__file__).with_name("canary_handler.py")
POLICY_KEYS_HANDLER = Path(__file__).with_name("policy_keys_handler.py")
EVERY = cdk.Duration.minutes(5)
NAME = "canary"
POLICY_KEYS = "policy-keys"


class CanaryStack(cdk.Stack):
    """The canaries. IAM allows the first everything that it tries: the key policy alone stands in its way."""

    def __init__(
        self, scope: Construct, name: str, deployment: Deployment, env: cdk.Environment, *, data: DataStack
    ) -> None:
        super().__init__(scope, name, env=env, description="Mintline: tries to decrypt unattested.")
        key_arn = data.wallet_key.key_arn
        self.log_group = logs.LogGroup(
            self,
            "logs",
            log_group_name=deployment.log_group_name(NAME),
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "role",
            role_name=deployment.role_name(NAME),
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="Mintline's canary: may by IAM what the key policy forbids.",
        )
        tried = ["kms:Decrypt", "kms:GenerateDataKeyPairWithoutPlaintext"]
        role.add_to_policy(iam.PolicyStatement(sid="Try", actions=tried, resources=[key_arn]))
        self.log_group.grant_write(role)
        function = self._function(
            "function",
            role,
            HANDLER,
            text="Asks KMS for a key without attestation; must be refused.",
            environment={"KEY_ARN": key_arn, "CHAIN_ID": str(deployment.chain.chain_id)},
            called=deployment.role_name(NAME),
        )
        self._schedule("schedule", function, deployment.role_name(NAME))
        if deployment.signing_policy is not None:
            self._policy_keys(deployment, deployment.signing_policy)

    def _policy_keys(self, deployment: Deployment, policy: str) -> None:
        """Compare the policy document's signing keys with those that its issuers publish."""
        name = deployment.role_name(POLICY_KEYS)
        role = iam.Role(
            self,
            "policy-keys-role",
            role_name=name,
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="Mintline: reads the policy document.",
        )
        bucket = deployment.artifact_bucket_name()
        document = f"{deployment.arns}:s3:::{bucket}/{policy}"
        role.add_to_policy(iam.PolicyStatement(sid="Policy", actions=["s3:GetObject"], resources=[document]))
        self.log_group.grant_write(role)
        function = self._function(
            "policy-keys",
            role,
            POLICY_KEYS_HANDLER,
            text="Compares the policy document's signing keys with those that its issuers publish.",
            environment={
                "BUCKET": bucket,
                "POLICY": policy,
                "JWKS_URLS": json.dumps({other.issuer: other.jwks_url for other in deployment.other_issuers}),
            },
            called=name,
        )
        self._schedule("policy-keys-schedule", function, name)

    def _function(
        self, name: str, role: iam.Role, code: Path, *, text: str, environment: dict[str, str], called: str
    ) -> functions.Function:
        return functions.Function(
            self,
            name,
            function_name=called,
            description=text,
            code=functions.Code.from_inline(code.read_text()),
            handler="index.handler",
            runtime=functions.Runtime.PYTHON_3_14,
            architecture=functions.Architecture.ARM_64,
            role=role.without_policy_updates(),
            log_group=self.log_group,
            timeout=cdk.Duration.seconds(30),
            environment=environment,
        )

    def _schedule(self, name: str, function: functions.Function, rule: str) -> None:
        events.Rule(
            self,
            name,
            rule_name=rule,
            description="Mintline: a canary's clock.",
            schedule=events.Schedule.rate(EVERY),
            targets=[targets.LambdaFunction(function)],
        )
