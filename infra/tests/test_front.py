"""CloudFront in front of the API: what it keeps, what it passes on, and whose address the firewall counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mintline.errors import Misconfigured
from mintline_infra.edge import CLIENT_HEADER
from mintline_infra.front import FRONT_HEADER, VIEWER_HEADER
from synthesis import Templates, described, fronted, properties, small, synthesized

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d-0000-4000-8000-000000000000"
NAMED = {"public_url": "https://nft.example.com", "cloudfront_certificate_arn": CERTIFICATE}
DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
"""AWS's managed cache policy CachingDisabled."""
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""AWS's managed origin request policy AllViewerExceptHostHeader."""


@pytest.fixture(scope="module")
def with_front(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return synthesized(fronted(), tmp_path_factory.mktemp("front"))


def front(templates: Templates) -> dict[str, Any]:
    (distribution,) = properties(templates["platform"], "AWS::CloudFront::Distribution")
    config: dict[str, Any] = distribution["DistributionConfig"]
    return config


def origin_of(config: dict[str, Any], behavior: dict[str, Any]) -> dict[str, Any]:
    (matching,) = (origin for origin in config["Origins"] if origin["Id"] == behavior["TargetOriginId"])
    return dict(matching)


def test_front__when_the_document_names_a_certificate__then_it_answers_under_the_public_urls_host(
    with_front: Templates,
) -> None:
    config = front(with_front)

    assert config["Aliases"] == ["nft.example.com"]
    assert config["ViewerCertificate"]["AcmCertificateArn"] == CERTIFICATE
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    # In the stack that stands before the contract names the address.
    assert "fronttarget" in with_front["platform"]["Outputs"]
    assert not properties(with_front["platform"], "AWS::ApiGatewayV2::DomainName")
    assert '"https://nft.example.com/media"' in str(with_front["api"]).replace("'", '"')


def test_front__when_a_request_is_anybodys_own__then_it_is_passed_on_and_nothing_is_kept(
    with_front: Templates,
) -> None:
    config = front(with_front)
    rest = config["DefaultCacheBehavior"]

    assert (rest["CachePolicyId"], rest["OriginRequestPolicyId"]) == (DISABLED, ALL_BUT_HOST)
    assert {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} <= set(rest["AllowedMethods"])
    assert "execute-api" in str(origin_of(config, rest)["DomainName"])
    # Errors too: CloudFront would give one user's 404 to another for ten seconds.
    kept = {error["ErrorCode"]: error["ErrorCachingMinTTL"] for error in config["CustomErrorResponses"]}
    assert kept == dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)


def test_front__when_everyone_may_read_it__then_it_is_kept_as_long_as_the_api_and_the_bucket_say(
    with_front: Templates,
) -> None:
    config = front(with_front)
    behaviors = {behavior["PathPattern"]: behavior for behavior in config["CacheBehaviors"]}
    (policy,) = properties(with_front["platform"], "AWS::CloudFront::CachePolicy")
    caching = policy["CachePolicyConfig"]

    assert set(behaviors) == {"/v1/metadata/*", "/media/*"}
    assert "CachePolicy" not in str(behaviors["/v1/metadata/*"].get("OriginRequestPolicyId", ""))
    assert (caching["DefaultTTL"], caching["MinTTL"]) == (0, 0)
    key = caching["ParametersInCacheKeyAndForwardedToOrigin"]
    assert {key[part][f"{name}Behavior"] for part, name in PARTS.items()} == {"none"}
    media = behaviors["/media/*"]
    assert "publicmedia" in str(origin_of(config, media)["DomainName"])
    # Pages of every origin may read it, though the request that filled the cache named none.
    assert media["ResponseHeadersPolicyId"] == SIMPLE_CORS
    assert {tuple(behavior.get("AllowedMethods", ())) for behavior in behaviors.values()} == {()}


SIMPLE_CORS = "60669652-455b-4ae9-85a4-c4c02393f86c"
"""AWS's managed policy of that name."""
PARTS = {"CookiesConfig": "Cookie", "HeadersConfig": "Header", "QueryStringsConfig": "QueryString"}


def test_firewall__when_cloudfront_is_in_front__then_it_counts_viewers_of_it_and_others_by_the_gateway(
    with_front: Templates, templates: Templates
) -> None:
    def rates(of: Templates) -> dict[str, Any]:
        (firewall,) = properties(of["api"], "AWS::WAFv2::WebACL")
        statements = {rule["Name"]: rule["Statement"] for rule in firewall["Rules"]}
        return {
            name: statement["RateBasedStatement"]
            for name, statement in statements.items()
            if "RateBasedStatement" in statement
        }

    rate_rules = rates(with_front)
    header = {name: statement["ForwardedIPConfig"]["HeaderName"] for name, statement in rate_rules.items()}
    viewers = rate_rules["rate-viewers"]["ScopeDownStatement"]
    match = viewers["ByteMatchStatement"]
    config = front(with_front)
    (sent,) = origin_of(config, config["DefaultCacheBehavior"])["OriginCustomHeaders"]
    (function,) = properties(with_front["platform"], "AWS::CloudFront::Function")

    assert header == {"rate": CLIENT_HEADER, "rate-viewers": VIEWER_HEADER}
    assert rate_rules["rate"]["ScopeDownStatement"] == {"NotStatement": {"Statement": viewers}}
    assert match["FieldToMatch"]["SingleHeader"] == {"Name": FRONT_HEADER}
    # What CloudFront sends is what the firewall compares: one secret, resolved when they are deployed.
    assert sent["HeaderName"] == FRONT_HEADER
    assert sent["HeaderValue"] == match["SearchString"]
    assert "{{resolve:secretsmanager:" in str(match["SearchString"])
    # Overwritten for each request, so that no caller of CloudFront chooses it.
    assert f"request.headers['{VIEWER_HEADER}'] = {{ value: event.viewer.ip }}" in function["FunctionCode"]
    assert set(rates(templates)) == {"rate"}
    assert "ScopeDownStatement" not in rates(templates)["rate"]


def test_front__when_the_deployment_is_small__then_it_costs_no_secret_and_there_is_no_firewall_to_tell(
    tmp_path: Path,
) -> None:
    front_templates = synthesized(small(**NAMED), tmp_path)

    config = front(front_templates)
    assert "OriginCustomHeaders" not in origin_of(config, config["DefaultCacheBehavior"])
    assert len(properties(front_templates["data"], "AWS::SecretsManager::Secret")) == 3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cloudfront_certificate_arn": CERTIFICATE}, "takes a public_url"),
        (NAMED | {"certificate_arn": CERTIFICATE}, "name cloudfront_certificate_arn alone"),
        (
            NAMED | {"cloudfront_certificate_arn": CERTIFICATE.replace("us-east-1", "eu-west-1")},
            "cloudfront_certificate_arn",
        ),
        (
            NAMED | {"region": "us-gov-west-1", "media_url": "https://media.example.com"},
            "us-gov-west-1 has no CloudFront",
        ),
    ],
)
def test_front__when_its_certificate_cannot_be_used__then_the_document_is_refused(
    changes: dict[str, str], named: str
) -> None:
    with pytest.raises(Misconfigured, match=named):
        described(**changes)
