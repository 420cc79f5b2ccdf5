"""What `make up` prints of the stack that it started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mintline_cli.local_stack import introduce
from mintline_cli.output import Screen

ACCOUNT = {"username": "demo", "password": "of-demo"}
INFO = {
    "api_url": "http://127.0.0.1:8080",
    "rpc_url": "http://127.0.0.1:8545",
    "sign_in_url": "http://127.0.0.1:4566",
    "state_dir": "/state",
    "contract": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    "chain_id": 31337,
    "demo_client": {"client_id": "id", "client_secret": "of-client"},
    "cognito": ACCOUNT,
    "console": {
        "url": "http://127.0.0.1:8080/console/home",
        "username": "operator",
        "password": "of-operator",
    },
}


def test_introduction__when_the_stack_is_ready__then_says_how_to_sign_in_to_the_console(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack: Any = SimpleNamespace(info=INFO, state=SimpleNamespace(logs=Path("/state/logs")))
    introduce(Screen(as_json=False), cast("Any", stack))

    lines = capsys.readouterr().out.splitlines()
    assert "Mint in a browser:  http://127.0.0.1:8080/console" in lines
    assert "sign in as a user: demo, password of-demo" in lines
    assert "sign in as an operator: operator, password of-operator" in lines
