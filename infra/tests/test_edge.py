from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mintline.errors import Misconfigured
from mintline.gateway import REQUEST_HEADER
from mintline_infra.deployment import read
from mintline_infra.edge import CLIENT_HEADER
from synthesis import Templates, described, properties, resources, small, synthesized

PUBLIC = {
    "GET /.well-known/oauth-protected-resource",
    "HEAD /.well-known/oauth-protected-resource",
    "GET /docs",
    "HEAD /docs",
    "GET /docs/{proxy+}",
    "HEAD /docs/{proxy+}",
    "GET /console",
    "GET /console/{proxy+}",
    "HEAD /console",
    "HEAD /console/{proxy+}",
    "GET /openapi.json",
    "HEAD /openapi.json",
    "GET /v1/metadata/{proxy+}",
    "HEAD /v1/metadata/{proxy+}",
}


def test_routes__when_machine_clients_come_and_go__then_the_api_alone_checks_tokens(
    templates: Templates,
) -> None:
    template = templates["api"]
    routes = {route["RouteKey"]: route for route in properties(template, "AWS::ApiGatewayV2::Route")}

    assert set(routes) == PUBLIC | {"ANY /v1/{proxy+}"}
    assert {route["AuthorizationType"] for route in routes.values()} == {"NONE"}
    assert not resources(template, "AWS::ApiGatewayV2::Authorizer")


def test_preflight__when_a_browser_sends_one_without_a_token__then_it_reaches_the_api_and_its_origins(
    tmp_path: Path,
) -> None:
    templates = synthesized(described(cors_origins=["https://shop.example"]), tmp_path)
    template = templates["api"]
    routes = {route["RouteKey"]: route for route in properties(template, "AWS::ApiGatewayV2::Route")}
    (api,) = properties(templates["platform"], "AWS::ApiGatewayV2::Api")
    environment = {
        variable["Name"]: variable["Value"]
        for task in properties(template, "AWS::ECS::TaskDefinition")
        for container in task["ContainerDefinitions"]
        for variable in container.get("Environment", ())
    }

    # The gateway answers no OPTIONS itself: only the api knows the methods of a path.
    assert routes["ANY /v1/{proxy+}"]["AuthorizationType"] == "NONE"
    assert "CorsConfiguration" not in api
    assert environment["MINTLINE_CORS_ORIGINS"] == '["https://shop.example"]'


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "https://*.example", "null"])
def test_deployment__when_an_origin_is_none__then_it_is_refused(origin: str) -> None:
    document = described().model_dump(mode="json") | {"cors_origins": [origin]}

    with pytest.raises(Misconfigured, match="cors_origins"):
        read(document)


def test_stage__when_callers_are_many__then_it_throttles(templates: Templates) -> None:
    (stage,) = properties(templates["api"], "AWS::ApiGatewayV2::Stage")

    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 1000
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == 2000


