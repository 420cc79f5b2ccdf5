from __future__ import annotations

import json

import pytest

from mintline.errors import Misconfigured
from mintline.settings import load
from mintline_broadcaster.settings import BroadcasterSettings

ISSUER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
REQUIRED = {
    "MINTLINE_CHAIN_ID": "31337",
    "MINTLINE_RPC_URLS": '["https://node.example/API-KEY"]',
    "MINTLINE_ISSUER": json.dumps(
        {"address": ISSUER, "subject": "platform:issuer", "chain_id": 31337, "secret_id": "issuer"}
    ),
}


def test_settings__when_only_the_required_are_given__then_the_defaults_of_the_readme() -> None:
    settings = load(BroadcasterSettings, REQUIRED)
    assert (settings.chain_id, settings.rpc_timeout, settings.concurrency) == (31337, 10.0, 256)
    assert settings.issuer.address == ISSUER
    assert (settings.fee_cap, settings.priority_fee_cap) == (500_000_000_000, 50_000_000_000)


def test_settings__when_made_public__then_no_endpoint_is_told() -> None:
    assert "API-KEY" not in str(load(BroadcasterSettings, REQUIRED).public())


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MINTLINE_CHAIN_ID", None),
        ("MINTLINE_CHAIN_ID", "0"),
        ("MINTLINE_RPC_URLS", None),
        ("MINTLINE_RPC_URLS", "[]"),
        ("MINTLINE_RPC_URLS", "https://node.example"),
        ("MINTLINE_ISSUER", None),
        ("MINTLINE_ISSUER", ISSUER),
        ("MINTLINE_FEE_CAP", "-1"),
        ("MINTLINE_CONCURRENCY", "0"),
    ],
)
def test_settings__when_one_is_missing_or_wrong__then_misconfigured_by_its_name(
    variable: str, value: str | None
) -> None:
    environ = {name: text for name, text in {**REQUIRED, variable: value}.items() if text is not None}
    with pytest.raises(Misconfigured, match=variable):
        load(BroadcasterSettings, environ)
