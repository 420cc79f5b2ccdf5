"""The services as processes of the local stack: how each is started, and what it is told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from mintline.errors import Misconfigured
from mintline.eth import ETHER, GWEI
from mintline.resources import WALLET_KEY
from mintline_devstack.attestation import AUTHORITY
from mintline_devstack.emulators import CHAIN_ID, PREFIX, REGION, base_environment
from mintline_devstack.known import Known
from mintline_devstack.paths import CHECKOUT
from mintline_devstack.ports import Listeners
from mintline_devstack.principals import role_arn
from mintline_devstack.probes import http_ready, socket_ready
from mintline_devstack.provisioning import wallet_store
from mintline_devstack.sign_in import jwks_url
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_devstack.supervisor import ChildSpec, Probe
from mintline_ops.aws_clients import AwsCredentials

GRACE = 2 * 86_400
"""Seconds that an access token authorizes a mint after its expiry: the mint's fees may have to be raised."""
MAX_VOUCHER_TTL = 366 * 86_400
"""Seconds that a voucher may last by the enclave's clock: a developer may move the local chain's clock."""
MAX_CHAIN_SKEW = MAX_VOUCHER_TTL - 2 * 86_400
POLICY = "policy.json"
ADMIN_PORTS = {
    "api": "admin_api",
    "builder": "admin_builder",
    "signer-host": "admin_signer_host",
    "broadcaster": "admin_broadcaster",
    "indexer": "admin_indexer",
    "reconciler": "admin_reconciler",
    "notifier": "admin_notifier",
}
"""Every service with an admin address, and the name of its port."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the services are told about: where everything is, and who they are."""

    state: StateFolder
    ports: Listeners
    known: Known
    credentials: Mapping[str, AwsCredentials]
    sockets: Path
    """A folder for unix sockets, whose path is short enough for them."""
    audit: Path
    """Where the signer's host keeps the enclave's audit trail."""

    @property
    def enclave_socket(self) -> Path:
        """Where the enclave serves its host."""
        return self.sockets / "enclave.sock"

    @property
    def kms_socket(self) -> Path:
        """Where the host's KMS proxy serves the enclave."""
        return self.sockets / "kms.sock"


