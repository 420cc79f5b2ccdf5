"""Log lines carry the mint and the trace, and never local variables."""

import json

import pytest
import structlog

from mintline import logging
from mintline.messages import BuildMint
from mintline.settings import Settings


@pytest.fixture(autouse=True)
def restored() -> object:
    yield
    structlog.reset_defaults()


def test_line__inside_a_message__carries_mint_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("builder", Settings())
    with logging.message_context(BuildMint(mint_id="mint_1", trace="00-aa-bb-01")):
        structlog.get_logger().info("mint_built", nonce=7)
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "mint_built"
    assert line["service"] == "builder"
    assert line["mint_id"] == "mint_1"
    assert line["trace"] == "00-aa-bb-01"
    assert line["nonce"] == 7


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


def test_third_party_debug__is_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    import logging as standard

    logging.configure("api", Settings(log_level="debug"))
    standard.getLogger("botocore").debug("Authorization: secret")
    standard.getLogger("botocore").warning("slow")
    out = capsys.readouterr().out
    assert "secret" not in out
    assert "slow" in out
