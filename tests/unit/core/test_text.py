"""Text that somebody else chose is short and harmless wherever it goes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.text import bounded, escaped

ANY_TEXT = st.text(st.characters(codec=None), max_size=300)


@pytest.mark.parametrize("text", ["", "execution reverted", "é☃ 日本 🎉 «nbsp:\u00a0»", "x" * 1000])
def test_bounded__when_a_text_is_short_and_plain__then_it_stays_as_it_is(text: str) -> None:
    assert bounded(text) == text


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_bounded__when_a_text_holds_a_control_character__then_it_is_escaped(code: int) -> None:
    assert bounded(f"a{chr(code)}b") == f"a\\u{code:04x}b"


@pytest.mark.parametrize(
    "code",
    [
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *(0x200E, 0x200F, 0x061C),
        *(0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF),
        *(0x2028, 0x2029),
        *(0xD800, 0xDFFF),
    ],
)
def test_bounded__when_a_text_holds_what_hides_or_reorders_text__then_it_is_escaped(code: int) -> None:
    assert bounded(f"a{chr(code)}b") == f"a\\u{code:04x}b"


def test_bounded__when_such_a_character_lies_beyond_the_basic_plane__then_it_has_eight_digits() -> None:
    assert bounded("a\U000e0041b") == "a\\U000e0041b"


def test_bounded__when_a_text_is_too_long__then_it_is_cut_and_says_how_long_it_was() -> None:
    shown = bounded("x" * 215_000)
    assert len(shown) == 1000
    assert shown.endswith("x… (215000 characters)")


def test_bounded__when_escapes_make_a_text_too_long__then_it_is_cut_between_escapes() -> None:
    shown = bounded("\x1b" * 900)
    head, mark, _ = shown.partition("…")
    assert mark
    assert len(shown) <= 1000
    assert head == "\\u001b" * (len(head) // 6)


@given(ANY_TEXT, st.integers(40, 200))
def test_bounded__when_given_any_text__then_it_is_bounded_printable_and_stays_so(
    text: str, limit: int
) -> None:
    shown = bounded(text, limit)
    assert len(shown) <= limit
    assert bounded(shown, limit) == shown
    assert json.loads(json.dumps(shown)) == shown
    shown.encode()
    assert not set(shown) & set("\x00\x1b\x07\x9b\x7f\r\n\u202e\u2066\u200f\u2028\ufeff")


def test_escaped__when_characters_are_to_be_kept__then_only_they_stay() -> None:
    assert escaped("a\n\tb\r\u202e", keep="\n\t") == "a\n\tb\\u000d\\u202e"
