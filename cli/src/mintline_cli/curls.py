"""The commands that `make up` prints: they work in any POSIX shell, the last with a mint's id for MINT_ID."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def token_command(info: Mapping[str, Any]) -> str:
    """Return the command that puts the demo user's access token into `TOKEN`.

    It is one of ours: signing in by code with PKCE takes a login page, a redirect and a hash.
    """
    program = Path(sys.executable).with_name("mintline")
    return f"TOKEN=$({shlex.quote(str(program))} token --state {shlex.quote(info['state_dir'])})"


def mint_command(info: Mapping[str, Any]) -> str:
    """Return the command that mints one NFT with the token in `TOKEN`."""
    body = {
        "metadata": {
            "name": "My first token",
            "image": "https://example.com/first.png",
            "attributes": [{"trait_type": "Mood", "value": "curious"}],
        }
    }
    return (
        f"curl -s {info['api_url']}/v1/mints"
        ' -H "Authorization: Bearer $TOKEN"'
        " -H 'Content-Type: application/json' -H 'Idempotency-Key: first'"
        f" -d {shlex.quote(json.dumps(body))} | python3 -m json.tool"
    )


def follow_command(info: Mapping[str, Any]) -> str:
    """Return the command that shows a mint, whose id stands for MINT_ID."""
    url = f"{info['api_url']}/v1/mints/MINT_ID"
    return f'curl -s {url} -H "Authorization: Bearer $TOKEN" | python3 -m json.tool'
