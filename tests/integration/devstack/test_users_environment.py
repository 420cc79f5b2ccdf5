"""The local stack works whatever the user's environment says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = {
    "AWS_PROFILE": "does-not-exist",
    "AWS_REGION": "nowhere",
    "AWS_DEFAULT_REGION": "nowhere",
    "AWS_ENDPOINT_URL": "http://192.0.2.1",
    "AWS_ACCESS_KEY_ID": "AKIAUSERS",
    "AWS_SECRET_ACCESS_KEY": "users-secret",
    "AWS_SESSION_TOKEN": "users-token",
    "AWS_CA_BUNDLE": "/no/such/file",
    "AWS_CONFIG_FILE": "/no/such/file",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_RETRY_MODE": "no-such-mode",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "REQUESTS_CA_BUNDLE": "/no/such/file",
    "SSL_CERT_FILE": "/no/such/file",
    "SSL_CERT_DIR": "/no/such/folder",
    "DOCKER_HOST": "tcp://192.0.2.1:1",
    "GATEWAY_PORT": "1",
    "SERVICES": "none",
    "LOG_LEVEL": "no-such-level",
    "NODE_OPTIONS": "--no-such-option",
    "PIP_TARGET": "/no/such/folder",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "COLUMNS": "3",
    "FORCE_COLOR": "1",
    "HOME": "/no/such/folder",
    "LANG": "xx_YY",
    "LC_ALL": "C",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "TMPDIR": "/no/such/folder",
    "XDG_CONFIG_HOME": "/no/such/folder",
}


@pytest.mark.integration
def test_demo__when_the_environment_is_set_to_anything__mints(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "mintline", "demo", "--state", tmp_path / "state"],
        env={**os.environ, **HOSTILE},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "finalized"