def test_balancer__when_reached__then_only_from_the_vpc_link(templates: Templates) -> None:
    template = templates["api"]
    (balancer,) = properties(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    (group,) = (
        name
        for name, group in resources(template, "AWS::EC2::SecurityGroup").items()
        if group["Properties"]["GroupDescription"] == "Mintline: the balancer."
    )
    entrances = [
        rule
        for rule in properties(template, "AWS::EC2::SecurityGroupIngress")
        if rule["GroupId"] == {"Fn::GetAtt": [group, "GroupId"]}
    ]

    assert balancer["Scheme"] == "internal"
    (entrance,) = entrances
    assert "SourceSecurityGroupId" in entrance
    assert "CidrIp" not in entrance


def test_firewall__when_one_address_asks_too_often__then_it_is_known_by_what_the_gateway_saw(
    templates: Templates,
) -> None:
    template = templates["api"]
    (firewall,) = properties(template, "AWS::WAFv2::WebACL")
    (rate,) = (rule for rule in firewall["Rules"] if rule["Name"] == "rate")
    (integration,) = properties(template, "AWS::ApiGatewayV2::Integration")

    forwarded = rate["Statement"]["RateBasedStatement"]["ForwardedIPConfig"]
    assert forwarded["HeaderName"] == CLIENT_HEADER
    # Overwritten, so that a caller cannot choose another address.
    assert integration["RequestParameters"] == {
        f"overwrite:header.{CLIENT_HEADER}": "$context.identity.sourceIp",
        f"overwrite:header.{REQUEST_HEADER}": "$context.requestId",
    }
    assert len(resources(template, "AWS::WAFv2::WebACLAssociation")) == 1


def test_tasks__when_the_balancer_reaches_them__then_by_tls(templates: Templates) -> None:
    (targets,) = properties(templates["api"], "AWS::ElasticLoadBalancingV2::TargetGroup")

    assert (targets["Protocol"], targets["HealthCheckProtocol"]) == ("HTTPS", "HTTPS")
    assert api_settings(templates)["MINTLINE_API_TLS"] == "true"


def test_balancer__when_its_target_group_or_listener_is_replaced__then_no_other_stack_imports_it(
    templates: Templates,
) -> None:
    """CloudFormation changes no output that another stack imports."""
    exported = {
        (stack, source)
        for stack, template in templates.items()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
        for source in template["Resources"]
        if f'"{source}"' in json.dumps(output["Value"])
    }
    replaceable = {
        (stack, name)
        for stack, template in templates.items()
        for kind in ("TargetGroup", "Listener")
        for name in resources(template, f"AWS::ElasticLoadBalancingV2::{kind}")
    }

    assert exported
    assert replaceable
    assert exported & replaceable == set()


def test_alarm__when_a_task_fails_its_health_check__then_it_is_in_the_apis_stack_and_on_the_dashboard(
    templates: Templates,
) -> None:
    (alarm,) = properties(templates["api"], "AWS::CloudWatch::Alarm")
    (dashboard,) = properties(templates["watch"], "AWS::CloudWatch::Dashboard")

    assert (alarm["AlarmName"], alarm["MetricName"]) == ("acme-mintline-api-unhealthy", "UnHealthyHostCount")
    assert len(alarm["AlarmActions"]) == 1
    assert ":alarm:acme-mintline-api-unhealthy" in json.dumps(dashboard)


def test_tasks__when_api_gateways_link_reaches_them_itself__then_by_http(tmp_path: Path) -> None:
    """It would check their certificates, which have to be a public authority's."""
    templates = synthesized(small(), tmp_path)
    (integration,) = properties(templates["api"], "AWS::ApiGatewayV2::Integration")

    assert "TlsConfig" not in integration
    assert api_settings(templates)["MINTLINE_API_TLS"] == "false"


def link(templates: Templates) -> tuple[Any, ...]:
    """Return how the link reaches the balancer: protocol, port, certificates, and the checked name."""
    (listener,) = properties(templates["api"], "AWS::ElasticLoadBalancingV2::Listener")
    (integration,) = properties(templates["api"], "AWS::ApiGatewayV2::Integration")
    ports = {
        rule["FromPort"]
        for kind in ("Ingress", "Egress")
        for rule in properties(templates["api"], f"AWS::EC2::SecurityGroup{kind}")
        if rule["Description"] in ("the VPC link of API Gateway", "the balancer")
    }
    assert ports == {listener["Port"]}
    certificates = [certificate["CertificateArn"] for certificate in listener.get("Certificates", ())]
    named = integration.get("TlsConfig", {}).get("ServerNameToVerify")
    return listener["Protocol"], listener["Port"], certificates, named


def test_link__when_the_document_has_no_certificate__then_it_reaches_the_balancer_by_http(
    templates: Templates,
) -> None:
    assert link(templates) == ("HTTP", 80, [], None)


@pytest.mark.parametrize("member", ["certificate_arn", "cloudfront_certificate_arn"])
def test_link__when_the_public_names_certificate_is_in_the_region__then_it_checks_the_balancers(
    member: str, tmp_path: Path
) -> None:
    named = {"public_url": "https://api.example.com/", member: CERTIFICATE}
    templates = synthesized(described(**named), tmp_path)

    assert link(templates) == ("HTTPS", 443, [CERTIFICATE], "api.example.com")
    (listener,) = properties(templates["api"], "AWS::ElasticLoadBalancingV2::Listener")
    assert listener["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-")


def test_link__when_cloudfronts_certificate_is_in_another_region__then_the_balancer_has_none() -> None:
    deployed = described(
        region="eu-west-1", public_url="https://api.example.com", cloudfront_certificate_arn=CERTIFICATE
    )

    assert deployed.inner_certificate is None


def api_settings(templates: Templates) -> dict[str, Any]:
    (task,) = properties(templates["api"], "AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    return {entry["Name"]: entry["Value"] for entry in container["Environment"]}


CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d-0000-4000-8000-000000000000"


def test_name__when_the_document_has_a_certificate__then_the_gateway_answers_under_the_public_urls_host(
    tmp_path: Path,
) -> None:
    deployed = described(public_url="https://api.example.com/", certificate_arn=CERTIFICATE)
    templates = synthesized(deployed, tmp_path)
    (name,) = properties(templates["platform"], "AWS::ApiGatewayV2::DomainName")
    ((_, mapping),) = resources(templates["api"], "AWS::ApiGatewayV2::ApiMapping").items()
    (stage,) = resources(templates["api"], "AWS::ApiGatewayV2::Stage")

    assert name["DomainName"] == mapping["Properties"]["DomainName"] == "api.example.com"
    (configured,) = name["DomainNameConfigurations"]
    assert (configured["CertificateArn"], configured["SecurityPolicy"]) == (CERTIFICATE, "TLS_1_2")
    assert mapping["Properties"]["Stage"] == "$default"
    assert stage in mapping["DependsOn"]
    # Known before the contract names it.
    assert "apinametarget" in templates["platform"]["Outputs"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"certificate_arn": CERTIFICATE}, "takes a public_url"),
        ({"certificate_arn": CERTIFICATE, "public_url": "https://example.com/api"}, "takes a public_url"),
        (
            {
                "certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1"),
                "public_url": "https://a.example",
            },
            "certificates of us-east-1",
        ),
    ],
)
def test_name__when_the_certificate_cannot_be_of_it__then_the_document_is_refused(
    changes: dict[str, str], named: str
) -> None:
    with pytest.raises(Misconfigured, match=named):
        described(**changes)
