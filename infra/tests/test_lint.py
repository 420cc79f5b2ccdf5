from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks

from mintline.errors import Misconfigured
from mintline_infra.app import build
from mintline_infra.deployment import read
from synthesis import ROOT, described, fronted, small, synthesized


@pytest.fixture(scope="module", params=[fronted, small], ids=["standard", "small"])
def nagged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthesize under the rules of AWS Solutions; a finding that is not acknowledged fails it."""
    out = tmp_path_factory.mktemp("nag")
    app = cdk.App(outdir=str(out))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    build(app, request.param())
    app.synth()
    return out


def test_stacks__when_nagged__then_every_finding_is_acknowledged_with_a_reason(nagged: Path) -> None:
    assert (nagged / "validation-report.json").exists()


def test_templates__when_linted__then_clean(nagged: Path) -> None:
    paths = sorted(str(path) for path in nagged.glob("*.template.json"))

    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", *paths], capture_output=True, text=True, check=False
    )
    assert paths
    assert (done.returncode, done.stdout) == (0, "")


def test_nag__when_a_stack_breaks_a_rule__then_the_synthesis_fails(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    cdk.aws_sqs.Queue(cdk.Stack(app, "broken"), "no-tls")

    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        app.synth()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prefix": "UPPER"}, "prefix"),
        ({"account": "1"}, "account"),
        ({"enclave": {"pcr0": ["00" * 48]}}, "debug mode"),
        ({"enclave": {"pcr0": ["xyz"]}}, "SHA-384"),
        ({"image_tags": "x"}, "image_tags"),
    ],
)
def test_deployment__when_wrongly_described__then_one_line_names_the_fault(
    change: dict[str, object], named: str
) -> None:
    good = described().model_dump(mode="json")

    with pytest.raises(Misconfigured, match=named) as raised:
        read(good | change)
    assert "\n" not in str(raised.value)


def test_example__when_read__then_it_is_a_deployment_that_lets_nobody_decrypt() -> None:
    document = json.loads((ROOT / "infra/deployment.example.json").read_text())

    assert read(document).enclave.pcr0 == ()


def test_deployment__when_nothing_is_made_to_mint_with_yet__then_what_to_make_it_with_stands(
    tmp_path: Path,
) -> None:
    founded = described(chain={"chain_id": 1})

    assert set(synthesized(founded, tmp_path)) == {"access", "data", "platform", "identity"}
