"""The checks of an account: what each finds missing, and how it is put right."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mintline.errors import Misconfigured
from mintline.resources import BUCKETS, TABLES
from mintline_ops.preflight.account import Account, Refusal
from mintline_ops.preflight.certificates import certificate_faults

INSTANCE_TYPES = {"standard": "c7g.xlarge", "small": "c6g.large"}
"""The signer's, by the deployment's size."""
INSTANCE_VCPUS = {"standard": 4, "small": 2}
LINK_ZONES = {
    "us-east-1": (1, 2, 4, 5, 6),
    "us-east-2": (1, 2, 3),
    "us-west-1": (1, 3),
    "us-west-2": (1, 2, 3, 4),
    "ap-east-1": (2, 3),
    "ap-northeast-2": (1, 2, 3),
    "ap-south-1": (1, 2, 3),
    "ap-southeast-1": (1, 2, 3),
    "ap-southeast-2": (1, 2, 3),
}
"""Numbers of the zones in which API Gateway makes VPC links, where known; a zone's id ends with its number.

Source: API Gateway developer guide, "Set up VPC links V2 in API Gateway", on 2026-11-30.
"""
NOBODYS = frozenset({"404", "NoSuchBucket", "NotFound"})
ANOTHERS = frozenset({"301", "403", "Forbidden", "AccessDenied"})


class Planned(BaseModel):
    """What of a deployment's document the checks are about; `infra/` checks the rest."""

    model_config = ConfigDict(frozen=True)

    prefix: str
    account: str
    region: str
    size: Literal["standard", "small"] = "standard"
    zones: tuple[str, ...] = Field(default=("a", "b"), min_length=1)
    pool: bool = True
    public_url: str | None = None
    certificate_arn: str | None = None
    cloudfront_certificate_arn: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _small_has_one_zone(cls, document: Any) -> Any:
        if isinstance(document, dict) and document.get("size") == "small":
            return {"zones": ("a",), **document}
        return document

    @property
    def zone_names(self) -> tuple[str, ...]:
        """The zones, such as `us-east-1a`."""
        return tuple(f"{self.region}{zone}" for zone in self.zones)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to."""

    check: str
    ok: bool
    text: str
    """What is there; or what is missing, and how it is put right."""


def read_plan(path: Path) -> Planned:
    """Read what the checks need of a document; raises Misconfigured."""
    try:
        return Planned.model_validate(json.loads(path.read_text()))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "document"
        raise Misconfigured(f"{path}: {where}: {fault['msg']}") from None
    except ValueError as error:
        raise Misconfigured(f"{path}: expected JSON: {error}") from None


async def check(account: Account, planned: Planned) -> list[Finding]:
    """Return what every check found. One that AWS does not answer says so, and does not stop the others."""
    findings = []
    for name, run in CHECKS.items():
        try:
            missing = await run(account, planned)
        except Refusal as refusal:
            findings.append(Finding(name, ok=False, text=f"could not be checked: {refusal.code}"))
        else:
            findings.append(Finding(name, ok=not missing, text="; ".join(missing) or "as it has to be"))
    return findings


async def _credentials(account: Account, planned: Planned) -> list[str]:
    account_id = (await account.ask("sts", "get_caller_identity"))["Account"]
    if account_id == planned.account:
        return []
    return [f"the credentials are of account {account_id}, the document is of {planned.account}"]


async def _ecs_role(account: Account, _planned: Planned) -> list[str]:
    """Look for the role without which ECS refuses the first service of an account."""
    try:
        await account.ask("iam", "get_role", RoleName="AWSServiceRoleForECS")
    except Refusal as refusal:
        if refusal.code != "NoSuchEntity":
            raise
        command = "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"
        return [f"the service-linked role of ECS is missing: {command}"]
    return []


async def _bootstrap(account: Account, _planned: Planned) -> list[str]:
    if await _stack_is_there(account, "CDKToolkit"):
        return []
    return ["the CDK was not bootstrapped in the region: npx aws-cdk@2 bootstrap"]


def _on_demand(planned: Planned) -> int:
    """Return the vCPUs of an idle deployment's tasks on Fargate, while one service of it is replaced."""
    if planned.size == "standard":
        return 4
    # A quarter each: four services with one task, the reconciler's, and the api's, all of them twice.
    return math.ceil((5 + 2 * len(planned.zones)) / 4)


def _on_spot(planned: Planned) -> int:
    return 4 if planned.size == "standard" else 0


def _of_signers(planned: Planned) -> int:
    """Return the vCPUs of an idle deployment's signers, and of one that starts before a sick one ends."""
    signers = len(planned.zones) if planned.size == "small" else 2
    return (signers + 1) * INSTANCE_VCPUS[planned.size]


QUOTAS: tuple[tuple[str, str, str, Callable[[Planned], int]], ...] = (
    ("fargate", "L-3032A538", "Fargate, vCPUs on demand", _on_demand),
    ("fargate", "L-36FBB829", "Fargate, vCPUs on Spot", _on_spot),
    ("ec2", "L-1216C47A", "EC2, vCPUs of standard on-demand instances", _of_signers),
)
"""Service, code, what it is, and how much of it an idle deployment takes. docs/aws-quotas.md says what a busy
one does."""


async def _quotas(account: Account, planned: Planned) -> list[str]:
    missing = []
    for service, code, what, vcpus in QUOTAS:
        needed = vcpus(planned)
        value = await _quota(account, service, code)
        if value < needed:
            missing.append(
                f"{what}: {value:g}, at least {needed} are needed: "
                f"aws service-quotas request-service-quota-increase --service-code {service} "
                f"--quota-code {code} --desired-value {needed}"
            )
    return missing


