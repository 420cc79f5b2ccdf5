"""The processes that stand in for AWS and for the chain: ministack, anvil, and the KMS front."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import aiohttp

from mintline_devstack.attestation import root_file
from mintline_devstack.paths import CHECKOUT, tool
from mintline_devstack.ports import HOST, Listeners, Ports
from mintline_devstack.principals import key_policy
from mintline_devstack.probes import chain_ready, http_ready
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_devstack.supervisor import ChildSpec
from mintline_ops.run_file import corrupt, read_json

PREFIX = "mintline"
"""Begins the names of everything in the emulators."""
CHAIN_ID = 31337
REGION = "us-east-1"
AWS_SERVICES = "sqs,dynamodb,dynamodbstreams,s3,kms,secretsmanager,cognito-idp,sts"
GAS_LIMIT = 60_000_000
"""Mainnet's block gas limit."""
FINALITY = 2
"""Blocks on top of a final one, at least."""
STATES_KEPT = 64
"""Blocks whose state anvil keeps in memory; older blocks keep their transactions, receipts and logs."""
NEVER = 10 * 365 * 24 * 3600
"""Seconds between anvil's saves while it runs: one that was killed must go back to the end of an earlier run,
which the next start notices, and not to a minute ago, which it does not."""
SAVING = 60.0
"""Seconds that an emulator may take to save its state when it is stopped; one that is killed loses it all."""

_QUEUE_URL = re.compile(rf"http://{re.escape(HOST)}:\d+/(\d{{12}})/")


def base_environment(state: StateFolder) -> dict[str, str]:
    """Return what every child inherits: a path, a home, and nothing of the user's AWS or Docker settings."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(state.path),
        "TMPDIR": str(state.ministack / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }


def check_saved_state(state: StateFolder) -> None:
    """Raise Misconfigured when what the emulators saved is damaged: ministack would silently start empty."""
    saved = [*sorted((state.ministack / "state").glob("*.json")), state.anvil / "state.json"]
    for path in saved:
        if path.exists():
            read_json(path)


def move_queues(state: StateFolder, port: int) -> None:
    """Make saved queues those of this port: the emulator knows each by its whole URL."""
    saved = state.ministack / "state" / "sqs.json"
    if saved.exists():
        text = saved.read_text()
        moved = _QUEUE_URL.sub(rf"http://{HOST}:{port}/\1/", text)
        if moved != text:
            saved.write_text(moved)


def ministack(state: StateFolder, ports: Ports, http: aiohttp.ClientSession) -> ChildSpec:
    """Return the AWS emulator: it saves its state when it ends, and never looks for Docker."""
    move_queues(state, ports.ministack)
    return ChildSpec(
        name="ministack",
        argv=(str(tool("ministack")), str(CHECKOUT / "devstack/start_ministack.py")),
        env={
            **base_environment(state),
            "GATEWAY_PORT": str(ports.ministack),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "SERVICES": AWS_SERVICES,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state.ministack / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state.ministack / "s3"),
            "MINTLINE_PRINCIPALS": str(state.kms / "principals.json"),
            "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{state.ministack}/no-docker",
        },
        cwd=CHECKOUT,
        ready=http_ready(http, f"{ports.url('ministack')}/_ministack/health"),
        grace=SAVING,
        restart=False,
        death_signal=signal.SIGTERM,
    )


def anvil(
    state: StateFolder, ports: Ports, http: aiohttp.ClientSession, *, finality: int = FINALITY
) -> ChildSpec:
    """Return the chain: a block a second, limits like mainnet's.

    A block is final once `finality` more are on top, an even number: two of anvil's epochs.
    """
    return ChildSpec(
        name="anvil",
        argv=(
            *(str(tool("anvil")), "--quiet", "--host", HOST, "--port", str(ports.anvil)),
            *("--chain-id", str(CHAIN_ID), "--block-time", "1"),
            *("--slots-in-an-epoch", str(finality // 2)),
            *("--gas-limit", str(GAS_LIMIT), "--enable-tx-gas-limit"),
            *("--prune-history", str(STATES_KEPT), "--state", str(state.anvil / "state.json")),
            *("--state-interval", str(NEVER)),
        ),
        env=base_environment(state),
        cwd=CHECKOUT,
        ready=chain_ready(http, ports.url("anvil")),
        grace=SAVING,
        restart=False,
        death_signal=signal.SIGTERM,
    )


def kms_front(state: StateFolder, ports: Ports, http: aiohttp.ClientSession) -> ChildSpec:
    """Return the KMS front."""
    return ChildSpec(
        name="kms-front",
        argv=(sys.executable, "-m", "mintline_devstack.kms_front"),
        env={**base_environment(state), **kms_front_settings(state, ports)},
        cwd=CHECKOUT,
        ready=http_ready(http, f"{ports.url('kms_front')}/healthz"),
    )


def kms_front_settings(state: StateFolder, ports: Listeners) -> dict[str, str]:
    """Return the KMS front's settings; write its first key policy, under which no principal may unwrap."""
    policy = state.kms / "policy.json"
    if not policy.exists():
        write_json(policy, key_policy(CHAIN_ID))
    return {
        "MINTLINE_KMS_FRONT_HOST": ports.bind,
        "MINTLINE_KMS_FRONT_PORT": str(ports.port("kms_front")),
        "MINTLINE_KMS_FRONT_UPSTREAM": ports.url("ministack"),
        "MINTLINE_KMS_FRONT_PRINCIPALS": str(state.kms / "principals.json"),
        "MINTLINE_KMS_FRONT_POLICY": str(policy),
        "MINTLINE_KMS_FRONT_ROOT": str(root_file(state)),
        "MINTLINE_KMS_FRONT_LOG": str(state.kms / "decrypted.jsonl"),
        "MINTLINE_AWS_REGION": REGION,
    }


def damaged_by(failure: str, state: StateFolder) -> Exception | None:
    """Return the clearer error when an emulator failed to start because of what it had saved."""
    path: Path = state.anvil / "state.json"
    if failure.startswith("anvil") and path.exists() and "--state" in failure:
        return corrupt(path, failure)
    return None
