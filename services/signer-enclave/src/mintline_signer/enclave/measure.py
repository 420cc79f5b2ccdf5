"""`python -m mintline_signer.enclave.measure`: print what this code is measured as in development."""

from __future__ import annotations

import json
import sys

from mintline_signer.enclave.measurement import measured

if __name__ == "__main__":
    registers = {f"PCR{index}": measured("")[index].hex() for index in (0, 1, 2)}
    sys.stdout.write(json.dumps({"Measurements": registers}) + "\n")
