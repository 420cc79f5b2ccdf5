"""The ways from the network to AWS, and what each lets through: this account's resources alone.

A taken host could otherwise carry wrapped keys or records out through an endpoint, with the credentials of an
account of its own or to a bucket of it, although its subnet has no route to the internet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from mintline_infra.deployment import Deployment

_Service = ec2.InterfaceVpcEndpointAwsService
OWN_RESOURCES = "aws:ResourceAccount"
OWN_CALLERS = "aws:PrincipalAccount"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An interface endpoint: which requests it passes on, and whose they or their resources must be."""

    service: ec2.InterfaceVpcEndpointAwsService
    actions: tuple[str, ...] = ("*",)
    account: str | None = OWN_RESOURCES
    """The condition key that has to be this account; None: a request that is not signed by a principal."""


INTERFACES: Mapping[str, Endpoint] = {
    "kms": Endpoint(_Service.KMS),
    "sqs": Endpoint(_Service.SQS),
    "secretsmanager": Endpoint(_Service.SECRETS_MANAGER),
    "logs": Endpoint(_Service.CLOUDWATCH_LOGS),
    # Images are pulled: nothing can be pushed, to whatever registry.
    "ecr": Endpoint(
        _Service.ECR,
        (
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
        ),
        OWN_CALLERS,
    ),
    "ecr-docker": Endpoint(
        _Service.ECR_DOCKER,
        ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        OWN_CALLERS,
    ),
    "ssm": Endpoint(_Service.SSM, account=OWN_CALLERS),
    "ssmmessages": Endpoint(_Service.SSM_MESSAGES, account=OWN_CALLERS),
    "ec2messages": Endpoint(_Service.EC2_MESSAGES, account=OWN_CALLERS),
    "autoscaling": Endpoint(_Service.AUTOSCALING, ("autoscaling:SetInstanceHealth",), OWN_CALLERS),
    # An instance signs its signal by its identity document, as no principal.
    "cloudformation": Endpoint(_Service.CLOUDFORMATION, ("cloudformation:SignalResource",), None),
}
"""All that the signer's instances reach: their subnets have no way out."""
SMALL = ("kms", "sqs", "logs")
"""Of a small deployment: images come from S3, keys from DynamoDB, by endpoints that cost nothing."""


def interfaces(deployment: Deployment) -> Mapping[str, Endpoint]:
    """Return the interface endpoints of a deployment."""
    return {name: INTERFACES[name] for name in SMALL} if deployment.small else INTERFACES


def statement(endpoint: Endpoint, deployment: Deployment) -> iam.PolicyStatement:
    """Return what an interface endpoint lets through."""
    return _allowing(endpoint.actions, ["*"], endpoint.account, deployment)


def gateway_statements(service: str, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what the gateway endpoint of `s3` or `dynamodb` lets through.

    It is the account's own resources, and in S3 reading two buckets of AWS: Amazon Linux's packages and ECR's
    layers. Sources: Amazon Linux 2023 user guide, "Packages behind an S3 VPC endpoint"; Amazon ECR user
    guide, "Minimum Amazon S3 bucket permissions".
    """
    own = _allowing([f"{service}:*"], ["*"], OWN_RESOURCES, deployment)
    if service != "s3":
        return [own]
    region = deployment.region
    signals = [_signals(deployment)] if deployment.small else []
    buckets = (f"al2023-repos-{region}-de612dc2", f"prod-{region}-starport-layer-bucket")
    objects = [f"{deployment.arns}:s3:::{bucket}/*" for bucket in buckets]
    return [own, _allowing(["s3:GetObject"], objects, None, deployment), *signals]


def _signals(deployment: Deployment) -> iam.PolicyStatement:
    """Let the signer's instances put the answers that their stack waits for, to no other stack.

    Sources: CloudFormation user guide, "Setting up VPC endpoints"; API reference of wait conditions, whose
    presigned URL names the object by the ARN of the stack.
    """
    region, account = deployment.region, deployment.account
    stack = f"{deployment.arns}:cloudformation:{region}:{account}:stack/{deployment.prefix}-signer/*"
    bucket = f"{deployment.arns}:s3:::cloudformation-waitcondition-{region}"
    return _allowing(["s3:PutObject"], [f"{bucket}/{stack}"], None, deployment)


def _allowing(
    actions: Sequence[str], resources: Sequence[str], account: str | None, deployment: Deployment
) -> iam.PolicyStatement:
    conditions = {} if account is None else {"StringEquals": {account: deployment.account}}
    return iam.PolicyStatement(
        principals=[iam.StarPrincipal()],
        actions=[*actions],
        resources=[*resources],
        conditions=conditions,
    )
