"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.records.uploads import Upload
from mintline_api.features.examples import DIGEST
from mintline_api.features.uploads.models import UploadRequest, upload_view
from mintline_api.features.uploads.ports import PutRequest

UPLOAD_REQUEST = UploadRequest(content_type="image/png", size=48_211, sha256=DIGEST)
UPLOAD_REQUEST_JSON = UPLOAD_REQUEST.model_dump(mode="json")
UPLOAD_ID = "upload_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
_URL = f"https://media.example.com/media/{DIGEST.hex()}"
_UPLOAD = Upload(
    upload_id=UPLOAD_ID,
    asked_by="",
    content_type="image/png",
    size=48_211,
    sha256=DIGEST,
    created_at=1_795_398_654_123,
)
CREATED = upload_view(
    _UPLOAD,
    url=_URL,
    put=PutRequest(
        f"https://mintline-uploads.s3.amazonaws.com/{UPLOAD_ID}?X-Amz-Signature=e6d9b99b",
        {
            "Content-Type": "image/png",
            "x-amz-checksum-sha256": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
        },
    ),
    expires_at=1_795_402_254_123,
)
COMPLETE = upload_view(
    _UPLOAD.evolve(
        completed_at=1_795_398_660_456, cid="bafkreie7q3iidccmpvszul7kudcvvuavuo7u6gzlbobczuk5nqk3b4akba"
    ),
    url=_URL,
)
