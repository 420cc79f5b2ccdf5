from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mintline.attestation.registers import policy_register
from mintline_infra.deployment import Deployment
from mintline_infra.signer import ENCLAVE_CID, GROUP_ID, host_settings
from mintline_infra.signer_boot import (
    PATH_OF_READY,
    PATH_OF_ROLL,
    PATH_OF_ROLL_POLICY,
    POLICY_DIR,
    POLICY_FILE,
    ROLLED_WITHIN,
    Fleet,
    boot,
)
from synthesis import Templates, described, minting, properties, resources, synthesized

GOOD, OTHER = "ab" * 48, "cd" * 48


def script(deployment: Deployment) -> str:
    settings = host_settings(deployment, minting(deployment))
    fleet = Fleet(enclave_cid=ENCLAVE_CID, stack="acme-mintline-signer", group=GROUP_ID)
    return boot(deployment, settings=settings, fleet=fleet)


def test_instances__when_launched__then_with_enclaves_imdsv2_and_no_way_in(templates: Templates) -> None:
    template = templates["signer"]
    (launch,) = properties(template, "AWS::EC2::LaunchTemplate")
    data = launch["LaunchTemplateData"]

    assert data["EnclaveOptions"] == {"Enabled": True}
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert "KeyName" not in data
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    (group,) = properties(template, "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group
    assert not resources(template, "AWS::EC2::SecurityGroupIngress")
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]


def test_instances__when_they_look_for_a_way_out__then_their_subnets_have_no_route(
    templates: Templates,
) -> None:
    template = templates["platform"]
    tables = {
        name for name in resources(template, "AWS::EC2::RouteTable") if name.startswith("vpcsignerSubnet")
    }
    routed = {route["RouteTableId"]["Ref"] for route in properties(template, "AWS::EC2::Route")}

    assert len(tables) == 2
    assert not tables & routed


def test_boot__when_written__then_bash_reads_it_and_nothing_is_left_open(deployment: Deployment) -> None:
    text = script(deployment)
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "@" not in text.replace("${", "")
    assert "--debug-mode" not in text
    assert "--enclave-cid 16" in text


