"""How the emulators are started."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import aiohttp

from mintline_devstack import emulators
from mintline_devstack.ports import Ports
from mintline_devstack.state_folder import StateFolder


def test_anvil__when_started__saves_its_state_only_when_it_ends(tmp_path: Path) -> None:
    spec = emulators.anvil(StateFolder(tmp_path), Ports(), Mock(spec=aiohttp.ClientSession))

    every = int(spec.argv[spec.argv.index("--state-interval") + 1])

    assert every > 365 * 24 * 3600
