"""Health and readiness, as clients get them."""

from __future__ import annotations

from typing import Literal

from mintline_api.http.models import View


class Health(View):
    """Liveness."""

    status: Literal["ok"]


class Readiness(View):
    """Each dependency, `ok` or what is wrong with it; `missing` names those that are not `ok`."""

    status: Literal["ready", "not_ready"]
    missing: list[str]
    checks: dict[str, str]
