"""Each operation as a request in three languages: the `x-codeSamples` that the reference shows.

They run as they are: the access token is in the environment variable TOKEN, FILE in the working folder.
Python and TypeScript use the clients where those have a method for the operation (`client_calls`), and plain
HTTP else.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from mintline_api.http.reference.client_calls import CALLS, Call


@dataclass(frozen=True, slots=True)
class Sample:
    """A request as its examples make it."""

    method: str
    url: str
    secured: bool
    keyed: bool
    body: Mapping[str, Any] | None
    base: str
    """The API's address."""
    path_values: tuple[Any, ...]
    call: Call | None
    media_type: str | None = None
    """Of a body that is no JSON, and comes from the file FILE."""


FILE = "lines.ndjson"
_NEW_KEY = r"$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
"""By tools that every system has; a minimal Debian has no `uuidgen`."""


def code_samples(method: str, base: str, path: str, operation: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return an operation's request in curl, Python and TypeScript; `path` holds `{parameters}`."""
    sample = _sample(method.upper(), base, path, operation)
    return [
        {"lang": "Shell", "label": "curl", "source": _curl(sample)},
        {
            "lang": "Python",
            "label": "Python",
            "source": _python(sample) if sample.call is None else _python_call(sample, sample.call),
        },
        {
            "lang": "TypeScript",
            "label": "TypeScript",
            "source": _typescript(sample) if sample.call is None else _typescript_call(sample, sample.call),
        },
    ]


def _sample(method: str, base: str, path: str, operation: Mapping[str, Any]) -> Sample:
    parameters, url = operation["parameters"], f"{base}{path}"
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
        base=base,
        path_values=tuple(_example(p) for p in parameters if p["in"] == "path"),
        call=CALLS.get(operation["operationId"]),
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
        arguments.append(f"json={_literal(sample.body)}")
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


def _python_call(sample: Sample, call: Call) -> str:
    arguments = [json.dumps(str(value)) for value in sample.path_values]
    if sample.body is not None:
        match call.python:
            case "whole":
                arguments.append(_literal(sample.body))
            case "members":
                arguments += [f"{name}={_literal(value)}" for name, value in sample.body.items()]
            case "first":
                arguments.append(_literal(next(iter(sample.body.values()))))
    code = f"mintline.{call.method}({_lined(arguments)})"
    result = call.python_result or call.result
    shown, after = {
        "value": (f"result = {code}", "print(json.dumps(result, indent=2))"),
        "bytes": (f"text = {code}", "print(text.decode())"),
        "nothing": (code, ""),
        "list": (f"for item in {code}:\n    print(json.dumps(item, indent=2))", ""),
    }[result]
    imports = ["json", "os"] if result in ("value", "list") else ["os"]
    token = ', token=os.environ["TOKEN"]' if sample.secured else ""
    if not sample.secured:
        imports.remove("os")
    body = shown.replace("\n", "\n    ")
    lines = [
        *(f"import {name}" for name in imports),
        *([""] if imports else []),
        "from mintline_client import Mintline",
        "",
        f"with Mintline({json.dumps(sample.base)}{token}) as mintline:",
        f"    {body}",
        *([after] if after else []),
    ]
    return "\n".join(lines)


def _typescript_call(sample: Sample, call: Call) -> str:
    arguments = [json.dumps(str(value)) for value in sample.path_values]
    if sample.body is not None:
        body: Any = sample.body if call.typescript == "whole" else next(iter(sample.body.values()))
        arguments.append(json.dumps(body, indent=2))
    code = f"mintline.{call.in_typescript()}({', '.join(arguments)})"
    token = ", { token: process.env.TOKEN }" if sample.secured else ""
    shown = {
        "value": f"const result = await {code};\nconsole.log(JSON.stringify(result, null, 2));",
        "bytes": f"console.log(new TextDecoder().decode(await {code}));",
        "nothing": f"await {code};",
        "list": f"for await (const item of {code}) {{\n  console.log(JSON.stringify(item, null, 2));\n}}",
    }[call.result]
    lines = [
        'import { Mintline } from "@mintline/client";',
        "",
        f"const mintline = new Mintline({json.dumps(sample.base)}{token});",
        shown,
    ]
    return "\n".join(lines)


def _literal(value: Any) -> str:
    """Return a JSON value as Python has it, with a line for each member."""
    if isinstance(value, Mapping):
        members = [f"{json.dumps(name)}: {_literal(member)}," for name, member in value.items()]
        opened, closed = "{", "}"
    elif isinstance(value, (list, tuple)):
        members = [f"{_literal(item)}," for item in value]
        opened, closed = "[", "]"
    else:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    short = opened + " ".join(members)[:-1] + closed
    if len(short) <= 60 and "\n" not in short:
        return short
    inner = "\n".join(members).replace("\n", "\n    ")
    return f"{opened}\n    {inner}\n{closed}"


def _lined(arguments: Sequence[str]) -> str:
    """Return arguments in one line if they are short, else each in a line of its own."""
    line = ", ".join(arguments)
    if len(line) <= 60 and "\n" not in line:
        return line
    inner = ",\n".join(arguments).replace("\n", "\n    ")
    return f"\n    {inner},\n"
