"""What all images have in common, and what would drift apart unseen."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ROOT / "services" / "Dockerfile"
SIGNER = ROOT / "services" / "signer-enclave" / "Dockerfile"
LOCAL = ROOT / "devstack" / "docker" / "Dockerfile"
DOCKERFILES = [SERVICES, SIGNER, LOCAL]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image is built: the last stage of its Dockerfile unless a target is named."""

    dockerfile: Path
    folder: str
    target: str | None = None
    service: str | None = None

    @property
    def stages(self) -> dict[str, tuple[str, list[str]]]:
        """Return each stage's base and instructions, with `SERVICE` replaced."""
        text = self.dockerfile.read_text().replace("\\\n", "")
        if self.service:
            text = text.replace("${SERVICE}", self.service).replace("$SERVICE", self.service)
        stages: dict[str, tuple[str, list[str]]] = {}
        for stage in re.split(r"(?m)^FROM ", text)[1:]:
            first, *rest = stage.splitlines()
            base, _, name = first.partition(" AS ")
            stages[name] = (base, [line for line in rest if line and not line.startswith("#")])
        return stages

    def instructions(self, stage: str) -> list[str]:
        """Return all instructions of a stage, those of the stages that it begins from first."""
        if stage not in self.stages:
            assert stage == "${BASE_IMAGE}"
            return []
        base, own = self.stages[stage]
        return self.instructions(base) + own

    @property
    def final(self) -> list[str]:
        return self.instructions(self.target or "")

    @property
    def build(self) -> list[str]:
        """Return the instructions of the stage that installs the packages which the image copies."""
        ((source, _),) = copies(self.final)
        return self.instructions(source.removeprefix("--from=").split()[0])


def copies(instructions: list[str]) -> list[tuple[str, str]]:
    """Return what each COPY names: its sources, and its destination."""
    pairs = [line.removeprefix("COPY ").rsplit(" ", 1) for line in instructions if line.startswith("COPY ")]
    return [(sources, destination) for sources, destination in pairs]


IMAGES = {
    **{
        name: Recipe(SERVICES, f"services/{name}", service=name)
        for name in ("api", "builder", "broadcaster", "indexer", "notifier")
    },
    "signer-host": Recipe(SIGNER, "services/signer-enclave", target="host"),
    "signer-enclave": Recipe(SIGNER, "services/signer-enclave", target="enclave"),
}
images = pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())


def test_images__when_made__come_from_one_dockerfile_for_the_services_and_one_for_the_signer() -> None:
    assert {*ROOT.glob("services/Dockerfile*"), *ROOT.glob("services/**/Dockerfile*")} == {SERVICES, SIGNER}


def test_make__when_it_builds_an_image__takes_its_dockerfile_target_and_service() -> None:
    recipes = dict(re.findall(r"(?m)^IMAGE_([a-z-]+) := (.+)$", (ROOT / "Makefile").read_text()))
    assert recipes == {
        name: f"--file {image.dockerfile.relative_to(ROOT)}"
        + (f" --target {image.target}" if image.target else "")
        + (f" --build-arg SERVICE={image.service}" if image.service else "")
        for name, image in IMAGES.items()
    }


def test_images__when_built__share_one_base_pinned_by_version_and_digest() -> None:
    bases = {
        base for path in DOCKERFILES for base in re.findall(r"(?m)^ARG BASE_IMAGE=(.+)$", path.read_text())
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
    for path in DOCKERFILES:
        (command,) = re.findall(r"(?m)^RUN python3 -m venv /uv && (.+)$", path.read_text())
        assert command == "/uv/bin/pip install --quiet --no-cache-dir --require-hashes -r /uv.txt", path


@images
def test_service_image__when_built__installs_as_locked_and_runs_unprivileged(image: Recipe) -> None:
    syncs = [line for line in image.build if line.startswith("RUN /uv/bin/uv sync ")]
    assert len(syncs) == 2
    assert all("--frozen --no-dev" in sync for sync in syncs)
    assert "--no-install-workspace" in syncs[0]
    assert "--no-editable" in syncs[1]
    project = tomllib.loads((ROOT / image.folder / "pyproject.toml").read_text())["project"]
    for sync in syncs:
        assert re.findall(r'--package "?([\w-]+)', sync) == [project["name"]]
    ((source, destination),) = copies(image.final)
    assert re.fullmatch(r"--from=[a-z-]+ /app", source)
    assert destination == "/app"
    # Only metadata follows the user: no later instruction runs as root.
    assert not [
        line for line in image.final[image.final.index("USER 10001:10001") :] if line.startswith("RUN ")
    ]
    assert [line for line in image.final if line.startswith("USER ")] == ["USER 10001:10001"]
    assert "STOPSIGNAL SIGTERM" in image.final
    assert len([line for line in image.final if line.startswith("HEALTHCHECK ")]) == 1
    assert len([line for line in image.final if line.startswith("ENTRYPOINT ")]) == 1
    assert any("org.opencontainers.image.title" in line for line in image.final)


@images
def test_service_image__when_it_starts__runs_the_module_of_its_own_service(image: Recipe) -> None:
    (entrypoint,) = [line for line in image.final if line.startswith("ENTRYPOINT ")]
    python, option, module = json.loads(entrypoint.removeprefix("ENTRYPOINT "))
    assert (Path(python).name, option) == ("python", "-m")
    assert (ROOT / image.folder / "src" / module.replace(".", "/") / "__main__.py").is_file()


@images
def test_service_image__when_its_context_is_copied__takes_one_service_and_the_library(image: Recipe) -> None:
    allowed = ("pyproject.toml uv.lock", "devstack/requirements/uv.txt", "shared/", f"{image.folder}/")
    assert all(sources.startswith(allowed) for sources, _ in copies(image.build)), image.build


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
    packages, ahead = set[str](), ["mintline-signer"]
    while ahead:
        name = ahead.pop()
        if name not in packages:
            packages.add(name)
            ahead += [needed["name"] for needed in locked[name].get("dependencies", [])]
    assert len(packages - {"mintline", "mintline-signer"}) <= 12


def test_enclave__when_it_starts__needs_no_shell_and_no_search_path() -> None:
    (entrypoint,) = [line for line in IMAGES["signer-enclave"].final if line.startswith("ENTRYPOINT ")]
    assert json.loads(entrypoint.removeprefix("ENTRYPOINT "))[0] == "/app/bin/python"


def test_emulator__when_in_a_container__emulates_the_services_that_it_does_outside() -> None:
    from mintline_devstack.emulators import AWS_SERVICES

    assert f"SERVICES={AWS_SERVICES} " in LOCAL.read_text()


def test_chain__when_in_a_container__is_the_chain_that_it_is_outside() -> None:
    from mintline_devstack.emulators import CHAIN_ID, GAS_LIMIT, STATES_KEPT

    words = re.findall(r'"([^"]+)"', LOCAL.read_text().split("ENTRYPOINT")[2])
    options = dict(itertools.pairwise(words))
    assert options["--chain-id"] == str(CHAIN_ID)
    assert options["--gas-limit"] == str(GAS_LIMIT)
    assert options["--prune-history"] == str(STATES_KEPT)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_image__when_built__copies_no_test_doubles(path: Path) -> None:
    sources = [line for line in path.read_text().splitlines() if line.startswith("COPY")]
    assert not [line for line in sources if "testkit" in line or line.split()[1] == "."]
