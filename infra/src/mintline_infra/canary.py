"""A canary that tries to decrypt without attestation, as an intruder in the account might."""

from __future__ import annotations

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
EVERY = cdk.Duration.minutes(5)
NAME = "canary"


class CanaryStack(cdk.Stack):
    """The canary. IAM allows it everything that it tries, so that the key policy alone stands in its way."""

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
        function = functions.Function(
            self,
            "function",
            function_name=deployment.role_name(NAME),
            description="Asks KMS for a key without attestation; must be refused.",
            code=functions.Code.from_inline(HANDLER.read_text()),
            handler="index.handler",
            runtime=functions.Runtime.PYTHON_3_14,
            architecture=functions.Architecture.ARM_64,
            role=role.without_policy_updates(),
            log_group=self.log_group,
            timeout=cdk.Duration.seconds(30),
            environment={"KEY_ARN": key_arn, "CHAIN_ID": str(deployment.chain.chain_id)},
        )
        events.Rule(
            self,
            "schedule",
            rule_name=deployment.role_name(NAME),
            description="Mintline: the canary's clock.",
            schedule=events.Schedule.rate(EVERY),
            targets=[targets.LambdaFunction(function)],
        )
