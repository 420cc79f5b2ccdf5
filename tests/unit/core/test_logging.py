"""Log lines carry the mint and the trace, and never local variables."""

import errno
import io
import json
import logging as standard
import sys

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from mintline import logging
from mintline.messages.work import BuildMint
from mintline.settings import Settings


@pytest.fixture(autouse=True)
def restored() -> object:
    yield
    structlog.reset_defaults()


def test_line__when_logged_inside_a_message__then_it_carries_mint_and_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.configure("builder", Settings())
    with logging.message_context(BuildMint(mint_id="mint_1", trace="00-aa-bb-01")):
        structlog.get_logger().info("mint_built", nonce=7)
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "mint_built"
    assert line["service"] == "builder"
    assert line["mint_id"] == "mint_1"
    assert line["trace"] == "00-aa-bb-01"
    assert line["nonce"] == 7


class FullDisk(io.StringIO):
    full = True

    def flush(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_line__when_it_cannot_be_written__then_the_work_goes_on_and_later_lines_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = FullDisk()
    monkeypatch.setattr(sys, "stdout", disk)
    logging.configure("indexer", Settings())
    structlog.get_logger().info("block_indexed", block=1)
    disk.full = False
    structlog.get_logger().info("block_indexed", block=2)
    assert '"block": 2' in disk.getvalue()


def test_traceback__when_a_handler_fails__shows_no_local_variable(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("signer", Settings())

    def fail() -> None:
        private_key = "do-not-print-me"
        raise RuntimeError(str(len(private_key)))

    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("handler_failed")
    out = capsys.readouterr().out
    assert "RuntimeError" in out
    assert "do-not-print-me" not in out


def test_request__when_no_parser_reads_it__then_it_is_logged_without_its_headers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.configure("api", Settings())
    error = BadHttpMessage("Invalid header value char: b'Authorization: Bearer do-not-print-me'")
    standard.getLogger("aiohttp.server").error("Error handling request from %s", "::1", exc_info=error)
    out = capsys.readouterr().out
    assert "do-not-print-me" not in out
    assert [json.loads(out)[key] for key in ("event", "level")] == ["http_not_understood", "warning"]


def test_handler__when_ours_fails_in_the_server__then_it_is_logged_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.configure("api", Settings())
    standard.getLogger("aiohttp.server").error("Error handling request", exc_info=RuntimeError("broken"))
    assert "RuntimeError" in capsys.readouterr().out


def test_third_party__when_it_logs_debug_lines__then_they_are_dropped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.configure("api", Settings(log_level="debug"))
    standard.getLogger("botocore").debug("Authorization: secret")
    standard.getLogger("botocore").warning("slow")
    out = capsys.readouterr().out
    assert "secret" not in out
    assert "slow" in out


def test_value__when_someone_else_says_much__is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("indexer", Settings())
    structlog.get_logger().warning("round_failed", reason="x" * 1_000_000, block=7)
    standard.getLogger("somewhere").warning("y" * 1_000_000)
    ours, theirs = capsys.readouterr().out.splitlines()
    assert json.loads(ours)["reason"].endswith("xxx… (1000000 characters)")
    assert json.loads(ours)["block"] == 7
    assert max(len(ours), len(theirs)) < 5_000


def test_line__when_any_text_of_it_is_long_or_holds_controls__then_it_is_bounded_and_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.configure("builder", Settings())
    error = RuntimeError("e" * 5000 + "\u202e")
    structlog.get_logger().error("failed", exc_info=error, said="x" * 5000, inner={"list": ["\x1b[2J" * 500]})
    line = json.loads(capsys.readouterr().out)
    assert len(line["said"]) == 1000
    assert len(line["inner"]["list"][0]) <= 1000
    assert line["inner"]["list"][0].startswith("\\u001b[2J")
    assert len(line["exception"][0]["exc_value"]) == 1000
