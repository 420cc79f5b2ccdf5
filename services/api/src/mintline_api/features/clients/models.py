"""What operators get of machine clients, and send about them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mintline.fields import Address, Wei
from mintline.records.clients import Client, ClientBudget
from mintline.scopes import MACHINE_SCOPES, RESOURCE_SERVER, Scope
from mintline_api.http.models import Input, TextLine, Time, View, rfc3339, rfc3339_or_none
from mintline_api.limits.client_budgets import ClientUse

DEFAULT_SCOPES = tuple(scope.short for scope in MACHINE_SCOPES if scope is not Scope.ADMIN)
ShortScope = Annotated[str, Field(min_length=1, max_length=100)]
_MINTS = "Mints that are accepted in an hour; null: no limit but the signing policy's."
_WEI = "Wei that its mints' gas may cost in a UTC day, at the price when each is accepted; null likewise."
_COLLECTIONS = "Contracts that it may mint in; null: all."


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("expected a decimal string")  # noqa: TRY004 - pydantic makes a fault of it
    return value


class BudgetRequest(Input):
    """What a client may have minted."""

    mints_per_hour: Annotated[int, Field(ge=0, le=10**9)] | None = Field(default=None, description=_MINTS)
    wei_per_day: Annotated[Wei, BeforeValidator(_text)] | None = Field(default=None, description=_WEI)
    collections: list[Address] | None = Field(default=None, max_length=100, description=_COLLECTIONS)

    def budget(self) -> ClientBudget:
        """Return the budget as it is kept."""
        named = None if self.collections is None else tuple(dict.fromkeys(self.collections))
        return ClientBudget(
            mints_per_hour=self.mints_per_hour, wei_per_day=self.wei_per_day, collections=named
        )


class ClientRequest(Input):
    """A client to be made."""

    name: Annotated[TextLine, Field(max_length=64)] = Field(description="What people call it.")
    scopes: list[ShortScope] = Field(
        default=[*DEFAULT_SCOPES],
        min_length=1,
        max_length=len(MACHINE_SCOPES),
        description=f"What its tokens may do: some of {', '.join(s.short for s in MACHINE_SCOPES)}.",
    )
    budget: BudgetRequest = BudgetRequest()


class ClientChange(Input):
    """What is to change of a client; what is left out stays."""

    budget: BudgetRequest | None = Field(default=None, description="Replaces the whole budget.")
    disabled: bool | None = Field(default=None, description="Whether its tokens are refused.")


class ClientPath(Input):
    """Names a client."""

    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]{1,128}$")] = Field(
        description="The client's id.", examples=["3n4b5urk1ft4fl3mg5e62d9ado"]
    )


class BudgetView(View):
    """What a client may have minted; null: no limit but the signing policy's."""

    mints_per_hour: int | None = Field(description=_MINTS)
    wei_per_day: Wei | None = Field(description=_WEI)
    collections: list[Address] | None = Field(description=_COLLECTIONS)


class UseView(View):
    """What a client has used of its budget by now."""

    mints: int = Field(description="Mints accepted in this hour.")
    mints_reset_at: Time
    wei: Wei = Field(description="Wei counted in this UTC day.")
    wei_reset_at: Time


class ClientView(View):
    """A machine client."""

    client_id: str = Field(description="The app client's id: `client_id` at the token endpoint.")
    name: str
    scopes: list[str]
    budget: BudgetView
    created_at: Time
    disabled_at: Time | None = Field(description="Since when its tokens are refused.")


class ClientUseView(ClientView):
    """A machine client, and what it has used."""

    used: UseView


class CreatedClientView(ClientView):
    """A new client."""

    client_secret: str = Field(description="Shown this once.")


class SecretView(View):
    """A client's new secret."""

    client_id: str
    client_secret: str = Field(description="Shown this once.")


class ClientList(View):
    """All machine clients, by name."""

    items: list[ClientView]


def client_view(client: Client) -> ClientView:
    """Return the public form of a client."""
    budget = client.budget
    return ClientView(
        client_id=client.client_id,
        name=client.name,
        scopes=[scope.removeprefix(f"{RESOURCE_SERVER}/") for scope in client.scopes],
        budget=BudgetView(
            mints_per_hour=budget.mints_per_hour,
            wei_per_day=budget.wei_per_day,
            collections=None if budget.collections is None else list(budget.collections),
        ),
        created_at=rfc3339(client.created_at),
        disabled_at=rfc3339_or_none(client.disabled_at),
    )


def client_use_view(client: Client, used: ClientUse) -> ClientUseView:
    """Return the public form of a client with what it has used."""
    return ClientUseView(
        **dict(client_view(client)),
        used=UseView(
            mints=used.mints,
            mints_reset_at=rfc3339(used.mints_reset_at),
            wei=used.wei,
            wei_reset_at=rfc3339(used.wei_reset_at),
        ),
    )


def created_client_view(client: Client, secret: str) -> CreatedClientView:
    """Return the public form of a new client with its secret."""
    return CreatedClientView(**dict(client_view(client)), client_secret=secret)
