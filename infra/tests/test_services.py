from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from mintline_api.settings import Settings as ApiSettings
from mintline_broadcaster.settings import BroadcasterSettings
from mintline_builder.settings import Settings as BuilderSettings
from mintline_indexer.reconciler.settings import ReconcilerSettings
from mintline_indexer.settings import IndexerSettings
from mintline_notifier.settings import NotifierSettings
from mintline_signer.host.settings import HostSettings

from mintline.settings import PREFIX, ServiceSettings, load
from mintline_infra.app import build
from mintline_infra.deployment import Deployment, read
from mintline_infra.signer import host_settings
from synthesis import Templates, described, listed, minting, properties, resources, synthesized

MODELS: dict[str, type[ServiceSettings]] = {
    "api": ApiSettings,
    "builder": BuilderSettings,
    "broadcaster": BroadcasterSettings,
    "indexer": IndexerSettings,
    "notifier": NotifierSettings,
}
SECRETS = {
    "api": {"MINTLINE_CURSOR_SECRET", "MINTLINE_EMAIL_SECRET", "MINTLINE_RPC_URLS"},
    "builder": {"MINTLINE_RPC_URLS"},
    "broadcaster": {"MINTLINE_RPC_URLS"},
    "indexer": {"MINTLINE_RPC_URLS"},
    "notifier": set(),
}
SECRET_VALUES = {
    "MINTLINE_CURSOR_SECRET": "s" * 64,
    "MINTLINE_EMAIL_SECRET": "e" * 64,
    "MINTLINE_RPC_URLS": '["https://node.example"]',
}
SERVICES = sorted(MODELS)


def container(templates: Templates, service: str) -> dict[str, Any]:
    (definition,) = properties(templates[service], "AWS::ECS::TaskDefinition")
    (only,) = definition["ContainerDefinitions"]
    described: dict[str, Any] = only
    return described


def environment(templates: Templates, service: str) -> dict[str, str]:
    """Return a task's variables; what only AWS knows when it deploys stands as a URL or a key's ARN."""
    when_deployed = {"MINTLINE_WALLET_KEY_ARNS": '["arn:aws:kms:us-east-1:111122223333:key/0a1b"]'}
    return {
        entry["Name"]: entry["Value"]
        if isinstance(entry["Value"], str)
        else when_deployed.get(entry["Name"], "https://known-when-deployed")
        for entry in container(templates, service)["Environment"]
    }


@pytest.mark.parametrize("numbers", [[1], [1, 2], [2, 1]])
def test_api__when_a_kms_key_makes_wallets_keys__then_it_is_told_the_arns_of_just_the_deployments(
    numbers: list[int], tmp_path: Path
) -> None:
    templates = synthesized(described(wallet_keys=numbers), tmp_path)
    (joined,) = (
        entry["Value"]["Fn::Join"]
        for entry in container(templates, "api")["Environment"]
        if entry["Name"] == "MINTLINE_WALLET_KEY_ARNS"
    )
    exported = {
        output["Export"]["Name"]: output["Value"]
        for output in templates["data"]["Outputs"].values()
        if "Export" in output
    }
    imported = [exported[part["Fn::ImportValue"]] for part in joined[1] if isinstance(part, dict)]
    keys = (
        name
        for name, key in resources(templates["data"], "AWS::KMS::Key").items()
        if "in custody" in key["Properties"]["Description"]
    )

    assert imported == [{"Fn::GetAtt": [key, "Arn"]} for key in keys]
    assert "".join(part if isinstance(part, str) else "x" for part in joined[1]) == json.dumps(
        ["x"] * len(numbers), separators=(",", ":")
    )


def fields(model: type[ServiceSettings]) -> set[str]:
    return {f"{PREFIX}{name.upper()}" for name in model.model_fields}


