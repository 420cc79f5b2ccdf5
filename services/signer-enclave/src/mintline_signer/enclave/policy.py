"""What the enclave is willing to sign: all that is not allowed here is refused.

The document is part of the enclave's image on AWS, so the image's measurement covers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from mintline import strict_json
from mintline.errors import Misconfigured
from mintline.fields import Address, KmsKeyArn, Wei
from mintline.messages import (
    AnyIntent,
    AnyRequest,
    Frozen,
    IssueVoucher,
    KeyRef,
    SignBatch,
    SignBurn,
    SignMint,
    SignNoop,
    SignTopUp,
    SignTransfer,
)
from mintline_signer.enclave.tokens import AuthorizationPolicy
from mintline_signer.errors import RefusalCode, Refused

PLATFORM = "platform:"
"""Begins the subject of every key that is no user's."""


class PlatformKey(Frozen):
    """A key of the platform: its address, and the `sub` of its KMS encryption context."""

    address: Address
    subject: str = Field(pattern=r"^platform:[a-z0-9-]{1,64}$")


class Rates(Frozen):
    """Signatures of one key within `window` seconds, by what the key is."""

    window: int = Field(gt=0, le=86_400)
    user: int = Field(gt=0)
    """Of a user's key, and of the issuer's for vouchers that this user asks for alone."""
    treasury: int = Field(gt=0)
    issuer: int = Field(gt=0)


class TopUpBudget(Frozen):
    """What the treasury may give away within `window` seconds, in wei."""

    window: int = Field(gt=0, le=86_400)
    value: Wei
    recipient: Wei | None = None
    """What one address may get of it. None: `max_top_up_value`, so that every address has a bound."""


@dataclass(frozen=True, slots=True)
class TopUpBounds:
    """What top-ups may bring within `window` seconds, to all and to one address; amounts in wei."""

    window: int
    value: int
    recipient: int


class Reassignment(Frozen):
    """A wallet whose user has another `sub` now: its key may be wrapped for that one."""

    old: str = Field(alias="from", min_length=1, max_length=128)
    new: str = Field(alias="to", min_length=1, max_length=128)
    address: Address
    """The wallet's."""
    kms_key: KmsKeyArn
    """The KMS key to wrap it under."""


class Policy(Frozen):
    """The policy document; amounts in wei, times in seconds."""

    version: Literal[1] = 1
    chain_ids: frozenset[int] = Field(min_length=1)
    contracts: frozenset[Address] = Field(min_length=1)
    authorization: AuthorizationPolicy
    """What counts as a user's word."""
    issuer: PlatformKey
    """Signs vouchers, never transactions."""
    treasury: PlatformKey
    """Signs top-ups, never mints."""
    user_actions: frozenset[Literal["mint", "transfer", "burn"]] = frozenset({"mint"})
    """What users' keys may do at the contracts, if the user asks for it."""
    rates: Rates
    max_gas: int = Field(gt=0)
    max_fee_per_gas: Wei
    max_transaction_cost: Wei
    """Gas limit times fee cap: the most that one transaction can burn."""
    max_top_up_value: Wei
    top_ups: TopUpBudget | None = None
    """What top-ups may bring, all and to one address. None: in `rates.window`, `max_top_up_value` times
    `rates.treasury` to all, and `max_top_up_value` to one address."""
    max_voucher_ttl: int = Field(gt=0)
    rewrap_to: KmsKeyArn | None = None
    """The one other KMS key, by its ARN, under which keys may be wrapped anew. None: none are."""

    reassign: tuple[Reassignment, ...] = Field(default=(), max_length=16)
    """The wallets whose keys may be wrapped for another user; each is named."""

    @model_validator(mode="before")
    @classmethod
    def _without_relayers(cls, document: Any) -> Any:
        if isinstance(document, dict) and "relayers" in document:
            raise ValueError(
                "relayers cannot be allowed: a batch does not carry the authorization of its mints' users; "
                "remove this field"
            )
        return document

    @model_validator(mode="after")
    def _budget_for_a_top_up(self) -> Self:
        budget = self.top_ups
        if budget is not None and budget.recipient is not None and budget.recipient < self.max_top_up_value:
            raise ValueError("top_ups.recipient must not be below max_top_up_value")
        return self

    @model_validator(mode="after")
    def _wallets_are_reassigned_once(self) -> Self:
        named = [subject for one in self.reassign for subject in (one.old, one.new)]
        if any(subject.startswith(PLATFORM) for subject in named):
            raise ValueError("reassign: from and to must be users; platform: keys cannot be reassigned")
        if len(set(named)) < len(named):
            raise ValueError("reassign: a user must not be named twice")
        if {one.address for one in self.reassign} & {self.issuer.address, self.treasury.address}:
            raise ValueError(
                "reassign: the address must be a user's wallet, not the issuer's or the treasury's"
            )
        return self

    def top_up_bounds(self) -> TopUpBounds:
        """Return what top-ups may bring: the document's own bounds, or those that follow from the others."""
        budget, most = self.top_ups, self.max_top_up_value
        if budget is None:
            return TopUpBounds(self.rates.window, most * self.rates.treasury, most)
        return TopUpBounds(
            budget.window, budget.value, most if budget.recipient is None else budget.recipient
        )


