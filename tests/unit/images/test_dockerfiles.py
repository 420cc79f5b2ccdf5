"""What all images have in common, and what would drift apart unseen."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVICES = sorted((ROOT / "services").glob("*/Dockerfile*"))
LOCAL = ROOT / "devstack" / "docker" / "Dockerfile"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_images__when_listed__are_one_for_each_service_and_two_for_the_signer() -> None:
    assert {name(path) for path in SERVICES} == {
        "services/api/Dockerfile",
        "services/broadcaster/Dockerfile",
        "services/builder/Dockerfile",
        "services/indexer/Dockerfile",
        "services/signer-enclave/Dockerfile.enclave",
        "services/signer-enclave/Dockerfile.host",
    }


def test_images__when_built__share_one_base_pinned_by_version_and_digest() -> None:
    bases = {
        base
        for path in [*SERVICES, LOCAL]
        for base in re.findall(r"(?m)^ARG BASE_IMAGE=(.+)$", path.read_text())
    }
    (base,) = bases
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)


def test_images__when_built__use_the_uv_of_the_checkout_by_its_hash() -> None:
    bootstrap = (ROOT / "devstack" / "bootstrap.py").read_text()
    version = re.search(r'(?m)^UV_VERSION = "(.+)"$', bootstrap)
    wheels = re.findall(r'\("Linux", "\w+", "\w+"\): \(\s+"[^"]+",\s+"([0-9a-f]{64})"', bootstrap)
    requirement = (ROOT / "devstack" / "requirements" / "uv.txt").read_text()

    assert version is not None
    assert re.findall(r"(?m)^uv==(\S+)", requirement) == [version[1]]
    assert len(wheels) == 4
    assert sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", requirement)) == sorted(wheels)
    for path in [*SERVICES, LOCAL]:
        (command,) = re.findall(r"(?m)^RUN python3 -m venv /uv && (.+)$", path.read_text())
        assert command == "/uv/bin/pip install --quiet --no-cache-dir --require-hashes -r /uv.txt", path


@pytest.mark.parametrize("path", SERVICES, ids=name)
def test_service_image__when_built__installs_as_locked_and_runs_unprivileged(path: Path) -> None:
    text = path.read_text()
    build, final = text.split("\nFROM ${BASE_IMAGE}\n")
    syncs = re.findall(r"(?m)^RUN /uv/bin/uv sync (.+)$", build)
    assert len(syncs) == 2
    assert all("--frozen --no-dev" in sync for sync in syncs)
    assert "--no-install-workspace" in syncs[0]
    assert "--no-editable" in syncs[1]
    assert re.findall(r"(?m)^COPY (.+)$", final) == ["--from=build /app /app"]
    assert "\nUSER 10001:10001\n" in final
    assert "\nHEALTHCHECK " in final
    assert "\nSTOPSIGNAL SIGTERM\n" in final
    assert "org.opencontainers.image.title" in final


@pytest.mark.parametrize("path", SERVICES, ids=name)
def test_service_image__when_its_context_is_copied__takes_one_service_and_the_library(path: Path) -> None:
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", path.read_text())
    allowed = (
        "pyproject.toml uv.lock",
        "devstack/requirements/uv.txt",
        "shared/",
        f"{path.parent.relative_to(ROOT)}/",
    )
    assert all(source.startswith(allowed) for source in copied), copied


def test_local_image__when_its_context_is_copied__takes_what_the_local_stack_asks_for_of_ours() -> None:
    projects = {
        declared["project"]["name"]: (path.parent.relative_to(ROOT).as_posix(), declared)
        for path in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
        for declared in [tomllib.loads(path.read_text())]
    }
    needed, ahead = set[str](), ["mintline-devstack"]
    while ahead:
        name = ahead.pop()
        if name not in needed:
            needed.add(name)
            ahead += projects[name][1]["tool"].get("uv", {}).get("sources", {})
    assert {"mintline-ops", "mintline-client", "mintline-indexer"} < needed
    for folder in (projects[name][0] for name in needed):
        assert f"COPY {folder}/pyproject.toml {folder}/" in LOCAL.read_text()
        assert f"COPY {folder}/src {folder}/src" in LOCAL.read_text()


def test_enclave__when_installed_as_locked__holds_a_dozen_packages_besides_ours() -> None:
    locked = {
        package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    found, ahead = set[str](), ["mintline-signer"]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += [needed["name"] for needed in locked[name].get("dependencies", [])]
    assert len(found - {"mintline", "mintline-signer"}) <= 12


def test_enclave__when_it_starts__needs_no_shell_and_no_search_path() -> None:
    text = (ROOT / "services/signer-enclave/Dockerfile.enclave").read_text()
    (entrypoint,) = re.findall(r"(?m)^ENTRYPOINT (.+)$", text)
    assert json.loads(entrypoint)[0] == "/app/bin/python"


def test_emulator__when_in_a_container__emulates_the_services_that_it_does_outside() -> None:
    from mintline_devstack.emulators import AWS_SERVICES

    assert f"SERVICES={AWS_SERVICES} " in LOCAL.read_text()


def test_chain__when_in_a_container__is_the_chain_that_it_is_outside() -> None:
    from mintline_devstack.emulators import CHAIN_ID, GAS_LIMIT, STATES_KEPT

    words = re.findall(r'"([^"]+)"', LOCAL.read_text().split("ENTRYPOINT")[2])
    told = dict(itertools.pairwise(words))
    assert told["--chain-id"] == str(CHAIN_ID)
    assert told["--gas-limit"] == str(GAS_LIMIT)
    assert told["--prune-history"] == str(STATES_KEPT)


@pytest.mark.parametrize("path", [*SERVICES, LOCAL], ids=name)
def test_image__when_built__copies_no_test_doubles(path: Path) -> None:
    sources = [line for line in path.read_text().splitlines() if line.startswith("COPY")]
    assert not [line for line in sources if "testkit" in line or line.split()[1] == "."]
