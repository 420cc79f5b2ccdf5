"""What the services stand on: the network, the cluster, image registries, log groups, the alarm topic."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from mintline_infra import edge
from mintline_infra.data import RETAIN, DataStack
from mintline_infra.deployment import RECONCILER, Deployment
from mintline_infra.nag import acknowledge

SERVICES = ("api", "builder", "signer", "broadcaster", "indexer", "notifier")
"""Each with an image; the reconciler runs the indexer's."""
INTERFACES = {
    "kms": ec2.InterfaceVpcEndpointAwsService.KMS,
    "sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
    "secretsmanager": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "ecr": ec2.InterfaceVpcEndpointAwsService.ECR,
    "ecr-docker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "ssm": ec2.InterfaceVpcEndpointAwsService.SSM,
    "ssmmessages": ec2.InterfaceVpcEndpointAwsService.SSM_MESSAGES,
    "ec2messages": ec2.InterfaceVpcEndpointAwsService.EC2_MESSAGES,
    "cloudformation": ec2.InterfaceVpcEndpointAwsService.CLOUDFORMATION,
    "autoscaling": ec2.InterfaceVpcEndpointAwsService.AUTOSCALING,
}
"""All that the signer's instances reach: their subnets have no way out."""


class PlatformStack(cdk.Stack):
    """The network and all that is not one service's own."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        deployment: Deployment,
        env: cdk.Environment,
        *,
        data: DataStack,
    ) -> None:
        super().__init__(
            scope,
            name,
            env=env,
            description="Mintline: network, cluster, registries.",
            termination_protection=deployment.holds_something,
        )
        self.vpc = self._network(deployment)
        self.cluster = ecs.Cluster(
            self,
            "cluster",
            cluster_name=deployment.prefix,
            vpc=self.vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
            enable_fargate_capacity_providers=True,
        )
        self.repositories = {service: self._repository(deployment, service) for service in SERVICES}
        self.logs = {
            service: logs.LogGroup(
                self,
                f"logs-{service}",
                log_group_name=deployment.log_group_name(service),
                retention=logs.RetentionDays.ONE_MONTH,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            )
            for service in (*SERVICES, RECONCILER)
        }
        self.artifacts = s3.Bucket(
            self,
            "artifacts",
            bucket_name=deployment.artifact_bucket_name(),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            server_access_logs_bucket=data.logs,
            server_access_logs_prefix="artifacts/",
            removal_policy=RETAIN,
        )
        self.alarms = self._topic(deployment)
        self.http_api = edge.http_api(self, deployment.prefix)
        cdk.CfnOutput(self, "api-url", value=self.http_api.api_endpoint)

    def _topic(self, deployment: Deployment) -> sns.Topic:
        topic = sns.Topic(self, "alarms", topic_name=f"{deployment.prefix}-alarms", enforce_ssl=True)
        # A policy of one's own takes the place of the default one, by which alarms may publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": deployment.account}},
            )
        )
        if deployment.alarm_email is not None:
            topic.add_subscription(subscriptions.EmailSubscription(deployment.alarm_email))
        return topic

    def _network(self, deployment: Deployment) -> ec2.Vpc:
        """Make three tiers: NAT in public, services in private, the signer where no route leads out."""
        vpc = ec2.Vpc(
            self,
            "vpc",
            availability_zones=[f"{deployment.region}{zone}" for zone in deployment.zones],
            nat_gateways=len(deployment.zones),
            restrict_default_security_group=False,  # would need a custom resource; nothing uses that group
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=24,
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(
                    name="services", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20
                ),
                ec2.SubnetConfiguration(
                    name="signer", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
            ],
            gateway_endpoints={
                "s3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "dynamodb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
            flow_logs={"rejected": ec2.FlowLogOptions(traffic_type=ec2.FlowLogTrafficType.REJECT)},
        )
        group = ec2.SecurityGroup(
            self,
            "endpoints",
            vpc=vpc,
            allow_all_outbound=False,
            description="Mintline: endpoints of AWS, for the network alone.",
        )
        group.add_ingress_rule(ec2.Peer.ipv4(vpc.vpc_cidr_block), ec2.Port.tcp(443), "TLS from the network")
        acknowledge(group, EC23="Its one rule names the network's own range, which the rule cannot read.")
        for name, service in INTERFACES.items():
            vpc.add_interface_endpoint(
                f"endpoint-{name}",
                service=service,
                subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
                security_groups=[group],
                open=False,
            )
        return vpc

    def _repository(self, deployment: Deployment, service: str) -> ecr.Repository:
        return ecr.Repository(
            self,
            f"images-{service}",
            repository_name=deployment.repository_name(service),
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            removal_policy=RETAIN,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=20)],
        )
