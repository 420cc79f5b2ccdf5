from __future__ import annotations

from mintline.clock import UnixSeconds
from mintline_signer.enclave.refusal_counts import WINDOW, Alike, RefusalCounts

GAS = Alike("sign_mint", "policy_gas", "0x1")


def test_refusals__when_alike__have_one_record_at_once_and_a_count_later() -> None:
    counts = RefusalCounts()
    assert counts.settled(UnixSeconds(0)) == []
    assert counts.note(GAS, b"first") == GAS
    assert counts.note(GAS, b"second") is None
    assert counts.note(GAS, b"third") is None
    assert counts.settled(UnixSeconds(WINDOW - 1)) == []
    assert counts.settled(UnixSeconds(WINDOW)) == [(GAS, b"first", 2)]
    assert counts.settled(UnixSeconds(WINDOW)) == []
    assert counts.note(GAS, b"first") == GAS


def test_refusals__when_they_do_not_repeat__have_no_count() -> None:
    counts = RefusalCounts()
    counts.note(GAS, b"")
    assert counts.settled(UnixSeconds(WINDOW)) == []


def test_refusals__when_type_code_or_key_differ__are_told_apart() -> None:
    counts = RefusalCounts()
    others = [
        GAS,
        GAS._replace(what="sign_noop"),
        GAS._replace(outcome="policy_fee"),
        GAS._replace(key="0x2"),
    ]
    assert [counts.note(other, b"") for other in others] == others


def test_refusals__when_of_too_many_keys__are_counted_without_them() -> None:
    counts = RefusalCounts(max_alike=3)
    written = [counts.note(GAS._replace(key=f"0x{n}"), b"") for n in range(10)]
    assert [alike.key for alike in written if alike is not None] == ["0x0", "0x1", "0x2", ""]
    assert counts.note(GAS._replace(key="0x1"), b"") is None
    [first, rest] = counts.settled(UnixSeconds(WINDOW))
    assert (first[0].key, first[2]) == ("0x1", 1)
    assert (rest[0].key, rest[2]) == ("", 6)
