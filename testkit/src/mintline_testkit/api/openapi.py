"""The OpenAPI document of the tests' API, as its clients read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mintline_api.app import GROUPS, PROBLEMS
from mintline_api.http.openapi import openapi
from mintline_api.http.operations import Operations
from mintline_testkit.api.harness import PUBLIC_URL, SIGN_IN_URL


def document_of(groups: Sequence[Operations] = GROUPS) -> dict[str, Any]:
    """Return the document of these operations."""
    described = openapi(
        groups,
        problems=PROBLEMS,
        public_url=PUBLIC_URL,
        authorization_url=f"{SIGN_IN_URL}/authorize",
        token_url=f"{SIGN_IN_URL}/token",
    )
    document: dict[str, Any] = json.loads(json.dumps(described))
    return document
