"""`python -m mintline_signer.host`: the process beside the enclave."""

from __future__ import annotations

import mintline.without_extras  # noqa: F401 - before all that would load them
from mintline import process
from mintline_signer.host.service import run
from mintline_signer.host.settings import HostSettings

if __name__ == "__main__":
    process.main("signer-host", HostSettings, run)
