"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline_api.features.system.models import Readiness

READY = Readiness(status="ready", checks={"dynamodb": "ok", "sqs": "ok", "jwks": "ok"})
NOT_READY = Readiness(status="not_ready", checks={"dynamodb": "ok", "sqs": "timeout", "jwks": "ok"})
