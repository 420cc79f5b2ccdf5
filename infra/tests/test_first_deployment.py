"""What a first deployment that failed leaves behind, and whether the next one meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from mintline.aws.partitions import domain, partition
from mintline.errors import Misconfigured
from mintline_infra.app import build
from mintline_infra.deployment import Deployment, read
from synthesis import Templates, described, properties, resources, synthesized

FIXED_NAMES = {
    "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig",
    "AWS::Cognito::UserPool": "UserPoolName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SecretsManager::Secret": "Name",
}
"""The property by which a resource has a name of its own, by its type."""
FIRST = ("access", "data", "platform", "identity")


def named(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        logical: resource
        for logical, resource in template["Resources"].items()
        if FIXED_NAMES.get(resource["Type"]) in resource.get("Properties", {})
    }


@pytest.mark.parametrize(
    ("stack", "at_least"), [("access", 8), ("data", 24), ("platform", 7), ("identity", 1)]
)
def test_resources__when_their_first_creation_fails__then_none_with_a_fixed_name_is_left(
    templates: Templates, stack: str, at_least: int
) -> None:
    fixed = named(templates[stack])

    assert len(fixed) >= at_least
    left = {logical for logical, resource in fixed.items() if resource.get("DeletionPolicy") == "Retain"}
    assert not left


@pytest.mark.parametrize("stack", FIRST)
def test_resources__when_an_update_or_a_deletion_would_remove_them__then_they_are_kept(
    templates: Templates, stack: str
) -> None:
    kept = [
        resource
        for resource in named(templates[stack]).values()
        if resource["Type"] != "AWS::CloudFront::ResponseHeadersPolicy"
    ]

    assert {resource["DeletionPolicy"] for resource in kept} == {"RetainExceptOnCreate"}
    assert {resource["UpdateReplacePolicy"] for resource in kept} == {"Retain"}


def test_wallet_key__when_the_update_that_makes_a_further_one_fails__then_it_is_kept(tmp_path: Path) -> None:
    """Wallets' keys may have been wrapped by it in between."""
    templates = synthesized(described(wallet_keys=[2, 1]), tmp_path)
    policies = {
        logical: key["DeletionPolicy"]
        for logical, key in resources(templates["data"], "AWS::KMS::Key").items()
        if "in custody" in key["Properties"]["Description"]
    }

    assert sorted(policies.values()) == ["Retain", "RetainExceptOnCreate"]
    (kept,) = (logical for logical, policy in policies.items() if policy == "Retain")
    assert kept.startswith("walletkey2")


@pytest.mark.parametrize(("chain", "protected"), [({"chain_id": 1}, False), (None, True)])
def test_protection__when_a_deployment_has_no_contract_yet__then_a_failed_one_can_be_removed(
    tmp_path: Path,
    chain: dict[str, Any] | None,
    protected: bool,  # noqa: FBT001 - the table's last column
) -> None:
    deployment = described() if chain is None else described(chain=chain)
    app = cdk.App(outdir=str(tmp_path))
    build(app, deployment)
    stacks = {stack.stack_name.removeprefix("acme-mintline-"): stack for stack in app.synth().stacks}

    assert {name: bool(stacks[name].termination_protection) for name in FIRST} == dict.fromkeys(
        FIRST, protected
    )
    tables = properties(stacks["data"].template, "AWS::DynamoDB::Table")
    assert {table["DeletionProtectionEnabled"] for table in tables} == {protected}
    (pool,) = properties(stacks["identity"].template, "AWS::Cognito::UserPool")
    assert pool["DeletionProtection"] == ("ACTIVE" if protected else "INACTIVE")


def test_balancer__when_the_first_creation_of_its_stack_fails__then_it_can_be_removed(
    templates: Templates,
) -> None:
    (balancer,) = properties(templates["api"], "AWS::ElasticLoadBalancingV2::LoadBalancer")

    attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    assert attributes.get("deletion_protection.enabled", "false") == "false"


