"""Uploading a file that metadata is to name."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import aiohttp

from mintline.errors import Rejected, Unavailable
from mintline.media_types import HEAD, MEDIA_TYPES, sniffed
from mintline_client.api import Api


async def upload(api: Api, http: aiohttp.ClientSession, data: bytes) -> dict[str, Any]:
    """Upload a file, and return it as the API shows it, complete.

    Raises Rejected for a file that is not accepted, and Unavailable if the API or storage does not answer.
    """
    content_type = sniffed(data[:HEAD], len(data))
    if content_type is None:
        raise Rejected("media_type", f"no file of an accepted type: {', '.join(MEDIA_TYPES)}")
    announced = {
        "content_type": content_type,
        "size": len(data),
        "sha256": "0x" + hashlib.sha256(data).hexdigest(),
    }
    created = await api.post("/v1/uploads", announced, idempotency_key=str(uuid.uuid4()))
    put = created["put"]
    try:
        async with http.put(put["url"], data=data, headers=put["headers"]) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"the file was not stored: {type(error).__name__}") from None
    if status != 200:
        raise Unavailable(f"the file was not stored: storage answered {status}")
    completed: dict[str, Any] = await api.post(
        f"/v1/uploads/{created['upload_id']}/complete", None, idempotency_key=str(uuid.uuid4())
    )
    return completed
