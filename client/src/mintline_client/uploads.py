"""Uploading a file that metadata is to name."""

from __future__ import annotations

import hashlib

import aiohttp

from mintline.errors import Rejected, Unavailable
from mintline.media_types import HEAD, MEDIA_TYPES, sniffed
from mintline_client.api import Api
from mintline_client.models import UploadView

PATH = "/v1/uploads"


class Uploads:
    """The caller's uploaded files. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, data: bytes) -> UploadView:
        """Upload a file, and return it complete: metadata names it as `upload:ID`.

        Raises Rejected for a file that is not of an accepted type.
        """
        return await upload(self._api, self._api.http, data)

    async def get(self, upload_id: str) -> UploadView:
        """Return an upload."""
        upload_view: UploadView = await self._api.get(f"{PATH}/{upload_id}")
        return upload_view


async def upload(api: Api, http: aiohttp.ClientSession, data: bytes) -> UploadView:
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
    created = await api.post(PATH, announced)
    put = created["put"]
    try:
        async with http.put(put["url"], data=data, headers=put["headers"]) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"the file was not stored: {type(error).__name__}") from None
    if status != 200:
        raise Unavailable(f"the file was not stored: storage answered {status}")
    completed: UploadView = await api.post(f"{PATH}/{created['upload_id']}/complete")
    return completed
