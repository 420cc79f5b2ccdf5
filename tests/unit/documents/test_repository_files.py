"""What GitHub and editors read parses, pins what it uses, and calls make targets that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
TEMPLATES = sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml"))
CONFIGURATION = [*WORKFLOWS, *TEMPLATES, GITHUB / "dependabot.yml", ROOT / ".pre-commit-config.yaml"]
MANIFESTS = {"uv": "uv.lock", "pip": "*[a-z].txt", "npm": "package-lock.json", "docker": "Dockerfile*"}
"""What Dependabot looks for in the directories of each ecosystem. Licenses are `*.LICENSE.txt`."""


def read(path: Path) -> Any:
    """Return a YAML file, every scalar of it as a string."""
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


def steps(workflow: Any) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", [])


def make_calls(text: str) -> set[str]:
    """Return the make commands of a script, with their variables."""
    return {
        call
        for line in map(str.strip, text.splitlines())
        if not line.startswith("#")
        for call in re.findall(r"(?:^|^.*['\"&] ?)(?:\w+=\S+ )*make((?: [A-Z_]+=\S+| [a-z][a-z-]*)+)", line)
    }


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def supported_pythons() -> list[str]:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", declared)
    assert bounds, declared
    return [f"3.{minor}" for minor in range(int(bounds[1]), int(bounds[2]))]


@named(CONFIGURATION)
def test_configuration__when_it_is_read__parses_as_a_mapping(path: Path) -> None:
    assert isinstance(read(path), dict)


@named(WORKFLOWS)
def test_workflow__when_it_uses_an_action__pins_it_by_hash_and_names_its_version(path: Path) -> None:
    used = re.findall(r"uses: *(.+)", path.read_text())
    for action in used:
        assert action.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action), (
            action
        )
    workflow = read(path)
    calls = [job["uses"] for job in workflow["jobs"].values() if "uses" in job]
    assert len(used) == len(calls) + sum("uses" in step for step in steps(workflow))
    for call in calls:
        assert (ROOT / call).is_file(), call


def test_workflows__when_they_use_an_action_twice__use_one_version() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for name, pin in re.findall(r"uses: *([\w./-]+)@(.+)", path.read_text()):
            pins.setdefault(name, set()).add(pin)
    assert {name: pin for name, pin in pins.items() if len(pin) > 1} == {}


@named(WORKFLOWS)
def test_workflow__when_it_runs__has_read_access_unless_a_job_names_more(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "uses" in job or job["timeout-minutes"].isdigit()


@named(WORKFLOWS)
def test_workflow__when_it_checks_out__leaves_no_token_behind(path: Path) -> None:
    for step in steps(read(path)):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@named(WORKFLOWS)
def test_workflow__when_a_script_needs_a_value__gets_it_from_the_environment(path: Path) -> None:
    for step in steps(read(path)):
        assert "${{" not in step.get("run", ""), "an expression in a script is an injection"


@named(
    [*WORKFLOWS, ROOT / ".pre-commit-config.yaml", ROOT / ".ci/run", ROOT / ".devcontainer/devcontainer.json"]
)
def test_make__when_it_is_called__has_the_target(path: Path) -> None:
    targets = make_targets()
    for call in make_calls(path.read_text().replace('": "', "\n").replace("entry: ", "\n")):
        assert {word for word in call.split() if "=" not in word} <= targets, call


def test_ci__when_the_gate_runs_a_target__runs_it_too() -> None:
    gate = (ROOT / ".ci/run").read_text() + (ROOT / ".ci/containers").read_text()
    ours = set().union(
        *(make_calls(step.get("run", "")) for step in steps(read(GITHUB / "workflows/ci.yml")))
    )
    assert make_calls(gate) == ours
    assert ours >= {" lint", " test", " demo", " infra", " test-containers"}


def test_ci__when_it_tests__covers_every_supported_python() -> None:
    matrix = read(GITHUB / "workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == supported_pythons()
    gate = re.search(r"for minor in (.+); do", (ROOT / ".ci/pythons").read_text())
    assert gate
    assert gate[1].split() == supported_pythons()


def test_release__when_it_builds_images__names_those_of_the_makefile_for_both_processors() -> None:
    images = set(re.findall(r"^IMAGE_([a-z-]+) :=", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert images
    jobs = read(GITHUB / "workflows/release.yml")["jobs"]
    assert jobs["images"]["strategy"]["matrix"]["processor"] == ["amd64", "arm64"]
    for job in ("images", "sign"):
        assert set(jobs[job]["strategy"]["matrix"]["image"]) == images


def section(title: str) -> str:
    return (ROOT / "CONTRIBUTING.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_contributing__when_it_lists_the_gate__lists_what_ci_runs_in_its_order() -> None:
    gate = re.findall(r"^(make .+|\.ci/.+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert re.findall(r"^\| `([^`]+)` \|", section("The gate"), re.MULTILINE) == gate


def test_contributing__when_it_says_where_things_would_go__names_what_is_there() -> None:
    rows = section("Where would it go?")
    assert len(re.findall(r"^\| an? ", rows, re.MULTILINE)) == 8
    paths = re.findall(r"`([\w./-]+/[\w./-]*)`", rows)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def ours(folder: str, manifest: str) -> Iterator[str]:
    """Yield the tracked manifests in folders that match a pattern of Dependabot's."""
    for tracked in tracked_files():
        path = PurePosixPath("/", tracked)
        if folder in ("**/*", str(path.parent)) and path.match(manifest) and path.suffix != ".py":
            yield tracked


