"""`python -m mintline_signer.enclave`: the enclave's process."""

from __future__ import annotations

import mintline.without_extras  # noqa: F401 - before all that would load them
from mintline import process
from mintline_signer.enclave.service import run
from mintline_signer.enclave.settings import EnclaveSettings

if __name__ == "__main__":
    process.main("signer-enclave", EnclaveSettings, run)
