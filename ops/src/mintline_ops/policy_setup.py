"""Compose a deployment's signing policy from its document and from the user pool's own keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mintline.aws.partitions import domain
from mintline.errors import Misconfigured
from mintline.eth import ETHER
from mintline.fields import Wei
from mintline.revocation import KEPT as REVOCATIONS_KEPT
from mintline_ops import deployment_file
from mintline_ops.deployment_file import Described
from mintline_ops.published_keys import read_jwks, usable_keys
from mintline_signer.enclave.policy import parse_policy

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


async def policy_of(document: Path, *, user_pool: str | None, clients: list[str]) -> bytes:
    """Return the policy of a deployment that has its keys and its contract.

    `user_pool` is the pool's id, `clients` the app clients that users sign in by; neither where the document
    says that there is no pool. The pool's keys, and those of the document's `other_issuers`, are read from
    where they are published, by TLS. The enclave's own reader checks the result. Raises Misconfigured,
    Unavailable and OSError.
    """
    described = deployment_file.read(document)
    _check_pool(described, user_pool, clients)
    pool = {} if user_pool is None else await _pool(described.region, user_pool, clients)
    composed = compose(described, _limits(document), pool=pool)
    if others := [await _other_issuer(other) for other in described.other_issuers]:
        composed["authorization"]["other_issuers"] = others
    content = f"{json.dumps(composed, indent=2)}\n".encode()
    parse_policy(content)
    return content


def _check_pool(described: Described, user_pool: str | None, clients: list[str]) -> None:
    named = user_pool is not None or bool(clients)
    if not described.pool and named:
        raise Misconfigured("the document says pool: false: leave out --user-pool and --client")
    if described.pool and (user_pool is None or not clients):
        raise Misconfigured("pass --user-pool and --client, which the stack `identity` prints")


async def _pool(region: str, user_pool: str, clients: list[str]) -> dict[str, Any]:
    """Return the user pool's part of `authorization`, with its published keys."""
    issuer = f"https://cognito-idp.{region}.{domain(region)}/{user_pool}"
    jwks = await read_jwks(f"{issuer}/.well-known/jwks.json")
    return {"issuer": issuer, "client_ids": clients, "jwks": jwks}


async def _other_issuer(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return another issuer as the policy has it: with its keys in place of where they are published."""
    url = described.get("jwks_url")
    if not isinstance(url, str) or not url.startswith("https://"):
        raise Misconfigured("other_issuers: each needs a jwks_url, by https")
    keys = usable_keys(await read_jwks(url), url, rsa_alone=False)
    jwks = {"keys": [key.model_dump() for key in keys.values()]}
    of_policy = {name: value for name, value in described.items() if name not in ("jwks_url", "sign_in")}
    return {**of_policy, "jwks": jwks}


def write_new(path: Path, content: bytes) -> None:
    """Write a file unless there is one; raises Misconfigured and OSError."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise Misconfigured(f"{path} is there already: change it, or name another file") from None


def compose(described: Described, limits: _Limits, *, pool: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy of docs/signing-policy.md, with what the deployment's document says in its place.

    `pool` is the user pool's part of `authorization`, empty without one.
    """
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
            **pool,
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