@pytest.mark.parametrize("service", SERVICES)
def test_task__when_its_service_starts__then_it_is_told_all_it_needs_and_nothing_it_does_not_read(
    templates: Templates, service: str
) -> None:
    plain = environment(templates, service)
    secret = {entry["Name"] for entry in container(templates, service).get("Secrets", ())}

    assert secret == SECRETS[service]
    assert set(plain) | secret <= fields(MODELS[service])
    settings = load(MODELS[service], plain | {name: SECRET_VALUES[name] for name in secret})
    assert settings.resource_prefix == "acme-mintline"


def test_builder__when_the_deployment_has_a_relayer__then_it_is_told_of_it(
    templates: Templates, deployment: Deployment, tmp_path: Path
) -> None:
    document = deployment.model_dump(mode="json")
    del document["chain"]["relayer"]
    without = synthesized(read(document), tmp_path)

    given, not_told = (environment(stack_templates, "builder") for stack_templates in (templates, without))

    relayer = deployment.chain.relayer
    assert relayer is not None
    assert json.loads(given.pop("MINTLINE_RELAYERS")) == [relayer.model_dump(mode="json")]
    assert given == not_told


def test_authorization_key__when_a_document_of_before_calls_it_sealing__then_it_is_the_same(
    deployment: Deployment,
) -> None:
    document = deployment.model_dump(mode="json")
    document["chain"]["sealing"] = document["chain"].pop("authorization_key")
    assert read(document) == deployment


def test_signer__when_its_host_starts__then_it_is_told_all_it_needs_and_its_proxy_leads_to_kms_alone(
    deployment: Deployment,
) -> None:
    host = host_settings(deployment, minting(deployment))

    assert set(host) <= fields(HostSettings)
    settings = load(HostSettings, host)
    assert isinstance(settings, HostSettings)
    assert settings.kms_proxy_target == "kms.us-east-1.amazonaws.com:443"
    assert settings.enclave_access_key_id is None


