"""The way in: API Gateway limits the rate, a VPC link leads to the balancer, WAF stands there.

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
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

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
REQUESTS_PER_ADDRESS = 3000
"""In five minutes, before WAF blocks an address."""
MARKUP_RULES = ("CrossSiteScripting_BODY", "GenericRFI_BODY", "SizeRestrictions_BODY")
"""Counted, not blocked: metadata is up to 256 KiB of JSON that may well hold URLs, SVG and markup."""


@dataclass(frozen=True, slots=True)
class Balancer:
    """The internal load balancer, its listener and its security group."""

    balancer: balancing.ApplicationLoadBalancer
    listener: balancing.ApplicationListener
    group: ec2.SecurityGroup


def balancer(scope: Construct, vpc: ec2.Vpc, access_logs: cdk.aws_s3.IBucket) -> Balancer:
    """Make the balancer between the VPC link and the tasks."""
    group = ec2.SecurityGroup(
        scope, "balancer-group", vpc=vpc, allow_all_outbound=False, description="Mintline: the balancer."
    )
    made = balancing.ApplicationLoadBalancer(
        scope,
        "balancer",
        vpc=vpc,
        internet_facing=False,
        security_group=group,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        drop_invalid_header_fields=True,
        idle_timeout=cdk.Duration.seconds(60),
    )
    made.log_access_logs(access_logs, "balancer")
    listener = made.add_listener("http", port=80, open=False)
    return Balancer(made, listener, group)


def http_api(scope: Construct, name: str) -> gateway.HttpApi:
    """Make the API itself, whose address is known before the contract that names it and the services."""
    return gateway.HttpApi(
        scope,
        "api",
        api_name=name,
        description="Mintline: mints, wallets, tokens.",
        create_default_stage=False,
    )


def imported_api(scope: Construct, api: gateway.HttpApi) -> gateway.IHttpApi:
    """Return another stack's API, for the routes of this one."""
    return gateway.HttpApi.from_http_api_attributes(
        scope, "api", http_api_id=api.api_id, api_endpoint=api.api_endpoint
    )


def open_routes(scope: Construct, api: gateway.IHttpApi, behind: Balancer, vpc: ec2.Vpc) -> gateway.HttpStage:
    """Route what is public by GET and HEAD alone, and all the rest by any method."""
    link_group = ec2.SecurityGroup(
        scope,
        "link-group",
        vpc=vpc,
        allow_all_outbound=False,
        description="Mintline: the link of API Gateway.",
    )
    behind.group.add_ingress_rule(link_group, ec2.Port.tcp(80), "the VPC link of API Gateway")
    link_group.add_egress_rule(behind.group, ec2.Port.tcp(80), "the balancer")
    link = gateway.VpcLink(
        scope,
        "link",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        security_groups=[link_group],
    )
    integration = integrations.HttpAlbIntegration(
        "balancer",
        behind.listener,
        vpc_link=link,
        parameter_mapping=gateway.ParameterMapping().overwrite_header(
            CLIENT_HEADER, gateway.MappingValue.context_variable("identity.sourceIp")
        ),
    )
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
    return _stage(scope, api)


def _stage(scope: Construct, api: gateway.IHttpApi) -> gateway.HttpStage:
    group = logs.LogGroup(
        scope, "access", retention=logs.RetentionDays.ONE_MONTH, removal_policy=cdk.RemovalPolicy.DESTROY
    )
    stage = gateway.HttpStage(
        scope,
        "stage",
        http_api=api,
        stage_name="$default",
        auto_deploy=True,
        throttle=gateway.ThrottleSettings(rate_limit=RATE, burst_limit=BURST),
        detailed_metrics_enabled=True,
    )
    made = stage.node.default_child
    assert isinstance(made, gateway.CfnStage)
    fields = (
        "requestId",
        "identity.sourceIp",
        "routeKey",
        "status",
        "responseLatency",
        "integrationErrorMessage",
    )
    made.access_log_settings = gateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=group.log_group_arn,
        format=json.dumps({name: f"$context.{name}" for name in fields}),
    )
    return stage


def firewall(scope: Construct, behind: Balancer, name: str) -> waf.CfnWebACL:
    """Stand WAF before the balancer: HTTP APIs take none themselves."""
    made = waf.CfnWebACL(
        scope,
        "firewall",
        name=name,
        scope="REGIONAL",
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_seen(name),
        rules=[
            _rate_rule(),
            _managed_rule(1, "AWSManagedRulesKnownBadInputsRuleSet", counted=()),
            _managed_rule(2, "AWSManagedRulesCommonRuleSet", counted=MARKUP_RULES),
        ],
    )
    waf.CfnWebACLAssociation(
        scope,
        "firewall-association",
        resource_arn=behind.balancer.load_balancer_arn,
        web_acl_arn=made.attr_arn,
    )
    return made


def _rate_rule() -> waf.CfnWebACL.RuleProperty:
    """Block who asks too often, by the address that API Gateway puts into the header."""
    acl = waf.CfnWebACL
    return acl.RuleProperty(
        name="rate",
        priority=0,
        action=acl.RuleActionProperty(block={}),
        visibility_config=_seen("rate"),
        statement=acl.StatementProperty(
            rate_based_statement=acl.RateBasedStatementProperty(
                aggregate_key_type="FORWARDED_IP",
                limit=REQUESTS_PER_ADDRESS,
                forwarded_ip_config=acl.ForwardedIPConfigurationProperty(
                    header_name=CLIENT_HEADER, fallback_behavior="MATCH"
                ),
            )
        ),
    )


def _managed_rule(priority: int, name: str, *, counted: tuple[str, ...]) -> waf.CfnWebACL.RuleProperty:
    acl = waf.CfnWebACL
    return acl.RuleProperty(
        name=name,
        priority=priority,
        override_action=acl.OverrideActionProperty(none={}),
        visibility_config=_seen(name),
        statement=acl.StatementProperty(
            managed_rule_group_statement=acl.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    acl.RuleActionOverrideProperty(name=rule, action_to_use=acl.RuleActionProperty(count={}))
                    for rule in counted
                ]
                or None,
            )
        ),
    )


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
