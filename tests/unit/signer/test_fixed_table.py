from __future__ import annotations

import random

import pytest

from mintline_signer.enclave.fixed_table import FixedTable


def value(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_table__when_written_at_random__never_tells_anything_but_the_last_value() -> None:
    rng = random.Random(7)
    table, written = FixedTable(size=64, secret=bytes(16)), dict[bytes, bytes]()
    for number in range(5_000):
        name = b"%d" % rng.randrange(100)
        assert table.get(name) in (written.get(name), None)
        table.put(name, value(number))
        written[name] = value(number)
        assert table.get(name) == value(number)
        assert len(table) <= 64
    assert len(table) == 64


def test_table__when_there_is_room__forgets_nothing() -> None:
    table = FixedTable(size=8_000, secret=bytes(16))
    for number in range(1_000):
        table.put(b"%d" % number, value(number))
    assert [table.get(b"%d" % number) for number in range(1_000)] == [value(n) for n in range(1_000)]


def test_table__when_the_secret_is_another__then_other_keys_push_each_other_out() -> None:
    def left(secret: bytes) -> set[int]:
        table = FixedTable(size=64, secret=secret)
        for number in range(200):
            table.put(b"%d" % number, value(number))
        return {number for number in range(200) if table.get(b"%d" % number) is not None}

    assert left(b"a" * 16) != left(b"b" * 16)


def test_table__when_a_value_is_no_digest__refuses_it() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        FixedTable(size=8, secret=bytes(16)).put(b"name", b"short")
