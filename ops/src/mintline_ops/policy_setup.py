"""Compose a deployment's signing policy from its document and from the user pool's own keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from mintline.aws.partitions import domain
from mintline.errors import Misconfigured, Unavailable
from mintline.fields import Wei
from mintline_ops import deployment_file
from mintline_ops.deployment_file import Described
from mintline_signer.enclave.policy import parse_policy

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_MOST_BYTES = 100_000
"""Of a user pool's keys: two of them take less than one kilobyte."""
ETHER = 10**18


class _Limits(BaseModel):
    """What the policy shares with the services' limits; the defaults are the stacks' own."""

    model_config = ConfigDict(frozen=True)

    user_gas_budget: Wei = 10**19
    max_transaction_cost: Wei = 5 * 10**17
    fee_cap: Wei = 500 * 10**9
    relayer_target_balance: Wei = 0


async def policy_of(document: Path, *, user_pool: str, clients: list[str]) -> bytes:
    """Return the policy of a deployment that has its keys and its contract.

    `user_pool` is the pool's id, `clients` the app clients that users sign in by. The pool's keys are read
    from where AWS publishes them, by TLS. The enclave's own reader checks the result. Raises Misconfigured,
    Unavailable and OSError.
    """
    described = deployment_file.read(document)
    issuer = f"https://cognito-idp.{described.region}.{domain(described.region)}/{user_pool}"
    jwks = await read_jwks(f"{issuer}/.well-known/jwks.json")
    made = compose(described, _limits(document), issuer=issuer, clients=clients, jwks=jwks)
    content = f"{json.dumps(made, indent=2)}\n".encode()
    parse_policy(content)
    return content


def write_new(path: Path, content: bytes) -> None:
    """Write a file unless there is one; raises Misconfigured and OSError."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise Misconfigured(f"{path} is there already: change it, or name another file") from None


async def read_jwks(url: str) -> dict[str, Any]:
    """Return the keys that a user pool publishes; raises Unavailable, and Misconfigured if they are none."""
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.get(url) as response:
            if response.status != 200:
                raise Misconfigured(f"{url}: status {response.status}: is the user pool's id right?")
            content = await response.content.read(_MOST_BYTES)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"{url}: {error or type(error).__name__}") from None
    try:
        found: dict[str, Any] = {"keys": json.loads(content)["keys"]}
    except (ValueError, TypeError, KeyError):
        raise Misconfigured(f"{url}: no JSON Web Key Set") from None
    return found


def compose(
    described: Described, limits: _Limits, *, issuer: str, clients: list[str], jwks: dict[str, Any]
) -> dict[str, Any]:
    """Return the policy of docs/signing-policy.md, with what the deployment's document says in its place."""
    chain = described.chain
    keys = {
        "issuer": chain.issuer,
        "treasury": chain.treasury,
        "intake_key": chain.intake_key,
        "default_collection": chain.default_collection,
    }
    missing = [f"chain.{name}" for name, value in keys.items() if value is None]
    if missing or chain.issuer is None or chain.treasury is None:
        raise Misconfigured(f"the document lacks {', '.join(missing)}: make the keys and the contract first")
    recipient = max(limits.user_gas_budget, ETHER)
    target = limits.relayer_target_balance
    relayer = {"relayer": str(max(target, ETHER))} if target else {}
    return {
        "version": 1,
        "chain_ids": [chain.chain_id],
        "contracts": [chain.default_collection],
        "authorization": {
            "issuer": issuer,
            "client_ids": clients,
            "jwks": jwks,
            "intake_keys": [chain.intake_key],
            "grace": 172_800,
        },
        "issuer": {"address": chain.issuer.address, "subject": chain.issuer.subject},
        "treasury": {"address": chain.treasury.address, "subject": chain.treasury.subject},
        "relayers": [{"address": key.address, "subject": key.subject} for key in chain.pool],
        "max_batch": 250,
        "user_actions": ["mint"],
        "clients": {"default": {"mints_per_hour": 1000, "wei_per_day": str(ETHER)}},
        "rates": {"window": 60, "user": 60, "treasury": 600, "issuer": 6000, "relayer": 600},
        "max_gas": 1_000_000,
        "max_fee_per_gas": str(limits.fee_cap),
        "max_transaction_cost": str(limits.max_transaction_cost),
        "max_top_up_value": str(ETHER),
        "top_ups": {"window": 3600, "value": str(100 * ETHER), "recipient": str(recipient), **relayer},
        "max_voucher_ttl": 172_800,
    }


def _limits(document: Path) -> _Limits:
    try:
        return _Limits.model_validate(json.loads(document.read_text()).get("limits", {}))
    except ValidationError as error:
        (fault, *_) = error.errors(include_url=False, include_input=False)
        raise Misconfigured(f"{document}: limits.{fault['loc'][0]}: {fault['msg']}") from None
