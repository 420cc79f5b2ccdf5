from __future__ import annotations

import subprocess
from pathlib import Path

from mintline_infra.deployment import Deployment
from mintline_infra.signer import ENCLAVE_CID, GROUP_ID, host_settings
from mintline_infra.signer_boot import (
    PATH_OF_ROLL,
    PATH_OF_ROLL_POLICY,
    POLICY_DIR,
    POLICY_FILE,
    Fleet,
    boot,
)
from synthesis import Templates, described, minting, properties, resources, synthesized


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
    template = synthesized(described(signing_policy="policy.json"), tmp_path)["signer"]
    (content,) = (
        document["Content"]
        for document in properties(template, "AWS::SSM::Document")
        if document["Name"] == "acme-mintline-roll-policy"
    )
    assert content["parameters"]["pcr16"]["allowedPattern"] == "^[0-9a-f]{96}$"
    assert content["parameters"]["policy"]["allowedPattern"] == "^[A-Za-z0-9._/-]{1,512}$"
    (step,) = content["mainSteps"]
    assert step["inputs"]["runCommand"] == [f"{PATH_OF_ROLL_POLICY} '{{{{ policy }}}}' '{{{{ pcr16 }}}}'"]


def test_document__when_it_is_given_a_shell_command__then_its_parameters_do_not_match(
    templates: Templates,
) -> None:
    (document,) = properties(templates["signer"], "AWS::SSM::Document")

    parameters = document["Content"]["parameters"]
    assert parameters["pcr0"]["allowedPattern"] == "^[0-9a-f]{96}$"
    assert parameters["image"]["allowedPattern"] == "^[A-Za-z0-9._/-]{1,512}$"
    (step,) = document["Content"]["mainSteps"]
    assert step["inputs"]["runCommand"] == [f"{PATH_OF_ROLL} '{{{{ image }}}}' '{{{{ pcr0 }}}}'"]
