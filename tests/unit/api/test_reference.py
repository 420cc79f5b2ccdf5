from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser

import pytest

from mintline_api.app import GROUPS, PROBLEMS
from mintline_api.http.problems import ProblemType
from mintline_api.http.reference.pages import (
    asset,
    problems_page,
    reference_page,
    source,
    try_page,
)
from mintline_testkit.api.client import MemoryClient

KINDS = PROBLEMS.all(operation for group in GROUPS for operation in group)


class Page(HTMLParser):
    VOID = frozenset({"meta", "link", "input"})

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name == "href" and tag == "a" and value:
                self.links.append(value)
            if name in ("src", "srcset", "style", "onclick") or (name == "href" and tag != "a"):
                self.loads.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_pages__when_rendered__are_well_formed_and_load_from_their_own_host_alone() -> None:
    reference, problems = Page(reference_page("Mintline")[0]), Page(problems_page("Mintline", kinds=KINDS)[0])

    assert (reference.open, problems.open) == ([], [])
    assert reference.loads == ["link href=data:,", "script src=docs/redoc.js"]
    assert reference.links == ["openapi.json", "docs/problems"]
    assert problems.loads == ["link href=data:,"]
    assert problems.links == ["../docs"]
    trial = Page(try_page("Mintline")[0])
    assert (trial.open, trial.loads, set(trial.links)) == ([], ["link href=data:,"], {"../docs"})
    assert "@import" not in asset("docs.css")
    assert "url(" not in asset("docs.css")


def test_problems_page__when_rendered__has_an_anchor_for_every_kind() -> None:
    assert Page(problems_page("Mintline", kinds=KINDS)[0]).ids == [kind.slug for kind in KINDS]


def test_pages__when_what_they_show_holds_markup__escape_it() -> None:
    evil = "<script>alert(1)</script>"
    kind = ProblemType("evil", 400, evil, f"{evil} `{evil}`")

    assert evil not in reference_page(evil)[0].decode()
    assert evil not in problems_page(evil, kinds=[kind])[0].decode()
    assert evil not in try_page(evil)[0].decode()
    ways = ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "sessionStorage")
    assert [way for way in ways if way in asset("try.js")] == []


def test_redoc__when_vendored__names_no_other_host_to_load_from_and_keeps_its_licences() -> None:
    script = asset("redoc.standalone.js")

    assert "cdn.redoc.ly" not in script
    assert "sourceMappingURL=redoc" not in script
    assert "The MIT License" in asset("redoc.LICENSE.txt")


@pytest.mark.parametrize("path", ["/docs", "/docs/problems", "/docs/try"])
async def test_page__when_served__allows_only_scripts_and_styles_of_its_own(
    client: MemoryClient, path: str
) -> None:
    response = await client.request("GET", path)

    policy = response.headers["content-security-policy"]
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none';")
    assert policy.endswith("base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    for text in re.findall(r"<style>(.*?)</style>|<script>(.*?)</script>", response.body.decode(), re.DOTALL):
        assert source("".join(text)) in policy


async def test_redoc__when_the_client_takes_gzip__is_sent_packed_and_is_the_same_script(
    client: MemoryClient,
) -> None:
    plain = await client.request("GET", "/docs/redoc.js")
    packed = await client.request("GET", "/docs/redoc.js", headers={"Accept-Encoding": "br, gzip"})
    again = await client.request("GET", "/docs/redoc.js", headers={"If-None-Match": plain.headers["etag"]})

    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.body == asset("redoc.standalone.js").encode()
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["etag"] != plain.headers["etag"]
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert (again.status, again.body) == (304, b"")
