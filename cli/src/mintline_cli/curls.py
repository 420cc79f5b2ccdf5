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
        " -H 'Content-Type: application/json' -H 'Idempotency-Key: up-first'"
        f" -d {shlex.quote(json.dumps(body))} | python3 -m json.tool"
    )


def client_token_command(info: Mapping[str, Any]) -> str:
    """Return the command that puts the demo client's access token into `CLIENT_TOKEN`: OAuth as it is."""
    client = info["demo_client"]
    return (
        f"CLIENT_TOKEN=$(curl -s {info['sign_in_url']}/oauth2/token"
        f" -u {shlex.quote(client['client_id'] + ':' + client['client_secret'])}"
        " -d grant_type=client_credentials"
        " | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])')"
    )


def client_mint_command(info: Mapping[str, Any]) -> str:
    """Return the command that mints for somebody else with the token in `CLIENT_TOKEN`."""
    body = {
        "recipient": {"email": "alice@example.com"},
        "external_id": "up-order",
        "metadata": {"name": "Welcome", "image": "https://example.com/welcome.png"},
    }
    return (
        f"curl -s {info['api_url']}/v1/mints"
        ' -H "Authorization: Bearer $CLIENT_TOKEN"'
        " -H 'Content-Type: application/json' -H 'Idempotency-Key: up-order'"
        f" -d {shlex.quote(json.dumps(body))} | python3 -m json.tool"
    )


def collection_command(info: Mapping[str, Any]) -> str:
    """Return the command that deploys a collection with the token in `CLIENT_TOKEN`."""
    body = {"name": "Season tickets", "symbol": "SEAT", "supply_cap": 5000}
    return (
        f"curl -s {info['api_url']}/v1/collections"
        ' -H "Authorization: Bearer $CLIENT_TOKEN"'
        " -H 'Prefer: wait=10'"
        " -H 'Content-Type: application/json' -H 'Idempotency-Key: up-tickets'"
        f" -d {shlex.quote(json.dumps(body))} | python3 -m json.tool"
    )


def follow_command(info: Mapping[str, Any]) -> str:
    """Return the command that shows a mint, whose id stands for MINT_ID."""
    url = f"{info['api_url']}/v1/mints/MINT_ID"
    return f'curl -s {url} -H "Authorization: Bearer $TOKEN" | python3 -m json.tool'
