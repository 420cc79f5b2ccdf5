"""checkov's rules for CloudFormation: every finding is put right, or stands here with the reason why not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from synthesis import ROOT, fronted, small, synthesized

CHECKOV = ROOT / ".venv/checkov/bin/checkov"
REQUIRED = os.environ.get("MINTLINE_CHECKOV") == "required"
DIFFERENT_IN_SMALL = ("api", "platform", "signer")
ACCEPTED = {
    "CKV_AWS_65": "Container Insights cost a small deployment a tenth of the rest.",
    "CKV_AWS_68": "The firewall stands before the API's tasks; the other distributions serve public files.",
    "CKV_AWS_174": "CloudFront's own domain name fixes the TLS floor of the buckets' distributions.",
    "CKV_AWS_111": "The agent's channels and ECR's token name no resource; AWS offers none.",
    "CKV_AWS_115": "Reserved concurrency is refused in new accounts, which have ten in all.",
    "CKV_AWS_116": "The canary's run is repeated in five minutes, and its silence raises an alarm.",
    "CKV_AWS_117": "The canary asks KMS from outside the network, as a stranger would.",
    "CKV_AWS_173": "The canary's environment holds a key's ARN and no secret.",
    "CKV_AWS_119": "A key of one's own is for wallets and wrapped keys: decision 0127.",
    "CKV_AWS_136": "Images hold no secret, and are public as source.",
    "CKV_AWS_149": "IAM says who reads the secrets; what custody rests on is wrapped by the wallets' key.",
    "CKV_AWS_158": "Logs hold no keys, tokens or bodies; the logs of the canary and of requests neither.",
}
"""By check, why its findings stay."""


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return what checkov finds in a standard deployment, and in what of a small one differs."""
    if not CHECKOV.exists():
        if REQUIRED:
            raise AssertionError("checkov is not installed: run `make infra`")
        pytest.skip("checkov is not installed: run `make infra`")
    checked = tmp_path_factory.mktemp("checkov")
    for size, deployment in (("standard", fronted()), ("small", small())):
        out = tmp_path_factory.mktemp(size)
        synthesized(deployment, out)
        for template in out.glob("*.template.json"):
            stack = template.name.removesuffix(".template.json").rpartition("-")[2]
            if size == "standard" or stack in DIFFERENT_IN_SMALL:
                shutil.copyfile(template, checked / f"{size}-{stack}.template.json")
    return run(checked)


def run(folder: Path) -> dict[str, set[str]]:
    """Return the resources that fail, by check. Nothing is downloaded or sent."""
    command = [str(CHECKOV), "--framework", "cloudformation", "--directory", str(folder)]
    options = ["--skip-download", "--compact", "--quiet", "--soft-fail", "--output", "json"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=True, timeout=300, env=environment
    )
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    failures: dict[str, set[str]] = {}
    for failed in report["results"]["failed_checks"]:
        failures.setdefault(failed["check_id"], set()).add(f"{failed['file_path']}: {failed['resource']}")
    return failures


def test_templates__when_checkov_reads_them__then_each_finding_has_a_reason(
    findings: dict[str, set[str]],
) -> None:
    assert {check: where for check, where in findings.items() if check not in ACCEPTED} == {}


def test_accepted__when_a_check_finds_nothing_any_more__then_its_reason_goes(
    findings: dict[str, set[str]],
) -> None:
    assert set(ACCEPTED) - set(findings) == set()


def test_checkov__when_a_template_breaks_a_rule__then_it_is_found(
    findings: dict[str, set[str]], tmp_path: Path
) -> None:
    """It would otherwise pass by reading nothing."""
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"AccessControl": "PublicRead"}}
    (tmp_path / "broken.template.json").write_text(json.dumps({"Resources": {"broken": bucket}}))

    assert "CKV_AWS_20" in run(tmp_path)
    assert "CKV_AWS_20" not in findings
