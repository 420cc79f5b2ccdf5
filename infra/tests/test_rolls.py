"""The scripts that put another image or policy document on an instance, run with stubs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from mintline.attestation.registers import policy_register
from mintline_infra.signer import ENCLAVE_CID, GROUP_ID, ROLL_WITHIN, host_settings
from mintline_infra.signer_boot import (
    PATH_OF_READY,
    PATH_OF_ROLL,
    PATH_OF_ROLL_POLICY,
    PATH_OF_SIGNS,
    POLICY_DIR,
    ROLLED_LOOKS,
    ROLLED_WITHIN,
    Fleet,
    boot,
)
from synthesis import Templates, described, minting, properties

GOOD, OTHER = "ab" * 48, "cd" * 48
POLICY = b'{"version": 1}\n'
PCR16 = policy_register(POLICY).hex()
IMAGE_ROLL, POLICY_ROLL = (PATH_OF_ROLL, "signer-0.2.0.eif"), (PATH_OF_ROLL_POLICY, "policy.json")


@dataclass(frozen=True, slots=True)
class Host:
    """An instance's scripts, moved to a folder with stubs for the programs that they call."""

    folder: Path

    def place(self, path: str) -> str:
        """Return a script as it would be at its path, with its paths below the folder."""
        _, _, rest = script().partition(f"cat > {path} <<'END'\n")
        text = rest.split("\nEND\n", 1)[0]
        for there, here in (
            (PATH_OF_READY, "ready"),
            (PATH_OF_SIGNS, "signs"),
            (POLICY_DIR, ""),
            ("/opt/mintline", ""),
        ):
            text = text.replace(there, str(self.folder / here))
        return text

    def command(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def roll(self, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", self.place(path), "roll", *arguments],
            env={"PATH": f"{self.folder}:{os.environ['PATH']}", "LOG": str(self.folder / "log")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def clock(self) -> int:
        return int((self.folder / "clock").read_text())


def script() -> str:
    deployment = described(signing_policy="policy.json")
    settings = host_settings(deployment, minting(deployment))
    fleet = Fleet(enclave_cid=ENCLAVE_CID, stack="acme-mintline-signer", group=GROUP_ID)
    return boot(deployment, settings=settings, fleet=fleet)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    new_host = Host(tmp_path)
    clock = tmp_path / "clock"
    clock.write_text("0\n")
    (tmp_path / "new").write_bytes(POLICY)
    new_host.command("aws", f'cat {tmp_path}/new > "${{@: -1}}"; echo "$*" >> "$LOG"')
    new_host.command("nitro-cli", f'echo \'{{"Measurements": {{"PCR0": "{GOOD}"}}}}\'')
    new_host.command("jq", f"cat > /dev/null; echo {GOOD}")
    new_host.command("chown", "")
    new_host.command("systemctl", 'if [ "$1" = is-active ]; then echo active; else echo "$*" >> "$LOG"; fi')
    new_host.command("date", f"cat {clock}")
    new_host.command("sleep", f"echo $(($(cat {clock}) + $1)) > {clock}")
    new_host.command("ready", "")
    new_host.command("signs", new_host.place(PATH_OF_SIGNS))
    return new_host


@pytest.mark.parametrize(("stated", "rolled"), [(GOOD, True), (OTHER, False), (None, True)])
def test_roll__when_an_image_measures_otherwise_than_stated__then_the_old_one_stays(
    host: Host,
    stated: str | None,
    rolled: bool,  # noqa: FBT001 - the table's last column
) -> None:
    image = host.folder / "signer.eif"
    image.write_text("old\n")

    done = host.roll(PATH_OF_ROLL, "signer-0.2.0.eif", *([stated] if stated else []))

    assert "s3://acme-mintline-artifacts/signer-0.2.0.eif" in host.log
    assert (done.returncode == 0) is rolled, done.stderr
    assert image.read_bytes() == (POLICY if rolled else b"old\n")
    assert ("restart mintline-enclave" in host.log) is rolled
    assert (f"PCR0 {GOOD}" in done.stdout) is rolled
    assert not list(host.folder.glob("fetched.*"))


@pytest.mark.parametrize(("stated", "rolled"), [(PCR16, True), (OTHER, False), (None, True)])
def test_roll_policy__when_a_document_measures_otherwise_than_stated__then_the_old_one_stays(
    host: Host,
    stated: str | None,
    rolled: bool,  # noqa: FBT001 - the table's last column
) -> None:
    """The register is computed on the instance, as the enclave's security module does."""
    document = host.folder / "policy.json"
    document.write_bytes(b"old")

    done = host.roll(PATH_OF_ROLL_POLICY, "policy.json", *([stated] if stated else []))

    assert "s3://acme-mintline-artifacts/policy.json" in host.log
    assert (done.returncode == 0) is rolled, done.stderr
    assert document.read_bytes() == (POLICY if rolled else b"old")
    # Only one that runs: at an instance's first start the image comes next, and starts it.
    assert ("try-restart mintline-enclave" in host.log) is rolled
    assert (f"PCR16 {PCR16}" in done.stdout) is rolled
    assert not list(host.folder.glob("fetched.*"))


@pytest.mark.parametrize("what", [IMAGE_ROLL, POLICY_ROLL], ids=["image", "policy"])
@pytest.mark.parametrize(
    ("state", "ready", "rolled"),
    [
        ("active", "exit 0", True),
        ("active", "exit 1", False),
        # The enclave starts, and KMS refuses its first request.
        ("active", 'test "${1:-}" != kms', False),
        # It serves for a time and dies again.
        ("active", 'test $(($(cat "$(dirname "$0")/clock") % 20)) -gt 0', False),
        ("activating", "exit 1", False),
    ],
)
def test_roll__when_the_signer_is_not_ready_afterwards__then_it_fails_and_the_roll_stops(
    host: Host,
    what: tuple[str, str],
    state: str,
    ready: str,
    rolled: bool,  # noqa: FBT001 - the table's last column
) -> None:
    host.command("systemctl", f'if [ "$1" = is-active ]; then echo {state}; fi')
    host.command("ready", ready)

    done = host.roll(*what)

    assert (done.returncode == 0) is rolled, done.stderr
    assert f"{what[1]} (PCR" in done.stderr if not rolled else f"{what[1]}, PCR" in done.stdout
    assert ("does not sign" in done.stderr) is not rolled
    assert host.clock == (5 * ROLLED_LOOKS if rolled else ROLLED_WITHIN)


@pytest.mark.parametrize(
    ("what", "message"), [(IMAGE_ROLL, "runs"), (POLICY_ROLL, "stored")], ids=["image", "policy"]
)
def test_roll__when_an_instance_starts_for_the_first_time__then_it_waits_for_nothing(
    host: Host, what: tuple[str, str], message: str
) -> None:
    """The host that would say whether it signs starts after both."""
    host.command("systemctl", 'if [ "$1" = is-active ]; then echo inactive; exit 3; fi')
    host.command("ready", "exit 1")

    done = host.roll(*what)

    assert (done.returncode, host.clock) == (0, 0), done.stderr
    assert done.stdout.startswith(f"{message} {what[1]}")


def test_document__when_an_instance_is_rolled__then_it_has_the_time_that_its_script_may_take(
    templates: Templates,
) -> None:
    (document,) = properties(templates["signer"], "AWS::SSM::Document")
    (step,) = document["Content"]["mainSteps"]
    starts = int(script().partition("TimeoutStartSec=")[2].partition("\n")[0])

    assert step["inputs"]["timeoutSeconds"] == str(ROLL_WITHIN)
    assert starts + ROLLED_WITHIN + 120 <= ROLL_WITHIN, "fetching an image takes its time too"
