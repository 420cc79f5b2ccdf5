from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from mintline.authorizations import lookup
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness

IMAGE = "https://example.com/1.png"
GOOD: dict[str, Any] = {"name": "Aurora", "image": IMAGE}


async def post(
    harness: Harness, client: MemoryClient, body: bytes, content_type: str | None = "application/json"
) -> Any:
    headers = harness.headers()
    if content_type is not None:
        headers["Content-Type"] = content_type
    return await client.request("POST", "/v1/mints", headers=headers, body=body)


def with_metadata(**members: Any) -> bytes:
    return json.dumps({"metadata": {**GOOD, **members}}).encode()


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (b"", "not-json", "expecting value"),
        (b"hello", "not-json", "line 1, column 1"),
        (b'{"metadata": {}', "not-json", "line 1, column 16"),
        (b'{"metadata": {}} extra', "not-json", "extra data at line 1, column 18"),
        (b"{'metadata': {}}", "not-json", "property name"),
        (b'\xef\xbb\xbf{"metadata": {}}', "not-json", "BOM"),
        (b'{"metadata": {"name": "\xff"}}', "not-json", "not UTF-8: byte 23"),
        ("{}".encode("utf-16"), "not-json", "not UTF-8"),
        (b'{"metadata": {"name": "a\x01b"}}', "not-json", "control character"),
        (b'{"metadata": {"name": "a\nb"}}', "not-json", "control character"),
        (b'{"metadata": NaN}', "not-json", "JSON has no NaN"),
        (b'{"metadata": -Infinity}', "not-json", "JSON has no -Infinity"),
        (b'{"metadata": {}, "metadata": {}}', "ambiguous-json", 'The key "metadata" appears twice'),
        (b'{"metadata": {"a": 1, "\\u0061": 1}}', "ambiguous-json", 'The key "a" appears twice'),
        (b'{"metadata": 1e400}', "ambiguous-json", "too large for a double"),
        (b'{"metadata": 9007199254740992}', "ambiguous-json", "send it as a string"),
        (b'{"metadata": -' + b"9" * 5000 + b"}", "ambiguous-json", "An integer of 5000 digits"),
        (b'{"metadata": ' + b"[" * 33 + b"]" * 33 + b"}", "ambiguous-json", "more than 32 levels"),
        (b"[" * 200_000, "ambiguous-json", "more than 32 levels"),
        (b'{"metadata": {"name": "\\ud800"}}', "ambiguous-json", "not Unicode"),
        (b'{"\\udc00": 1}', "ambiguous-json", "not Unicode"),
    ],
)
async def test_post__when_the_body_is_no_unambiguous_json__says_why(
    harness: Harness, client: MemoryClient, body: bytes, code: str, detail: str
) -> None:
    response = await post(harness, client, body)

    assert (response.status, response.json()["code"]) == (400, code)
    assert detail in response.json()["detail"]
    assert harness.mints.items == {}


async def test_post__when_a_surrogate_stands_alone_deep_inside__points_at_it(
    harness: Harness, client: MemoryClient
) -> None:
    response = await post(harness, client, b'{"metadata": {"attributes": [1, {"a/b": "\\uDBFF!"}]}}')

    assert response.json()["errors"][0]["pointer"] == "#/metadata/attributes/1/a~1b"


