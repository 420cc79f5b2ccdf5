"""An instance's first start and its watchdogs, run under a fake root with stubs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_root import FakeRoot

from mintline_infra.deployment import Deployment
from mintline_infra.signer import ENCLAVE_CID, GROUP_ID, host_settings
from mintline_infra.signer_boot import (
    PATH_OF_CHECK,
    PATH_OF_READY,
    PATH_OF_RUN,
    READY_WITHIN,
    SICK_AFTER,
    Fleet,
    boot,
)
from synthesis import minting, small

READY = 'echo \'{"status": "ready", "checks": {"enclave": "ok", "sqs": "ok"}}\''
SQS_GONE = 'echo \'{"status": "not_ready", "checks": {"enclave": "ok", "sqs": "Unavailable"}}\''
ENCLAVE_GONE = 'echo \'{"status": "not_ready", "checks": {"enclave": "Unavailable", "sqs": "ok"}}\''
MEASURED = 'case "$1" in describe-eif) echo \'{"Measurements": {"PCR0": "ab"}}\' ;; esac'
FETCHES = 'case "$1" in s3) echo image > "${@: -1}" ;; esac'
JQ = """python3 -c '
import json, sys
text = sys.stdin.read()
query = sys.argv[1]
if not text.strip():
    sys.exit(1)
value = json.loads(text)
if "checks" in query:
    before, _, name = query.removesuffix(" == \\"ok\\"").rpartition(".")
    assert before == ".checks", query
    sys.exit(0 if value["checks"][name] == "ok" else 1)
if "Measurements" in query:
    print(value["Measurements"]["PCR0"])
else:
    print("\\n".join(e["State"] for e in value if e["EnclaveName"] == "signer"))
' "${@: -1}\""""


@pytest.fixture
def text(deployment: Deployment) -> str:
    settings = host_settings(deployment, minting(deployment))
    fleet = Fleet(enclave_cid=ENCLAVE_CID, stack="acme-mintline-signer", group=GROUP_ID)
    return boot(deployment, settings=settings, fleet=fleet)


@pytest.fixture
def root(tmp_path: Path) -> FakeRoot:
    fake_root = FakeRoot(tmp_path)
    fake_root.stub("jq", JQ)
    fake_root.stub("aws", FETCHES)
    fake_root.stub("nitro-cli", MEASURED)
    fake_root.stub("curl", READY)
    return fake_root


WAIT_URL = "https://cloudformation-waitcondition-us-east-1.s3.amazonaws.com/handle?Expires=1&Signature=a%2Fb"
LOADS = 'case "$1" in load) echo "Loaded image: mintline/signer-host:0.1.0" ;; esac'


def small_text(**changes: object) -> str:
    deployment = small(**changes)
    fleet = Fleet(
        enclave_cid=ENCLAVE_CID, stack="acme-mintline-signer", group=GROUP_ID, wait_url=WAIT_URL, cpus=1
    )
    return boot(deployment, settings=host_settings(deployment, minting(deployment)), fleet=fleet)


def test_boot__when_the_deployment_is_small__then_the_image_is_s3s_and_the_signal_goes_to_its_url(
    root: FakeRoot,
) -> None:
    root.stub("docker", LOADS)
    root.stub("hostname", "echo ip-10-0-0-7")

    done = root.run(small_text())

    assert (done.returncode, signalled(root)) == (0, ["0"]), done.stderr
    (signal,) = (call for call in root.log if call.startswith("cfn-signal"))
    assert signal.endswith(f"--id ip-10-0-0-7 {WAIT_URL}")
    archive = "s3://acme-mintline-artifacts/signer-host-0.1.0.tar"
    assert any(call.startswith("aws s3 cp") and archive in call for call in root.log)
    assert "docker tag mintline/signer-host:0.1.0 mintline-signer-host:deployed" in root.log
    unit = (root.root / "etc/systemd/system/mintline-signer-host.service").read_text()
    assert "ecr" not in unit
    assert "mintline-signer-host:deployed" in unit


