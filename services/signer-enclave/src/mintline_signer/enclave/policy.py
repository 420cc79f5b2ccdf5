"""What the enclave is willing to sign: all that is not allowed here is refused.

The document comes from the host, or is part of the enclave's image; either way its own register measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from mintline import strict_json
from mintline.errors import Misconfigured
from mintline.fields import Address, KmsKeyArn, Wei
from mintline.frozen import Frozen
from mintline.key_subjects import PLATFORM
from mintline.messages.parts import Clone
from mintline_signer.enclave.tokens import AuthorizationPolicy

ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,127}$")]


class PlatformKey(Frozen):
    """A key of the platform: its address, and the `sub` of its KMS encryption context."""

    address: Address
    subject: str = Field(pattern=rf"^{PLATFORM}[a-z0-9-]{{1,64}}$")


class Role(StrEnum):
    """What a key acts as; a field of `Rates` each."""

    USER = "user"
    TREASURY = "treasury"
    ISSUER = "issuer"
    RELAYER = "relayer"


class Rates(Frozen):
    """Signatures of one key within `window` seconds, by what the key is."""

    window: int = Field(gt=0, le=86_400)
    user: int = Field(gt=0)
    """Of a user's key, and of the issuer's for vouchers that this user asks for alone."""
    treasury: int = Field(gt=0)
    issuer: int = Field(gt=0)
    relayer: int | None = Field(default=None, gt=0)
    """Of a relayer's key; a batch is one. None: as `treasury`."""

    def of(self, role: Role) -> int:
        """Return how often a key with this role may sign in a window."""
        match role:
            case Role.USER:
                return self.user
            case Role.TREASURY:
                return self.treasury
            case Role.ISSUER:
                return self.issuer
            case Role.RELAYER:
                return self.treasury if self.relayer is None else self.relayer


class TopUpBudget(Frozen):
    """What the treasury may give away within `window` seconds, in wei."""

    window: int = Field(gt=0, le=86_400)
    value: Wei
    recipient: Wei | None = None
    """What one address may get of it. None: `max_top_up_value`, so that every address has a bound."""
    relayer: Wei | None = None
    """What one relayer may get of it. None: the treasury does not top relayers up."""


@dataclass(frozen=True, slots=True)
class TopUpBounds:
    """What top-ups may bring within `window` seconds, to all and to one address; amounts in wei."""

    window: int
    value: int
    recipient: int
    relayer: int = 0
    """To one relayer."""


class Budget(Frozen):
    """What a machine client may have minted, within one enclave."""

    mints_per_hour: int = Field(ge=0)
    """Of an hour (UTC) in which the api accepted them."""
    wei_per_day: Wei
    """What their transactions may cost at their fee caps, by the day (UTC) of acceptance."""
    collections: frozenset[Address] | None = None
    """Where it may mint, next to its collections of the policy's factories. None: at all of the policy's
    contracts."""


class ClientsPolicy(Frozen):
    """Which machine clients may have batches minted, and how much."""

    default: Budget | None = None
    """Of a client of the user pool that `overrides` does not name. None: it may not mint."""
    overrides: dict[ClientId, Budget] = Field(default={}, max_length=1000)
    """By client id."""

    def of(self, client_id: str) -> Budget | None:
        """Return a client's budget, None if it may not mint."""
        return self.overrides.get(client_id, self.default)


class Factory(Frozen):
    """A contract that makes collections, and what it makes them of."""

    address: Address
    implementation: Address
    """The code of its clones. Another one's is another entry."""


class Reassignment(Frozen):
    """A wallet whose user has another `sub` now: its key may be wrapped for that one."""

    old: str = Field(alias="from", min_length=1, max_length=128)
    new: str = Field(alias="to", min_length=1, max_length=128)
    address: Address
    """The wallet's."""
    kms_key: KmsKeyArn
    """The KMS key to wrap it under."""


