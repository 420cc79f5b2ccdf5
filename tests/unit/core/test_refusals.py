from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mintline.messages.codec import decode, encode
from mintline.messages.signed import SigningRefused
from mintline.refusals import REASONS, UNKNOWN, RefusalCode, problem_of

GOLDEN = Path(__file__).parents[2] / "contract/golden/signing_refused.v1.json"


def message(**changes: Any) -> str:
    return json.dumps(json.loads(GOLDEN.read_text()) | changes)


def test_reasons__when_a_code_can_be_sent__then_it_has_one_sentence_for_the_user() -> None:
    assert REASONS.keys() == set(RefusalCode)
    for code in RefusalCode:
        assert re.fullmatch(r"[A-Z][^.]{10,120}\.", REASONS[code])
        assert problem_of(code.value) == problem_of(code)
        assert (problem_of(code.value).code, problem_of(code.value).reason) == (code.value, REASONS[code])


@pytest.mark.parametrize("code", ["", "pay_us", "POLICY_GAS", "policy_gas ", "RefusalCode.GAS"])
def test_problem__when_the_code_is_none_of_ours__then_is_the_general_one(code: str) -> None:
    assert problem_of(code) == UNKNOWN


def test_message__when_it_has_no_reason__then_decodes() -> None:
    fields = json.loads(GOLDEN.read_text())
    del fields["reason"]
    refused = decode(json.dumps(fields))
    assert isinstance(refused, SigningRefused)
    assert refused.reason == ""
    assert decode(encode(refused)) == refused


@pytest.mark.parametrize("code", ["", "x" * 65, "pay us", "Pay_us", "policy_gas\n", "\u202egas", 7, None])
def test_message__when_its_code_is_no_code__then_is_refused(code: Any) -> None:
    with pytest.raises(ValidationError):
        decode(message(code=code))
