"""API Gateway's access log, and the id by which it and the api's log name the same request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mintline.gateway import REQUEST_HEADER
from synthesis import Templates, properties, resources, small, synthesized

STRANGERS = ("path", "domainName", "httpMethod", "identity.userAgent", "protocol", "authorizer")
"""Variables that hold what a caller chose, or what no authorizer gives here."""


@pytest.fixture(scope="module")
def template_of_small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return synthesized(small(), tmp_path_factory.mktemp("small"))["api"]


def logged(template: dict[str, Any]) -> dict[str, str]:
    (stage,) = properties(template, "AWS::ApiGatewayV2::Stage")
    fields: dict[str, str] = json.loads(stage["AccessLogSettings"]["Format"])
    return fields


def test_access_log__when_a_request_is_served__then_its_line_tells_whose_address_how_it_ended_and_how_long(
    templates: Templates, template_of_small: dict[str, Any]
) -> None:
    fields = logged(templates["api"])

    assert {name: f"$context.{name}" for name in fields} == fields
    assert {
        "requestId",
        "identity.sourceIp",
        "routeKey",
        "status",
        "responseLatency",
        "integrationStatus",
        "integrationLatency",
        "integrationErrorMessage",
        "error.responseType",
    } <= set(fields)
    assert logged(template_of_small) == fields


def test_access_log__when_a_caller_sends_what_it_likes__then_no_line_holds_it(templates: Templates) -> None:
    fields = logged(templates["api"])

    assert not [name for name in fields if name.startswith(STRANGERS)]


def test_access_log__when_a_month_has_passed__then_its_lines_are_deleted_as_the_services_are(
    templates: Templates,
) -> None:
    template = templates["api"]
    (stage,) = properties(template, "AWS::ApiGatewayV2::Stage")
    destination = stage["AccessLogSettings"]["DestinationArn"]
    group = resources(template, "AWS::Logs::LogGroup")[destination["Fn::GetAtt"][0]]["Properties"]
    services = properties(templates["platform"], "AWS::Logs::LogGroup")

    assert group["RetentionInDays"] == 30
    # Encrypted as those: by CloudWatch Logs itself, with no key of the deployment's.
    assert {log_group.get("KmsKeyId") for log_group in (group, *services)} == {None}


def test_request__when_it_is_passed_on__then_the_api_gets_the_id_that_the_gateway_gave_it(
    templates: Templates, template_of_small: dict[str, Any]
) -> None:
    for template in (templates["api"], template_of_small):
        (integration,) = properties(template, "AWS::ApiGatewayV2::Integration")
        # Overwritten, so that a caller cannot choose another one.
        assert integration["RequestParameters"][f"overwrite:header.{REQUEST_HEADER}"] == "$context.requestId"