def test_boot__when_the_hosts_image_is_not_the_documents__then_it_is_not_loaded(root: FakeRoot) -> None:
    done = root.run(small_text(image_digests={"signer": f"sha256:{'0' * 64}"}))

    assert done.returncode != 0
    assert signalled(root) != ["0"]
    assert not [call for call in root.log if call.startswith("docker load")]


def test_check__when_a_small_deployments_instance_has_not_signed_for_ten_minutes__then_it_ends(
    root: FakeRoot,
) -> None:
    text = small_text()
    root.stub("date", "echo 10000")
    root.stub("curl", ENCLAVE_GONE)
    (root.root / "run/mintline-signer-unready").write_text(f"{10_000 - SICK_AFTER}\n")
    ready = root.root / PATH_OF_READY.removeprefix("/")
    ready.write_text(root.placed(part(text, PATH_OF_READY)))
    ready.chmod(0o755)

    done = root.run(part(text, PATH_OF_CHECK))

    assert done.returncode == 0, done.stderr
    assert "systemctl poweroff" in root.log


def part(text: str, path: str) -> str:
    """Return a script that the boot script writes."""
    return text.partition(f"cat > {path} <<'END'\n")[2].split("\nEND\n", 1)[0]


def signalled(root: FakeRoot) -> list[str]:
    return [re.findall(r"--exit-code (\d+)", call)[0] for call in root.log if call.startswith("cfn-signal")]


def test_boot__when_the_enclave_answers__then_success_is_signalled_to_the_groups_resource(
    text: str, root: FakeRoot
) -> None:
    done = root.run(text)

    assert (done.returncode, signalled(root)) == (0, ["0"]), done.stderr
    (signal,) = (call for call in root.log if call.startswith("cfn-signal"))
    assert signal.endswith(f"--stack acme-mintline-signer --resource {GROUP_ID}")
    assert "systemctl restart mintline-enclave" in root.log
    assert "systemctl start mintline-signer-host" in root.log
    assert (root.root / "opt/mintline/signer.eif").read_text() == "image\n"


def test_boot__when_s3_refuses_the_image__then_failure_is_signalled_and_no_host_starts(
    text: str, root: FakeRoot
) -> None:
    root.stub("aws", 'echo "An error occurred (403)" >&2; exit 1')

    done = root.run(text)

    assert done.returncode != 0
    (code,) = signalled(root)
    assert code != "0"
    # It is watched none the less: the group replaces an instance that never signs.
    assert "systemctl enable --now mintline-check-signer.timer" in root.log
    assert "systemctl start mintline-signer-host" not in root.log


@pytest.mark.parametrize(
    ("response", "takes"), [(ENCLAVE_GONE, 0), ("exit 28", 10)], ids=["unready", "hangs"]
)
def test_boot__when_the_enclave_never_answers__then_failure_is_signalled_after_ten_minutes(
    text: str, root: FakeRoot, response: str, takes: int
) -> None:
    """A host that hangs up to `curl`'s own limit takes as long as one that answers at once."""
    clock = root.root / "clock"
    clock.write_text("0\n")
    passes = f'echo $(($(cat "{clock}") + $1)) > "{clock}"'
    root.stub("date", f'cat "{clock}"')
    root.stub("sleep", passes)
    root.stub("jq", 'cat > /dev/null; case "$*" in *Measurements*) echo ab ;; *) exit 1 ;; esac')
    root.stub("curl", f"set -- {takes}; {passes}; {response}")

    done = root.run(text)

    assert (done.returncode, signalled(root)) == (1, ["1"])
    assert "not ready within ten minutes" in done.stderr
    assert READY_WITHIN <= int(clock.read_text()) <= READY_WITHIN + 15


