"""The way in: API Gateway limits the rate, a VPC link leads to the balancer, WAF stands there.

In a small deployment the link leads to the api's tasks, as Cloud Map lists them.

The api alone checks tokens: API Gateway's authorizer takes a fixed list of app clients, and machine clients
have app clients of their own, which come and go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct

from mintline.gateway import REQUEST_HEADER
from mintline_infra.deployment import Deployment, InnerCertificate
from mintline_infra.nag import acknowledge

CLIENT_HEADER = "x-mintline-client"
"""The caller's address as API Gateway saw it; the balancer sees the VPC link's."""
PUBLIC_ROUTES = (
    "/.well-known/oauth-protected-resource",
    "/console",
    "/console/{proxy+}",
    "/docs",
    "/docs/{proxy+}",
    "/openapi.json",
    "/v1/metadata/{proxy+}",
)
PUBLIC = "Metadata and the API's reference are public by purpose."
CHECKED = "The api checks every token itself: machine clients' app clients come and go."
RATE, BURST = 1000, 2000
"""Requests a second and at once, over all callers; within the account's default of 10,000 and 5,000."""
SMALL_RATE, SMALL_BURST = 100, 200
"""The same of a small deployment, which has no WAF and one task in a zone."""
LOGGED = (
    "requestId",
    "requestTimeEpoch",
    "identity.sourceIp",
    "routeKey",
    "status",
    "responseLatency",
    "responseLength",
    "integrationStatus",
    "integrationLatency",
    "integrationErrorMessage",
    "error.responseType",
)
"""Variables of the access log, latencies in milliseconds: of what a caller chooses, only its address.

Who it was, and why a token was refused, is in the api's own line with the same id: the gateway checks none.
Source: API Gateway developer guide, "Customize HTTP API access logs".
"""


@dataclass(frozen=True, slots=True)
class Balancer:
    """The internal load balancer, its listener and its security group."""

    balancer: balancing.ApplicationLoadBalancer
    listener: balancing.ApplicationListener
    group: ec2.SecurityGroup
    name: str | None
    """By which its certificate proves it to API Gateway, if it has one."""


def balancer(
    scope: Construct, vpc: ec2.Vpc, access_logs: cdk.aws_s3.IBucket, certificate: InnerCertificate | None
) -> Balancer:
    """Make the balancer between the VPC link and the tasks; without a certificate the link speaks HTTP."""
    group = ec2.SecurityGroup(
        scope, "balancer-group", vpc=vpc, allow_all_outbound=False, description="Mintline: the balancer."
    )
    load_balancer = balancing.ApplicationLoadBalancer(
        scope,
        "balancer",
        vpc=vpc,
        internet_facing=False,
        security_group=group,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        drop_invalid_header_fields=True,
        idle_timeout=cdk.Duration.seconds(60),
    )
    load_balancer.log_access_logs(access_logs, "balancer")
    if certificate is None:
        return Balancer(load_balancer, load_balancer.add_listener("http", port=80, open=False), group, None)
    listener = load_balancer.add_listener(
        "https",
        port=443,
        open=False,
        certificates=[balancing.ListenerCertificate.from_arn(certificate.arn)],
        ssl_policy=balancing.SslPolicy.RECOMMENDED_TLS,
    )
    return Balancer(load_balancer, listener, group, certificate.name)


def http_api(scope: Construct, name: str) -> gateway.HttpApi:
    """Make the API itself, whose address is known before the contract that names it and the services."""
    return gateway.HttpApi(
        scope,
        "api",
        api_name=name,
        description="Mintline: mints, wallets, tokens.",
        create_default_stage=False,
    )


def own_name(scope: Construct, host: str, *, certificate_arn: str) -> gateway.CfnDomainName:
    """Have API Gateway answer under a name of the deployment's own, which may lead elsewhere later."""
    return gateway.CfnDomainName(
        scope,
        "api-name",
        domain_name=host,
        domain_name_configurations=[
            gateway.CfnDomainName.DomainNameConfigurationProperty(
                certificate_arn=certificate_arn, endpoint_type="REGIONAL", security_policy="TLS_1_2"
            )
        ],
    )


def map_name(scope: Construct, host: str, api: gateway.IHttpApi, stage: gateway.HttpStage) -> None:
    """Have a name lead to the API, once its stage is there."""
    mapping = gateway.CfnApiMapping(
        scope, "api-mapping", api_id=api.api_id, domain_name=host, stage=stage.stage_name
    )
    mapping.node.add_dependency(stage)


def imported_api(scope: Construct, api: gateway.HttpApi) -> gateway.IHttpApi:
    """Return another stack's API, for the routes of this one."""
    return gateway.HttpApi.from_http_api_attributes(
        scope, "api", http_api_id=api.api_id, api_endpoint=api.api_endpoint
    )


