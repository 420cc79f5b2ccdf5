"""Refusals say in words what a text must look like, and who may have a scope."""

from __future__ import annotations

import re
from pathlib import Path

from mintline_api.http.forms import FORMS
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness

ROOT = Path(__file__).parents[3]
MODELS = [
    *(ROOT / "services/api/src/mintline_api/features").glob("*/models.py"),
    ROOT / "shared/src/mintline/webhooks/records.py",
]


def test_forms__when_a_request_has_a_pattern__then_it_has_words_and_no_other() -> None:
    form = re.compile(r'Field\([^)]*pattern=r?"([^"]+)"')
    patterns = {pattern for path in MODELS for pattern in form.findall(path.read_text())}
    assert patterns == set(FORMS)


async def test_request__when_a_text_has_another_form__then_told_in_words(
    harness: Harness, client: MemoryClient
) -> None:
    refused = await client.request("GET", "/v1/events?after=yesterday", headers=harness.headers())
    assert refused.status == 400
    assert refused.json()["detail"] == (
        "after: expected a position of an event log, 13 digits: `next` of an earlier answer."
    )


async def test_scope__when_no_user_can_have_it__then_the_refusal_says_who_can(
    harness: Harness, client: MemoryClient
) -> None:
    refused = await client.request("GET", "/v1/webhooks", headers=harness.headers())
    assert (refused.status, refused.json()["code"]) == (403, "insufficient-scope")
    assert refused.json()["detail"] == (
        "The token lacks the scope mintline/webhooks:write, "
        "which machine clients and operators alone may have."
    )
