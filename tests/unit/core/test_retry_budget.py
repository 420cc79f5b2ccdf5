from __future__ import annotations

from mintline.retry_budget import RetryBudget


def test_budget__when_all_fails__then_retries_end_with_the_burst() -> None:
    budget = RetryBudget(burst=3)
    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]


def test_budget__when_some_succeed__then_a_tenth_of_them_may_be_tried_again() -> None:
    budget = RetryBudget(burst=1)
    assert budget.spend()
    retries = 0
    for _ in range(1000):
        budget.earn()
        retries += budget.spend()
    assert retries == 100


def test_budget__when_nothing_was_retried_for_long__then_no_more_than_the_burst_has_been_saved() -> None:
    budget = RetryBudget(burst=2)
    for _ in range(1000):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
