"""How the group of the signer's instances waits for them, and replaces the sick."""

from __future__ import annotations

import pytest

from mintline.errors import Misconfigured
from mintline_infra.deployment import read
from mintline_infra.signer import GROUP_ID
from synthesis import Templates, described, properties, resources


def test_group__when_its_instances_do_not_come_up__then_its_creation_and_its_update_fail(
    templates: Templates,
) -> None:
    group = resources(templates["signer"], "AWS::AutoScaling::AutoScalingGroup")[GROUP_ID]
    update = group["UpdatePolicy"]["AutoScalingRollingUpdate"]

    signals = group["CreationPolicy"]["ResourceSignal"]
    assert (signals["Count"], signals["Timeout"]) == (2, "PT15M")
    assert update["WaitOnResourceSignals"] is True
    assert (update["PauseTime"], update["MaxBatchSize"], update["MinInstancesInService"]) == ("PT15M", 1, 1)


def test_group__when_both_instances_are_sick__then_they_are_replaced_one_after_the_other(
    templates: Templates,
) -> None:
    (group,) = properties(templates["signer"], "AWS::AutoScaling::AutoScalingGroup")

    policy = group["InstanceMaintenancePolicy"]
    smallest, healthy = int(group["MinSize"]), policy["MinHealthyPercentage"]
    assert (smallest, healthy) == (2, 100)
    # One further instance at most: the second sick one waits until the first one's successor serves.
    assert smallest * policy["MaxHealthyPercentage"] // 100 - smallest == 1
    assert group["HealthCheckGracePeriod"] == 900


def test_instances__when_a_release_is_deployed__then_they_run_the_image_that_the_document_names(
    templates: Templates,
) -> None:
    (launch,) = properties(templates["signer"], "AWS::EC2::LaunchTemplate")

    assert launch["LaunchTemplateData"]["ImageId"] == "ami-0123456789abcdef0"
    assert "ami-amazon-linux-latest" not in str(templates["signer"])


def test_document__when_it_has_a_contract_and_names_no_image__then_it_says_how_to_find_one() -> None:
    document = described().model_dump(mode="json") | {"signer_ami": None}

    with pytest.raises(Misconfigured, match=r"aws ssm get-parameter .*al2023.* --region us-east-1"):
        read(document)


@pytest.mark.parametrize("service", ["cloudformation", "autoscaling"])
def test_instances__when_they_signal__then_there_is_a_way_to_the_service(
    templates: Templates, service: str
) -> None:
    endpoints = properties(templates["platform"], "AWS::EC2::VPCEndpoint")

    assert [each for each in endpoints if str(each["ServiceName"]).endswith(f".{service}")]