@pytest.mark.parametrize(("stated", "rolled"), [(GOOD, True), (OTHER, False), (None, True)])
def test_roll__when_an_image_measures_otherwise_than_stated__then_the_old_one_stays(
    deployment: Deployment,
    tmp_path: Path,
    stated: str | None,
    rolled: bool,  # noqa: FBT001 - the table's last column
) -> None:
    _, _, rest = script(deployment).partition(f"cat > {PATH_OF_ROLL} <<'END'\n")
    text = rest.split("\nEND\n", 1)[0].replace("/opt/mintline", str(tmp_path))
    command(tmp_path, "aws", 'echo new > "${@: -1}"; echo "$*" >> "$LOG"')
    command(tmp_path, "nitro-cli", f'echo \'{{"Measurements": {{"PCR0": "{GOOD}"}}}}\'')
    command(tmp_path, "jq", f"cat > /dev/null; echo {GOOD}")
    command(tmp_path, "systemctl", 'echo "$*" >> "$LOG"')
    image, log = tmp_path / "signer.eif", tmp_path / "log"
    image.write_text("old\n")

    done = subprocess.run(
        ["bash", "-c", text, "roll", "signer-0.2.0.eif", *([stated] if stated else [])],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "s3://acme-mintline-artifacts/signer-0.2.0.eif" in log.read_text()
    assert (done.returncode == 0) is rolled
    assert image.read_text() == ("new\n" if rolled else "old\n")
    assert ("restart mintline-enclave" in log.read_text()) is rolled
    assert not list(tmp_path.glob("fetched.*"))


POLICY = b'{"version": 1}\n'
PCR16 = policy_register(POLICY).hex()


@pytest.mark.parametrize(("stated", "rolled"), [(PCR16, True), (OTHER, False), (None, True)])
def test_roll_policy__when_a_document_measures_otherwise_than_stated__then_the_old_one_stays(
    tmp_path: Path,
    stated: str | None,
    rolled: bool,  # noqa: FBT001 - the table's last column
) -> None:
    """The register is computed on the instance, as the enclave's security module does."""
    text = script(described(signing_policy="policy.json"))
    _, _, rest = text.partition(f"cat > {PATH_OF_ROLL_POLICY} <<'END'\n")
    roll = rest.split("\nEND\n", 1)[0].replace(POLICY_DIR, str(tmp_path))
    roll = roll.replace(PATH_OF_READY, f"{tmp_path}/ready")
    (tmp_path / "new").write_bytes(POLICY)
    command(tmp_path, "aws", f'cat {tmp_path}/new > "${{@: -1}}"; echo "$*" >> "$LOG"')
    command(tmp_path, "chown", 'echo "chown $*" >> "$LOG"')
    command(tmp_path, "systemctl", 'echo "$*" >> "$LOG"')
    command(tmp_path, "sleep", "")
    command(tmp_path, "ready", "")
    document, log = tmp_path / "policy.json", tmp_path / "log"
    document.write_bytes(b"old")

    done = subprocess.run(
        ["bash", "-c", roll, "roll", "policy.json", *([stated] if stated else [])],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "s3://acme-mintline-artifacts/policy.json" in log.read_text()
    assert (done.returncode == 0) is rolled, done.stderr
    assert document.read_bytes() == (POLICY if rolled else b"old")
    # Only one that runs: at an instance's first start the image comes next, and starts it.
    assert ("try-restart mintline-enclave" in log.read_text()) is rolled
    assert (f"PCR16 {PCR16}" in done.stdout) is rolled
    assert not list(tmp_path.glob("fetched.*"))


@pytest.mark.parametrize(
    ("state", "ready", "rolled", "said"),
    [
        ("active", "exit 0", True, "signs by"),
        ("active", "exit 1", False, "does not sign by"),
        # The enclave takes the document, and KMS refuses its first request.
        ("active", 'test "${1:-}" != kms', False, "does not sign by"),
        ("activating", "exit 1", False, "does not sign by"),
        # An instance's first start: the image comes next.
        ("inactive", "exit 1", True, "stored"),
    ],
)
def test_roll_policy__when_the_signer_is_not_ready_afterwards__then_it_fails_and_the_roll_stops(
    tmp_path: Path,
    state: str,
    ready: str,
    rolled: bool,  # noqa: FBT001 - the table's column
    said: str,
) -> None:
    text = script(described(signing_policy="policy.json"))
    _, _, rest = text.partition(f"cat > {PATH_OF_ROLL_POLICY} <<'END'\n")
    roll = rest.split("\nEND\n", 1)[0].replace(POLICY_DIR, str(tmp_path))
    roll = roll.replace(PATH_OF_READY, f"{tmp_path}/ready")
    clock = tmp_path / "clock"
    clock.write_text("0\n")
    command(tmp_path, "aws", 'echo new > "${@: -1}"')
    command(tmp_path, "chown", "")
    command(tmp_path, "systemctl", f'if [ "$1" = is-active ]; then echo {state}; fi')
    command(tmp_path, "date", f"cat {clock}")
    command(tmp_path, "sleep", f"echo $(($(cat {clock}) + $1)) > {clock}")
    command(tmp_path, "ready", ready)

    done = subprocess.run(
        ["bash", "-c", roll, "roll", "policy.json"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode == 0) is rolled, done.stderr
    assert said in (done.stdout if rolled else done.stderr)
    assert int(clock.read_text()) <= ROLLED_WITHIN


def test_boot__when_the_host_hands_the_policy_over__then_it_is_there_before_the_enclave_starts() -> None:
    deployment = described(signing_policy="policy.json")
    text = script(deployment)
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "@" not in text.replace("${", "")
    fetched, rolled = f"{PATH_OF_ROLL_POLICY} 'policy.json'\n", f"{PATH_OF_ROLL} 'signer-0.1.0.eif'\n"
    assert text.index(fetched) < text.index(rolled) < text.index("systemctl start mintline-signer-host")
    # The folder: a file that is replaced would stay the old one in the container.
    assert f"--volume {POLICY_DIR}:{POLICY_DIR}:ro " in text
    assert f"MINTLINE_SIGNING_POLICY={POLICY_FILE}\n" in text


def test_boot__when_the_image_holds_the_policy__then_the_host_hands_none_over(deployment: Deployment) -> None:
    text = script(deployment)
    assert "policy" not in text.lower()


def test_documents__when_the_host_hands_the_policy_over__then_it_can_be_rolled_as_an_image_can(
    tmp_path: Path,
) -> None:
    made = synthesized(described(signing_policy="policy.json"), tmp_path)["signer"]
    (content,) = (
        document["Content"]
        for document in properties(made, "AWS::SSM::Document")
        if document["Name"] == "acme-mintline-roll-policy"
    )
    assert content["parameters"]["pcr16"]["allowedPattern"] == "^[0-9a-f]{96}$"
    assert content["parameters"]["policy"]["allowedPattern"] == "^[A-Za-z0-9._/-]{1,512}$"
    (step,) = content["mainSteps"]
    assert step["inputs"]["runCommand"] == [f"{PATH_OF_ROLL_POLICY} '{{{{ policy }}}}' '{{{{ pcr16 }}}}'"]


def command(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def test_document__when_it_is_given_a_shell_command__then_its_parameters_do_not_match(
    templates: Templates,
) -> None:
    (document,) = properties(templates["signer"], "AWS::SSM::Document")

    parameters = document["Content"]["parameters"]
    assert parameters["pcr0"]["allowedPattern"] == "^[0-9a-f]{96}$"
    assert parameters["image"]["allowedPattern"] == "^[A-Za-z0-9._/-]{1,512}$"
    (step,) = document["Content"]["mainSteps"]
    assert step["inputs"]["runCommand"] == [f"{PATH_OF_ROLL} '{{{{ image }}}}' '{{{{ pcr0 }}}}'"]
