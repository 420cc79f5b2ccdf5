"""`python -m mintline_infra`: synthesize the deployment that a JSON file describes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from mintline.errors import Misconfigured
from mintline_infra.app import build
from mintline_infra.deployment import read


def main() -> int:
    """Write the cloud assembly to where the CDK asks for it, or say in one line what is wrong.

    The file is `deployment.json`, or what `cdk -c deployment=FILE` names.
    """
    app = cdk.App()
    try:
        build(app, read(_document(Path(app.node.try_get_context("deployment") or "deployment.json"))))
    except Misconfigured as error:
        print(f"infra: error: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2
    app.synth()
    return 0


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}; begin with deployment.example.json") from None
    except ValueError as error:
        raise Misconfigured(f"{path}: expected JSON: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
