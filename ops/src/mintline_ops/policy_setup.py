"""Compose a deployment's signing policy from its document and from the user pool's own keys."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mintline.aws.partitions import domain
from mintline.errors import Misconfigured, Unavailable
from mintline.eth import ETHER
from mintline.fields import Wei
from mintline.revocation import KEPT as REVOCATIONS_KEPT
from mintline_ops import deployment_file
from mintline_ops.deployment_file import Described
from mintline_signer.enclave.policy import parse_policy

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_MOST_BYTES = 100_000
"""Of what an issuer publishes: two keys take less than one kilobyte."""
DAY = 86_400
VOUCHER_TTL = DAY
"""The builder's `MINTLINE_VOUCHER_TTL`, which deployments leave at its default."""
CLOCKS = 300
"""Seconds by which the clocks of the builder's and the enclave's hosts may differ."""
USUAL = 172_800
"""Seconds of `grace` and `max_voucher_ttl` in docs/signing-policy.md, which the default limits fit."""


class _Limits(BaseModel):
    """What the policy shares with the services' limits; the defaults are the stacks' own."""

    model_config = ConfigDict(frozen=True)

    user_gas_budget: Wei = 10**19
    max_transaction_cost: Wei = 5 * 10**17
    fee_cap: Wei = 500 * 10**9
    relayer_target_balance: Wei = 0
    max_wait: int = Field(default=DAY, ge=0)
    drop_grace: int = Field(default=0, ge=0)
    max_chain_skew: int = Field(default=DAY // 2, ge=0)


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
    """Return the keys that an issuer publishes; raises Unavailable, and Misconfigured if they are none."""
    document = await read_json(url, hint="is the user pool's id right?")
    keys = document.get("keys") if isinstance(document, dict) else None
    if keys is None:
        raise Misconfigured(f"{url}: no JSON Web Key Set")
    return {"keys": keys}


async def read_json(url: str, *, hint: str) -> Any:
    """Return a short document that an issuer publishes, None if it is no JSON.

    Raises Unavailable, and Misconfigured, with the `hint`, for another status than 200.
    """
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.get(url) as response:
            if response.status != 200:
                raise Misconfigured(f"{url}: status {response.status}: {hint}")
            content = await _whole(response.content, url)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"{url}: {error or type(error).__name__}") from None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


async def _whole(body: aiohttp.StreamReader, url: str) -> bytes:
    try:
        await body.readexactly(_MOST_BYTES + 1)
    except asyncio.IncompleteReadError as ended:
        return ended.partial
    raise Misconfigured(f"{url}: more than {_MOST_BYTES} bytes: no issuer publishes that much")


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
            "grace": _grace(limits),
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
        "max_voucher_ttl": max(USUAL, VOUCHER_TTL + limits.max_chain_skew + CLOCKS),
    }


def _grace(limits: _Limits) -> int:
    """Return how long past its expiry a token has to count, in seconds.

    A drop hands a mint on until `drop_grace` after the expiry, the mint waits for `max_wait`, and queues and
    replacement transactions get a day. Raises Misconfigured where a revocation is not on record for as long.
    """
    grace = limits.drop_grace + limits.max_wait + DAY
    if grace >= REVOCATIONS_KEPT:
        raise Misconfigured(
            f"limits.max_wait ({limits.max_wait} s) and limits.drop_grace ({limits.drop_grace} s) ask for a "
            f"grace of {grace} s, and a revoked token is on record for {REVOCATIONS_KEPT} s: lower them to "
            f"less than {REVOCATIONS_KEPT - DAY} s together, and deploy the api and the builder with that"
        )
    return max(USUAL, grace)


def _limits(document: Path) -> _Limits:
    try:
        return _Limits.model_validate(json.loads(document.read_text()).get("limits", {}))
    except ValidationError as error:
        (fault, *_) = error.errors(include_url=False, include_input=False)
        raise Misconfigured(f"{document}: limits.{fault['loc'][0]}: {fault['msg']}") from None
