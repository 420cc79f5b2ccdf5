"""/docs: one self-contained page, rendered from the OpenAPI document alone; it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from mintline_api.http.problems import Kind
from mintline_api.http.schema_table import resolve, schema_table

_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")


def docs_page(document: Mapping[str, Any], *, kinds: Iterable[Kind]) -> tuple[bytes, str]:
    """Return the page and the Content-Security-Policy that allows its own style and script, nothing else."""
    assets = files("mintline_api.http")
    style = assets.joinpath("docs.css").read_text("utf-8")
    script = assets.joinpath("docs.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    info = document["info"]
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])} API</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<nav aria-label="Contents">
<a class="brand" href="#top">{escape(info["title"])} <small>{escape(info["version"])}</small></a>
<input type="search" id="filter" placeholder="Filter" aria-label="Filter operations">
{_contents(document)}
</nav>
<main id="top">
<h1>{escape(info["title"])} API</h1>
{_prose(info["description"])}
<p>The same as a machine reads it: <a href="/openapi.json">OpenAPI 3.1</a>.</p>
{_first_mint(document)}
{"".join(_group(document, tag) for tag in document["tags"])}
{_problems(kinds)}
</main>
<script>{script}</script>
</body>
</html>
"""
    return html.encode(), policy


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _operations(document: Mapping[str, Any], tag: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]


def _inline(text: str) -> str:
    return _BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", escape(text, quote=False)))


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(part.strip())}</p>" for part in text.strip().split("\n\n"))