def registry(scope: Construct, vpc: ec2.Vpc, deployment: Deployment, port: int) -> ecs.CloudMapOptions:
    """Return where the api's tasks are registered for API Gateway, with their ports, while they are healthy.

    Source: API Gateway developer guide, "Private integrations using AWS Cloud Map service discovery".
    """
    namespace = discovery.PrivateDnsNamespace(
        scope, "namespace", vpc=vpc, name=f"{deployment.prefix}.internal"
    )
    return ecs.CloudMapOptions(
        cloud_map_namespace=namespace,
        name="api",
        dns_record_type=discovery.DnsRecordType.SRV,
        dns_ttl=cdk.Duration.seconds(10),
        container_port=port,
    )


def access_log(scope: Construct) -> logs.LogGroup:
    """Make the log group of the stage's access log."""
    return logs.LogGroup(
        scope, "access", retention=logs.RetentionDays.ONE_MONTH, removal_policy=cdk.RemovalPolicy.DESTROY
    )


def to_balancer(
    scope: Construct, api: gateway.IHttpApi, behind: Balancer, vpc: ec2.Vpc, *, log: logs.LogGroup
) -> gateway.HttpStage:
    """Route requests to the balancer."""
    subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    link, group = _link(scope, vpc, subnets)
    port = ec2.Port.tcp(behind.listener.port)
    behind.group.add_ingress_rule(group, port, "the VPC link of API Gateway")
    group.add_egress_rule(behind.group, port, "the balancer")
    integration = integrations.HttpAlbIntegration(
        "balancer",
        behind.listener,
        vpc_link=link,
        parameter_mapping=_forwarded(),
        secure_server_name=behind.name,
    )
    throttle = gateway.ThrottleSettings(rate_limit=RATE, burst_limit=BURST)
    return _open_routes(scope, api, integration, throttle, log, detailed=True)


def to_tasks(
    scope: Construct,
    api: gateway.IHttpApi,
    service: ecs.FargateService,
    vpc: ec2.Vpc,
    subnets: ec2.SubnetSelection,
    *,
    log: logs.LogGroup,
) -> gateway.HttpStage:
    """Route requests to the tasks themselves, which let in the link alone."""
    link, group = _link(scope, vpc, subnets)
    cloud_map_service = service.cloud_map_service
    assert cloud_map_service is not None, "a small deployment registers them"
    port = service.task_definition.default_container
    assert port is not None, "it has one container"
    group.connections.allow_to(service, ec2.Port.tcp(port.container_port), "the VPC link of API Gateway")
    integration = integrations.HttpServiceDiscoveryIntegration(
        "tasks", cloud_map_service, vpc_link=link, parameter_mapping=_forwarded()
    )
    throttle = gateway.ThrottleSettings(rate_limit=SMALL_RATE, burst_limit=SMALL_BURST)
    return _open_routes(scope, api, integration, throttle, log, detailed=False)


def _link(
    scope: Construct, vpc: ec2.Vpc, subnets: ec2.SubnetSelection
) -> tuple[gateway.VpcLink, ec2.SecurityGroup]:
    group = ec2.SecurityGroup(
        scope,
        "link-group",
        vpc=vpc,
        allow_all_outbound=False,
        description="Mintline: the link of API Gateway.",
    )
    return gateway.VpcLink(scope, "link", vpc=vpc, subnets=subnets, security_groups=[group]), group


def _forwarded() -> gateway.ParameterMapping:
    variable = gateway.MappingValue.context_variable
    mapping = gateway.ParameterMapping().overwrite_header(CLIENT_HEADER, variable("identity.sourceIp"))
    return mapping.overwrite_header(REQUEST_HEADER, variable("requestId"))


def _open_routes(
    scope: Construct,
    api: gateway.IHttpApi,
    integration: gateway.HttpRouteIntegration,
    throttle: gateway.ThrottleSettings,
    log: logs.LogGroup,
    *,
    detailed: bool,
) -> gateway.HttpStage:
    """Route what is public by GET and HEAD alone, and all the rest by any method."""
    reads = (gateway.HttpMethod.GET, gateway.HttpMethod.HEAD)
    routes = [(path, method) for path in PUBLIC_ROUTES for method in reads]
    for path, method in [("/v1/{proxy+}", gateway.HttpMethod.ANY), *routes]:
        route = gateway.HttpRoute(
            scope,
            f"{method.value}{path}",
            http_api=api,
            route_key=gateway.HttpRouteKey.with_(path, method),
            integration=integration,
        )
        acknowledge(route, APIG4=PUBLIC if path in PUBLIC_ROUTES else CHECKED)
    return _stage(scope, api, throttle, log, detailed=detailed)


def _stage(
    scope: Construct,
    api: gateway.IHttpApi,
    throttle: gateway.ThrottleSettings,
    log: logs.LogGroup,
    *,
    detailed: bool,
) -> gateway.HttpStage:
    stage = gateway.HttpStage(
        scope,
        "stage",
        http_api=api,
        stage_name="$default",
        auto_deploy=True,
        throttle=throttle,
        detailed_metrics_enabled=detailed,
    )
    resource = stage.node.default_child
    assert isinstance(resource, gateway.CfnStage)
    resource.access_log_settings = gateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=log.log_group_arn,
        format=json.dumps({name: f"$context.{name}" for name in LOGGED}),
    )
    return stage
