"""What a service does not use it does not load: each process has its own copy in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

ETHEREUM = ("web3", "eth_account", "eth_abi", "py_ecc")
LATE = ("web3", "eth_account", "py_ecc")
"""Loaded with the first call of a node."""
AWS = ("botocore", "aiobotocore", "aiohttp")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "unused"),
    [
        ("mintline_signer.enclave.service", (*ETHEREUM, *AWS, "prometheus_client")),
        ("mintline_signer.host.service", ETHEREUM),
        ("mintline_notifier.service", ETHEREUM),
        ("mintline_indexer.service", (*LATE, "cryptography")),
        ("mintline_api.service", LATE),
    ],
)
def test_service__when_it_is_loaded__then_what_it_does_not_use_is_not(
    module: str, unused: tuple[str, ...]
) -> None:
    script = f"import sys, {module}; print(*[name for name in {unused!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
