"""The OpenAPI document, read by a linter and by generators of clients; what these make compiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, node_binary
from tests.integration.openapi.conftest import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MODULES = ROOT / "node_modules"
SETTINGS = ROOT / "tools" / "openapi"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
IMPORT_ALL = """\
import importlib, pkgutil
import made
names = [module.name for module in pkgutil.walk_packages(made.__path__, "made.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def lint(document: Path) -> str:
    redocly = MODULES / "@redocly" / "cli" / "bin" / "cli.js"
    command = [node_binary(), redocly, "lint", document, "--config", SETTINGS / "redocly.yaml"]
    return run([*command, "--format", "json"], cwd=document.parent, **QUIET)


def test_document__when_a_strict_linter_reads_it__has_no_problem(document: Path) -> None:
    lint(document)


def test_document__when_it_is_broken__the_linter_says_so(document: Path, tmp_path: Path) -> None:
    described = json.loads(document.read_text())
    del described["paths"]["/v1/mints"]["post"]["operationId"]
    broken = tmp_path / "openapi.json"
    broken.write_text(json.dumps(described))
    with pytest.raises(AssertionError, match="operation-operationId"):
        lint(broken)


def test_openapi_typescript__when_it_reads_the_document__makes_types_that_compile(
    document: Path, tmp_path: Path
) -> None:
    output = tmp_path / "made.ts"
    run(
        [node_binary(), MODULES / "openapi-typescript" / "bin" / "cli.js", document, "--output", output],
        cwd=tmp_path,
    )
    (tmp_path / "user.ts").write_text(
        'import type { paths } from "./made.ts";\n'
        'export type Id = paths["/v1/mints/{mint_id}"]["get"]["responses"][200]["content"]'
        '["application/json"]["mint_id"];\n'
        'export const id: Id = "mint_1";\n'
    )
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"]
    command = [node_binary(), MODULES / "typescript" / "bin" / "tsc", *options]
    run([*command, "--allowImportingTsExtensions", "user.ts", "made.ts"], cwd=tmp_path)


def test_openapi_python_client__when_it_reads_the_document__makes_modules_that_import(
    document: Path, tools: Path, tmp_path: Path
) -> None:
    options = ["--meta", "none", "--config", SETTINGS / "openapi-python-client.yaml", "--fail-on-warning"]
    generate = [tools / "openapi-python-client", "generate", "--path", document, *options]
    run([*generate, "--output-path", tmp_path / "made"], cwd=tmp_path)
    # It writes `1and`, of which Python 3.12 and later warn.
    printed = run([tools / "python", "-W", "ignore::SyntaxWarning", "-c", IMPORT_ALL], cwd=tmp_path)
    described = json.loads(document.read_text())
    assert int(printed) > len(described["components"]["schemas"])


def test_datamodel_code_generator__when_it_reads_the_document__makes_models_that_read_an_example(
    document: Path, tools: Path, tmp_path: Path
) -> None:
    options = ["--input-file-type", "openapi", "--output-model-type", "pydantic_v2.BaseModel"]
    generate = [tools / "datamodel-codegen", "--input", document, "--output", tmp_path / "made.py", *options]
    run([*generate, "--formatters", "builtin"], cwd=tmp_path)
    described = json.loads(document.read_text())
    response = described["paths"]["/v1/mints"]["post"]["responses"]["202"]["content"]["application/json"]
    (tmp_path / "mint.json").write_text(json.dumps(response["example"]))
    program = (
        "import made, pathlib\n"
        "text = pathlib.Path('mint.json').read_text()\n"
        "print(made.MintView.model_validate_json(text).mint_id)"
    )
    printed = run([tools / "python", "-W", "error", "-c", program], cwd=tmp_path)
    assert printed.strip() == response["example"]["mint_id"]