async def test_post__when_a_surrogate_pair_is_whole__accepts(harness: Harness, client: MemoryClient) -> None:
    response = await post(
        harness, client, b'{"metadata": {"name": "\\ud83c\\udf0c", "image": "ar://' + b"a" * 43 + b'"}}'
    )

    assert response.status == 202


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"1", b"true"])
async def test_post__when_the_body_is_no_object__says_so(
    harness: Harness, client: MemoryClient, body: bytes
) -> None:
    response = await post(harness, client, body)

    assert (response.status, response.json()["code"]) == (400, "invalid-body")
    assert response.json()["errors"] == [{"pointer": "#", "detail": "expected an object"}]


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "#/metadata", "this member is required"),
        ({"metadata": []}, "#/metadata", "expected an object"),
        ({"metadata": {"image": IMAGE}}, "#/metadata/name", "this member is required"),
        ({"metadata": {"name": "x"}}, "#/metadata/image", "this member is required"),
        ({"metadata": GOOD, "amount": 2}, "#/amount", "no such member"),
        ({"metadata": {**GOOD, "colour/~": 1}}, "#/metadata/colour~1~0", "no such member"),
        ({"metadata": {**GOOD, "name": 5}}, "#/metadata/name", "expected a string"),
        ({"metadata": {**GOOD, "name": ""}}, "#/metadata/name", "expected at least 1 characters"),
        (
            {"metadata": {**GOOD, "name": " \u3000"}},
            "#/metadata/name",
            "expected at least one visible character",
        ),
        ({"metadata": {**GOOD, "name": "n" * 201}}, "#/metadata/name", "expected at most 200 characters"),
        (
            {"metadata": {**GOOD, "name": "a\u0000b"}},
            "#/metadata/name",
            "control character U+0000 in a line of text",
        ),
        (
            {"metadata": {**GOOD, "description": "d" * 4001}},
            "#/metadata/description",
            "expected at most 4000 characters",
        ),
        (
            {"metadata": {**GOOD, "description": "\x1b[2J"}},
            "#/metadata/description",
            "control character U+001B in a text",
        ),
        (
            {"metadata": {**GOOD, "background_color": "#ffffff"}},
            "#/metadata/background_color",
            "expected six hexadecimal digits, without #",
        ),
        ({"metadata": {**GOOD, "attributes": {}}}, "#/metadata/attributes", "expected an array"),
        (
            {"metadata": {**GOOD, "attributes": [{"value": 1}] * 101}},
            "#/metadata/attributes",
            "expected at most 100 items, not 101",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{}]}},
            "#/metadata/attributes/0/value",
            "this member is required",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": None}]}},
            "#/metadata/attributes/0/value",
            "expected a string, a number or a boolean",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": [1]}]}},
            "#/metadata/attributes/0/value",
            "expected a string, a number or a boolean",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": 1, "trait_type": 2}]}},
            "#/metadata/attributes/0/trait_type",
            "expected a string",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": 1, "max_value": "9"}]}},
            "#/metadata/attributes/0/max_value",
            "expected a number",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": "9", "display_type": "number"}]}},
            "#/metadata/attributes/0",
            "display_type number needs a number as value",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": True, "display_type": "number"}]}},
            "#/metadata/attributes/0",
            "display_type number needs a number as value",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": 1.5, "display_type": "date"}]}},
            "#/metadata/attributes/0",
            "display_type date needs whole Unix seconds as value",
        ),
        (
            {"metadata": {**GOOD, "attributes": [{"value": 1, "display_type": "bar"}]}},
            "#/metadata/attributes/0/display_type",
            "expected one of 'number', 'boost_number', 'boost_percentage' or 'date'",
        ),
        ({"metadata": GOOD, "to": 5}, "#/to", "expected a string"),
        ({"metadata": GOOD, "to": "0x1234"}, "#/to", "expected an address: 0x and 40 hex digits"),
        ({"metadata": GOOD, "to": "0x" + "00" * 20}, "#/to", "the zero address cannot own or mint tokens"),
        (
            {"metadata": GOOD, "to": "0x70997970c51812dc3A010C7d01b50e0d17dc79C8"},
            "#/to",
            "the EIP-55 checksum does not match; did you mean 0x70997970C51812dc3A010C7d01b50e0d17dc79C8?",
        ),
        (
            {"metadata": GOOD, "contract": "aurora.eth"},
            "#/contract",
            "expected an address: 0x and 40 hex digits",
        ),
    ],
)
async def test_post__when_a_member_does_not_fit__points_at_it(
    harness: Harness, client: MemoryClient, body: Any, pointer: str, detail: str
) -> None:
    response = await post(harness, client, json.dumps(body).encode())

    assert (response.status, response.json()["code"]) == (400, "invalid-body")
    assert response.json()["errors"] == [{"pointer": pointer, "detail": detail}]
    assert harness.mints.items == {}


async def test_post__when_many_members_do_not_fit__names_each_up_to_twenty(
    harness: Harness, client: MemoryClient
) -> None:
    response = await post(harness, client, with_metadata(attributes=[{"value": None}] * 50))

    assert len(response.json()["errors"]) == 20
    assert response.json()["detail"].startswith("#/metadata/attributes/0/value: expected")