@pytest.mark.parametrize("service", SERVICES)
def test_task__when_it_runs__then_on_arm_with_its_own_role_and_nothing_writable(
    templates: Templates, service: str
) -> None:
    (definition,) = properties(templates[service], "AWS::ECS::TaskDefinition")
    created = container(templates, service)

    assert definition["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    assert definition["TaskRoleArn"] == f"arn:aws:iam::111122223333:role/acme-mintline-{service}"
    assert created["ReadonlyRootFilesystem"] is True
    assert created["StopTimeout"] == 30


@pytest.mark.parametrize("service", SERVICES)
def test_execution_role__when_it_reads_secrets__then_only_those_of_its_task(
    templates: Templates, service: str
) -> None:
    allowed = [
        statement
        for policy in properties(templates[service], "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if any(action.startswith("secretsmanager:") for action in listed(statement["Action"]))
    ]
    used = {str(entry["ValueFrom"]) for entry in container(templates, service).get("Secrets", ())}

    assert {str(resource) for statement in allowed for resource in listed(statement["Resource"])} == used


@pytest.mark.parametrize("service", SERVICES)
def test_service__when_a_deployment_fails__then_it_is_rolled_back(templates: Templates, service: str) -> None:
    (ecs_service,) = properties(templates[service], "AWS::ECS::Service")

    assert ecs_service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {
        "Enable": True,
        "Rollback": True,
    }
    spot = {
        entry["CapacityProvider"]: (entry.get("Base"), entry["Weight"])
        for entry in ecs_service["CapacityProviderStrategy"]
    }
    assert spot["FARGATE"] == (1, 1)
    assert ("FARGATE_SPOT" in spot) is (service in {"builder", "broadcaster"})


@pytest.mark.parametrize(("service", "queue"), [("builder", "build"), ("broadcaster", "broadcast")])
def test_worker__when_its_queue_grows__then_it_scales_on_the_backlog_of_each_task(
    templates: Templates, service: str, queue: str
) -> None:
    (policy,) = properties(templates[service], "AWS::ApplicationAutoScaling::ScalingPolicy")
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    metrics = {metric["Id"]: metric for metric in configuration["CustomizedMetricSpecification"]["Metrics"]}

    waiting = metrics["waiting"]["MetricStat"]["Metric"]
    assert waiting["Dimensions"] == [{"Name": "QueueName", "Value": f"acme-mintline-{queue}.fifo"}]
    assert metrics["running"]["MetricStat"]["Metric"]["MetricName"] == "RunningTaskCount"
    assert metrics["backlog"]["Expression"] == "waiting / IF(running > 0, running, 1)"
    assert [name for name, metric in metrics.items() if metric["ReturnData"]] == ["backlog"]


def test_api__when_it_is_busy__then_it_scales_on_cpu(templates: Templates) -> None:
    (policy,) = properties(templates["api"], "AWS::ApplicationAutoScaling::ScalingPolicy")

    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    metric = configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric == "ECSServiceAverageCPUUtilization"


def test_reconciler__when_it_is_time__then_one_task_of_the_indexers_image_makes_one_pass(
    templates: Templates, deployment: Deployment
) -> None:
    template = templates["reconciler"]
    (rule,) = properties(template, "AWS::Events::Rule")
    (target,) = rule["Targets"]
    ((definition, task),) = resources(template, "AWS::ECS::TaskDefinition").items()
    (created,) = task["Properties"]["ContainerDefinitions"]
    plain = {entry["Name"]: entry["Value"] for entry in created["Environment"]}

    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(15 minutes)", "ENABLED")
    assert target["EcsParameters"]["TaskDefinitionArn"] == {"Ref": definition}
    network = target["EcsParameters"]["NetworkConfiguration"]["AwsVpcConfiguration"]
    assert (target["EcsParameters"]["TaskCount"], network["AssignPublicIp"]) == (1, "DISABLED")
    assert created["EntryPoint"] == ["python", "-m", "mintline_indexer.reconciler"]
    assert "imagesindexer" in str(created["Image"])
    assert task["Properties"]["TaskRoleArn"] == deployment.role_arn("reconciler")
    settings = load(ReconcilerSettings, plain | {"MINTLINE_RPC_URLS": SECRET_VALUES["MINTLINE_RPC_URLS"]})
    assert (settings.reconcile_every, settings.reconcile_blocks) == (0, 1_000)
    assert set(plain) <= fields(ReconcilerSettings)


def test_reconciler__when_eventbridge_starts_it__then_by_a_role_that_starts_this_task_alone(
    templates: Templates, deployment: Deployment
) -> None:
    template = templates["reconciler"]
    (starter,) = (
        logical
        for logical, role in resources(template, "AWS::IAM::Role").items()
        if role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
        == {"Service": "events.amazonaws.com"}
    )
    (policy,) = (p for p in properties(template, "AWS::IAM::Policy") if p["Roles"] == [{"Ref": starter}])
    (definition,) = resources(template, "AWS::ECS::TaskDefinition")
    run, lend = policy["PolicyDocument"]["Statement"]

    assert (run["Action"], run["Resource"]) == ("ecs:RunTask", {"Ref": definition})
    assert set(run["Condition"]) == {"ArnEquals"}
    assert lend["Action"] == "iam:PassRole"
    execution, own = lend["Resource"]
    assert (set(execution), own) == ({"Fn::GetAtt"}, deployment.role_arn("reconciler"))


def test_indexer__when_deployed__then_two_copies_run_unnamed_and_do_not_scale(templates: Templates) -> None:
    (ecs_service,) = properties(templates["indexer"], "AWS::ECS::Service")

    assert ecs_service["DesiredCount"] == 2
    # A name shared by both would have each take the other for itself.
    assert "MINTLINE_INSTANCE" not in environment(templates, "indexer")
    assert not resources(templates["indexer"], "AWS::ApplicationAutoScaling::ScalableTarget")


def test_stacks__when_all_are_deployed__then_the_api_comes_after_those_that_read_what_it_stores(
    tmp_path: Path,
) -> None:
    app = cdk.App(outdir=str(tmp_path))
    build(app, described())
    order = [stack.stack_name.removeprefix("acme-mintline-") for stack in app.synth().stacks]

    assert order.index("api") > max(order.index("builder"), order.index("broadcaster"))
