"""The bucket of the audit trail: what is in it stays, and the signer only adds to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mintline_infra.deployment import Deployment
from mintline_infra.signer import host_settings
from synthesis import (
    Templates,
    described,
    listed,
    minting,
    policies_of,
    resources,
    small,
    synthesized,
)

BUCKET = "acme-mintline-audit"


def bucket(templates: Templates) -> dict[str, Any]:
    (shipped,) = (
        resource
        for resource in resources(templates["platform"], "AWS::S3::Bucket").values()
        if resource["Properties"].get("BucketName") == BUCKET
    )
    return shipped


def test_bucket__when_something_was_shipped__then_nobody_can_delete_it_for_a_year(
    templates: Templates,
) -> None:
    trail = bucket(templates)
    about = trail["Properties"]

    assert about["ObjectLockEnabled"] is True
    assert about["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Days": 365, "Mode": "COMPLIANCE"}},
    }
    assert about["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(about["PublicAccessBlockConfiguration"].values()) == {True}
    assert (trail["DeletionPolicy"], trail["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_bucket__when_the_document_says_for_how_long__then_so_long(tmp_path: Path) -> None:
    trail = bucket(synthesized(described(audit_retention_days=30), tmp_path))

    rule = trail["Properties"]["ObjectLockConfiguration"]["Rule"]
    assert rule["DefaultRetention"]["Days"] == 30


@pytest.mark.parametrize("deployed", [described, small])
def test_signer__when_it_ships__then_its_role_can_add_and_neither_read_replace_nor_delete(
    deployed: Any, tmp_path: Path
) -> None:
    templates = synthesized(deployed(), tmp_path)
    statements = [
        statement
        for policy in policies_of(templates["access"])
        for statement in policy["PolicyDocument"]["Statement"]
        if any(BUCKET in str(resource) for resource in listed(statement["Resource"]))
    ]

    (adding,) = statements
    assert adding["Action"] == "s3:PutObject"
    # The condition is the absence of a replacement: only requests with `If-None-Match` are allowed.
    assert adding["Condition"] == {"Null": {"s3:if-none-match": "false"}}


def test_host__when_it_starts__then_it_is_told_the_bucket(deployment: Deployment) -> None:
    assert host_settings(deployment, minting(deployment))["MINTLINE_AUDIT_BUCKET"] == BUCKET
