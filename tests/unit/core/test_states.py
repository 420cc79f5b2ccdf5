"""The state machine is data: these tests hold the data to its meaning."""

import pytest

from mintline.states import TERMINAL, TRANSITIONS, MintStatus, may, sources


def test_table__when_read__then_it_names_every_status() -> None:
    assert set(TRANSITIONS) == set(MintStatus)


def test_sources__when_compared_with_the_table__then_they_are_its_inverse() -> None:
    for target in MintStatus:
        assert set(sources(target)) == {source for source in MintStatus if target in TRANSITIONS[source]}


def test_every_status__when_reached_from_accepted__exists_for_a_reason() -> None:
    reached = {MintStatus.ACCEPTED}
    frontier = [MintStatus.ACCEPTED]
    while frontier:
        for target in TRANSITIONS[frontier.pop()] - reached:
            reached.add(target)
            frontier.append(target)
    assert reached == set(MintStatus)


def test_status__when_it_is_open__then_it_has_a_way_to_an_end() -> None:
    for status in MintStatus:
        seen = {status}
        frontier = [status]
        while frontier:
            for target in TRANSITIONS[frontier.pop()] - seen:
                seen.add(target)
                frontier.append(target)
        assert seen & TERMINAL, status


@pytest.mark.parametrize("end", [MintStatus.FINALIZED, MintStatus.REJECTED])
def test_status__when_it_is_an_end__then_it_leads_nowhere(end: MintStatus) -> None:
    assert TRANSITIONS[end] == frozenset()


def test_status__when_it_goes_to_the_chain__then_the_write_ahead_is_not_skipped() -> None:
    # `issued` has a voucher in the user's hands, who needs nobody's write-ahead.
    # A record in `accepted` may be older than its token, after the restore of a backup.
    assert sources(MintStatus.MINED) == (MintStatus.ACCEPTED, MintStatus.ISSUED, MintStatus.SUBMITTED)
    assert sources(MintStatus.REVERTED) == (MintStatus.SUBMITTED,)


def test_outcome__when_it_is_not_final__then_a_reorg_may_undo_it() -> None:
    assert may(MintStatus.MINED, MintStatus.SUBMITTED)
    assert may(MintStatus.MINED, MintStatus.ISSUED)
    assert may(MintStatus.REVERTED, MintStatus.SUBMITTED)
    assert not may(MintStatus.FINALIZED, MintStatus.SUBMITTED)


def test_submitted_mint__when_a_stranger_used_its_nonce__then_it_may_be_built_again() -> None:
    assert sources(MintStatus.BUILT) == (MintStatus.ACCEPTED, MintStatus.BUILT, MintStatus.SUBMITTED)


def test_voucher__when_a_transaction_of_its_user_failed__then_it_waits_on() -> None:
    assert may(MintStatus.SUBMITTED, MintStatus.ISSUED)
    assert not may(MintStatus.ISSUED, MintStatus.REVERTED)


def test_mint__when_it_is_mined__then_it_cannot_be_rejected() -> None:
    assert not may(MintStatus.MINED, MintStatus.REJECTED)
    assert not may(MintStatus.FINALIZED, MintStatus.REJECTED)
