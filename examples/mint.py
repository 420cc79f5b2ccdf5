"""Mint an NFT and wait until it is final. Needs mintline_client.

MINTLINE_TOKEN=$(.venv/bin/mintline token) .venv/bin/python examples/mint.py
"""

import json
import os
import sys
import uuid

from mintline_client import Mintline, Refused
from mintline_client.models import MintRequest

API = os.environ.get("MINTLINE_API_URL", "http://127.0.0.1:8080")
TOKEN = os.environ["MINTLINE_TOKEN"]


def main() -> None:
    """Mint, wait, and print the token."""
    request: MintRequest = {
        "metadata": {"name": "Hello from Python", "image": "https://example.com/python.png"},
    }
    with Mintline(API, token=TOKEN) as mintline:
        # The key makes repeating the request harmless: store it with your own order before you send it.
        mint = mintline.mints.create(request, idempotency_key=str(uuid.uuid4()))
        minted = mintline.mints.wait(mint, passed=lambda status, _seconds: print(status, file=sys.stderr))
        assert minted["token_id"] is not None
        print(json.dumps(mintline.tokens.get(minted["contract"], minted["token_id"])))


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        sys.exit(f"{error.status} {error}")
