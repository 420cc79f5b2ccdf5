from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline_signer.errors import BrokenFrame
from mintline_signer.frames import MAX_BODY, FrameDecoder, decode, frame

VALUES: tuple[dict[str, Any], ...] = ({"id": 1}, {"id": 2, "raw": bytes(300)}, {"text": "é" * 40})

items = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=40),
    lambda child: st.lists(child, max_size=4) | st.dictionaries(st.text(max_size=8), child, max_size=4),
    max_leaves=12,
)


def test_decoder__when_a_stream_is_cut_at_every_byte__gives_the_same_bodies() -> None:
    stream = b"".join(map(frame, VALUES))
    for cut in range(len(stream) + 1):
        decoder = FrameDecoder()
        bodies = decoder.feed(stream[:cut]) + decoder.feed(stream[cut:])
        assert [decode(body) for body in bodies] == list(VALUES)
        assert not decoder.partial


def test_decoder__when_fed_byte_by_byte__gives_each_body_with_its_last_byte() -> None:
    decoder = FrameDecoder()
    stream = b"".join(map(frame, VALUES))
    ends = [sum(len(frame(value)) for value in VALUES[: n + 1]) for n in range(len(VALUES))]
    completed = [n for n in range(len(stream)) if decoder.feed(stream[n : n + 1])]
    assert [n + 1 for n in completed] == ends


@given(bodies=st.lists(st.binary(min_size=1, max_size=80), max_size=6), sizes=st.lists(st.integers(1, 50)))
def test_decoder__when_fed_pieces_of_any_size__gives_the_bodies(
    bodies: list[bytes], sizes: list[int]
) -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    decoder, seen = FrameDecoder(), list[bytes]()
    for size in sizes:
        seen += decoder.feed(stream[:size])
        stream = stream[size:]
    assert seen + decoder.feed(stream) == bodies
    assert not decoder.partial


@pytest.mark.parametrize("length", [0, MAX_BODY + 1, 2**32 - 1])
def test_decoder__when_a_length_is_not_allowed__refuses_before_the_body_comes(length: int) -> None:
    with pytest.raises(BrokenFrame):
        FrameDecoder().feed(length.to_bytes(4, "big"))


def test_decoder__when_a_body_is_as_long_as_allowed__takes_it() -> None:
    body = bytes(MAX_BODY)
    assert FrameDecoder().feed(MAX_BODY.to_bytes(4, "big") + body) == [body]


def test_decoder__when_a_frame_is_cut_short__is_partial() -> None:
    decoder = FrameDecoder()
    assert not decoder.partial
    assert decoder.feed(frame(VALUES[0])[:-1]) == []
    assert decoder.partial


def test_frame__when_the_value_is_too_long__raises() -> None:
    with pytest.raises(BrokenFrame):
        frame({"raw": bytes(MAX_BODY)})


@given(items)
def test_decode__when_given_what_frame_wrote__gives_it_back(item: Any) -> None:
    assert decode(frame({"item": item})[4:]) == {"item": item}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("0102", id="trailing byte"),
        pytest.param("1800", id="long form of a short integer"),
        pytest.param("5801ff", id="long form of a short length"),
        pytest.param("c249010000000000000000", id="tag: bignum"),
        pytest.param("c11a514b67b0", id="tag: epoch"),
        pytest.param("d823612e", id="tag: regular expression"),
        pytest.param("d81c81d81d00", id="tag: cycle"),
        pytest.param("d9d9f700", id="tag: self-described"),
        pytest.param("d9ffff00", id="tag: unassigned"),
        pytest.param("9fff", id="indefinite array"),
        pytest.param("5f4101ff", id="indefinite bytes"),
        pytest.param("a2616101616102", id="duplicate key"),
        pytest.param("81" * 9 + "00", id="deep nesting"),
        pytest.param("81" * 100_000 + "00", id="very deep nesting"),
        pytest.param("61ff", id="text that is not UTF-8"),
        pytest.param("4401", id="bytes cut short"),
        pytest.param("9b0000ffffffffffff", id="array that announces too much"),
        pytest.param("5b0000ffffffffffff", id="bytes that announce too much"),
        pytest.param("ff", id="break"),
        pytest.param("1c", id="reserved"),
        pytest.param("f93e00", id="half float"),
        pytest.param("a18000", id="array as key"),
    ],
)
def test_decode__when_the_body_is_not_strict_cbor__raises(body: str) -> None:
    with pytest.raises(BrokenFrame):
        decode(bytes.fromhex(body))