class Role(StrEnum):
    """What a key acts as; a field of `Rates` each."""

    USER = "user"
    TREASURY = "treasury"
    ISSUER = "issuer"


def read_policy(path: Path) -> bytes:
    """Return the policy document as it is measured; raises Misconfigured, one line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"signing policy: cannot read {path}: {error.strerror}") from None


def parse_policy(document: bytes) -> Policy:
    """Validate the policy document; raises Misconfigured, one line.

    Two people read a document before it is admitted, so it must have one meaning alone: a member that is
    there twice is refused.
    """
    try:
        strict_json.parse(document, what="The document")
    except (strict_json.NotJson, strict_json.AmbiguousJson) as fault:
        raise Misconfigured(f"signing policy: {fault}") from None
    try:
        return Policy.model_validate_json(document)
    except ValidationError as error:
        faults = "; ".join(_told(fault) for fault in error.errors(include_url=False, include_input=False))
        raise Misconfigured(f"signing policy: {faults}") from None


def _told(fault: ErrorDetails) -> str:
    text = fault["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {text}" if place else text


def check(policy: Policy, intent: AnyRequest, *, now: float) -> Role:
    """Raise Refused unless the policy allows what is asked for; return what the signer acts as.

    `now` is in Unix seconds.
    """
    # No line of a batch carries its user's authorization, so nobody's key signs one.
    _require(not isinstance(intent, SignBatch), RefusalCode.BATCH)
    _require(intent.chain_id in policy.chain_ids, RefusalCode.CHAIN)
    _require(intent.signer.chain_id == intent.chain_id, RefusalCode.KEY_CHAIN)
    if isinstance(intent, IssueVoucher):
        _require(_same(intent.signer, policy.issuer), RefusalCode.SIGNER)
        _check_voucher(policy, intent, now)
        return Role.ISSUER
    role = _role(policy, intent.signer)
    _require(role is not Role.ISSUER, RefusalCode.ISSUER_TRANSACTS)
    _check_fees(policy, intent)
    match intent:
        case SignMint():
            _check_user(policy, intent, role, action="mint")
            _check_voucher(policy, intent, now)
        case SignTransfer():
            _check_user(policy, intent, role, action="transfer")
        case SignBurn():
            _check_user(policy, intent, role, action="burn")
        case SignTopUp():
            _require(role is Role.TREASURY, RefusalCode.SIGNER)
            _check_top_up(policy, intent)
        case SignNoop():
            pass  # zero wei to itself: whoever may send transactions may send this one
        case _:
            raise Refused(RefusalCode.INTENT)
    return role


def _require(allowed: bool, code: RefusalCode) -> None:  # noqa: FBT001 - reads as the rule it states
    if not allowed:
        raise Refused(code)


def _role(policy: Policy, signer: KeyRef) -> Role:
    """Return what the signer may act as; half a match with a platform key is none."""
    issuer = policy.issuer
    if signer.address == issuer.address or signer.subject == issuer.subject:
        _require(_same(signer, issuer), RefusalCode.ISSUER_TRANSACTS)
        return Role.ISSUER
    if _same(signer, policy.treasury):
        return Role.TREASURY
    _require(signer.address != policy.treasury.address, RefusalCode.SIGNER)
    _require(not signer.subject.startswith(PLATFORM), RefusalCode.SIGNER)
    return Role.USER


def _same(signer: KeyRef, key: PlatformKey) -> bool:
    return (signer.address, signer.subject) == (key.address, key.subject)


def _check_fees(policy: Policy, intent: AnyIntent) -> None:
    fees = intent.fees
    _require(intent.gas <= policy.max_gas, RefusalCode.GAS)
    _require(fees.max_fee_per_gas <= policy.max_fee_per_gas, RefusalCode.FEE)
    _require(fees.max_priority_fee_per_gas <= fees.max_fee_per_gas, RefusalCode.PRIORITY_FEE)
    _require(intent.gas * fees.max_fee_per_gas <= policy.max_transaction_cost, RefusalCode.COST)


def _check_user(
    policy: Policy, intent: SignMint | SignTransfer | SignBurn, role: Role, *, action: str
) -> None:
    _require(role is Role.USER, RefusalCode.SIGNER)
    _require(action in policy.user_actions, RefusalCode.ACTION)
    _require(intent.contract in policy.contracts, RefusalCode.CONTRACT)


def _check_voucher(policy: Policy, intent: SignMint | IssueVoucher, now: float) -> None:
    _require(intent.contract in policy.contracts, RefusalCode.CONTRACT)
    _require(intent.voucher.deadline > now, RefusalCode.VOUCHER_EXPIRED)
    _require(intent.voucher.deadline <= now + policy.max_voucher_ttl, RefusalCode.VOUCHER_TTL)


def _check_top_up(policy: Policy, intent: SignTopUp) -> None:
    _require(intent.value <= policy.max_top_up_value, RefusalCode.TOP_UP_VALUE)
    barred = {policy.issuer.address, policy.treasury.address, *policy.contracts}
    _require(intent.recipient not in barred, RefusalCode.TOP_UP_RECIPIENT)
