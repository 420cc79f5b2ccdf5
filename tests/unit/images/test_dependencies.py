"""Does a service start with no more than its image holds? The tests' own environment has every library."""

import subprocess
import sys

import pytest

BLOCK = "import sys; sys.modules['cryptography'] = None; import {module}"
"""`cryptography` comes only with the api and the signer; see each service's `pyproject.toml`."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["mintline_builder.service", "mintline_broadcaster.service", "mintline_indexer.service"]
)
def test_service__when_it_is_without_cryptography__then_it_loads_nothing_that_needs_it(module: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", BLOCK.format(module=module)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert loaded.returncode == 0, loaded.stderr


def test_dependencies__when_one_needs_cryptography__then_it_is_listed() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", BLOCK.format(module="mintline.authorization")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert loaded.returncode != 0
    assert "cryptography" in loaded.stderr
