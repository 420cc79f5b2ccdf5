"""What is served at /console: files of its own, little of it, under a policy that names the few origins."""

from __future__ import annotations

import gzip
import json
import re
from importlib.resources import files
from typing import Any

import pytest

from mintline_api.features.console.site import console, content_security_policy, upload_origin
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import SIGN_IN_URL, Harness
from mintline_testkit.user_pool import UserPool

STATIC = files("mintline_api.features.console").joinpath("static")
SHELL = ("index.html", "console.css", "app.js", "api.js", "parts.js", "preact.js", "session.js")
SCREENS = sorted(entry.name for entry in STATIC.joinpath("screens").iterdir() if entry.name.endswith(".js"))
SMALL = 150_000
IMPORT = re.compile(r"""(?:from|import\()\s*["'`]([^"'`]+)["'`]""")


def config_of(page: bytes) -> Any:
    script = re.search(rb'<script type="application/json" id="config">(.*?)</script>', page, re.DOTALL)
    assert script is not None
    return json.loads(script[1])


async def test_page__when_opened__then_loads_its_own_files_alone_and_says_who_signs_people_in(
    client: MemoryClient,
) -> None:
    response = await client.request("GET", "/console/home")

    page = response.body.decode()
    assert response.status == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    loads = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"console.css", "app.js", "preact.js"} <= set(loads)
    assert not [load for load in loads if "//" in load]
    assert "<style" not in page
    assert "{{" not in page
    assert re.findall(r"<script(?![^>]* src=)[^>]*>", page) == [
        '<script type="application/json" id="config">'
    ]
    config = config_of(response.body)
    assert config["token_endpoint"] == f"{SIGN_IN_URL}/token"
    assert config["user"]["scopes"][0] == "openid"


async def test_policy__when_the_page_is_served__then_allows_no_inline_script_and_no_stranger(
    client: MemoryClient,
) -> None:
    policy = (await client.request("GET", "/console/home")).headers["content-security-policy"]

    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["form-action"] == directives["base-uri"] == "'none'"
    assert directives["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy
    assert "https:" not in directives["img-src"].split()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "https://*.s3.eu-west-1.amazonaws.com"),
        ({"aws_endpoint_url": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        (
            {"aws_endpoint_url": "http://ministack:4566", "upload_endpoint_url": "http://127.0.0.1:9"},
            "http://127.0.0.1:9",
        ),
    ],
)
def test_policy__when_the_deployment_names_its_storage__then_lets_the_page_put_files_there(
    given: dict[str, str], expected: str
) -> None:
    settings = Harness(UserPool()).settings()
    changed = settings.model_copy(
        update={"aws_region": "eu-west-1", "aws_endpoint_url": None, "upload_endpoint_url": None} | given
    )

    assert upload_origin(changed) == expected
    assert f"connect-src 'self' {settings.sign_in().token_endpoint.rsplit('/', 2)[0]} {expected};" in (
        content_security_policy(changed)
    )


def test_config__when_a_setting_holds_markup__then_cannot_end_its_element() -> None:
    settings = Harness(UserPool()).settings().model_copy(update={"cognito_client_id": "</script><b>"})

    page = console(settings).page.plain.body

    assert b"</script><b>" not in page
    assert config_of(page)["user"]["client_id"] == "</script><b>"


@pytest.mark.parametrize(("path", "target"), [("/console", "console/home"), ("/console/", "home")])
async def test_page__when_asked_for_by_its_folder__then_the_browser_is_sent_on(
    client: MemoryClient, path: str, target: str
) -> None:
    response = await client.request("GET", path)

    assert (response.status, response.headers["location"]) == (308, target)


@pytest.mark.parametrize("screen", SCREENS)
async def test_screen__when_loaded_with_all_that_it_imports__then_is_small(
    client: MemoryClient, screen: str
) -> None:
    wanted, bodies = {*SHELL[1:], f"screens/{screen}"}, {}
    while wanted:
        name = wanted.pop()
        response = await client.request("GET", f"/console/{name}")
        assert response.status == 200, name
        assert response.headers["x-content-type-options"] == "nosniff"
        bodies[name] = response.body
        if name.endswith(".js") and name != "preact.js":
            folder = name.rpartition("/")[0]
            for target in IMPORT.findall(response.body.decode()):
                if "${" in target:
                    continue
                path = target.removeprefix("./") if target.startswith("./") else target.removeprefix("../")
                module = f"{folder}/{path}" if target.startswith("./") and folder else path
                if module not in bodies:
                    wanted.add(module)

    assert sum(map(len, bodies.values())) < SMALL


async def test_file__when_the_client_takes_gzip_or_has_it__then_little_is_sent(client: MemoryClient) -> None:
    plain = await client.request("GET", "/console/app.js")
    packed = await client.request("GET", "/console/app.js", headers={"Accept-Encoding": "gzip"})
    again = await client.request("GET", "/console/app.js", headers={"If-None-Match": plain.headers["etag"]})

    assert gzip.decompress(packed.body) == plain.body
    assert again.status == 304
    assert plain.headers["cache-control"] == "public, no-cache"


@pytest.mark.parametrize(
    "name", ["screens/", "nothing.js", "../site.py", "screens/../../site.py", "index.html"]
)
async def test_file__when_there_is_none_of_this_name__then_it_is_not_found(
    client: MemoryClient, name: str
) -> None:
    response = await client.request("GET", f"/console/{name}")

    assert response.status == 404
    assert response.json()["code"] == "unknown-route"


def test_modules__when_they_show_text__then_none_of_them_writes_markup() -> None:
    names = [*SHELL[2:5], "session.js", *(f"screens/{screen}" for screen in SCREENS)]
    texts = {name: STATIC.joinpath(name).read_text("utf-8") for name in names}

    for name, text in texts.items():
        for way in (
            "innerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
        ):
            assert way not in text, (name, way)


def test_library__when_vendored__keeps_its_licences() -> None:
    licences = STATIC.joinpath("preact.LICENSE.txt").read_text("utf-8")

    assert "The MIT License" in licences
    assert "Apache License" in licences
