"""Uploads and files over HTTP, with the buckets in memory."""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from mintline.cids import cid_of
from mintline.errors import Unavailable
from mintline_api.features.uploads.serving import MediaFiles
from mintline_api.http.problems import RequestRefused
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import PUBLIC_URL, Harness
from mintline_testkit.api.uploads import MemoryFiles

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm" + bytes(50)


async def post(
    harness: Harness, client: MemoryClient, path: str, body: Any = None, *, sub: str = "alice"
) -> Answered:
    headers = {**harness.headers(sub), "Content-Type": "application/json"}
    sent = b"" if body is None else json.dumps(body).encode()
    return await client.request("POST", path, headers=headers, body=sent)


def announced(data: bytes, content_type: str = "image/png", **changes: Any) -> dict[str, Any]:
    sha256 = "0x" + hashlib.sha256(data).hexdigest()
    return {"content_type": content_type, "size": len(data), "sha256": sha256, **changes}


async def uploaded(
    harness: Harness,
    client: MemoryClient,
    data: bytes = PNG,
    content_type: str = "image/png",
    *,
    complete: bool = True,
) -> str:
    created = await post(harness, client, "/v1/uploads", announced(data, content_type))
    assert created.status == 201, created.body
    upload_id: str = created.json()["upload_id"]
    harness.files.put[upload_id] = data
    if complete:
        done = await post(harness, client, f"/v1/uploads/{upload_id}/complete")
        assert done.status == 200, done.body
    return upload_id


async def test_upload__when_it_is_put_and_completed__then_everyone_gets_the_file(
    harness: Harness, client: MemoryClient
) -> None:
    created = await post(harness, client, "/v1/uploads", announced(PNG))
    view = created.json()
    upload_id = view["upload_id"]
    assert created.headers["location"] == f"/v1/uploads/{upload_id}"
    assert (view["status"], view["url"], view["cid"]) == ("waiting", None, None)
    assert view["put"]["method"] == "PUT"
    path = f"/v1/uploads/{upload_id}"
    early = await post(harness, client, f"{path}/complete")
    assert (early.status, early.json()["code"]) == (409, "upload-not-received")

    harness.files.put[upload_id] = PNG
    done = (await post(harness, client, f"{path}/complete")).json()
    digest = hashlib.sha256(PNG).hexdigest()
    assert done["url"] == f"{PUBLIC_URL}/media/{digest}"
    assert (done["status"], done["cid"], done["put"]) == ("complete", cid_of(PNG), None)
    harness.now += 10 * 24 * 3600
    again = await post(harness, client, f"{path}/complete")
    shown = await client.request("GET", path, headers=harness.headers())
    assert again.json() == shown.json() == done

    served = await client.request("GET", f"/media/{digest}")
    assert (served.status, served.body) == (200, PNG)
    assert served.headers["content-type"] == "image/png"
    assert served.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in served.headers["content-security-policy"]
    assert served.headers["access-control-allow-origin"] == "*"
    current = await client.request(
        "GET", f"/media/{digest}", headers={"If-None-Match": served.headers["etag"]}
    )
    assert (current.status, current.body) == (304, b"")
    head = await client.request("HEAD", f"/media/{digest}", headers={"Range": "bytes=0-9"})
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(PNG)), b"")
    for missing in (f"/media/{'0' * 64}", "/media/x"):
        assert (await client.request("GET", missing)).status in {400, 404}


