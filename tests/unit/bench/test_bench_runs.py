"""Several runs: medians and ranges, figure by figure."""

from mintline_bench.runs import spans, summary


def test_spans__when_figures_are_nested__has_each_under_its_path() -> None:
    runs = [{"a": {"p50": value, "p99": None}, "well": True, "profile": "burst"} for value in (3.0, 1.0, 2.0)]
    assert spans(runs) == {"a.p50": {"median": 2.0, "min": 1.0, "max": 3.0, "runs": 3}}


def test_spans__when_a_run_lacks_a_figure__is_over_the_others() -> None:
    assert spans([{"a": 1}, {"a": None}, {"a": 4}])["a"] == {"median": 2.5, "min": 1, "max": 4, "runs": 2}


def test_summary__when_runs_differ__shows_median_and_range() -> None:
    lines = summary([{"confirmed_per_s": value} for value in (80.0, 60.0, 70.5)]).splitlines()
    assert [line.split() for line in lines] == [
        ["3", "runs", "median", "range"],
        ["confirmed", "mints/s", "70.5", "60-80"],
    ]
