from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mintline.errors import Misconfigured, Rejected
from mintline.messages.parts import KeyRef
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline_cli.main import app
from mintline_ops import trace

WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
START = 1_700_000_000_000


def a_mint(**changes: Any) -> Mint:
    fields: dict[str, Any] = {
        "mint_id": "mint_A",
        "sub": "user",
        "status": MintStatus.FINALIZED,
        "chain_id": 1,
        "contract": WALLET,
        "to": WALLET,
        "sender": KeyRef(address=WALLET, subject="user", chain_id=1, secret_id="s"),
        "metadata_digest": bytes(32),
        "request_digest": "",
        "trace": f"00-{TRACE_ID}-00f067aa0ba902b7-01",
        "created_at": START,
        "updated_at": START + 4_000,
        "token_id": 7,
        "nonce": 3,
        "built_at": START + 500,
        "submitted_at": START + 800,
        "attempts": (
            Attempt(tx_hash=b"\x01" * 32, max_fee_per_gas=10, max_priority_fee_per_gas=1, at=START + 800),
            Attempt(tx_hash=b"\x02" * 32, max_fee_per_gas=12, max_priority_fee_per_gas=2, at=START + 900),
        ),
        "tx_hash": b"\x02" * 32,
        "block_number": 42,
        "mined_at": START + 2_000,
        "finalized_at": START + 4_000,
    }
    return Mint(**{**fields, **changes})


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, *lines: dict[str, Any] | str) -> Path:
        path = tmp_path / name
        path.write_text(
            "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        )
        return path

    return write


def line(offset_ms: int, service: str, event: str, **fields: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp((START + offset_ms) / 1000, UTC).isoformat().replace("+00:00", "Z")
    return {"timestamp": at, "level": "info", "service": service, "event": event, **fields}


def test_timeline__when_record_and_logs_speak__puts_both_in_the_order_of_time(
    write_log: Callable[..., Path],
) -> None:
    api = write_log("api.log", line(5, "api", "http_request", trace=TRACE_ID, status=202))
    host = write_log(
        "signer-host.log",
        line(700, "signer-host", "intent_signed", mint_id="mint_A", nonce=3),
        line(710, "signer-host", "intent_signed", mint_id="mint_B", nonce=4),
    )
    moments = trace.timeline(a_mint(), [host, api])
    assert [(moment.source, moment.event) for moment in moments] == [
        ("record", "accepted"),
        ("api", "http_request"),
        ("record", "built"),
        ("signer-host", "intent_signed"),
        ("record", "submitted"),
        ("record", "attempted"),
        ("record", "mined"),
        ("record", "finalized"),
    ]
    assert moments[3].details == {"nonce": 3}
    assert (
        trace.describe(moments[3], moments[0].at)
        == "   +0.700 s  signer-host     intent_signed          nonce=3"
    )


def test_timeline__when_a_voucher_waits__says_so_and_what_a_node_refused() -> None:
    fields: dict[str, Any] = {
        "custody": "self",
        "sender": None,
        "issued_at": START + 600,
        "mined_at": None,
        "finalized_at": None,
    }
    refused = a_mint(
        status=MintStatus.ISSUED,
        submitted_at=None,
        problem=Problem(code="insufficient_funds", reason="Poor."),
        **fields,
    )
    taken = a_mint(status=MintStatus.SUBMITTED, submitted_at=START + 950, **fields)

    assert [moment.event for moment in trace.timeline(refused, [])] == [
        "accepted",
        "built",
        "issued",
        "attempted",
        "attempted",
        "transaction_refused",
    ]
    assert [moment.event for moment in trace.timeline(taken, [])][-2:] == ["attempted", "submitted"]


def test_timeline__when_a_mint_ended_badly__says_why() -> None:
    problem = Problem(code="contract_paused", reason="The contract is paused.")
    rejected = a_mint(
        status=MintStatus.REJECTED,
        problem=problem,
        built_at=None,
        attempts=(),
        mined_at=None,
        finalized_at=None,
    )
    *_, last = trace.timeline(rejected, [])
    assert (last.event, last.details["code"]) == ("rejected", "contract_paused")
    reverted = a_mint(status=MintStatus.REVERTED, problem=problem, finalized_at=None)
    *_, last = trace.timeline(reverted, [])
    assert (last.event, last.details["reason"]) == ("reverted", "The contract is paused.")


def test_logs__when_lines_are_no_json_or_no_log_lines__are_skipped(write_log: Callable[..., Path]) -> None:
    log = write_log("x.log", "Traceback: mint_A", '{"mint_id": "mint_A"}', '["mint_A"]', "{mint_A")
    assert list(trace.logged(a_mint(), log)) == []


def test_logs__when_the_mint_has_no_trace__are_matched_by_the_mint_alone(
    write_log: Callable[..., Path],
) -> None:
    log = write_log("x.log", line(1, "api", "other", trace=TRACE_ID), line(2, "api", "own", mint_id="mint_A"))
    assert [moment.event for moment in trace.logged(a_mint(trace=""), log)] == ["own"]


def test_log_files__when_a_folder_is_given__are_those_of_this_run_and_the_one_before(tmp_path: Path) -> None:
    for name in ("api.log", "api.log.1", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in trace.log_files([tmp_path])] == ["api.log", "api.log.1"]
    with pytest.raises(Misconfigured, match="no log at"):
        trace.log_files([tmp_path / "absent"])


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["trace", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_command__when_no_line_runs__says_so_in_one_line(tmp_path: Path) -> None:
    code, out, err = run("mint_A", "--state", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "no local stack runs from" in err


def test_command__when_the_prefix_cannot_be_one__says_so_in_one_line() -> None:
    code, out, err = run("mint_A", "--prefix", "No/Prefix")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "is no prefix" in err


@pytest.fixture
def one_mint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that has the one mint `mint_A`."""

    @asynccontextmanager
    async def table(_: Any) -> Any:
        yield None

    async def read(_: Any, mint_id: str) -> Mint:
        if mint_id != "mint_A":
            raise Rejected("mint_unknown", f"there is no mint {mint_id}")
        return a_mint()

    monkeypatch.setattr("mintline_cli.trace.table_of_deployment", table)
    monkeypatch.setattr(trace, "read_mint", read)


@pytest.mark.usefixtures("one_mint")
def test_command__when_the_mint_is_unknown__says_so_in_one_line() -> None:
    code, out, err = run("mint_Z", "--prefix", "p")
    assert (code, out) == (1, "")
    assert err == "error: mint_unknown: there is no mint mint_Z\n"


@pytest.mark.usefixtures("one_mint")
def test_command__when_json_is_asked_for__prints_one_object_and_nothing_else(
    write_log: Callable[..., Path],
) -> None:
    log = write_log("api.log", line(5, "api", "mint_accepted", mint_id="mint_A"))
    code, out, err = run("mint_A", "--prefix", "p", "--logs", str(log), "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["mint_id"], report["status"]) == ("mint_A", "finalized")
    assert report["events"][1] == {
        "at": "2023-11-14T22:13:20.005Z",
        "source": "api",
        "event": "mint_accepted",
        "level": "info",
        "details": {},
    }
    assert "mint mint_A is finalized" in err
