"""TypeScript's types of the schemas of an OpenAPI document, by openapi-typescript."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
HEAD = """\
// The API's requests and responses, made from its OpenAPI document by `make clients`.
// A response may have members that are not listed here: later releases add some.

"""
_EMPTY = re.compile(
    r"^export type (?:paths|webhooks|\$defs|operations) = Record<string, never>;\n", re.MULTILINE
)


def schema_types(document: Mapping[str, Any]) -> str:
    """Return a module with a type for each schema of a document."""
    node = shutil.which("node", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if node is None:
        raise FileNotFoundError("node: run make setup")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "openapi.json"), Path(folder, "schema.ts")
        # The schemas alone: operations are written by hand.
        source.write_text(json.dumps({**document, "paths": {}}))
        command = [node, str(GENERATOR), str(source), "--output", str(target)]
        options = ["--root-types", "--root-types-no-schema-prefix", "--root-types-keep-casing"]
        # A member with a default may be left out of a request.
        options += ["--default-non-nullable", "false"]
        subprocess.run(  # noqa: S603 - the pinned generator
            [*command, *options], check=True, capture_output=True
        )
        text = target.read_text()
    return HEAD + _EMPTY.sub("", text.partition("*/\n\n")[2])
