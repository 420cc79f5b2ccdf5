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

from mintline_infra import edge, endpoints, front
from mintline_infra.data import DataStack
from mintline_infra.deployment import RECONCILER, Deployment
from mintline_infra.nag import acknowledge
from mintline_infra.removal import RETAIN

SERVICES = ("api", "builder", "signer", "broadcaster", "indexer", "notifier")
"""Each with an image; the reconciler runs the indexer's."""
_LEADS_TO = "What the DNS record of {} (CNAME or alias) has to lead to."


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
        self.public_tasks = deployment.small
        """Whether tasks have public addresses, in place of NAT gateways; no security group lets anyone in."""
        kind = ec2.SubnetType.PUBLIC if deployment.small else ec2.SubnetType.PRIVATE_WITH_EGRESS
        self.task_subnets = ec2.SubnetSelection(subnet_type=kind)
        self.cluster = self._cluster(deployment)
        self.repositories = {service: self._repository(deployment, service) for service in SERVICES}
        self.logs = {service: self._log_group(deployment, service) for service in (*SERVICES, RECONCILER)}
        self.audit = self._audit_bucket(deployment, data)
        self.artifacts = self._artifact_bucket(deployment, data)
        self.alarms = self._topic(deployment, data)
        self.http_api = edge.http_api(self, deployment.prefix)
        cdk.CfnOutput(self, "api-url", value=self.http_api.api_endpoint)
        self._own_names(deployment, data)

    def _own_names(self, deployment: Deployment, data: DataStack) -> None:
        """Have API Gateway, or CloudFront before it, answer under the document's name, if it names one."""
        if (host := deployment.api_host) is not None:
            own = edge.own_name(self, host, certificate_arn=str(deployment.certificate_arn))
            cdk.CfnOutput(
                self,
                "api-name-target",
                value=own.attr_regional_domain_name,
                description=_LEADS_TO.format(host),
            )
        if (host := deployment.front_host) is not None:
            distribution = front.distribution(
                self,
                self.http_api,
                data,
                host=host,
                certificate_arn=str(deployment.cloudfront_certificate_arn),
            )
            cdk.CfnOutput(
                self,
                "front-target",
                value=distribution.distribution_domain_name,
                description=_LEADS_TO.format(host),
            )

    def _cluster(self, deployment: Deployment) -> ecs.Cluster:
        insights = ecs.ContainerInsights.DISABLED if deployment.small else ecs.ContainerInsights.ENABLED
        created = ecs.Cluster(
            self,
            "cluster",
            cluster_name=deployment.prefix,
            vpc=self.vpc,
            container_insights_v2=insights,
            enable_fargate_capacity_providers=True,
        )
        if deployment.small:
            acknowledge(created, ECS4="It costs a tenth of the rest; alarms count tasks without it.")
        return created

    def _log_group(self, deployment: Deployment, service: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            f"logs-{service}",
            log_group_name=deployment.log_group_name(service),
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _topic(self, deployment: Deployment, data: DataStack) -> sns.Topic:
        topic = sns.Topic(
            self,
            "alarms",
            topic_name=f"{deployment.prefix}-alarms",
            enforce_ssl=True,
            master_key=data.storage_key,
        )
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

    def _audit_bucket(self, deployment: Deployment, data: DataStack) -> s3.Bucket:
        """Make the bucket of the audit trail, of which nothing can be deleted or changed for a time."""
        days = cdk.Duration.days(deployment.audit_retention_days)
        lock = s3.ObjectLockRetention.compliance(days)
        return self._bucket("audit", deployment.audit_bucket_name(), data, lock=lock)

    def _artifact_bucket(self, deployment: Deployment, data: DataStack) -> s3.Bucket:
        """Make the bucket of the enclave's images and policy documents."""
        return self._bucket("artifacts", deployment.artifact_bucket_name(), data)

    def _bucket(
        self, name: str, bucket_name: str, data: DataStack, *, lock: s3.ObjectLockRetention | None = None
    ) -> s3.Bucket:
        return s3.Bucket(
            self,
            name,
            bucket_name=bucket_name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            object_lock_enabled=None if lock is None else True,
            object_lock_default_retention=lock,
            server_access_logs_bucket=data.logs,
            server_access_logs_prefix=f"{name}/",
            removal_policy=RETAIN,
        )

    def _network(self, deployment: Deployment) -> ec2.Vpc:
        """Make three tiers: NAT in public, services in private, the signer where no route leads out.

        A small deployment has no NAT: its tasks are in the public tier.
        """
        private = ec2.SubnetConfiguration(
            name="services", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20
        )
        vpc = ec2.Vpc(
            self,
            "vpc",
            availability_zones=[f"{deployment.region}{zone}" for zone in deployment.zones],
            nat_gateways=0 if deployment.small else len(deployment.zones),
            restrict_default_security_group=False,  # would need a custom resource; nothing uses that group
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=24,
                    map_public_ip_on_launch=False,
                ),
                *([] if deployment.small else [private]),
                ec2.SubnetConfiguration(
                    name="signer", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
            ],
            flow_logs={"rejected": ec2.FlowLogOptions(traffic_type=ec2.FlowLogTrafficType.REJECT)},
        )
        kinds = ec2.GatewayVpcEndpointAwsService
        gateways = {
            name: vpc.add_gateway_endpoint(name, service=service)
            for name, service in (("s3", kinds.S3), ("dynamodb", kinds.DYNAMODB))
        }
        group = ec2.SecurityGroup(
            self,
            "endpoints",
            vpc=vpc,
            allow_all_outbound=False,
            description="Mintline: endpoints of AWS, for the network alone.",
        )
        group.add_ingress_rule(ec2.Peer.ipv4(vpc.vpc_cidr_block), ec2.Port.tcp(443), "TLS from the network")
        acknowledge(group, EC23="Its one rule names the network's own range, which the rule cannot read.")
        for service, gateway in gateways.items():
            for statement in endpoints.gateway_statements(service, deployment):
                gateway.add_to_policy(statement)
        for name, endpoint in endpoints.interfaces(deployment).items():
            interface = vpc.add_interface_endpoint(
                f"endpoint-{name}",
                service=endpoint.service,
                subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
                security_groups=[group],
                open=False,
            )
            interface.add_to_policy(endpoints.statement(endpoint, deployment))
        return vpc

    def _repository(self, deployment: Deployment, service: str) -> ecr.Repository:
        return ecr.Repository(
            self,
            f"images-{service}",
            repository_name=deployment.repository_name(service),
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            removal_policy=RETAIN,
            # Whatever has a tag was released, and may be gone back to.
            lifecycle_rules=[
                ecr.LifecycleRule(tag_status=ecr.TagStatus.UNTAGGED, max_image_age=cdk.Duration.days(30))
            ],
        )
