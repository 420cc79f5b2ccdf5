"""Each operation as a request in three languages: the `x-codeSamples` that the reference shows.

They run as they are: the access token is in the environment variable TOKEN, FILE in the working folder.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Sample:
    """A request as its examples make it."""

    method: str
    url: str
    secured: bool
    keyed: bool
    body: Mapping[str, Any] | None
    media_type: str | None = None
    """Of a body that is no JSON, and comes from the file FILE."""


FILE = "lines.ndjson"
_NEW_KEY = r"$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
"""By tools that every system has; a minimal Debian has no `uuidgen`."""


def code_samples(method: str, url: str, operation: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return an operation's request in curl, Python and TypeScript; `url` holds `{parameters}`."""
    sample = _sample(method.upper(), url, operation)
    return [
        {"lang": "Shell", "label": "curl", "source": _curl(sample)},
        {"lang": "Python", "label": "Python", "source": _python(sample)},
        {"lang": "TypeScript", "label": "TypeScript", "source": _typescript(sample)},
    ]


def _sample(method: str, url: str, operation: Mapping[str, Any]) -> Sample:
    parameters = operation["parameters"]
    for parameter in parameters:
        if parameter["in"] == "path":
            url = url.replace(f"{{{parameter['name']}}}", quote(str(_example(parameter))))
    query = {p["name"]: _example(p) for p in parameters if p["in"] == "query" and p["name"] == "limit"}
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("example")
    return Sample(
        method=method,
        url=f"{url}?{urlencode(query)}" if query else url,
        secured=bool(operation["security"]),
        keyed=any(p["name"] == "Idempotency-Key" for p in parameters),
        body=body,
        media_type=next(iter(content), None) if body is None else None,
    )


def _example(parameter: Mapping[str, Any]) -> Any:
    schema = parameter["schema"]
    return schema.get("examples", [schema.get("default", "")])[0]


def _curl(sample: Sample) -> str:
    verb = "" if sample.method == "GET" else f"-X {sample.method} "
    lines = [f"curl -sS {verb}{shlex.quote(sample.url)}"]
    if sample.secured:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if sample.keyed:
        lines.append(f'-H "Idempotency-Key: {_NEW_KEY}"')
    if sample.body is not None:
        body = shlex.quote(json.dumps(sample.body, indent=2))
        lines += ["-H 'Content-Type: application/json'", f"-d {body}"]
    elif sample.media_type is not None:
        lines += [f"-H 'Content-Type: {sample.media_type}'", f"-T {FILE}"]
    return " \\\n  ".join(lines)


def _python(sample: Sample) -> str:
    imports = [
        "import os\n" if sample.secured else "",
        "import uuid\n" if sample.keyed else "",
        "\n" if sample.secured else "",
        "import httpx\n\n",
        'token = os.environ["TOKEN"]\n' if sample.secured else "",
    ]
    arguments = [repr(sample.method), json.dumps(sample.url)]
    headers = {}
    if sample.secured:
        headers["Authorization"] = 'f"Bearer {token}"'
    if sample.keyed:
        headers["Idempotency-Key"] = "str(uuid.uuid4())"
    if sample.media_type is not None:
        headers["Content-Type"] = json.dumps(sample.media_type)
    if headers:
        arguments.append(f"headers={{{', '.join(f'{json.dumps(k)}: {v}' for k, v in headers.items())}}}")
    if sample.body is not None:
        arguments.append(f"json={pprint.pformat(sample.body, width=60, sort_dicts=False)}")
    elif sample.media_type is not None:
        arguments.append(f'content=open("{FILE}", "rb")')
    call = ",\n".join(arguments).replace("\n", "\n    ")
    return (
        f"{''.join(imports)}response = httpx.request(\n    {call},\n)\nresponse.raise_for_status()\n"
        "print(response.text)"
    )


def _typescript(sample: Sample) -> str:
    before, headers = [], {}
    if sample.media_type is not None:
        reading = f'const file = await readFile("{FILE}");'
        before = ['import { readFile } from "node:fs/promises";', "", reading]
    if sample.secured:
        before.append("const token = process.env.TOKEN;")
        headers["Authorization"] = "`Bearer ${token}`"
    if sample.keyed:
        headers['"Idempotency-Key"'] = "crypto.randomUUID()"
    if sample.body is not None:
        headers['"Content-Type"'] = '"application/json"'
    elif sample.media_type is not None:
        headers['"Content-Type"'] = json.dumps(sample.media_type)
    members = [] if sample.method == "GET" else [f'method: "{sample.method}"']
    if headers:
        members.append(f"headers: {{ {', '.join(f'{name}: {value}' for name, value in headers.items())} }}")
    if sample.body is not None:
        members.append(f"body: JSON.stringify({json.dumps(sample.body, indent=2)})")
    elif sample.media_type is not None:
        members.append("body: file")
    options = ",\n".join(members).replace("\n", "\n  ")
    arguments = json.dumps(sample.url) + (f", {{\n  {options},\n}}" if members else "")
    call = f"const response = await fetch({arguments});\nconsole.log(response.status, await response.text());"
    return "\n".join((*before, call))