@cache
def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True)
    return listed.stdout.splitlines()


def test_dependabot__when_it_names_directories__finds_manifests_there() -> None:
    updates = {update["package-ecosystem"]: update for update in read(GITHUB / "dependabot.yml")["updates"]}
    assert set(updates) == {*MANIFESTS, "github-actions"}
    for ecosystem, manifest in MANIFESTS.items():
        update = updates[ecosystem]
        patterns = update.get("directories") or [update["directory"]]
        named_paths = {pattern: set(ours(pattern, manifest)) for pattern in patterns}
        assert all(named_paths.values()), ecosystem
        assert set().union(*named_paths.values()) == set(ours("**/*", manifest)), ecosystem


@named([path for path in TEMPLATES if path.name != "config.yml"])
def test_issue_template__when_it_is_a_form__has_what_github_demands(path: Path) -> None:
    form = read(path)
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for field in form["body"]:
        assert field["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert field["attributes"].get("label") or field["type"] == "markdown"


def test_codeowners__when_it_names_a_path__it_exists_and_has_an_owner() -> None:
    for line in (GITHUB / "CODEOWNERS").read_text().splitlines():
        if line and not line.startswith("#"):
            path, *owners = line.split()
            assert owners, line
            assert all(re.fullmatch(r"@[\w-]+(/[\w-]+)?", owner) for owner in owners), line
            assert path == "*" or (ROOT / path.strip("/")).exists(), line


def test_codeowners__when_custody_owns_a_path__then_nobody_else_may_approve_in_its_place() -> None:
    lines = [line.split()[1:] for line in (GITHUB / "CODEOWNERS").read_text().splitlines()]
    of_custody = [owners for owners in lines if "@mintline/custody" in owners]
    assert of_custody
    assert all(owners == ["@mintline/custody"] for owners in of_custody)


def test_devcontainer__when_it_is_read__is_json_with_a_supported_python() -> None:
    described = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    python = re.search(r"python:(3\.\d+)", described["image"])
    assert python
    assert python[1] in supported_pythons()


def test_editorconfig__when_it_limits_python_lines__agrees_with_the_linter() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["line-length"]
    assert f"max_line_length = {linter}" in (ROOT / ".editorconfig").read_text()


@pytest.mark.parametrize(
    ("subject", "accepted"),
    [
        ("broadcaster: keep the nonce of a replaced transaction", True),
        ("tests/unit: name what fails", True),
        ("Merge branch 'main'", True),
        ("broadcaster: " + "x" * 60, False),
        ("keep the nonce of a replaced transaction", False),
        ("broadcaster: keep the nonce.", False),
        ("broadcaster:", False),
        ("", False),
    ],
)
def test_subject__when_a_commit_is_made__has_an_area_and_a_limit(
    subject: str, *, accepted: bool, tmp_path: Path
) -> None:
    message = tmp_path / "COMMIT_EDITMSG"
    message.write_text(f"{subject}\n\nWhy.\n")
    done = subprocess.run([ROOT / ".ci/subject", message], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is accepted
    assert accepted or done.stderr.startswith("commit message: the subject ")


def test_workflows__when_actionlint_reads_them__has_no_complaint() -> None:
    actionlint = shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("actionlint is not on PATH: its release comes from GitHub or a Go toolchain")
    done = subprocess.run([actionlint, *WORKFLOWS], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
