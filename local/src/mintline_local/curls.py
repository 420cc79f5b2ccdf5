"""The commands that `make up` prints: they work as they are, in any POSIX shell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any


def token_command(info: Mapping[str, Any]) -> str:
    """Return the command that puts the demo user's access token into `TOKEN`."""
    user = info["cognito"]
    asked = {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": user["client_id"],
        "AuthParameters": {"USERNAME": user["username"], "PASSWORD": user["password"]},
    }
    extract = 'import json, sys; print(json.load(sys.stdin)["AuthenticationResult"]["AccessToken"])'
    return (
        f"TOKEN=$(curl -s {info['aws_endpoint_url']}/"
        " -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth'"
        " -H 'Content-Type: application/x-amz-json-1.1'"
        f" -d {shlex.quote(json.dumps(asked))} | python3 -c {shlex.quote(extract)})"
    )


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
        f" -d {shlex.quote(json.dumps(body))}"
    )


def follow_command(info: Mapping[str, Any]) -> str:
    """Return the command that shows the caller's mints."""
    return f'curl -s {info["api_url"]}/v1/mints -H "Authorization: Bearer $TOKEN"'
