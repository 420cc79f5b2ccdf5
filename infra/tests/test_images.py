"""Which images are kept, and which bytes are deployed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mintline.errors import Misconfigured
from mintline_infra.deployment import read
from synthesis import ROOT, Templates, described, properties, synthesized

DIGEST = f"sha256:{'ab' * 32}"


def test_registry__when_many_releases_were_pushed__then_those_with_a_tag_are_kept(
    templates: Templates,
) -> None:
    repositories = properties(templates["platform"], "AWS::ECR::Repository")

    assert len(repositories) == 6
    for repository in repositories:
        (rule,) = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        assert rule["selection"]["tagStatus"] == "untagged"
        assert repository["ImageTagMutability"] == "IMMUTABLE"


def test_registry__when_make_pushes_an_image_that_is_deployed__then_the_stack_has_one_of_that_name(
    templates: Templates,
) -> None:
    makefile = (ROOT / "Makefile").read_text()
    pushed = re.findall(r"(?m)^IMAGE_([a-z-]+) :=", makefile)
    names = {
        repository["RepositoryName"]
        for repository in properties(templates["platform"], "AWS::ECR::Repository")
    }

    assert "name=$(REGISTRY)/$(IMAGE)," in makefile
    # The enclave's image becomes a file in the artifact bucket.
    assert names == {f"acme-mintline/{image}" for image in pushed if image != "signer-enclave"}


def test_services__when_the_document_has_digests__then_those_bytes_run_and_the_rest_by_tag(
    tmp_path: Path,
) -> None:
    digests = {"builder": DIGEST, "indexer": DIGEST, "signer": DIGEST}
    templates = synthesized(described(image_digests=digests), tmp_path)

    def image(service: str) -> str:
        (task,) = properties(templates[service], "AWS::ECS::TaskDefinition")
        return str(task["ContainerDefinitions"][0]["Image"])

    for service in ("builder", "indexer", "reconciler"):
        assert f"@{DIGEST}" in image(service)
    assert ":0.1.0" in image("api")
    assert f"acme-mintline/signer-host@{DIGEST}" in str(templates["signer"]).replace("\\n", " ")


@pytest.mark.parametrize("digests", [{"api": "0.1.0"}, {"reconciler": DIGEST}, {"api": DIGEST.upper()}])
def test_digests__when_one_is_none__then_the_document_is_refused(digests: dict[str, str]) -> None:
    document = described().model_dump(mode="json") | {"image_digests": digests}

    with pytest.raises(Misconfigured, match="image_digests"):
        read(document)


def test_topic__when_alarms_are_published__then_encrypted_by_a_key_that_lets_their_services_in(
    templates: Templates,
) -> None:
    (topic,) = properties(templates["platform"], "AWS::SNS::Topic")
    (key,) = (
        key for key in properties(templates["data"], "AWS::KMS::Key") if "alarm topic" in key["Description"]
    )
    services = {
        statement["Principal"]["Service"]
        for statement in key["KeyPolicy"]["Statement"]
        if "Service" in statement["Principal"]
    }
    callers = [
        statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]
        for statement in key["KeyPolicy"]["Statement"]
        if "ArnEquals" in statement.get("Condition", {})
    ]

    assert "storagekey" in topic["KmsMasterKeyId"]["Fn::ImportValue"]
    assert services == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
    # Notices of the signer's group come from the role by which Auto Scaling acts.
    assert [arn.rpartition("/")[2] for arn in callers] == ["AWSServiceRoleForAutoScaling"]