@pytest.mark.parametrize(
    ("byte_range", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-2009", 10, 2009),
        ("bytes=5000-", 5000, len(PNG) - 1),
        ("bytes=5000-999999", 5000, len(PNG) - 1),
        ("bytes=-100", len(PNG) - 100, len(PNG) - 1),
        ("bytes=-999999", 0, len(PNG) - 1),
    ],
)
async def test_file__when_a_range_is_asked_for__then_only_that_is_sent(
    harness: Harness, client: MemoryClient, byte_range: str, first: int, last: int
) -> None:
    await uploaded(harness, client)
    url = f"/media/{hashlib.sha256(PNG).hexdigest()}"
    part = await client.request("GET", url, headers={"Range": byte_range})
    assert (part.status, part.body) == (206, PNG[first : last + 1])
    assert part.headers["content-range"] == f"bytes {first}-{last}/{len(PNG)}"
    headers = {"Range": byte_range, "If-Range": part.headers["etag"]}
    assert (await client.request("GET", url, headers=headers)).status == 206
    headers["If-Range"] = '"another"'
    assert (await client.request("GET", url, headers=headers)).body == PNG


async def test_file__when_a_range_is_none__then_it_is_whole_or_refused(
    harness: Harness, client: MemoryClient
) -> None:
    await uploaded(harness, client)
    url = f"/media/{hashlib.sha256(PNG).hexdigest()}"
    for passed_over in (
        "bytes=0-1,5-6",
        "bytes=9-3",
        "items=0-1",
        "bytes=-",
        "bytes=x-",
        "bytes=" + "9" * 99,
    ):
        whole = await client.request("GET", url, headers={"Range": passed_over})
        assert (whole.status, whole.body) == (200, PNG), passed_over
    for beyond in (f"bytes={len(PNG)}-", "bytes=-0"):
        refused = await client.request("GET", url, headers={"Range": beyond})
        assert (refused.status, refused.json()["code"]) == (416, "range-not-satisfiable")
        assert refused.headers["content-range"] == f"bytes */{len(PNG)}"


