"""The bench's figures: percentiles, rates, and a verdict that can say no."""

from typing import Any

import pytest

from mintline_bench.load import Posted
from mintline_bench.process_monitor import Costs
from mintline_bench.report import percentile, stages, summarize, table
from mintline_bench.verify import Verdict, judge

TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CLEAN = Verdict(minted=1, lost=0, doubled=0, failed=0, mismatched=0)


def mint(number: int, *, status: str = "finalized", token_id: str | None = "1") -> Posted:
    body: dict[str, Any] = {
        "mint_id": f"mint_{number}",
        "status": status,
        "to": TO,
        "token_id": token_id,
        "metadata_digest": "0x" + number.to_bytes(32, "big").hex(),
        "timeline": {
            "accepted_at": "1970-01-01T00:16:40.500Z",
            "built_at": None,
            "submitted_at": "1970-01-01T00:16:41.000Z",
            "mined_at": "1970-01-01T00:16:42.000Z",
        },
    }
    return Posted(f"mint_{number}", 0, f"bench {number}", 1000.0, 1000.5, body)


def event(number: int, token_id: int = 1, to: str = TO) -> tuple[int, str, bytes]:
    return token_id, to, number.to_bytes(32, "big")


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_percentile__when_there_are_values__then_it_is_the_nearest_rank(
    percent: float, expected: float
) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == expected


def test_percentile__when_there_is_no_value__then_it_is_none() -> None:
    assert percentile([], 50) is None


def test_judge__when_each_mint_has_one_token__is_clean() -> None:
    verdict = judge([event(1, 1), event(2, 2)], [mint(1), mint(2, token_id="2")])
    assert verdict.clean
    assert verdict.minted == 2


def test_judge__when_a_token_is_missing__counts_it_lost() -> None:
    assert judge([], [mint(1)]).lost == 1


def test_judge__when_a_mint_failed_honestly__does_not_call_it_lost() -> None:
    verdict = judge([], [mint(1, status="rejected", token_id=None)])
    assert (verdict.lost, verdict.failed) == (0, 1)
    assert not verdict.clean


def test_judge__when_a_mint_has_two_tokens__counts_the_second() -> None:
    assert judge([event(1, 1), event(1, 2)], [mint(1)]).doubled == 1


def test_judge__when_a_rejected_mint_is_on_chain__is_not_clean() -> None:
    assert not judge([event(1)], [mint(1, status="rejected")]).clean


def test_judge__when_the_token_went_elsewhere__is_not_clean() -> None:
    elsewhere = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert judge([event(1, to=elsewhere)], [mint(1)]).mismatched == 1


def test_judge__when_mints_are_of_other_runs__then_they_are_left_alone() -> None:
    assert judge([event(1), event(77)], [mint(1)]).clean


def test_summarize__when_a_run_has_ended__then_it_has_the_promised_keys_and_rates() -> None:
    costs = Costs(cpu_seconds={"api": 0.5}, peak_rss={"api": 50_000_000})
    costs.aws_requests["api", "sqs.SendMessageBatch"] = 3
    figures = summarize([mint(1), mint(2)], costs, CLEAN, retries=0)
    assert figures["accepted_per_s"] == 4.0
    assert figures["confirmed_per_s"] == 1.0
    assert figures["post_ms"] == {"p50": 500.0, "p99": 500.0}
    assert figures["submitted_ms"] == {"p50": 1000.0, "p99": 1000.0}
    assert figures["mined_ms"] == {"p50": 2000.0, "p99": 2000.0}
    assert figures["cpu_ms_per_mint"] == {"api": 250.0}
    assert figures["rss_mb"] == {"api": 50.0}
    assert figures["aws_requests_per_mint"] == 1.5
    assert figures["aws_requests_by_service"] == {"api": {"sqs.SendMessageBatch": 1.5}}
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert "thirdweb" in table(figures)


def test_stages__when_one_is_not_on_record__counts_from_the_one_before_it() -> None:
    assert stages([mint(1)]) == {
        "submitted": {"p50": 500.0, "p99": 500.0},
        "mined": {"p50": 1000.0, "p99": 1000.0},
    }


def test_table__when_aws_is_emulated__labels_the_figure_without_it_as_arithmetic() -> None:
    costs = Costs(cpu_seconds={"api": 0.01, "ministack": 0.5}, peak_rss={})
    text = table(summarize([mint(1)], costs, CLEAN, retries=0, cores=2))
    assert "Without the AWS emulator's CPU: 100.0 mints/s, bound by api (arithmetic" in text
