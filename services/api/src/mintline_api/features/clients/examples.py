"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.records.clients import Client, ClientBudget
from mintline.scopes import Scope
from mintline_api.features.clients.models import (
    BudgetRequest,
    ClientChange,
    ClientList,
    ClientRequest,
    SecretView,
    client_use_view,
    client_view,
    created_client_view,
)
from mintline_api.features.examples import CONTRACT
from mintline_api.limits.client_budgets import ClientUse

CLIENT_ID = "3n4b5urk1ft4fl3mg5e62d9ado"
_SECRET = "1k2m3n4p5q6r7s8t9u0v1w2x3y4z5a6b7c8d9e0f1g2h3i4j5k6l"  # noqa: S105 - an example
_BUDGET = BudgetRequest.model_validate(
    {"mints_per_hour": 1_000, "wei_per_day": str(10**17), "collections": [CONTRACT]}
)
_CLIENT = Client(
    client_id=CLIENT_ID,
    name="shop-backend",
    scopes=(Scope.MINTS_CREATE, Scope.MINTS_READ, Scope.USERS_WRITE),
    budget=ClientBudget(mints_per_hour=1_000, wei_per_day=10**17, collections=(CONTRACT,)),
    created_at=1_795_398_654_123,
)
CLIENT_REQUEST_JSON = ClientRequest(
    name="shop-backend", scopes=["mints:create", "mints:read", "users:write"], budget=_BUDGET
).model_dump(mode="json")
CHANGE_JSON = ClientChange(budget=_BUDGET).model_dump(mode="json", exclude_none=True)
CLIENT = client_view(_CLIENT)
CLIENTS = ClientList(items=[CLIENT])
USED = client_use_view(_CLIENT, ClientUse(137, 1_795_402_800_000, 21_372_000_000_000_000, 1_795_478_400_000))
CREATED = created_client_view(_CLIENT, _SECRET)
SECRET = SecretView(client_id=CLIENT_ID, client_secret=_SECRET)
