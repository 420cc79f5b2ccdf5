"""What clients send and get of uploads, and how metadata names one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from mintline.fields import Bytes32
from mintline.media_types import MEDIA_TYPES
from mintline.metadata_urls import checked_image, checked_media
from mintline.records.uploads import Upload
from mintline_api.features.metadata.models import Metadata
from mintline_api.features.metadata.url_schemas import IMAGE, MEDIA, url_schema
from mintline_api.features.uploads.ports import PutRequest
from mintline_api.http.models import Input, Time, View, rfc3339, rfc3339_or_none

UPLOAD_SCHEME = "upload:"
UPLOAD_ID = r"upload_[0-9A-HJKMNP-TV-Z]{26}"
_EXAMPLE = "upload_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
_UPLOAD = f"upload:{UPLOAD_ID}"

UploadId = Annotated[
    str,
    WithJsonSchema({"type": "string", "pattern": f"^{UPLOAD_ID}$", "examples": [_EXAMPLE]}),
]


def _image_or_upload(value: str) -> str:
    return value if value.startswith(UPLOAD_SCHEME) else checked_image(value)


def _media_or_upload(value: str) -> str:
    return value if value.startswith(UPLOAD_SCHEME) else checked_media(value)


ImageOrUpload = Annotated[
    str,
    AfterValidator(_image_or_upload),
    WithJsonSchema(
        url_schema(
            IMAGE,
            _UPLOAD,
            description="An http(s), ipfs or ar URL of at most 2,048 characters, an image's data URL, or "
            "`upload:` and the id of a complete upload of yours, an image.",
        )
    ),
]
MediaOrUpload = Annotated[
    str,
    AfterValidator(_media_or_upload),
    WithJsonSchema(
        url_schema(
            MEDIA,
            _UPLOAD,
            description="An http(s), ipfs, ar or data URL; at most 2,048 characters if not data. Or "
            "`upload:` and the id of a complete upload of yours.",
        )
    ),
]


class MetadataRequest(Metadata):
    """A token's metadata by ERC-721 and OpenSea's standard, stored in canonical JSON.

    Stored as given, except that an upload is named by its URL.
    """

    image: ImageOrUpload
    animation_url: MediaOrUpload | None = None


class UploadRequest(Input):
    """The file that is to be put."""

    content_type: Annotated[str, Field(max_length=100)] = Field(
        description="Its type, which its bytes have to show.", json_schema_extra={"enum": list(MEDIA_TYPES)}
    )
    size: int = Field(ge=1, description="Its bytes.")
    sha256: Bytes32 = Field(description="Of its bytes.")


class UploadPath(Input):
    """Names an upload."""

    upload_id: str = Field(max_length=64, description="The upload's id.", examples=[_EXAMPLE])


class MediaPath(Input):
    """Names a file by its SHA-256."""

    sha256: str = Field(
        pattern="^[0-9a-f]{64}$", description="Of the file, in lower-case hex.", examples=["ab" * 32]
    )


class PutView(View):
    """The request that puts the file's bytes, as its body. It needs no access token."""

    method: Literal["PUT"] = "PUT"
    url: str
    headers: dict[str, str] = Field(description="To be sent exactly so.")
    expires_at: Time = Field(description="Until when it works, or less.")


class UploadView(View):
    """A file on its way to where everyone gets it."""

    upload_id: UploadId
    status: Literal["waiting", "complete"]
    content_type: str
    size: int
    sha256: Bytes32
    url: str | None = Field(description="Where everyone gets it, permanently; null until it is complete.")
    cid: str | None = Field(
        description="The IPFS content id of the bytes, as `ipfs add --cid-version=1` gives it with chunks of "
        "256 KiB. Nothing is put into IPFS; null until it is complete."
    )
    created_at: Time
    completed_at: Time | None
    put: PutView | None = Field(description="How to put the bytes; only when the upload is created.")


def upload_view(
    upload: Upload, *, url: str, put: PutRequest | None = None, expires_at: int = 0
) -> UploadView:
    """Return the public form of an upload; `expires_at` is in Unix milliseconds."""
    done = upload.completed_at is not None
    return UploadView(
        upload_id=upload.upload_id,
        status="complete" if done else "waiting",
        content_type=upload.content_type,
        size=upload.size,
        sha256=upload.sha256,
        url=url if done else None,
        cid=upload.cid,
        created_at=rfc3339(upload.created_at),
        completed_at=rfc3339_or_none(upload.completed_at),
        put=None
        if put is None
        else PutView(url=put.url, headers=dict(put.headers), expires_at=rfc3339(expires_at)),
    )