def test_address__when_only_the_first_stacks_are_there__then_it_is_known(tmp_path: Path) -> None:
    """The contract names it, and is deployed before the services."""
    first = synthesized(described(chain={"chain_id": 1}), tmp_path)

    (api,) = resources(first["platform"], "AWS::ApiGatewayV2::Api")
    assert {"Fn::GetAtt": [api, "ApiEndpoint"]} in [
        output["Value"] for output in first["platform"]["Outputs"].values()
    ]


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("1acme", "begin with a letter"),
        ("-acme", "begin with a letter"),
        ("acme-", "end with a letter or digit"),
        ("acme--nfts", "two hyphens"),
        ("Acme", "lower-case"),
        ("acme_nfts", "lower-case"),
        ("aws-x", "'aws'"),
        ("draws", "'aws'"),
        ("my-cognito", "'cognito'"),
        ("amzn-x", "'amzn'"),
        ("sthree-x", "'sthree-'"),
        ("ac", "at least 3"),
        ("a" * 41, "at most 40"),
    ],
)
def test_prefix__when_a_service_would_refuse_it__then_the_document_is_refused_with_the_reason(
    prefix: str, reason: str
) -> None:
    document = described().model_dump(mode="json") | {"prefix": prefix}

    with pytest.raises(Misconfigured, match=reason) as raised:
        read(document)
    assert str(raised.value).startswith("deployment: prefix: ")


@pytest.mark.parametrize("prefix", ["abc", "acme-mintline", "a1-b2-c3", "a" * 40])
def test_prefix__when_every_service_takes_it__then_the_document_is_read(prefix: str) -> None:
    document = described().model_dump(mode="json") | {"prefix": prefix}

    assert read(document).prefix == prefix


def test_arns__when_the_region_is_in_another_partition__then_they_and_the_hosts_are_of_it(
    tmp_path: Path,
) -> None:
    elsewhere = described(region="us-gov-west-1", media_url="https://media.example.gov")
    templates = synthesized(elsewhere, tmp_path)

    text = str(templates)
    assert "arn:aws-us-gov:iam::111122223333:role/acme-mintline-signer" in text
    assert "arn:aws:" not in text
    assert "kms.us-gov-west-1.amazonaws.com:443" in text
    assert not [
        resource for resource in templates["data"]["Resources"].values() if "CloudFront" in resource["Type"]
    ]


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("us-east-1", ("aws", "amazonaws.com")),
        ("us-gov-west-1", ("aws-us-gov", "amazonaws.com")),
        ("cn-north-1", ("aws-cn", "amazonaws.com.cn")),
    ],
)
def test_partition__when_a_region_is_named__then_it_and_its_domain_are_known(
    region: str, expected: tuple[str, str]
) -> None:
    assert (partition(region), domain(region)) == expected


@pytest.mark.parametrize(
    ("region", "reason"), [("cn-north-1", "no Cognito user pools"), ("us-gov-west-1", "media_url")]
)
def test_region__when_it_lacks_a_service__then_the_document_is_refused_with_the_reason(
    region: str, reason: str
) -> None:
    document = described().model_dump(mode="json") | {"region": region}

    with pytest.raises(Misconfigured, match=reason):
        read(document)


@pytest.mark.parametrize(
    ("service", "count"), [("api", None), ("builder", None), ("broadcaster", None), ("indexer", 2)]
)
def test_service__when_it_scales__then_a_deployment_does_not_set_its_count_back(
    templates: Templates, service: str, count: int | None
) -> None:
    (ecs_service,) = properties(templates[service], "AWS::ECS::Service")

    assert ecs_service.get("DesiredCount") == count
    scaled = resources(templates[service], "AWS::ApplicationAutoScaling::ScalableTarget")
    assert bool(scaled) is (count is None)


def test_stacks__when_a_release_is_deployed__then_readers_come_before_writers(
    deployment: Deployment, tmp_path: Path
) -> None:
    app = cdk.App(outdir=str(tmp_path))
    build(app, deployment)
    stacks = {stack.stack_name.removeprefix("acme-mintline-"): stack for stack in app.synth().stacks}

    def before(name: str) -> set[str]:
        return {dependency.id.removeprefix("acme-mintline-") for dependency in stacks[name].dependencies}

    assert "broadcaster" in before("signer")
    assert {"signer", "notifier"} <= before("builder")
    assert {"broadcaster", "notifier"} <= before("indexer")
    assert "notifier" in before("broadcaster")
    assert {"builder", "broadcaster", "indexer", "notifier", "reconciler"} <= before("api")
