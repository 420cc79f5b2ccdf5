from __future__ import annotations

from mintline_infra.edge import CLIENT_HEADER
from synthesis import Templates, properties, resources

PUBLIC = {
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


def test_stage__when_callers_are_many__then_it_throttles(templates: Templates) -> None:
    (stage,) = properties(templates["api"], "AWS::ApiGatewayV2::Stage")

    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 1000
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == 2000


def test_balancer__when_reached__then_only_from_the_vpc_link(templates: Templates) -> None:
    template = templates["api"]
    (made,) = properties(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    (group,) = (
        name
        for name, one in resources(template, "AWS::EC2::SecurityGroup").items()
        if one["Properties"]["GroupDescription"] == "Mintline: the balancer."
    )
    entrances = [
        rule
        for rule in properties(template, "AWS::EC2::SecurityGroupIngress")
        if rule["GroupId"] == {"Fn::GetAtt": [group, "GroupId"]}
    ]

    assert made["Scheme"] == "internal"
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
        f"overwrite:header.{CLIENT_HEADER}": "$context.identity.sourceIp"
    }
    assert len(resources(template, "AWS::WAFv2::WebACLAssociation")) == 1