def _block(text: str, *, label: str = "") -> str:
    head = f"<figcaption>{escape(label)}</figcaption>" if label else ""
    return (
        f'<figure>{head}<button type="button" class="copy">Copy</button>'
        f"<pre><code>{escape(text, quote=False)}</code></pre></figure>"
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _contents(document: Mapping[str, Any]) -> str:
    parts = []
    for tag in document["tags"]:
        links = "".join(
            f'<li><a href="#{operation["operationId"]}"><b class="{method}">{method}</b> '
            f"{escape(operation['summary'])}</a></li>"
            for method, _, operation in _operations(document, tag["name"])
        )
        parts.append(f"<section><h2>{escape(tag['name'])}</h2><ul>{links}</ul></section>")
    parts.append('<section><h2>Reference</h2><ul><li><a href="#problems">Problems</a></li></ul></section>')
    return "".join(parts)


def _first_mint(document: Mapping[str, Any]) -> str:
    url = document["servers"][0]["url"]
    post = document["paths"]["/v1/mints"]["post"]
    return (
        '<section id="first-mint"><h2>A first mint</h2>'
        + _block(
            f"API={shlex.quote(url)}\nTOKEN=…   # an access token of the user pool", label="Once per shell"
        )
        + _block(_curl("POST", "/v1/mints", post), label="Mint")
        + _block(
            'curl -sS "$API/v1/mints/MINT_ID" \\\n  -H "Authorization: Bearer $TOKEN"',
            label="Follow it until its status is finalized",
        )
        + "</section>"
    )


def _group(document: Mapping[str, Any], tag: Mapping[str, Any]) -> str:
    operations = "".join(
        _operation(document, method, path, operation)
        for method, path, operation in _operations(document, tag["name"])
    )
    return f"<section><h2>{escape(tag['name'])}</h2>{_prose(tag['description'])}{operations}</section>"


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    lock = '<span class="lock">access token</span>' if operation["security"] else ""
    parts = [
        f'<article id="{operation["operationId"]}">',
        f'<h3>{escape(operation["summary"])} <a class="anchor" href="#{operation["operationId"]}">#</a></h3>',
        f'<p class="line"><b class="{method}">{method}</b> <code>{escape(path)}</code> {lock}</p>',
        _prose(operation["description"]),
        _parameters(document, operation["parameters"]),
    ]
    if "requestBody" in operation:
        media = operation["requestBody"]["content"]["application/json"]
        parts.append(f"<h4>Body</h4>{schema_table(media['schema'], document, _inline)}")
    parts.append(_block(_curl(method, path, operation), label="Try it"))
    parts.append("<h4>Answers</h4>")
    parts += [_answer(document, status, answer) for status, answer in operation["responses"].items()]
    parts.append("</article>")
    return "".join(parts)


def _parameters(document: Mapping[str, Any], parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td>"
        f"<td>{p['in']}{'' if p['required'] else ', optional'}</td>"
        f"<td>{_inline(_type_text(p['schema'], document))}</td><td>{_inline(p['description'])}</td></tr>"
        for p in parameters
    )
    return (
        "<h4>Parameters</h4><table><thead><tr><th>Name</th><th>In</th><th>Type</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _type_text(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    found = resolve(schema, document)
    text = str(found.get("type", ""))
    if "enum" in found:
        return " · ".join(f"`{value}`" for value in found["enum"])
    if "minimum" in found:
        text += f", {found['minimum']} to {found['maximum']}"
    if "default" in schema:
        text += f", {schema['default']} if absent"
    return text


def _answer(document: Mapping[str, Any], status: str, answer: Mapping[str, Any]) -> str:
    body = []
    for name, header in answer.get("headers", {}).items():
        body.append(f"<p><code>{escape(name)}</code>: {_inline(header.get('description', ''))}</p>")
    for media_type, media in answer.get("content", {}).items():
        if media_type == "application/problem+json":
            body.append(_kinds(media["examples"]))
            continue
        if "$ref" in media["schema"]:
            body.append(schema_table(media["schema"], document, _inline))
        if "example" in media:
            body.append(_block(_json(media["example"]), label=media_type))
    summary = f'<b class="s{status[0]}">{status}</b> {_inline(answer["description"])}'
    if not body:
        return f'<p class="answer">{summary}</p>'
    opened = " open" if status.startswith("2") else ""
    return f"<details{opened}><summary>{summary}</summary>{''.join(body)}</details>"


def _kinds(examples: Mapping[str, Any]) -> str:
    items = "".join(
        f'<li><a href="#{slug}"><code>{slug}</code></a> {escape(example["summary"])}</li>'
        for slug, example in examples.items()
    )
    return f"<ul>{items}</ul>"


def _curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    values = {p["name"]: _example_of(p) for p in operation["parameters"]}
    url = path
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            url = url.replace(f"{{{parameter['name']}}}", str(values[parameter["name"]]))
    query = {
        p["name"]: values[p["name"]]
        for p in operation["parameters"]
        if p["in"] == "query" and p["name"] == "limit"
    }
    target = f"$API{url}{'?' + urlencode(query) if query else ''}"
    lines = [f'curl -sS {"" if method == "GET" else f"-X {method} "}"{target}"']
    if operation["security"]:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if any(p["name"] == "Idempotency-Key" for p in operation["parameters"]):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if "requestBody" in operation:
        body = json.dumps(operation["requestBody"]["content"]["application/json"]["example"], indent=2)
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def _example_of(parameter: Mapping[str, Any]) -> Any:
    schema = parameter["schema"]
    return schema.get("examples", [schema.get("default", "")])[0]


def _problems(kinds: Iterable[Kind]) -> str:
    rows = "".join(
        f'<tr id="{kind.slug}"><td><b class="s{str(kind.status)[0]}">{kind.status}</b></td>'
        f"<td><code>{kind.slug}</code></td>"
        f"<td><strong>{escape(kind.title)}.</strong> {_inline(kind.meaning)}</td></tr>"
        for kind in kinds
    )
    return (
        '<section id="problems"><h2>Problems</h2>'
        + _prose(
            "Every refusal is an `application/problem+json` document (RFC 9457). Its `type` leads to a row "
            "of this table, and `code` repeats the row's name."
        )
        + "<table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead>"
        + f"<tbody>{rows}</tbody></table></section>"
    )