async def _quota(account: Account, service: str, code: str) -> float:
    """Return an account's quota, or AWS's default where it has none of its own."""
    try:
        response = await account.ask(
            "service-quotas", "get_service_quota", ServiceCode=service, QuotaCode=code
        )
    except Refusal as refusal:
        if refusal.code != "NoSuchResourceException":
            raise
        response = await account.ask(
            "service-quotas", "get_aws_default_service_quota", ServiceCode=service, QuotaCode=code
        )
    return float(response["Quota"]["Value"])


async def _zones(account: Account, planned: Planned) -> list[str]:
    instance_type = INSTANCE_TYPES[planned.size]
    there = {
        zone["ZoneName"]: zone["ZoneId"]
        for zone in (await account.ask("ec2", "describe_availability_zones"))["AvailabilityZones"]
        if zone["State"] == "available"
    }
    offered = await account.ask(
        "ec2",
        "describe_instance_type_offerings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": [instance_type]}],
    )
    with_instances = {offer["Location"] for offer in offered["InstanceTypeOfferings"]}
    links = LINK_ZONES.get(planned.region)
    fit = sorted(
        name
        for name, zone_id in there.items()
        if name in with_instances and (links is None or _number(zone_id) in links)
    )
    missing = []
    for name in planned.zone_names:
        if name not in there:
            missing.append(f"the account has no zone {name}")
        elif name not in with_instances:
            missing.append(f"{name} has no {instance_type}")
        elif links is not None and _number(there[name]) not in links:
            missing.append(f"{name} ({there[name]}) has no VPC links of API Gateway")
    if missing:
        missing.append(f"name others in `zones`; these fit: {', '.join(fit) or 'none'}")
    return missing


def _number(zone_id: str) -> int:
    """Return the number that a zone's id ends with: 3 for `use1-az3`; 0 without one."""
    number = zone_id.rpartition("-az")[2]
    return int(number) if number.isdecimal() else 0


async def _names(account: Account, planned: Planned) -> list[str]:
    """Look for names that somebody else has, or that an earlier deployment left without its stack."""
    deployed = await _stack_is_there(account, f"{planned.prefix}-data")
    buckets = [bucket.bucket_name(planned.prefix) for bucket in BUCKETS]
    missing = []
    for name in (*buckets, f"{planned.prefix}-artifacts", f"{planned.prefix}-audit"):
        missing += await _bucket_in_the_way(account, name, deployed=deployed)
    return missing if deployed else missing + await _tables_in_the_way(account, planned)


async def _bucket_in_the_way(account: Account, name: str, *, deployed: bool) -> list[str]:
    try:
        await account.ask("s3", "head_bucket", Bucket=name)
    except Refusal as refusal:
        if refusal.code in ANOTHERS:
            return [f"the bucket {name} is another account's or in another region: choose another `prefix`"]
        if refusal.code not in NOBODYS:
            raise
        return []
    return [] if deployed else [f"the bucket {name} is there without its stack: delete it or import it"]


async def _tables_in_the_way(account: Account, planned: Planned) -> list[str]:
    missing = []
    for table in (each.table_name(planned.prefix) for each in TABLES):
        try:
            await account.ask("dynamodb", "describe_table", TableName=table)
        except Refusal as refusal:
            if refusal.code != "ResourceNotFoundException":
                raise
        else:
            missing.append(f"the table {table} is there without its stack: delete it or import it")
    return missing


async def _stack_is_there(account: Account, name: str) -> bool:
    try:
        await account.ask("cloudformation", "describe_stacks", StackName=name)
    except Refusal as refusal:
        if refusal.code != "ValidationError":
            raise
        return False
    return True


async def _trail(account: Account, planned: Planned) -> list[str]:
    """Look for what the notices of changed keys, queues and trails come from."""
    trails = (await account.ask("cloudtrail", "describe_trails"))["trailList"]
    for trail in trails:
        if not trail.get("IsMultiRegionTrail") and trail.get("HomeRegion") != planned.region:
            continue
        if (await account.ask("cloudtrail", "get_trail_status", Name=trail["TrailARN"]))["IsLogging"]:
            return []
    return [f"no trail of CloudTrail records management events of {planned.region}: the notices need one"]


async def _login_page(account: Account, planned: Planned) -> list[str]:
    """Look whether another pool of the account has the login page's name; other accounts' cannot be seen.

    Without a user pool there is no login page.
    """
    if not planned.pool:
        return []
    response = await account.ask("cognito-idp", "describe_user_pool_domain", Domain=planned.prefix)
    holder = response.get("DomainDescription") or {}
    if not holder.get("UserPoolId") or await _stack_is_there(account, f"{planned.prefix}-identity"):
        return []
    return [
        f"the login page {planned.prefix} belongs to the pool {holder['UserPoolId']}: choose another `prefix`"
    ]


async def _certificates(account: Account, planned: Planned) -> list[str]:
    """Look at the certificates of `public_url`; CloudFront's is in us-east-1, wherever the rest is."""
    missing = []
    for field in ("certificate_arn", "cloudfront_certificate_arn"):
        if (arn := getattr(planned, field)) is not None:
            missing += await certificate_faults(account, field, arn, planned.public_url)
    return missing


CHECKS: dict[str, Callable[[Account, Planned], Awaitable[list[str]]]] = {
    "credentials": _credentials,
    "ecs-role": _ecs_role,
    "bootstrap": _bootstrap,
    "quotas": _quotas,
    "zones": _zones,
    "names": _names,
    "trail": _trail,
    "login-page": _login_page,
    "certificates": _certificates,
}
