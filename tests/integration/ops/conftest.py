"""A deployment's document, and its administrator's account on a chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_account import Account
from typer.testing import CliRunner, Result

from mintline.aws.provision import open_clients, provision
from mintline.chain.calls import Call
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.eth import selector
from mintline.settings import ServiceSettings
from mintline_cli.main import app
from mintline_testkit.constants import CHAIN_ID

PASSWORD = "correct horse"
URL = "https://api.example.com"


@pytest.fixture
def document(aws_settings: ServiceSettings, tmp_path: Path) -> Path:
    path = tmp_path / "deployment.json"
    described = {
        "prefix": aws_settings.resource_prefix,
        "account": "111122223333",
        "region": "us-east-1",
        "chain": {"chain_id": CHAIN_ID},
        "public_url": URL,
    }
    path.write_text(json.dumps(described))
    return path


@pytest.fixture
async def keystore(anvil: str, tmp_path: Path) -> tuple[Path, str]:
    """Return a keystore whose account has money, and that account's address."""
    return await rich_keystore(anvil, tmp_path)


async def rich_keystore(node_url: str, tmp_path: Path) -> tuple[Path, str]:
    account = Account.create()
    path = tmp_path / "keystore.json"
    path.write_text(json.dumps(Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1000)))
    rpc = Rpc([node_url])
    await rpc.call("anvil_setBalance", [account.address, hex(10**18)])
    await rpc.aclose()
    return path, account.address


@pytest.fixture(autouse=True)
def keystore_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTLINE_KEYSTORE_PASSWORD", PASSWORD)


def operator(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["operator", *map(str, arguments), "--json"])


def answered(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
async def prefix(aws_settings: ServiceSettings) -> str:
    """Make a deployment's resources, as its data stack does, and return their prefix."""
    async with open_clients(aws_settings) as clients:
        await provision(clients, aws_settings.resource_prefix)
    return aws_settings.resource_prefix


async def has_role(anvil: str, contract: str, role: bytes, account: str) -> bool:
    data = selector("hasRole(bytes32,address)") + encode(["bytes32", "address"], [role, account])
    rpc = Rpc([anvil])
    try:
        response = await Node(rpc).call(Call(sender=account, to=contract, data=data))
    finally:
        await rpc.aclose()
    return bool(decode(["bool"], response)[0])