async def test_file__when_storage_fails_midway__then_the_connection_is_closed_and_the_next_one_served(
    harness: Harness, client: MemoryClient
) -> None:
    await uploaded(harness, client)
    url = f"/media/{hashlib.sha256(PNG).hexdigest()}"
    harness.files.failure = Unavailable("gone")
    with pytest.raises(http.client.IncompleteRead):
        await client.request("GET", url)
    harness.files.failure = None
    for _ in range(70):
        assert (await client.request("GET", url)).status == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"content_type": "image/svg+xml"}, (415, "media-type-not-accepted")),
        ({"content_type": "text/html"}, (415, "media-type-not-accepted")),
        ({"size": 50 * 1024 * 1024 + 1}, (413, "upload-too-large")),
        ({"size": 0}, (422, "invalid-body")),
        ({"size": "5"}, (422, "invalid-body")),
        ({"sha256": "0x12"}, (422, "invalid-body")),
        ({"name": "a.png"}, (422, "invalid-body")),
    ],
)
async def test_upload__when_it_announces_what_is_not_accepted__then_it_is_refused(
    harness: Harness, client: MemoryClient, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    response = await post(harness, client, "/v1/uploads", announced(PNG, **changes))
    code = response.json()["code"]
    assert (response.status if expected[1] != "invalid-body" else 422, code) == expected
    assert not harness.uploads.items


@pytest.mark.parametrize(
    ("put", "content_type", "says"),
    [
        (PNG + b"x", "image/png", "bytes were put"),
        (PNG[:-1], "image/png", "bytes were put"),
        (b"\x89PNG\r\n\x1a\n" + bytes(len(PNG) - 8), "image/png", "SHA-256 of what was put"),
        (PNG, "image/jpeg", "is image/png, and image/jpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", "no file of an accepted type"),
    ],
)
async def test_upload__when_other_bytes_are_put__then_nothing_is_served(
    harness: Harness, client: MemoryClient, put: bytes, content_type: str, says: str
) -> None:
    promised = put if b"svg" in put else PNG
    upload_id = await uploaded(harness, client, promised, content_type, complete=False)
    harness.files.put[upload_id] = put
    response = await post(harness, client, f"/v1/uploads/{upload_id}/complete")
    assert (response.status, response.json()["code"]) == (422, "upload-mismatch")
    assert says in response.json()["detail"]
    assert not harness.files.served


async def test_upload__when_others_or_late__then_it_is_not_found(
    harness: Harness, client: MemoryClient
) -> None:
    upload_id = await uploaded(harness, client, complete=False)
    for path in (f"/v1/uploads/{upload_id}/complete", "/v1/uploads/upload_X/complete"):
        response = await post(harness, client, path, sub="bob")
        assert (response.status, response.json()["code"]) == (404, "unknown-upload")
    harness.now += 24 * 3600 + 1
    response = await client.request("GET", f"/v1/uploads/{upload_id}", headers=harness.headers())
    assert (response.status, response.json()["code"]) == (404, "unknown-upload")


async def test_upload__when_its_bytes_change_while_they_are_checked__then_the_new_ones_are_not_served(
    harness: Harness, client: MemoryClient
) -> None:
    upload_id = await uploaded(harness, client, complete=False)

    def swap() -> None:
        harness.files.put[upload_id] = b"<script>"

    harness.files.between = swap
    response = await post(harness, client, f"/v1/uploads/{upload_id}/complete")
    assert (response.status, response.json()["code"]) == (422, "upload-mismatch")
    assert not harness.files.served


async def test_mint__when_it_names_uploads__then_its_metadata_has_their_urls(
    harness: Harness, client: MemoryClient
) -> None:
    image = await uploaded(harness, client)
    video = await uploaded(harness, client, WEBM, "video/webm")
    metadata = {"name": "A", "image": f"upload:{image}", "animation_url": f"upload:{video}"}
    headers = harness.headers(idempotency_key="one") | {"Content-Type": "application/json"}
    body = json.dumps({"metadata": metadata}).encode()
    response = await client.request("POST", "/v1/mints", headers=headers, body=body)
    assert response.status == 202, response.body
    [authorization] = harness.mints.authorizations.values()
    stored = json.loads(authorization.metadata or "")
    assert stored["image"] == f"{PUBLIC_URL}/media/{hashlib.sha256(PNG).hexdigest()}"
    assert stored["animation_url"] == f"{PUBLIC_URL}/media/{hashlib.sha256(WEBM).hexdigest()}"
    again = await client.request("POST", "/v1/mints", headers=headers, body=body)
    assert again.headers["idempotent-replayed"] == "true"


async def test_mint__when_an_upload_cannot_be_used__then_it_is_refused_by_its_member(
    harness: Harness, client: MemoryClient
) -> None:
    waiting = await uploaded(harness, client, complete=False)
    image = await uploaded(harness, client)
    video = await uploaded(harness, client, WEBM, "video/webm")
    good = "https://example.com/1.png"
    for sub, metadata, pointer in (
        ("alice", {"image": f"upload:{waiting}"}, "#/metadata/image"),
        ("alice", {"image": f"upload:{video}"}, "#/metadata/image"),
        ("alice", {"image": "upload:"}, "#/metadata/image"),
        ("alice", {"image": good, "animation_url": "upload:upload_0"}, "#/metadata/animation_url"),
        ("bob", {"image": f"upload:{image}"}, "#/metadata/image"),
    ):
        body = {"metadata": {"name": "A", **metadata}}
        response = await post(harness, client, "/v1/mints", body, sub=sub)
        assert (response.status, response.json()["code"]) == (422, "upload-not-usable"), metadata
        assert response.json()["errors"][0]["pointer"] == pointer
    assert not harness.mints.items


async def test_file__when_as_many_are_sent_as_may_be__then_the_next_one_is_told_to_come_again() -> None:
    media = MediaFiles(MemoryFiles(), clock=lambda: 0.0, streams=0)
    with pytest.raises(RequestRefused) as refused:
        await media.send(make_mocked_request("GET", "/media/x"), bytes(32))
    assert (refused.value.kind.slug, refused.value.headers) == ("overloaded", {"Retry-After": "2"})
