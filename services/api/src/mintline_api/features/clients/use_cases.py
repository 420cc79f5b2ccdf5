"""Managing machine clients: what is changed counts at once here, and within a minute everywhere.

A client that is disabled or deleted is on record as revoked before the answer, so that the enclave refuses
the tokens that it has got.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import structlog

from mintline.records.clients import Client
from mintline.scopes import MACHINE_SCOPES, RESOURCE_SERVER
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.revocations import Revocations
from mintline_api.features.clients.models import ClientChange, ClientRequest
from mintline_api.features.clients.ports import Registry
from mintline_api.features.clients.problems import CLIENT_NOT_FOUND, UNKNOWN_SCOPE
from mintline_api.http.problems import Fault, RequestRefused
from mintline_api.limits.client_budgets import ClientBudgets, ClientUse

log = structlog.get_logger()

T = TypeVar("T")

_SHORT = {scope.short: scope.value for scope in MACHINE_SCOPES}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientManagement:
    """What it takes to manage clients."""

    registry: Registry
    budgets: ClientBudgets
    directory: ClientDirectory
    revocations: Revocations


async def create_client(
    request: ClientRequest, *, management: ClientManagement, now: int
) -> tuple[Client, str]:
    """Create a client, and return it with its secret; raises RequestRefused for an unknown scope."""
    faults = [
        Fault(f"expected one of {', '.join(_SHORT)}", pointer=f"#/scopes/{place}")
        for place, scope in enumerate(request.scopes)
        if scope not in _SHORT
    ]
    if faults:
        first = faults[0]
        raise RequestRefused(UNKNOWN_SCOPE, f"{first.pointer}: {first.detail}.", faults=faults)
    client, secret = await management.registry.create(
        request.name,
        scopes=list(dict.fromkeys(f"{RESOURCE_SERVER}/{scope}" for scope in request.scopes)),
        budget=request.budget.budget(),
        at=now,
    )
    management.directory.forget(client.client_id)
    log.info("client_created", client_id=client.client_id, scopes=request.scopes)
    return client, secret


async def get_client(client_id: str, *, management: ClientManagement) -> tuple[Client, ClientUse]:
    """Return a client and what it has used; raises RequestRefused."""
    client = _known(await management.registry.records.get(client_id))
    return client, await management.budgets.used(client)


async def change_client(
    client_id: str, change: ClientChange, *, management: ClientManagement, now: int
) -> Client:
    """Change a client; raises RequestRefused if there is none. Safe to repeat."""
    records = management.registry.records
    client = _known(await records.get(client_id))
    if change.budget is not None:
        client = _known(await records.set_budget(client_id, change.budget.budget()))
        log.info("client_budget_set", client_id=client_id, **client.budget.model_dump(mode="json"))
    if change.disabled is False:
        client = _known(await records.enable(client_id))
        log.info("client_enabled", client_id=client_id)
    elif change.disabled:
        if client.disabled_at is None:
            client = _known(await records.disable(client_id, at=now))
        await management.revocations.revoke(client_id)
        log.info("client_disabled", client_id=client_id)
    management.directory.forget(client_id)
    return client


async def delete_client(client_id: str, *, management: ClientManagement) -> None:
    """Delete a client; raises RequestRefused if there is none."""
    _known(await management.registry.records.get(client_id))
    await management.revocations.revoke(client_id)
    await management.registry.delete(client_id)
    management.directory.forget(client_id)
    log.info("client_deleted", client_id=client_id)


async def add_secret(client_id: str, *, management: ClientManagement) -> str:
    """Return a new secret of a client's; raises RequestRefused if there is none."""
    _known(await management.registry.records.get(client_id))
    secret = _known(await management.registry.app_clients.add_secret(client_id))
    log.info("client_secret_added", client_id=client_id)
    return secret


async def retire_secrets(client_id: str, *, management: ClientManagement) -> None:
    """Drop a client's secrets but the newest; raises RequestRefused if there is no such client."""
    _known(await management.registry.records.get(client_id))
    count = _known(await management.registry.app_clients.retire_secrets(client_id))
    log.info("client_secrets_retired", client_id=client_id, count=count)


def _known(record: T | None) -> T:
    if record is None:
        raise RequestRefused(CLIENT_NOT_FOUND, "Client not found.")
    return record
