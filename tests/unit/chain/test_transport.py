from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from mintline.chain.transport import BodyTooLarge, Web3Transport, check_status, host
from mintline.errors import Throttled, Unavailable

URL = "https://user:secret@node.example:8545/v3/API-KEY?token=SECRET"


def test_host__when_a_url_holds_secrets__then_only_host_and_port_are_left() -> None:
    assert host(URL) == "node.example:8545"
    assert host("http://127.0.0.1:8545") == "127.0.0.1:8545"
    assert host("https://node.example?key=SECRET") == "node.example"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), (None, None), ("Wed, 21 Oct 2026", None), ("40000", 30.0), ("9" * 400, 30.0)],
)
def test_status__when_429__then_it_is_throttled_for_as_long_as_asked_within_reason(
    header: str | None, seconds: float | None
) -> None:
    with pytest.raises(Throttled) as caught:
        check_status(URL, 429, header, b"")
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (503, b""), (401, b"denied"), (301, b""), (404, b"<html>")]
)
def test_status__when_it_is_a_failure__then_unavailable_without_the_url(status: int, body: bytes) -> None:
    with pytest.raises(Unavailable) as caught:
        check_status(URL, status, None, body)
    assert "SECRET" not in str(caught.value)
    assert "API-KEY" not in str(caught.value)
    assert str(status) in str(caught.value)


def test_status__when_413__then_the_body_is_too_large() -> None:
    with pytest.raises(BodyTooLarge):
        check_status(URL, 413, None, b"")


@pytest.mark.parametrize("status", [200, 400])
def test_status__when_a_json_rpc_answer_comes_with_it__then_it_passes(status: int) -> None:
    check_status(URL, status, None, b' {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad"}}')


@pytest.mark.slow
def test_web3__when_no_node_is_called__is_not_loaded_and_never_raises_the_recursion_limit() -> None:
    script = (
        "import sys, mintline_cli.main; from mintline.chain.transport import load_web3\n"
        "assert 'web3' not in sys.modules\n"
        "load_web3()\n"
        "assert 'py_ecc' in sys.modules\n"
        "print(sys.getrecursionlimit())"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert printed.stdout == "1000\n"


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("nonsense", aiohttp.InvalidURL("nonsense"), "nonsense: expected an http(s) URL"),
        ("http://a:1/key", ConnectionRefusedError("key"), "a:1 cannot be reached: ConnectionRefusedError"),
    ],
)
async def test_exchange__when_there_is_no_node__then_says_so_without_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str, error: Exception, message: str
) -> None:
    async def ask(_: Any) -> Any:
        raise error

    transport = Web3Transport(timeout=1.0)
    monkeypatch.setattr(transport, "_open", lambda _: cast("Any", SimpleNamespace(ask=ask)))
    with pytest.raises(Unavailable) as unavailable:
        await transport.exchange(url, [])
    assert str(unavailable.value) == message
