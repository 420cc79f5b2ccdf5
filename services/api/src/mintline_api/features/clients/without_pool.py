"""Machine clients where there is no user pool: they are made at their issuer, and none is on record here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mintline.records.clients import Client, ClientBudget
from mintline_api.features.clients.ports import AppClientSecrets, ClientRecords
from mintline_api.features.users.problems import NO_USER_POOL
from mintline_api.http.problems import RequestRefused

_DETAIL = (
    "This deployment has no user pool: make the client at its own issuer, and name it in "
    "machine_client_ids of other_issuers."
)


@dataclass(frozen=True, slots=True)
class RecordsAlone:
    """Refuses what takes an app client of a user pool."""

    records: ClientRecords

    @property
    def app_clients(self) -> AppClientSecrets:
        """Refuse: raises RequestRefused."""
        raise RequestRefused(NO_USER_POOL, _DETAIL)

    async def create(
        self,
        name: str,
        *,
        scopes: Sequence[str],
        budget: ClientBudget,
        at: int,
    ) -> tuple[Client, str]:
        """Refuse: raises RequestRefused."""
        del name, scopes, budget, at
        raise RequestRefused(NO_USER_POOL, _DETAIL)

    async def delete(self, client_id: str) -> bool:
        """Refuse: raises RequestRefused."""
        del client_id
        raise RequestRefused(NO_USER_POOL, _DETAIL)
