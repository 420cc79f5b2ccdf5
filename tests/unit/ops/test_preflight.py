"""What `mintline operator preflight` finds in an account, which is a table of answers here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mintline.errors import Misconfigured
from mintline_cli.operator import app
from mintline_ops import preflight
from mintline_ops.preflight import checks
from mintline_ops.preflight.account import Refusal
from mintline_ops.preflight.checks import Planned, check, read_plan

PLANNED = Planned(prefix="acme", account="111122223333", region="us-east-1")


class StubAccount:
    """An account in which everything is ready, but for what a test changes."""

    def __init__(self, **changes: Any) -> None:
        self.requested: list[str] = []
        self._answers: dict[str, Any] = {
            "get_caller_identity": {"Account": "111122223333"},
            "get_role": {"Role": {}},
            "describe_stacks": lambda StackName: {} if StackName == "CDKToolkit" else "ValidationError",  # noqa: N803
            "get_service_quota": {"Quota": {"Value": 50.0}},
            "describe_availability_zones": {
                "AvailabilityZones": [
                    {"ZoneName": f"us-east-1{letter}", "ZoneId": f"use1-az{number}", "State": "available"}
                    for letter, number in (("a", 1), ("b", 2), ("c", 3))
                ]
            },
            "describe_instance_type_offerings": {
                "InstanceTypeOfferings": [{"Location": f"us-east-1{letter}"} for letter in "abc"]
            },
            "head_bucket": "404",
            "describe_table": "ResourceNotFoundException",
            "describe_trails": {
                "trailList": [{"TrailARN": "arn:aws:cloudtrail:trail", "IsMultiRegionTrail": True}]
            },
            "get_trail_status": {"IsLogging": True},
            "describe_user_pool_domain": {"DomainDescription": {}},
            "describe_certificate": {"Certificate": {"Status": "ISSUED", "DomainName": "*.example.com"}},
        } | changes

    async def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.requested.append(f"{service}.{operation}")
        response = self._answers[operation]
        result: Any = response(**parameters) if callable(response) else response
        if isinstance(result, str):
            raise Refusal(result)
        assert isinstance(result, dict)
        return result


async def missing(planned: Planned = PLANNED, **changes: Any) -> dict[str, str]:
    """Return what the checks that fail say, by their names."""
    return {
        finding.check: finding.text
        for finding in await check(StubAccount(**changes), planned)
        if not finding.ok
    }


async def test_preflight__when_everything_is_ready__then_nothing_is_missing() -> None:
    assert await missing() == {}


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        ({"get_caller_identity": {"Account": "999988887777"}}, "credentials", "999988887777"),
        ({"get_role": "NoSuchEntity"}, "ecs-role", "create-service-linked-role"),
        ({"describe_stacks": "ValidationError"}, "bootstrap", "aws-cdk@2 bootstrap"),
        ({"get_service_quota": {"Quota": {"Value": 2.0}}}, "quotas", "--quota-code L-3032A538"),
        (
            {
                "get_service_quota": "NoSuchResourceException",
                "get_aws_default_service_quota": {"Quota": {"Value": 5.0}},
            },
            "quotas",
            "EC2, vCPUs of standard on-demand instances: 5, at least 12",
        ),
        ({"describe_instance_type_offerings": {"InstanceTypeOfferings": []}}, "zones", "these fit: none"),
        ({"head_bucket": "403"}, "names", "acme-artifacts is another account's"),
        ({"head_bucket": {}}, "names", "acme-metadata is there without its stack"),
        ({"describe_table": {}}, "names", "the table acme-mints is there without its stack"),
        ({"describe_trails": {"trailList": []}}, "trail", "no trail"),
        ({"get_trail_status": {"IsLogging": False}}, "trail", "no trail"),
        (
            {
                "describe_trails": {
                    "trailList": [{"TrailARN": "t", "IsMultiRegionTrail": False, "HomeRegion": "eu-west-1"}]
                }
            },
            "trail",
            "us-east-1",
        ),
        (
            {"describe_user_pool_domain": {"DomainDescription": {"UserPoolId": "us-east-1_OTHER"}}},
            "login-page",
            "us-east-1_OTHER",
        ),
    ],
)
async def test_preflight__when_something_is_missing__then_its_check_alone_names_it(
    changes: dict[str, Any], name: str, text: str
) -> None:
    missing_checks = await missing(**changes)

    assert set(missing_checks) == {name}
    assert text in missing_checks[name]


async def test_preflight__when_there_is_no_user_pool__then_nobody_else_has_its_login_page() -> None:
    holder = {"DomainDescription": {"UserPoolId": "us-east-1_OTHER"}}
    planned = PLANNED.model_copy(update={"pool": False})
    assert await missing(planned, describe_user_pool_domain=holder) == {}


@pytest.mark.parametrize(
    ("zones", "text"),
    [(("a", "z"), "no zone us-east-1z"), (("a", "c"), "us-east-1c (use1-az3) has no VPC links")],
)
async def test_zones__when_one_does_not_fit__then_those_that_do_are_named(
    zones: tuple[str, ...], text: str
) -> None:
    missing_checks = await missing(PLANNED.model_copy(update={"zones": zones}))

    assert text in missing_checks["zones"]
    assert missing_checks["zones"].endswith("these fit: us-east-1a, us-east-1b")


CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d"


@pytest.mark.parametrize(
    ("certificate", "text"),
    [
        ("ResourceNotFoundException", "no such certificate in us-east-1"),
        ({"Status": "PENDING_VALIDATION", "DomainName": "api.example.com"}, "is PENDING_VALIDATION"),
        ({"Status": "ISSUED", "DomainName": "*.api.example.com"}, "is not of api.example.com"),
        ({"Status": "ISSUED", "DomainName": "x", "SubjectAlternativeNames": ["api.example.com"]}, None),
        ({"Status": "ISSUED", "DomainName": "*.example.com"}, None),
    ],
)
async def test_certificate__when_cloudfront_is_to_use_it__then_it_is_looked_for_in_us_east_1(
    certificate: Any, text: str | None
) -> None:
    regions = []

    def describe(*, region: str, CertificateArn: str) -> Any:  # noqa: N803 - AWS's own name
        regions.append((region, CertificateArn))
        return certificate if isinstance(certificate, str) else {"Certificate": certificate}

    changes = {"region": "eu-west-1", "zones": ("a",), "cloudfront_certificate_arn": CERTIFICATE}
    planned = PLANNED.model_copy(update=changes | {"public_url": "https://api.example.com"})
    missing_checks = await missing(planned, describe_certificate=describe)

    assert regions == [("us-east-1", CERTIFICATE)]
    assert ("certificates" in missing_checks) == (text is not None)
    assert (text or "") in missing_checks.get("certificates", "")


async def test_preflight__when_the_deployment_is_small__then_one_zone_and_a_new_accounts_quotas_do() -> None:
    small = Planned.model_validate(
        {"prefix": "acme", "account": "111122223333", "region": "us-east-1", "size": "small"}
    )
    new_account = {"get_service_quota": {"Quota": {"Value": 5.0}}}

    assert small.zone_names == ("us-east-1a",)
    assert await missing(small, **new_account) == {}
    assert "EC2, vCPUs" in (await missing(PLANNED, **new_account))["quotas"]


@pytest.mark.parametrize(
    ("size", "zones", "fargate", "ec2"),
    [("small", "a", 2, 4), ("small", "ab", 3, 6), ("small", "abc", 3, 8), ("standard", "ab", 4, 12)],
)
async def test_quotas__when_they_are_one_vcpu_short_of_replacing_one__then_each_names_what_it_takes(
    size: str, zones: str, fargate: int, ec2: int
) -> None:
    planned = Planned.model_validate({**PLANNED.model_dump(), "size": size, "zones": [*zones]})
    needed = {"L-3032A538": fargate, "L-36FBB829": 50, "L-1216C47A": ec2}

    def short(by: int) -> Any:
        return lambda ServiceCode, QuotaCode: {"Quota": {"Value": needed[QuotaCode] - by}}  # noqa: ARG005, N803

    assert "quotas" not in await missing(planned, get_service_quota=short(0))
    missing_checks = await missing(planned, get_service_quota=short(1))
    assert f"at least {fargate} are needed" in missing_checks["quotas"]
    assert f"at least {ec2} are needed" in missing_checks["quotas"]


async def test_names__when_the_deployment_has_its_stacks__then_what_it_holds_is_not_missing() -> None:
    assert await missing(describe_stacks={}, head_bucket={}, describe_table={}) == {}


@pytest.mark.parametrize("operation", ["get_caller_identity", "get_role", "head_bucket", "describe_trails"])
async def test_preflight__when_aws_refuses_one_check__then_it_says_so_and_the_others_are_made(
    operation: str,
) -> None:
    account = StubAccount(**{operation: "AccessDeniedException"})

    findings = await check(account, PLANNED)

    assert [finding.check for finding in findings] == list(checks.CHECKS)
    (refused,) = (finding for finding in findings if not finding.ok)
    assert refused.text == "could not be checked: AccessDeniedException"


@pytest.mark.parametrize(
    ("ready", "code", "checked"), [(True, 0, "as it has to be"), (False, 1, "create-service-linked-role")]
)
def test_command__when_something_is_missing__then_it_says_what_and_exits_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ready: bool,  # noqa: FBT001 - the table's first column
    code: int,
    checked: str,
) -> None:
    document = tmp_path / "deployment.json"
    document.write_text(PLANNED.model_dump_json())
    account = StubAccount() if ready else StubAccount(get_role="NoSuchEntity")

    @asynccontextmanager
    async def opened(_region: str, _endpoint_url: str | None) -> AsyncIterator[StubAccount]:
        yield account

    monkeypatch.setattr(preflight, "open_account", opened)
    done = CliRunner().invoke(app, ["preflight", "--deployment", str(document), "--json"])

    assert done.exit_code == code
    report = json.loads(done.stdout)
    assert report["ready"] is ready
    (role,) = (each for each in report["checks"] if each["check"] == "ecs-role")
    assert checked in role["text"]


@pytest.mark.parametrize(
    ("text", "fault"), [("{", "expected JSON"), ('{"prefix": "acme"}', "account"), ("[]", "document")]
)
def test_plan__when_the_document_is_none__then_one_line_says_what_is_wrong(
    tmp_path: Path, text: str, fault: str
) -> None:
    document = tmp_path / "deployment.json"
    document.write_text(text)

    with pytest.raises(Misconfigured, match=fault) as raised:
        read_plan(document)
    assert "\n" not in str(raised.value)
