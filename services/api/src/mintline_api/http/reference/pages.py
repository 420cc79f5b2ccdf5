"""The pages of /docs: Redoc, which reads the OpenAPI document, and a plain page of every problem.

They load nothing from other hosts, and each has a Content-Security-Policy for its own scripts and styles.
Redoc's script is `redoc.standalone.js`, taken from npm by `services/api/reference/vendor.mjs`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from html import escape
from importlib.resources import files

from mintline_api.http.problems import ProblemType

REDOC_STYLE = "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
"""The one style sheet that Redoc's script holds as text; the others it fills in rule by rule."""
_CODE = re.compile(r"`([^`]+)`")


def asset(name: str) -> str:
    """Return a file of this package."""
    return files("mintline_api.http.reference").joinpath(name).read_text("utf-8")


def source(text: str) -> str:
    """Return the CSP source that allows this inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def reference_page(title: str) -> tuple[bytes, str]:
    """Return the page that Redoc fills, and its Content-Security-Policy."""
    style, script = asset("docs.css"), asset("docs.js")
    body = f"""\
<noscript><main class="page">
<p>The reference needs JavaScript. Without it there are the <a href="openapi.json">OpenAPI document</a>
and the <a href="docs/problems">problems</a>.</p>
</main></noscript>
<div id="reference"></div>
<script src="docs/redoc.js"></script>
<script>{script}</script>
"""
    policy = _policy(
        f"script-src 'self' {source(script)}",
        # An empty style element, whose rules Redoc then inserts, is allowed by the digest of no text.
        f"style-src {source(style)} {source('')} {REDOC_STYLE}",
        "img-src data:",
        "connect-src 'self'",
        # Redoc searches in a worker, which it makes of a text of its own script.
        "worker-src blob:",
    )
    return _html(f"{title} API", style, body), policy


def try_page(title: str) -> tuple[bytes, str]:
    """Return the page that sends a request of one's own, and its Content-Security-Policy."""
    style, script = asset("docs.css"), asset("try.js")
    body = f"""\
<main class="page">
<p><a href="../docs">{escape(title)} API</a></p>
<h1>Try a request</h1>
<p>Requests are real: they act on this deployment, as the user or client whose access token you give. The
token stays in this tab, and is gone when you leave the page. <code>mintline token</code> prints one of the
local stack.</p>
<noscript><p>This page needs JavaScript.</p></noscript>
<form id="form">
<p><label for="operation">Operation</label><select id="operation"></select></p>
<p><label for="token">Access token</label><input id="token" type="password" autocomplete="off"></p>
<h2 id="summary">Loading</h2>
<p><a id="reference-link" href="../docs">What it does</a></p>
<div id="fields"></div>
<div id="body-part" hidden>
<p><label for="type">Media type</label><select id="type"></select></p>
<p><label for="body">Body</label><textarea id="body" rows="14" spellcheck="false"></textarea></p>
</div>
<p><button id="send" disabled>Send</button></p>
</form>
<section id="response" aria-live="polite" hidden>
<h2 id="status">Response</h2>
<pre id="headers"></pre>
<pre id="answer"></pre>
</section>
</main>
<script>{script}</script>
"""
    return _html(f"Try the {title} API", style, body), _policy(
        f"script-src {source(script)}", f"style-src {source(style)}", "img-src data:", "connect-src 'self'"
    )


def problems_page(title: str, *, kinds: Iterable[ProblemType]) -> tuple[bytes, str]:
    """Return the page that a problem's type URI leads to, and its Content-Security-Policy."""
    style = asset("docs.css")
    problems = "\n".join(
        f'<dt id="{kind.slug}"><b>{kind.status}</b> <code>{kind.slug}</code></dt>\n'
        f"<dd><strong>{escape(kind.title)}.</strong> {_inline(kind.meaning)}</dd>"
        for kind in kinds
    )
    body = f"""\
<main class="page">
<p><a href="../docs">{escape(title)} API</a></p>
<h1>Problems</h1>
<p>Every refusal is an <code>application/problem+json</code> document (RFC 9457). Its <code>type</code> leads
to an entry of this page, and its <code>code</code> is the entry's name.</p>
<dl>
{problems}
</dl>
</main>
"""
    return _html(f"Problems of the {title} API", style, body), _policy(
        f"style-src {source(style)}", "img-src data:"
    )


def _policy(*directives: str) -> str:
    return "; ".join(
        ("default-src 'none'", *directives, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
    )


def _html(title: str, style: str, body: str) -> bytes:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}</body>
</html>
""".encode()


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
