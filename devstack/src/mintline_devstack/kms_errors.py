"""How KMS says no.

https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import json

from aiohttp import web

JSON_1_1 = "application/x-amz-json-1.1"


class KmsRefusal(Exception):  # noqa: N818 - named as AWS names the fact
    """The request is answered with an AWS error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def error(refusal: KmsRefusal) -> web.Response:
    """Return an AWS error as KMS writes it."""
    body = json.dumps({"__type": refusal.code, "message": str(refusal)})
    return web.Response(status=refusal.status, text=body, content_type=JSON_1_1)
