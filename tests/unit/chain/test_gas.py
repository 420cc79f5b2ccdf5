"""Gas limits: an estimate with a margin, within bounds that configuration holds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mintline.chain.gas import GasAboveBound, GasBound
from mintline.errors import Misconfigured
from mintline.settings import load
from mintline_builder.settings import Settings

KEY = json.dumps(
    {
        "address": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "subject": "platform:issuer",
        "chain_id": 31337,
        "secret_id": "issuer",
    }
)
REQUIRED = {
    "MINTLINE_CHAIN_ID": "31337",
    "MINTLINE_RPC_URLS": '["https://node.example"]',
    "MINTLINE_ISSUER": KEY,
    "MINTLINE_TREASURY": KEY,
}


@given(most=st.integers(1, 10**9), margin=st.integers(0, 200), estimate=st.integers(1, 10**9))
def test_limit__when_made_of_an_estimate__then_within_the_bound_or_none(
    most: int, margin: int, estimate: int
) -> None:
    bound = GasBound("MINTLINE_MAX_GAS", most, margin)
    if estimate <= bound.largest_estimate:
        assert estimate <= bound.limit(estimate, "a mint") <= most
    else:
        with capture_logs(), pytest.raises(GasAboveBound):
            bound.limit(estimate + 1, "a mint")


def test_limit__when_above_the_bound__then_the_log_and_the_error_name_the_setting_to_raise() -> None:
    with capture_logs() as logs, pytest.raises(GasAboveBound, match="MINTLINE_MAX_GAS allows 100: raise it"):
        GasBound("MINTLINE_MAX_GAS", 100, margin=20).limit(90, "A mint")
    assert logs == [
        {
            "event": "gas_above_bound",
            "log_level": "error",
            "purpose": "A mint",
            "needed": 108,
            "bound": 100,
            "setting": "MINTLINE_MAX_GAS",
        }
    ]


def test_settings__when_no_gas_is_configured__then_the_defaults_know_the_chains_cap() -> None:
    settings = load(Settings, REQUIRED)

    assert (settings.max_gas, settings.max_transfer_gas) == (1_000_000, 500_000)
    assert settings.transaction_gas_cap == 16_777_216  # EIP-7825


@pytest.mark.parametrize("name", ["MINTLINE_MAX_GAS", "MINTLINE_MAX_TRANSFER_GAS"])
def test_settings__when_a_bound_is_above_the_chains_cap__then_misconfigured_unless_the_cap_is_raised(
    name: str,
) -> None:
    with pytest.raises(Misconfigured, match=rf"{name} is 16777217, above MINTLINE_TRANSACTION_GAS_CAP"):
        load(Settings, REQUIRED | {name: "16777217"})

    load(Settings, REQUIRED | {name: "16777217", "MINTLINE_TRANSACTION_GAS_CAP": "30000000"})
