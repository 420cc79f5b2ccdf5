"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.admin import readiness_report
from mintline_api.features.system.models import Readiness

READY = Readiness(**readiness_report({"dynamodb": "ok", "sqs": "ok", "jwks": "ok"}))
NOT_READY = Readiness(**readiness_report({"dynamodb": "ok", "sqs": "timeout", "jwks": "ok"}))