@pytest.mark.parametrize(
    "image",
    [
        "http://example.com/1.png",
        "HTTPS://example.com:8443/1.png?size=2#top",
        "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/1.png",
        "ar://" + "x" * 43,
        "data:image/png;base64,iVBORw0KGgo=",
        "data:image/svg+xml;charset=utf-8,%3Csvg%2F%3E",
        "data:image/svg+xml;utf8,%3Csvg%20xmlns='http://www.w3.org/2000/svg'/%3E",
        'data:image/svg+xml;utf8,<svg xmlns="http://www.w3.org/2000/svg"/>',
        "ipfs://ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG/1.png",
        "https://example.com/ñ/日本.png",
    ],
)
async def test_post__when_the_image_is_a_url_of_a_known_kind__accepts(
    harness: Harness, client: MemoryClient, image: str
) -> None:
    response = await post(harness, client, with_metadata(image=image))

    assert response.status == 202


@pytest.mark.parametrize(
    "image",
    [
        "",
        "1.png",
        "/1.png",
        "//example.com/1.png",
        "ftp://example.com/1.png",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:example.com",
        "https://example.com:99999/1.png",
        "https://[::1/1.png",
        "https://user:secret@example.com/1.png",
        "https://example.com/a b.png",
        "https://example.com/\u202e<script>",
        "https://example.com/" + "a" * 2048,
        "ipfs://",
        "ipfs:///etc/passwd",
        "data:",
        "data:,hello",
        "data:image/png;base64,",
        "data:image/png;base64,###",
        "data:image/png;base64,abc",
        "data:text/html,%3Cscript%3Ealert(1)%3C/script%3E",
        "data:application/javascript,alert(1)",
        "data:image/svg+xml;utf8,<svg>\u202e</svg>",
        "https://exa\u202emple.com/x.png",
        "https://exa\u200bmple.com/x.png",
        "https://example.com/%zz.png",
        "ipfs://ipfs/",
    ],
)
async def test_post__when_the_image_is_no_such_url__points_at_it(
    harness: Harness, client: MemoryClient, image: str
) -> None:
    response = await post(harness, client, with_metadata(image=image))

    assert (response.status, response.json()["code"]) == (400, "invalid-body")
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["#/metadata/image"]


async def test_post__when_the_page_is_no_web_page__points_at_it(
    harness: Harness, client: MemoryClient
) -> None:
    response = await post(harness, client, with_metadata(external_url="ipfs://" + "b" * 46))

    assert response.json()["errors"][0]["pointer"] == "#/metadata/external_url"


async def test_post__when_every_member_is_used__accepts_and_keeps_each(
    harness: Harness, client: MemoryClient
) -> None:
    metadata = {
        **GOOD,
        "description": "Two\n\nparagraphs, **bold**.\tAnd a tab.",
        "external_url": "https://example.com/aurora/1",
        "animation_url": "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "background_color": "00fF99",
        "attributes": [
            {"value": "bare"},
            {"trait_type": "Level", "value": 5, "display_type": "number", "max_value": 9.5},
            {"trait_type": "Luck", "value": 0.25, "display_type": "boost_percentage"},
            {"trait_type": "Rare", "value": True},
            {"trait_type": "Born", "value": 1546360800, "display_type": "date"},
        ],
    }
    response = await post(harness, client, json.dumps({"metadata": metadata}).encode())

    assert response.status == 202
    mint = harness.mints.items[response.json()["mint_id"]]
    stored = lookup(mint, harness.mints.authorizations).metadata
    assert stored is not None
    assert json.loads(stored) == metadata


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "json"],
)
async def test_post__when_the_media_type_is_no_json__refuses(
    harness: Harness, client: MemoryClient, content_type: str | None
) -> None:
    response = await post(harness, client, with_metadata(), content_type)

    assert (response.status, response.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=UTF-8",
        "application/json;charset=utf8",
        "Application/JSON",
        "application/vnd.api+json",
    ],
)
async def test_post__when_the_media_type_is_json_spelled_otherwise__accepts(
    harness: Harness, client: MemoryClient, content_type: str
) -> None:
    assert (await post(harness, client, with_metadata(), content_type)).status == 202


def padded(size: int) -> bytes:
    body = with_metadata(image="data:image/svg+xml," + "a" * size)
    return with_metadata(image="data:image/svg+xml," + "a" * (size - (len(body) - size)))


async def test_post__when_the_body_has_256_kb_and_not_a_byte_more__accepts(
    harness: Harness, client: MemoryClient
) -> None:
    exact = padded(262_144)
    assert len(exact) == 262_144

    accepted = await post(harness, client, exact)
    refused = await post(harness, client, exact + b" ")

    assert accepted.status == 202
    assert (refused.status, refused.json()["code"]) == (413, "body-too-large")


