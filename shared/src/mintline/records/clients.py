"""Machine clients, and what they may spend."""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Address, Wei
from mintline.frozen import Frozen


class ClientBudget(Frozen):
    """What a machine client may have minted; None: as the signing policy has it."""

    mints_per_hour: int | None = Field(default=None, ge=0)
    wei_per_day: Wei | None = None
    collections: tuple[Address, ...] | None = None
    """Where it may mint; None: in all collections."""


class Client(Frozen):
    """A machine client: a company's backend with an app client of its own. Times are Unix milliseconds."""

    client_id: str
    """The app client's id in the user pool."""
    name: str
    scopes: tuple[str, ...]
    budget: ClientBudget = ClientBudget()
    created_at: int
    disabled_at: int | None = None
    """Since when its tokens are refused."""
