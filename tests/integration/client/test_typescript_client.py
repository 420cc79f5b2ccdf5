"""The TypeScript client: its own tests, its types, its paths, and what is packed."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import generate
import pytest

from tests.integration.conftest import ROOT
from tests.integration.typescript_client import CLIENT, TSC, install_client, node

pytestmark = pytest.mark.integration

USER = """\
import { type MintView, Mintline, NotFound, verifyWebhook } from "@mintline/client";

export async function minted(mintline: Mintline, id: string): Promise<MintView | undefined> {
  return mintline.mints.get(id).catch((error: unknown) => {
    if (error instanceof NotFound && error.problem.code) return undefined;
    throw error;
  });
}
export const received = (body: string, headers: Headers) => verifyWebhook(body, headers, "whsec_AAAA");
"""

OPTIONS = (
    *("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"),
    *("--typeRoots", str(ROOT / "node_modules" / "@types"), "--types", "node"),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_client(tmp_path_factory.mktemp("user"))


def test_client__when_its_own_tests_run__passes_them() -> None:
    tests = sorted(CLIENT.glob("test/*.test.ts"))
    assert len(tests) >= 5
    done = node("--import", "tsx", "--test", "--test-timeout=120000", *tests, cwd=CLIENT)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^# pass [1-9]\d", done.stdout, re.MULTILINE)


def test_client__when_it_is_compiled__has_no_type_errors() -> None:
    done = node(TSC, "-p", CLIENT, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_client__when_it_calls_a_path__the_document_has_it() -> None:
    described = {re.sub(r"\{\w+\}", "{}", path) for path in generate.document()["paths"]}
    called = {
        re.sub(r"\$\{[^}]+\}", "{}", path)
        for source in CLIENT.glob("src/*.ts")
        for path in re.findall(r"[\"`](/v1/[^\"`]*)[\"`]", source.read_text())
    }
    assert len(called) > 40
    assert called <= described


def test_package__when_the_references_samples_use_it__then_they_compile(installed: Path) -> None:
    folder = installed.parents[2]
    samples = [
        (operation["operationId"], sample["source"])
        for methods in generate.document()["paths"].values()
        for operation in methods.values()
        for sample in operation["x-codeSamples"]
        if sample["label"] == "TypeScript"
    ]
    for name, source in samples:
        (folder / f"{name}.mts").write_text(f"{source}\nexport {{}};\n")

    done = node(TSC, *OPTIONS, *(f"{name}.mts" for name, _ in samples), cwd=folder)

    assert len(samples) > 60
    assert done.returncode == 0, done.stdout


def test_package__when_a_program_uses_it__has_types_and_the_workspaces_version(installed: Path) -> None:
    folder = installed.parents[2]
    (folder / "user.mts").write_text(USER)
    (folder / "mint.mts").write_text((ROOT / "examples" / "mint.ts").read_text())
    done = node(TSC, *OPTIONS, "user.mts", "mint.mts", cwd=folder)
    assert done.returncode == 0, done.stdout

    ran = node("--input-type=module", "-e", "await import('@mintline/client')", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    package = json.loads((installed / "package.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert package["version"] == re.sub(r"\.?(dev|rc)(\d+)$", r"-\1.\2", project["version"])
    assert not {"dependencies", "devDependencies", "private"} & set(package)
    assert {path.name for path in installed.iterdir()} == {"LICENSE", "README.md", "dist", "package.json"}
