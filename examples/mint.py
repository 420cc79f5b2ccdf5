"""Mint an NFT and wait until it is final. Needs Python 3.11 and nothing else.

MINTLINE_TOKEN=$(.venv/bin/mintline token) python3 examples/mint.py
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

API = os.environ.get("MINTLINE_API_URL", "http://127.0.0.1:8080")
TOKEN = os.environ["MINTLINE_TOKEN"]
ATTEMPTS = 5


def call(method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    """Return the JSON of a response; a busy API (429, 503) is asked again when it says."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    for attempt in range(1, ATTEMPTS + 1):
        request = urllib.request.Request(API + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or attempt == ATTEMPTS:
                sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")
            time.sleep(int(error.headers.get("Retry-After", "1")))
    raise AssertionError("the loop above returns or exits")


def main() -> None:
    """Mint, wait, and print the token."""
    metadata = {"name": "Hello from Python", "image": "https://example.com/python.png"}
    # The key makes repeating the request harmless: store it with your own order before you send it.
    mint = call("POST", "/v1/mints", {"metadata": metadata}, Idempotency_Key=str(uuid.uuid4()))
    while mint["status"] not in ("finalized", "rejected", "reverted", "cancelled"):
        print(mint["status"], file=sys.stderr)
        time.sleep(0.5)
        mint = call("GET", f"/v1/mints/{mint['mint_id']}", Prefer="wait=10")
    if mint["status"] != "finalized":
        sys.exit(f"{mint['mint_id']} is {mint['status']}")
    print(json.dumps(call("GET", f"/v1/tokens/{mint['contract']}/{mint['token_id']}")))


if __name__ == "__main__":
    main()