def test_boot__when_systemd_does_not_start_the_enclave__then_failure_is_signalled(
    text: str, root: FakeRoot
) -> None:
    root.stub("systemctl", 'case "$*" in "restart mintline-enclave") exit 1 ;; esac')

    assert root.run(text).returncode == 1
    assert signalled(root) == ["1"]


@pytest.mark.parametrize("state", ["TERMINATING", ""])
def test_enclave__when_it_has_died__then_its_service_ends_for_systemd_to_start_it_again(
    text: str, root: FakeRoot, state: str
) -> None:
    listed = f'[{{"EnclaveName": "signer", "State": "{state}"}}]' if state else "[]"
    root.stub(
        "nitro-cli",
        f'case "$1" in describe-enclaves) if [ -e "{root.root}/died" ]; then echo \'{listed}\'; '
        f'else touch "{root.root}/died"; '
        'echo \'[{"EnclaveName": "signer", "State": "RUNNING"}]\'; fi ;; esac',
    )

    done = root.run(part(text, PATH_OF_RUN))

    assert done.returncode == 1
    assert f"the enclave is {state or 'gone'}" in done.stderr
    assert root.log.count("nitro-cli describe-enclaves") == 2
    # systemd has been told that it runs before it is watched.
    assert "systemd-notify --ready" in root.log


def test_enclave__when_it_does_not_start__then_systemd_is_never_told_that_it_runs(
    text: str, root: FakeRoot
) -> None:
    root.stub("nitro-cli", "exit 39")

    assert root.run(part(text, PATH_OF_RUN)).returncode != 0
    assert not [call for call in root.log if call.startswith("systemd-notify")]


def test_enclave__when_nitro_cli_fails_three_times_in_a_row__then_its_service_ends(
    text: str, root: FakeRoot
) -> None:
    root.stub("nitro-cli", 'case "$1" in describe-enclaves) exit 1 ;; esac')

    assert root.run(part(text, PATH_OF_RUN)).returncode == 1
    assert root.log.count("nitro-cli describe-enclaves") == 3


def test_units__when_an_enclave_or_a_host_ends__then_systemd_starts_it_again_without_end(text: str) -> None:
    for unit in ("mintline-enclave", "mintline-signer-host"):
        unit_text = part(text, f"/etc/systemd/system/{unit}.service")
        assert "Restart=always" in unit_text
        assert "StartLimitIntervalSec=0" in unit_text
        assert "oneshot" not in unit_text


@pytest.mark.parametrize(
    ("response", "unready_for", "notified"),
    [
        (READY, SICK_AFTER * 2, False),
        (SQS_GONE, SICK_AFTER * 2, False),
        (ENCLAVE_GONE, None, False),
        (ENCLAVE_GONE, SICK_AFTER - 60, False),
        (ENCLAVE_GONE, SICK_AFTER, True),
        ("exit 7", SICK_AFTER, True),
    ],
)
def test_check__when_an_instance_has_not_signed_for_ten_minutes__then_the_group_is_told(
    text: str,
    root: FakeRoot,
    response: str,
    unready_for: int | None,
    notified: bool,  # noqa: FBT001 - the table's last column
) -> None:
    root.stub("date", "echo 10000")
    root.stub("curl", f'case "$*" in *latest*) echo i-0abc ;; *) {response} ;; esac')
    since = root.root / "run/mintline-signer-unready"
    if unready_for is not None:
        since.write_text(f"{10_000 - unready_for}\n")
    ready = root.root / PATH_OF_READY.removeprefix("/")
    ready.write_text(root.placed(part(text, PATH_OF_READY)))
    ready.chmod(0o755)

    done = root.run(part(text, PATH_OF_CHECK))

    assert done.returncode == 0, done.stderr
    calls = [call for call in root.log if call.startswith("aws autoscaling set-instance-health")]
    assert bool(calls) is notified
    assert since.exists() is (response not in (READY, SQS_GONE))
    if notified:
        assert calls[0].endswith("--instance-id i-0abc --health-status Unhealthy")