def signing_policy(known: Known) -> dict[str, object]:
    """Return the enclave's policy document; amounts in wei."""
    factory = known.factory
    assert factory is not None
    return {
        "version": 1,
        "chain_ids": [CHAIN_ID],
        "contracts": [known.contract],
        "factories": [
            {"address": factory.address, "implementation": code}
            for code in (factory.implementation, factory.multi_token)
        ],
        "authorization": {
            "issuer": issuer_url(known.pool.user_pool_id),
            "client_ids": [known.pool.client_id],
            **({"operator_client_ids": [known.operator.client_id]} if known.operator else {}),
            "jwks": known.jwks,
            "intake_keys": [known.intake_key],
            "grace": GRACE,
        },
        "issuer": {"address": known.issuer.address, "subject": known.issuer.subject},
        "treasury": {"address": known.treasury.address, "subject": known.treasury.subject},
        "relayers": [{"address": key.address, "subject": key.subject} for key in known.relayers],
        "user_actions": ["mint", "transfer", "burn"],
        # Far above what the bench asks of a key, or a client: it is a guard, and no brake.
        "clients": {"default": {"mints_per_hour": 10_000_000, "wei_per_day": str(1_000_000 * ETHER)}},
        "rates": {"window": 60, "user": 6_000, "treasury": 6_000, "relayer": 6_000, "issuer": 60_000},
        "max_gas": 1_000_000,
        "max_fee_per_gas": str(1_000 * GWEI),
        "max_transaction_cost": str(ETHER // 2),
        "max_top_up_value": str(10 * ETHER),
        "top_ups": {
            "window": 3600,
            "value": str(10_000 * ETHER),
            "recipient": str(10 * ETHER),
            "relayer": str(1_000 * ETHER),
        },
        "max_voucher_ttl": MAX_VOUCHER_TTL,
        **({"rewrap_to": successor} if (successor := rewrap_to()) else {}),
        **({"reassign": wallets} if (wallets := reassignments(known.wallet_key)) else {}),
    }


def wallet_key_arns(known: Known) -> list[str]:
    """Return the KMS keys that may wrap new wallets' keys: while they move, the one that takes over too."""
    successor = rewrap_to()
    return list(dict.fromkeys([known.wallet_key, *([successor] if successor else [])]))


def rewrap_to() -> str | None:
    """Return the KMS key that the caller's `MINTLINE_REWRAP_TO` names to take over, if any."""
    return os.environ.get("MINTLINE_REWRAP_TO") or None


def reassignments(kms_key: str) -> list[dict[str, str]]:
    """Return the wallets that the caller's `MINTLINE_REASSIGN` names: `OLD_SUB:NEW_SUB:ADDRESS`, by commas.

    Raises Misconfigured.
    """
    wallets = []
    for entry in filter(None, os.environ.get("MINTLINE_REASSIGN", "").split(",")):
        parts = entry.split(":")
        if len(parts) != len(("from", "to", "address")):
            raise Misconfigured(f"MINTLINE_REASSIGN: {entry!r}: expected OLD_SUB:NEW_SUB:ADDRESS")
        wallets.append({"from": parts[0], "to": parts[1], "address": parts[2], "kms_key": kms_key})
    return wallets


def write_policy(folder: Path, known: Known) -> bytes:
    """Write the enclave's policy document into a folder, and return it: the bytes that it will measure."""
    path = folder / POLICY
    write_json(path, signing_policy(known))
    return path.read_bytes()


def enclave(environment: Environment) -> ChildSpec:
    """Return the enclave: its socket and the way to KMS, no endpoint, no credentials."""
    environment.enclave_socket.unlink(missing_ok=True)
    return ChildSpec(
        name="enclave",
        argv=(sys.executable, "-m", "mintline_signer.enclave"),
        env={
            **base_environment(environment.state),
            **enclave_settings(environment, environment.state.enclave / AUTHORITY),
        },
        cwd=CHECKOUT,
        ready=socket_ready(environment.enclave_socket),
    )


def enclave_settings(environment: Environment, authority: Path) -> dict[str, str]:
    """Return the settings of the enclave; `authority` is the file by which it attests."""
    return {
        "MINTLINE_ENCLAVE_ADDRESS": f"unix://{environment.enclave_socket}",
        "MINTLINE_KMS_PROXY_ADDRESS": f"unix://{environment.kms_socket}",
        "MINTLINE_KMS_ENDPOINT_URL": environment.ports.url("kms_front"),
        "MINTLINE_KMS_KEY_ID": WALLET_KEY.alias(PREFIX),
        "MINTLINE_NSM": "development",
        "MINTLINE_DEVELOPMENT_AUTHORITY": str(authority),
        "MINTLINE_DEVELOPMENT_ROLE": role_arn("enclave"),
    }


def networked(environment: Environment, http: aiohttp.ClientSession) -> list[ChildSpec]:
    """Return the services that wait for nothing but each other's resources."""
    modules = {
        "signer-host": "mintline_signer.host",
        "builder": "mintline_builder",
        "broadcaster": "mintline_broadcaster",
        "indexer": "mintline_indexer",
        "notifier": "mintline_notifier",
        "api": "mintline_api",
        "reconciler": "mintline_indexer.reconciler",
    }
    return [
        ChildSpec(
            name=name,
            argv=(sys.executable, "-m", module),
            env=variables_of(environment, name),
            cwd=CHECKOUT,
            ready=_ready(environment.ports, name, http),
            grace=35.0,
        )
        for name, module in modules.items()
    ]


def variables_of(environment: Environment, name: str) -> dict[str, str]:
    """Return all environment variables of a networked service."""
    return {
        **base_environment(environment.state),
        **environment.credentials[name].environment(),
        **common_settings(environment, name),
        **settings_of(environment)[name],
    }


def common_settings(environment: Environment, name: str) -> dict[str, str]:
    """Return what every networked service is told; the collector of traces is the caller's own."""
    node = environment.ports.url("anvil")
    traced = os.environ.get("MINTLINE_OTLP_ENDPOINT")
    return {
        **({"MINTLINE_OTLP_ENDPOINT": traced} if traced else {}),
        # The emulator goes on with a long poll whose client was killed: it takes messages for nobody, which
        # are then hidden for a visibility timeout. A short poll leaves it little time for that.
        "MINTLINE_RECEIVE_WAIT": "1",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MINTLINE_AWS_REGION": REGION,
        "MINTLINE_AWS_ENDPOINT_URL": environment.ports.url("ministack"),
        "MINTLINE_RESOURCE_PREFIX": PREFIX,
        "MINTLINE_ADMIN_HOST": environment.ports.bind,
        "MINTLINE_ADMIN_PORT": str(environment.ports.port(ADMIN_PORTS[name])),
        "MINTLINE_CHAIN_ID": str(CHAIN_ID),
        "MINTLINE_RPC_URLS": json.dumps([{"url": node, "ws_url": node.replace("http", "ws", 1)}]),
    }


def callers_addresses() -> dict[str, str]:
    """Return the settings that say where callers reach S3 and the sign-in, if the api does elsewhere."""
    names = ("MINTLINE_UPLOAD_ENDPOINT_URL", "MINTLINE_PUBLIC_SIGN_IN_URL")
    return {name: address for name in names if (address := os.environ.get(name))}


def settings_of(environment: Environment) -> dict[str, dict[str, str]]:
    """Return the settings that are particular to each service."""
    ports, known = environment.ports, environment.known
    kms = urlsplit(ports.url("kms_front"))
    enclave = environment.credentials["enclave"]
    authorization_key = known.authorization_key
    assert authorization_key is not None
    return {
        "api": _api_settings(environment),
        "builder": {
            "MINTLINE_ISSUER": known.issuer.model_dump_json(),
            "MINTLINE_TREASURY": known.treasury.model_dump_json(),
            "MINTLINE_RELAYERS": json.dumps([key.model_dump(mode="json") for key in known.relayers]),
            "MINTLINE_RELAYER_MIN_BALANCE": str(50 * ETHER),
            "MINTLINE_RELAYER_TARGET_BALANCE": str(200 * ETHER),
            "MINTLINE_MAX_CHAIN_SKEW": str(MAX_CHAIN_SKEW),
        },
        "signer-host": {
            "MINTLINE_ISSUER": known.issuer.model_dump_json(),
            "MINTLINE_AUDIT_DIR": str(environment.audit),
            "MINTLINE_AUTHORIZATION_KEY_SECRETS": json.dumps([authorization_key.secret_id]),
            "MINTLINE_SIGNING_POLICY": str(environment.state.enclave / POLICY),
            "MINTLINE_ENCLAVE_ADDRESS": f"unix://{environment.enclave_socket}",
            "MINTLINE_KMS_PROXY_ADDRESS": f"unix://{environment.kms_socket}",
            "MINTLINE_KMS_PROXY_TARGET": kms.netloc,
            "MINTLINE_ENCLAVE_ACCESS_KEY_ID": enclave.access_key_id,
            "MINTLINE_ENCLAVE_SECRET_ACCESS_KEY": enclave.secret_access_key,
        },
        "broadcaster": {
            "MINTLINE_ISSUER": known.issuer.model_dump_json(),
            # For a chain of a block a second.
            "MINTLINE_SWEEP_INTERVAL": "3",
            "MINTLINE_STAGE_DEADLINE": "30",
            "MINTLINE_LOOK_AFTER": "5",
            "MINTLINE_REPLACE_AFTER": "10",
        },
        "indexer": {"MINTLINE_INSTANCE": "local"},
        "reconciler": {
            "MINTLINE_RECONCILE_EVERY": "60",
            # Of a block a second; later passes begin where the last one ended, if that is earlier.
            "MINTLINE_RECONCILE_BLOCKS": "60",
        },
        "notifier": {
            "MINTLINE_PUBLIC_URL": ports.url("api"),
            "MINTLINE_INSTANCE": "local",
            "MINTLINE_KMS_ENDPOINT_URL": ports.url("kms_front"),
            "MINTLINE_WEBHOOK_ALLOW_LOOPBACK": "true",
        },
    }


def _api_settings(environment: Environment) -> dict[str, str]:
    ports, known = environment.ports, environment.known
    pool, authorization_key, factory = known.pool.user_pool_id, known.authorization_key, known.factory
    assert authorization_key is not None
    assert factory is not None
    return {
        "MINTLINE_API_HOST": ports.bind,
        "MINTLINE_API_PORT": str(ports.port("api")),
        "MINTLINE_PUBLIC_URL": ports.url("api"),
        "MINTLINE_DEFAULT_COLLECTION": known.contract,
        "MINTLINE_FACTORY": factory.model_dump_json(),
        # A page under development is served from some port of this machine.
        "MINTLINE_CORS_ORIGINS": json.dumps(["http://localhost:*", "http://127.0.0.1:*"]),
        "MINTLINE_COGNITO_ISSUER": issuer_url(pool),
        "MINTLINE_COGNITO_JWKS_URL": jwks_url(ports, pool),
        "MINTLINE_COGNITO_USERINFO_URL": f"{ports.url('ministack')}/oauth2/userInfo",
        "MINTLINE_COGNITO_CLIENT_ID": known.pool.client_id,
        **({"MINTLINE_COGNITO_OPERATOR_CLIENT_ID": known.operator.client_id} if known.operator else {}),
        "MINTLINE_KMS_ENDPOINT_URL": ports.url("kms_front"),
        "MINTLINE_AUTHORIZATION_KEY": authorization_key.public_key,
        "MINTLINE_WALLET_KEY_ARNS": json.dumps(wallet_key_arns(known)),
        "MINTLINE_INTAKE_KEY": known.intake_key,
        "MINTLINE_CURSOR_SECRET": known.cursor_secret.get_secret_value(),
        "MINTLINE_EMAIL_SECRET": known.email_secret.get_secret_value(),
        "MINTLINE_WALLET_STORE": wallet_store(),
        "MINTLINE_TREASURY_ADDRESS": known.treasury.address,
        "MINTLINE_RELAYER_ADDRESSES": json.dumps([key.address for key in known.relayers]),
        "MINTLINE_WEBHOOK_ALLOW_LOOPBACK": "true",
        **callers_addresses(),
        # One user of a bench or a test may be as busy as many.
        "MINTLINE_USER_RATE": "60000",
    }


def issuer_url(user_pool_id: str) -> str:
    """Return a user pool's issuer, as its tokens' `iss` has it."""
    return f"https://cognito-idp.{REGION}.amazonaws.com/{user_pool_id}"


def admin_urls(ports: Listeners) -> dict[str, str]:
    """Return the admin address of every service that has one."""
    return {name: ports.url(port) for name, port in ADMIN_PORTS.items()}


def _ready(ports: Listeners, name: str, http: aiohttp.ClientSession) -> Probe:
    return http_ready(http, f"{ports.url(ADMIN_PORTS[name])}/readyz")