class SigningPolicy(Frozen):
    """The policy document; amounts in wei, times in seconds."""

    version: Literal[1] = 1
    chain_ids: frozenset[int] = Field(min_length=1)
    contracts: frozenset[Address] = Field(min_length=1)
    authorization: AuthorizationPolicy
    """What counts as a user's authorization."""
    issuer: PlatformKey
    """Signs vouchers, never transactions."""
    treasury: PlatformKey
    """Signs top-ups, never mints."""
    relayers: tuple[PlatformKey, ...] = Field(default=(), max_length=16)
    """Sign no-ops, and with the authorization of who asks: batches of sponsored mints, the deployment and the
    administration of collections of `factories`, and what carries holders' signatures there; nothing else."""
    factories: tuple[Factory, ...] = Field(default=(), max_length=16)
    """Whose collections count as contracts, each by the proof that its address follows from."""
    max_batch: int = Field(default=250, gt=0, le=500)
    """Mints of one batch."""
    user_actions: frozenset[Literal["mint", "transfer", "burn"]] = frozenset({"mint"})
    """What users' keys may do at the contracts, if the user asks for it."""
    clients: ClientsPolicy | None = None
    """What machine clients may have minted, sponsored. None: nothing, and their tokens count for nothing."""
    rates: Rates
    max_gas: int = Field(gt=0)
    """Of a transaction; of each mint where it is a batch."""
    max_deploy_gas: int | None = Field(default=None, gt=0)
    """Of the deployment of a collection, which may cost in proportion. None: eight times `max_gas`."""
    max_fee_per_gas: Wei
    max_transaction_cost: Wei
    """Gas limit times fee cap: the most that one transaction can burn, or each mint of a batch."""
    max_top_up_value: Wei
    top_ups: TopUpBudget | None = None
    """What top-ups may bring, all and to one address. None: in `rates.window`, `max_top_up_value` times
    `rates.treasury` to all, and `max_top_up_value` to one address."""
    max_voucher_ttl: int = Field(gt=0)
    rewrap_to: KmsKeyArn | None = None
    """The one other KMS key, by its ARN, under which keys may be wrapped again. None: none are."""

    reassign: tuple[Reassignment, ...] = Field(default=(), max_length=16)
    """The wallets whose keys may be wrapped for another user; each is named."""

    @model_validator(mode="after")
    def _budget_for_a_top_up(self) -> Self:
        budget = self.top_ups
        if budget is not None and budget.recipient is not None and budget.recipient < self.max_top_up_value:
            raise ValueError("top_ups.recipient must not be below max_top_up_value")
        if budget is not None and budget.relayer is not None and budget.relayer < self.max_top_up_value:
            raise ValueError("top_ups.relayer must not be below max_top_up_value")
        return self

    @model_validator(mode="after")
    def _wallets_are_reassigned_once(self) -> Self:
        named = [
            subject for reassignment in self.reassign for subject in (reassignment.old, reassignment.new)
        ]
        if any(subject.startswith(PLATFORM) for subject in named):
            raise ValueError("reassign: from and to must be users; platform: keys cannot be reassigned")
        if len(set(named)) < len(named):
            raise ValueError("reassign: a user must not be named twice")
        if {reassignment.address for reassignment in self.reassign} & {self.issuer.address, *self.senders()}:
            raise ValueError(
                "reassign: the address must be a user's wallet, not the issuer's, the treasury's or a "
                "relayer's"
            )
        return self

    @model_validator(mode="after")
    def _relayers_are_keys_of_their_own(self) -> Self:
        others = (self.issuer, self.treasury)
        for number, relayer in enumerate(self.relayers):
            taken = (*others, *self.relayers[:number])
            if any(relayer.address == key.address or relayer.subject == key.subject for key in taken):
                raise ValueError(
                    f"relayers.{number}: address and subject must be other ones than those of the issuer, "
                    "the treasury and the other relayers"
                )
        return self

    @model_validator(mode="after")
    def _clients_mint_at_our_contracts(self) -> Self:
        if self.clients is None:
            return self
        named = {f"overrides.{client_id}": budget for client_id, budget in self.clients.overrides.items()}
        if self.clients.default is not None:
            named["default"] = self.clients.default
        for place, budget in named.items():
            if budget.collections is not None and not budget.collections <= self.contracts:
                raise ValueError(f"clients.{place}.collections: each must be one of contracts")
        both = self.authorization.client_ids & self.clients.overrides.keys()
        if both:
            raise ValueError(
                f"clients.overrides.{min(both)}: users sign in by this app client; name another one"
            )
        return self

    def senders(self) -> frozenset[str]:
        """Return the addresses of the platform's keys that send transactions."""
        return frozenset((self.treasury.address, *(relayer.address for relayer in self.relayers)))

    def deploy_gas(self) -> int:
        """Return the highest gas limit of a deployment."""
        return 8 * self.max_gas if self.max_deploy_gas is None else self.max_deploy_gas

    def makes(self, clone: Clone) -> bool:
        """Tell whether a factory of the policy makes clones of an implementation."""
        return any(
            (factory.address, factory.implementation) == (clone.factory, clone.implementation)
            for factory in self.factories
        )

    def top_up_bounds(self) -> TopUpBounds:
        """Return what top-ups may bring: the document's own bounds, or those that follow from the others."""
        budget, most = self.top_ups, self.max_top_up_value
        if budget is None:
            return TopUpBounds(self.rates.window, most * self.rates.treasury, most)
        recipient = most if budget.recipient is None else budget.recipient
        return TopUpBounds(budget.window, budget.value, recipient, budget.relayer or 0)

    def is_relayer(self, address: str) -> bool:
        """Tell whether an address is a relayer's."""
        return any(address == relayer.address for relayer in self.relayers)


def read_policy(path: Path) -> bytes:
    """Return the policy document as it is measured; raises Misconfigured, one line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"signing policy: cannot read {path}: {error.strerror}") from None


def parse_policy(document: bytes) -> SigningPolicy:
    """Validate the policy document; raises Misconfigured, one line.

    Two people read a document before it is admitted, so it must have one meaning alone: a member that is
    there twice is refused.
    """
    try:
        strict_json.parse(document, what="The document")
    except (strict_json.NotJson, strict_json.AmbiguousJson) as fault:
        raise Misconfigured(f"signing policy: {fault}") from None
    try:
        return SigningPolicy.model_validate_json(document)
    except ValidationError as error:
        faults = "; ".join(
            _fault_text(fault) for fault in error.errors(include_url=False, include_input=False)
        )
        raise Misconfigured(f"signing policy: {faults}") from None


def _fault_text(fault: ErrorDetails) -> str:
    text = fault["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {text}" if place else text
