"""Lines of drops: split, read, refused and handed back."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from mintline_api.features.drops.csv_lines import columns_of, csv_text, row_of
from mintline_api.features.drops.lines import RefusedLine, StoredLine
from mintline_api.features.drops.reading import Format, LineReader
from mintline_api.features.drops.splitting import MAX_LINE, LineSplitter, RawLine
from mintline_api.features.users.emails import Emails
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.http.problems import RequestRefused
from mintline_testkit.api.users import MemoryPoolUsers

IMAGE = "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def split(data: bytes, *, quoted: bool, step: int, limit: int = 50) -> list[RawLine]:
    splitter = LineSplitter(quoted=quoted, limit=limit)
    lines = [line for at in range(0, len(data), step) for line in splitter.feed(data[at : at + step])]
    return lines if (last := splitter.rest()) is None else [*lines, last]


@pytest.mark.parametrize("quoted", [False, True])
def test_splitter__when_the_bytes_are_cut_anywhere__then_the_lines_are_the_same(*, quoted: bool) -> None:
    rng = random.Random(7)
    for _ in range(200):
        data = bytes(rng.choice(b'ab"\n\r,') for _ in range(rng.randrange(300)))
        whole = split(data, quoted=quoted, step=1_000)

        assert split(data, quoted=quoted, step=rng.randrange(1, 20)) == whole
        assert sum(line.size for line in whole) == len(data)


def test_splitter__when_a_newline_is_quoted__then_the_line_goes_on_unless_it_gets_too_long() -> None:
    assert [line.text for line in split(b'a,"b\nc"\r\nd\n', quoted=True, step=3)] == [b'a,"b\nc"', b"d"]

    lines = split(b'"open\n' + b"x" * 60 + b"\nnext\nlast", quoted=True, step=7)

    assert [(line.text[:5], line.too_long) for line in lines] == [
        (b'"open', True),
        (b"next", False),
        (b"last", False),
    ]


def reader(lines_format: Format = "ndjson", *, may_name_emails: bool = True, pool: bool = True) -> LineReader:
    users = UserDirectory(
        MemoryPoolUsers() if pool else None,
        Emails(b"a secret of thirty-two characters", case_sensitive=True),
        clock=lambda: 0.0,
    )
    return LineReader(format=lines_format, users=users, may_name_emails=may_name_emails)


def line(**changes: Any) -> dict[str, Any]:
    return {"recipient": {"address": ADDRESS}, "metadata": {"name": "n", "image": IMAGE}, **changes}


def read(value: Any, **named: Any) -> StoredLine | RefusedLine | None:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return reader(**named).read(RawLine(text, len(text) + 1), 3)


def test_reader__when_a_line_is_good__then_it_is_kept_in_its_canonical_form() -> None:
    accepted = read(
        line(recipient={"email": " Ada@EXAMPLE.com "}, external_id="a-1", tags=["x"], refused={"line": 9})
    )

    assert accepted == StoredLine(
        line=3,
        email="Ada@example.com",
        metadata=f'{{"image":"{IMAGE}","name":"n"}}',
        external_id="a-1",
        tags=("x",),
    )


@pytest.mark.parametrize(
    ("value", "pointer", "detail"),
    [
        (b"\xff\xfe{", "#", "The line is not UTF-8: byte 0 begins no character."),
        (b"{", "#", "The line is not JSON"),
        (b"[1]", "#", "expected an object"),
        (b"null", "#", "expected an object"),
        (b'{"a":1,"a":2}', "#", "appears twice"),
        (line(recipient={"email": "ada"}), "#/recipient/email", "expected an e-mail address"),
        (line(recipient={}), "#/recipient", "expected exactly one of address, user and email"),
        (line(recipient={"address": ADDRESS, "user": "u"}), "#/recipient", "expected exactly one"),
        (line(recipient={"address": "0x12"}), "#/recipient/address", "expected an address"),
        (line(metadata={"name": "n"}), "#/metadata/image", "this member is required"),
        (line(more=1), "#/more", "no such member"),
    ],
)
def test_reader__when_a_line_is_bad__then_it_says_where_and_why(
    value: Any, pointer: str, detail: str
) -> None:
    refused = read(value)

    assert isinstance(refused, RefusedLine)
    assert refused.errors[0].pointer == pointer
    assert detail.lower() in refused.errors[0].detail.lower()


def test_reader__when_the_token_may_make_no_users__then_lines_with_emails_are_refused() -> None:
    refused = read(line(recipient={"email": "ada@example.com"}), may_name_emails=False)

    assert isinstance(refused, RefusedLine)
    assert refused.errors[0].detail == "your token lacks the scope mintline/users:write"


@pytest.mark.parametrize("named", ["email", "user"])
def test_reader__when_there_is_no_user_pool__then_lines_that_name_its_users_are_refused(named: str) -> None:
    refused = read(line(recipient={named: "ada@example.com"}), pool=False)

    assert isinstance(refused, RefusedLine)
    (error,) = refused.errors
    assert error.pointer == f"#/recipient/{named}"
    assert error.detail == "this deployment has no user pool: name the recipient by address"


def test_reader__when_a_line_is_too_long__then_its_beginning_is_kept() -> None:
    refused = reader().read(RawLine(b"x" * 1_000, 100_000, too_long=True), 1)

    assert isinstance(refused, RefusedLine)
    assert (refused.errors[0].detail, len(refused.text)) == (f"longer than {MAX_LINE} bytes", 1_000)


def test_csv__when_rows_are_read__then_they_are_the_lines_of_the_json() -> None:
    rows = reader("csv")
    header = "\ufeffemail,address,name,image,attribute:Mood,attributes,tags,external_id\r\n".encode()
    row = (
        b'ada@example.com,,"n ""1""",'
        + IMAGE.encode()
        + b',calm,"[{""trait_type"":""N"",""value"":7}]",a; b,e-1'
    )

    assert rows.read(RawLine(header, len(header)), 1) is None
    accepted = rows.read(RawLine(row, len(row)), 2)

    assert isinstance(accepted, StoredLine)
    assert json.loads(accepted.metadata or "") == {
        "name": 'n "1"',
        "image": IMAGE,
        "attributes": [{"trait_type": "N", "value": 7}, {"trait_type": "Mood", "value": "calm"}],
    }
    assert (accepted.email, accepted.tags, accepted.external_id) == ("ada@example.com", ("a", "b"), "e-1")
    again = b"name,image,address"
    assert rows.read(RawLine(again, len(again)), 3) is None, "a row that names columns begins another table"
    assert rows.columns == ("name", "image", "address")
    refused = rows.read(RawLine(b"n", 1), 4)
    assert isinstance(refused, RefusedLine)
    assert refused.errors[0].detail == "expected 3 values, not 1"


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        (["name", "image"], ["expected at least one of the columns address, user and email"]),
        (["name", "email"], ["column 'image' is missing"]),
        (["name", "image", "email", "colour"], ["unknown column 'colour'"]),
        (["name", "image", "email", "Name"], ["column 'name' appears twice"]),
    ],
)
def test_csv__when_columns_are_unknown_or_missing__then_all_are_named(
    header: list[str], faults: list[str]
) -> None:
    with pytest.raises(RequestRefused) as refused:
        columns_of(header)

    assert refused.value.kind.slug == "csv-columns"
    assert [fault.detail for fault in refused.value.faults] == faults


def test_csv__when_values_are_written__then_they_are_read_again() -> None:
    values = ["plain", 'with "quotes"', "with, comma", "two\nlines", ""]

    assert row_of(csv_text(values).removesuffix("\r\n")) == values
