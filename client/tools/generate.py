"""Writes the generated parts of the clients (`make clients`); with `--check` only says which differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from sync_classes import sync_classes
from typed_dicts import typed_dicts
from typescript_types import schema_types

from mintline_api.app import GROUPS, PROBLEMS
from mintline_api.http.openapi import openapi

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "client" / "src" / "mintline_client"
TYPESCRIPT = ROOT / "clients" / "typescript" / "src"
URL = "https://mintline.example"
SIGN_IN = "https://sign-in.example/oauth2"


def document() -> dict[str, Any]:
    """Return the OpenAPI document of a deployment."""
    described: dict[str, Any] = json.loads(
        json.dumps(
            openapi(
                GROUPS,
                problems=PROBLEMS,
                public_url=URL,
                authorization_url=f"{SIGN_IN}/authorize",
                token_url=f"{SIGN_IN}/token",
            )
        )
    )
    return described


def generated() -> dict[Path, str]:
    """Return each generated file with its text."""
    return {
        PACKAGE / "models.py": _formatted(typed_dicts(document())),
        PACKAGE / "sync_resources.py": _formatted(sync_classes(PACKAGE)),
        TYPESCRIPT / "schema.ts": schema_types(document()),
    }


def _formatted(source: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    for arguments in (["check", "--quiet", "--select", "I,F401", "--fix"], ["format", "--quiet"]):
        done = subprocess.run(  # noqa: S603 - the formatter of this environment
            [ruff, *arguments, "--stdin-filename", str(PACKAGE / "made.py"), "-"],
            input=source.encode(),
            stdout=subprocess.PIPE,
            check=True,
            cwd=ROOT,
        )
        source = done.stdout.decode()
    return source


def main() -> int:
    """Write the files, or with `--check` name those that differ and return 1."""
    check = "--check" in sys.argv[1:]
    files = generated()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(files[path])
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