async def test_post__when_the_length_is_not_declared__stops_reading_at_the_limit(
    harness: Harness, client: MemoryClient
) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = (
        "POST /v1/mints HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {harness.token()}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    response = await client.send(head.encode() + chunk * 5 + b"0\r\n\r\n", method="POST")

    assert (response.status, response.json()["code"]) == (413, "body-too-large")


async def test_post__when_a_small_body_unpacks_to_a_large_one__refuses(
    harness: Harness, client: MemoryClient
) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    headers = harness.headers(content_type="application/json", content_encoding="gzip")
    response = await client.request("POST", "/v1/mints", headers=headers, body=bomb)

    assert (response.status, response.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("identity", bytes),
        ("identity, gzip", gzip.compress),
    ],
)
async def test_post__when_the_body_is_coded_as_it_says__accepts(
    harness: Harness, client: MemoryClient, coding: str, encode: Callable[[bytes], bytes]
) -> None:
    headers = harness.headers(content_type="application/json", content_encoding=coding)
    body = encode(with_metadata())
    assert (await client.request("POST", "/v1/mints", headers=headers, body=body)).status == 202


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "\u00e9"])
async def test_post__when_the_content_coding_is_not_supported__refuses_and_says_which_are(
    harness: Harness, client: MemoryClient, coding: str
) -> None:
    headers = harness.headers(content_type="application/json", content_encoding=coding)
    response = await client.request("POST", "/v1/mints", headers=headers, body=with_metadata())
    assert (response.status, response.json()["code"]) == (415, "unsupported-content-coding")
    assert response.headers["accept-encoding"] == "gzip, deflate"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(with_metadata(), mtime=0)[:-9]),
        ("gzip", gzip.compress(with_metadata(), mtime=0)[:-1]),
        ("gzip", gzip.compress(with_metadata(), mtime=0) + b"tail"),
        ("gzip", gzip.compress(with_metadata(), mtime=0).replace(b"\x1f\x8b", b"\x1f\x8c")),
        ("deflate", zlib.compress(with_metadata())[:-1]),
        ("deflate", zlib.compress(with_metadata()) + b"tail"),
        ("deflate", b"\xff"),
    ],
)
async def test_post__when_the_coded_body_breaks_off_or_goes_on__refuses(
    harness: Harness, client: MemoryClient, coding: str, body: bytes
) -> None:
    headers = harness.headers(content_type="application/json", content_encoding=coding)
    response = await client.request("POST", "/v1/mints", headers=headers, body=body)
    assert (response.status, response.json()["code"]) == (400, "bad-request")
    assert harness.mints.items == {}


@pytest.mark.parametrize("name", ["\u200b\u200d\ufeff", "a\u2028b", " \u00a0"])
async def test_post__when_the_name_shows_nothing_or_has_two_lines__points_at_it(
    harness: Harness, client: MemoryClient, name: str
) -> None:
    response = await post(harness, client, with_metadata(name=name))
    assert [fault["pointer"] for fault in response.json()["errors"]] == ["#/metadata/name"]


async def test_post__when_the_content_coding_is_a_lie__refuses(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(content_type="application/json", content_encoding="gzip")
    response = await client.request("POST", "/v1/mints", headers=headers, body=with_metadata())

    assert (response.status, response.json()["code"]) == (400, "bad-request")


async def test_post__when_an_address_was_mistyped__then_the_question_ends_the_sentence(
    harness: Harness, client: MemoryClient
) -> None:
    body = {"metadata": GOOD, "to": "0x70997970c51812dc3A010C7d01b50e0d17dc79C8"}
    response = await post(harness, client, json.dumps(body).encode())

    assert response.json()["detail"].endswith("did you mean 0x70997970C51812dc3A010C7d01b50e0d17dc79C8?")


@pytest.mark.parametrize("digits", [79, 100])
async def test_token__when_its_id_has_more_digits_than_any__then_says_how_large_ids_are(
    client: MemoryClient, harness: Harness, digits: int
) -> None:
    body = {"metadata": GOOD, "token_id": "9" * digits}
    response = await post(harness, client, json.dumps(body).encode())

    (fault,) = response.json()["errors"]
    assert (fault["pointer"], fault["detail"]) == ("#/token_id", "expected an integer below 2^256")
