"""What a small deployment is made of, and that nothing of its custody is less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mintline.errors import Misconfigured
from mintline_infra.costs import SMALL, SMALL_IN_TWO, monthly
from mintline_infra.signer_boot import host_archive
from synthesis import Templates, described, properties, resources, small, synthesized

TASKS = ("api", "builder", "broadcaster", "indexer", "notifier")


@pytest.fixture(scope="module")
def templates_of_small(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return synthesized(small(), tmp_path_factory.mktemp("small"))


def test_small__when_nothing_is_minted__then_it_costs_at_most_150_dollars_and_in_two_zones_280() -> None:
    assert sum(monthly(0, shape=SMALL).values()) <= 150
    assert sum(monthly(0, shape=SMALL_IN_TWO).values()) <= 280


def test_small__when_synthesized__then_what_costs_by_the_hour_is_what_the_table_counts(
    templates_of_small: Templates,
) -> None:
    platform, api = templates_of_small["platform"], templates_of_small["api"]
    interfaces = [
        endpoint
        for endpoint in properties(platform, "AWS::EC2::VPCEndpoint")
        if endpoint.get("VpcEndpointType") == "Interface"
    ]
    (launch,) = properties(templates_of_small["signer"], "AWS::EC2::LaunchTemplate")
    data = launch["LaunchTemplateData"]

    assert [len(endpoint["SubnetIds"]) for endpoint in interfaces] == [1, 1, 1]
    assert not resources(platform, "AWS::EC2::NatGateway")
    for kind in ("ElasticLoadBalancingV2::LoadBalancer", "WAFv2::WebACL"):
        assert not resources(api, f"AWS::{kind}")
    assert (data["InstanceType"], data["Monitoring"]) == ("c6g.large", {"Enabled": False})
    assert data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 10
    assert not resources(templates_of_small["watch"], "AWS::CloudWatch::Dashboard")
    (cluster,) = properties(platform, "AWS::ECS::Cluster")
    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": "disabled"}]


def test_small__when_the_reconciler_passes__then_it_covers_as_many_blocks_as_the_table_counts(
    templates_of_small: Templates, templates: Templates
) -> None:
    def covered(stacks: Templates) -> str:
        (task,) = properties(stacks["reconciler"], "AWS::ECS::TaskDefinition")
        settings = task["ContainerDefinitions"][0]["Environment"]
        return str(next(each["Value"] for each in settings if each["Name"] == "MINTLINE_RECONCILE_BLOCKS"))

    assert (covered(templates), covered(templates_of_small)) == ("1000", "500")


@pytest.mark.parametrize("service", TASKS)
def test_small__when_a_service_runs__then_as_one_task_that_nothing_reaches_but_the_gateways_link(
    templates_of_small: Templates, service: str
) -> None:
    template = templates_of_small[service]
    (ecs_service,) = properties(template, "AWS::ECS::Service")
    (task,) = properties(template, "AWS::ECS::TaskDefinition")
    entrances = properties(template, "AWS::EC2::SecurityGroupIngress")

    assert ecs_service["DesiredCount"] == 1
    assert (task["Cpu"], task["Memory"]) == ("256", "512")
    assert ecs_service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"
    assert not resources(template, "AWS::ApplicationAutoScaling::ScalableTarget")
    assert [rule["FromPort"] for rule in entrances] == ([8080] if service == "api" else [])
    assert not [rule for rule in entrances if "CidrIp" in rule]


def test_small__when_a_request_comes__then_the_link_leads_to_the_tasks_that_cloud_map_lists(
    templates_of_small: Templates,
) -> None:
    template = templates_of_small["api"]
    (integration,) = properties(template, "AWS::ApiGatewayV2::Integration")
    ((registered, _),) = resources(template, "AWS::ServiceDiscovery::Service").items()
    (ecs_service,) = properties(template, "AWS::ECS::Service")
    (registry,) = ecs_service["ServiceRegistries"]

    assert integration["ConnectionType"] == "VPC_LINK"
    assert integration["IntegrationUri"] == {"Fn::GetAtt": [registered, "Arn"]}
    assert registry["RegistryArn"] == {"Fn::GetAtt": [registered, "Arn"]}
    assert registry["ContainerPort"] == 8080
    # A caller cannot choose the address by which it is known.
    assert set(integration["RequestParameters"]) == {
        "overwrite:header.x-mintline-client",
        "overwrite:header.x-mintline-request",
    }


def test_small__when_its_signer_is_compared__then_custody_is_as_in_any_other(
    templates_of_small: Templates, templates: Templates
) -> None:
    def key_policies(of: Templates) -> list[Any]:
        return [key["KeyPolicy"] for key in properties(of["data"], "AWS::KMS::Key")]

    (launch,) = properties(templates_of_small["signer"], "AWS::EC2::LaunchTemplate")
    (usual,) = properties(templates["signer"], "AWS::EC2::LaunchTemplate")
    same = ("EnclaveOptions", "MetadataOptions")
    routes = properties(templates_of_small["platform"], "AWS::EC2::Route")

    assert key_policies(templates_of_small) == key_policies(templates)
    assert {name: launch["LaunchTemplateData"][name] for name in same} == {
        name: usual["LaunchTemplateData"][name] for name in same
    }
    assert not [route for route in routes if "signerSubnet" in str(route["RouteTableId"])]
    assert not resources(templates_of_small["signer"], "AWS::SSM::Document")
    (group,) = properties(templates_of_small["signer"], "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group


def test_small__when_its_signer_is_created_or_updated__then_the_stack_waits_for_it_to_serve(
    templates_of_small: Templates, tmp_path: Path
) -> None:
    def waiting(template: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        ((name, condition),) = resources(template, "AWS::CloudFormation::WaitCondition").items()
        return name, condition

    template = templates_of_small["signer"]
    name, wait = waiting(template)
    (group,) = properties(template, "AWS::AutoScaling::AutoScalingGroup")
    other, _ = waiting(synthesized(small(enclave_image="signer-0.2.0.eif"), tmp_path)["signer"])

    assert (wait["Properties"]["Count"], wait["Properties"]["Timeout"]) == (1, "900")
    assert wait["DependsOn"] == ["SignerInstances"]
    assert (group["MinSize"], group["MaxSize"]) == ("1", "2")
    (handle,) = resources(template, "AWS::CloudFormation::WaitConditionHandle")
    assert handle in str(resources(template, "AWS::EC2::LaunchTemplate"))
    # One that was met once is never waited for again.
    assert other != name


def test_small__when_its_signer_signals__then_s3_passes_on_what_its_own_stack_waits_for(
    templates_of_small: Templates,
) -> None:
    (statements,) = (
        endpoint["PolicyDocument"]["Statement"]
        for endpoint in properties(templates_of_small["platform"], "AWS::EC2::VPCEndpoint")
        if "waitcondition" in str(endpoint)
    )
    (putting,) = (each for each in statements if each["Action"] == "s3:PutObject")

    assert putting["Resource"] == (
        "arn:aws:s3:::cloudformation-waitcondition-us-east-1/"
        "arn:aws:cloudformation:us-east-1:111122223333:stack/acme-mintline-signer/*"
    )


def test_small__when_no_task_runs__then_an_alarm_without_container_insights_fires(
    templates_of_small: Templates,
) -> None:
    alarms = {
        alarm["AlarmName"].removeprefix("acme-mintline-"): alarm
        for alarm in properties(templates_of_small["watch"], "AWS::CloudWatch::Alarm")
    }

    for service in TASKS:
        alarm = alarms[f"{service}-not-running"]
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/ECS", "CPUUtilization")
        assert (alarm["Statistic"], alarm["Threshold"]) == ("SampleCount", 1)
        assert alarm["TreatMissingData"] == "breaching"
    assert "api-unhealthy" not in alarms


def test_archive__when_the_document_has_a_tag__then_the_hosts_image_is_named_by_it() -> None:
    assert host_archive(small(image_tag="0.3.0")) == "signer-host-0.3.0.tar"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"wallet_store": "secretsmanager"}, "Secrets Manager"),
        ({"zones": []}, "zones"),
    ],
)
def test_small__when_its_signer_could_not_reach_its_keys__then_the_document_is_refused(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(Misconfigured, match=named):
        small(**changes)


def test_small__when_the_authorization_key_is_a_secret__then_the_document_is_refused() -> None:
    chain = small().chain.model_dump(mode="json")
    chain["authorization_key"]["secrets"] = ["acme-mintline/sealing/1/0011223344556677"]

    with pytest.raises(Misconfigured, match="Secrets Manager"):
        small(chain=chain)


def test_standard__when_one_zone_is_named__then_the_document_is_refused() -> None:
    with pytest.raises(Misconfigured, match="two zones"):
        described(zones=["a"])
