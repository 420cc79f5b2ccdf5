"""The stacks of roles, users and canaries, deployed to the emulator's CloudFormation after the data stack.

The emulator takes every type of resource that they have: none is left out of a template.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from emulator import client, deploy, emulator
from test_grants import CHAIN_ID, PREFIX, SERVICES, STATED, end

from mintline.scopes import DESCRIPTIONS, OPERATORS, RESOURCE_SERVER, SIGN_IN_SCOPES
from mintline_infra.permissions import PERMISSIONS
from synthesis import Templates, described, listed, synthesized

ACCOUNT = "111122223333"
ORDER = ("access", "data", "identity", "canary")
"""As `mintline_infra.app` has them depend on each other."""
EMULATED = (
    "sqs,dynamodb,s3,kms,secretsmanager,cognito-idp,lambda,events,logs,cloudformation,cloudfront,iam,ssm,sts"
)
BOTO3 = """
from botocore.session import get_session

def client(name):
    return get_session().create_client(name)
"""
"""What the canary has of boto3 in Lambda's runtime; the emulator's lacks it."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """Where the stacks were deployed, from which templates, and their outputs by stack."""

    endpoint: str
    templates: Templates
    outputs: dict[str, dict[str, str]]


def runtime(folder: Path) -> Path:
    """Lay out a folder of modules for the emulated Lambda's Python: boto3, and what botocore needs."""
    folder.mkdir()
    (folder / "boto3.py").write_text(BOTO3)
    for name in ("botocore", "dateutil", "jmespath", "six", "urllib3"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        where = Path(spec.origin)
        where = where.parent if where.name == "__init__.py" else where
        (folder / where.name).symlink_to(where)
    return folder


@pytest.fixture
async def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Deployed]:
    # The emulator takes twelve digits for the account.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    described_as = described(PREFIX, signing_policy="policies/now.json")
    chain = described_as.chain.model_copy(update={"chain_id": CHAIN_ID})
    templates = synthesized(described_as.model_copy(update={"chain": chain}), tmp_path / "cdk")
    settings = {"SERVICES": EMULATED, "PYTHONPATH": str(runtime(tmp_path / "runtime"))}
    with emulator(settings) as endpoint:
        outputs = {name: await deploy(templates[name], endpoint, f"{PREFIX}-{name}") for name in ORDER}
        yield Deployed(endpoint, templates, outputs)


async def test_stacks__when_deployed_to_the_emulator__then_roles_users_and_canaries_are_as_meant(
    deployed: Deployed,
) -> None:
    """One test for all: deploying takes longer than looking."""
    await has_all_resources(deployed)
    async with client("iam", deployed.endpoint) as iam:
        stated = json.loads(STATED.read_text())
        pool = f"userpool/{deployed.outputs['identity']['userpool']}"
        for service in SERVICES:
            role = (await iam.get_role(RoleName=f"{PREFIX}-{service}"))["Role"]
            (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert trust["Principal"] == {"Service": PERMISSIONS[service].principal}
            assert role["Arn"] == deployed.outputs["access"][f"{service}role"]
            assert ordered(await statements(iam, f"{PREFIX}-{service}", pool)) == ordered(stated[service])
    async with client("cognito-idp", deployed.endpoint) as cognito:
        await users_sign_in_by_code(cognito, deployed.outputs["identity"])
    await canary_asks_as_deployed(deployed)


async def has_all_resources(deployed: Deployed) -> None:
    """Expect each resource of each template, complete."""
    async with client("cloudformation", deployed.endpoint) as cloudformation:
        for name in ORDER:
            description = await cloudformation.describe_stack_resources(StackName=f"{PREFIX}-{name}")
            statuses = {
                resource["LogicalResourceId"]: resource["ResourceStatus"]
                for resource in description["StackResources"]
            }
            assert statuses == dict.fromkeys(deployed.templates[name]["Resources"], "CREATE_COMPLETE")


async def statements(iam: Any, role: str, pool: str) -> list[dict[str, Any]]:
    """Return what a role may do, by all its policies, with resources as `grants.json` names them."""
    documents = [
        (await iam.get_role_policy(RoleName=role, PolicyName=name))["PolicyDocument"]
        for name in (await iam.list_role_policies(RoleName=role))["PolicyNames"]
    ]
    for attached in (await iam.list_attached_role_policies(RoleName=role))["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = (await iam.get_policy(PolicyArn=arn))["Policy"]["DefaultVersionId"]
        policy_version = await iam.get_policy_version(PolicyArn=arn, VersionId=version)
        documents.append(policy_version["PolicyVersion"]["Document"])
    return [
        {
            "Effect": statement["Effect"],
            "Action": listed(statement["Action"]),
            "Resource": [
                "*" if resource.endswith(pool) else end(resource)
                for resource in listed(statement["Resource"])
            ],
            **({"Condition": statement["Condition"]} if "Condition" in statement else {}),
        }
        for document in documents
        for statement in document["Statement"]
    ]


def ordered(statements: list[dict[str, Any]]) -> list[str]:
    """Return statements in an order of their own: that of a role's policies means nothing."""
    return sorted(json.dumps(statement, sort_keys=True) for statement in statements)


async def users_sign_in_by_code(cognito: Any, outputs: dict[str, str]) -> None:
    """Expect of the pool and its app client what the api and the login page rely on."""
    pool = outputs["userpool"]
    named = {"UserPoolId": pool, "ClientId": outputs["client"]}
    client = (await cognito.describe_user_pool_client(**named))["UserPoolClient"]
    assert set(client["AllowedOAuthScopes"]) == set(SIGN_IN_SCOPES)
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert "ClientSecret" not in client
    server = await cognito.describe_resource_server(UserPoolId=pool, Identifier=RESOURCE_SERVER)
    scopes = {scope["ScopeName"] for scope in server["ResourceServer"]["Scopes"]}
    assert scopes == {scope.short for scope in DESCRIPTIONS}
    (group,) = (await cognito.list_groups(UserPoolId=pool))["Groups"]
    assert group["GroupName"] == OPERATORS
    domain = (await cognito.describe_user_pool_domain(Domain=PREFIX))["DomainDescription"]
    assert domain["UserPoolId"] == pool


async def canary_asks_as_deployed(deployed: Deployed) -> None:
    """Expect both clocks, and that the canary logs that its key answered: the emulator asks for no proof."""
    async with client("events", deployed.endpoint) as events:
        for name in ("canary", "policy-keys"):
            (target,) = (await events.list_targets_by_rule(Rule=f"{PREFIX}-{name}"))["Targets"]
            assert target["Arn"].endswith(f":function:{PREFIX}-{name}")
    async with client("lambda", deployed.endpoint) as functions:
        response = await functions.invoke(FunctionName=f"{PREFIX}-canary")
        body = await response["Payload"].read()
    assert "FunctionError" not in response, body
    async with client("logs", deployed.endpoint) as logs:
        logged = (await logs.filter_log_events(logGroupName=f"/{PREFIX}/canary"))["events"]
    assert any("unattested_decrypt_answered" in event["message"] for event in logged)
