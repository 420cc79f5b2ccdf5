"""What the enclave is willing to sign: all that is not allowed here is refused.

The document is part of the enclave's image on AWS, so the image's measurement covers it.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from mintline.errors import Misconfigured
from mintline.fields import Address, Wei
from mintline.messages import (
    AnyIntent,
    AnyRequest,
    Frozen,
    IssueVoucher,
    KeyRef,
    SignMint,
    SignNoop,
    SignTopUp,
)
from mintline_signer.enclave.tokens import AuthorizationPolicy
from mintline_signer.errors import RefusalCode, Refused

PLATFORM = "platform:"
"""Begins the subject of every key that is no user's."""


class PlatformKey(Frozen):
    """A key of the platform: its address, and the `sub` of its KMS encryption context."""

    address: Address
    subject: str = Field(pattern=r"^platform:[a-z0-9-]{1,64}$")


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
    max_gas: int = Field(gt=0)
    max_fee_per_gas: Wei
    max_transaction_cost: Wei
    """Gas limit times fee cap: the most that one transaction can burn."""
    max_top_up_value: Wei
    max_voucher_ttl: int = Field(gt=0)


class _Role(Enum):
    USER = "user"
    TREASURY = "treasury"


def load_policy(path: Path) -> Policy:
    """Read and validate the policy document; raises Misconfigured, one line."""
    try:
        return Policy.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Misconfigured(f"signing policy: cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise Misconfigured(f"signing policy {path}: {faults}") from None


def check(policy: Policy, intent: AnyRequest, *, now: float) -> None:
    """Raise Refused unless the policy allows what is asked for; `now` is in Unix seconds."""
    _require(intent.chain_id in policy.chain_ids, RefusalCode.CHAIN)
    _require(intent.signer.chain_id == intent.chain_id, RefusalCode.KEY_CHAIN)
    if isinstance(intent, IssueVoucher):
        issuer = policy.issuer
        _require(
            (intent.signer.address, intent.signer.subject) == (issuer.address, issuer.subject),
            RefusalCode.SIGNER,
        )
        _check_voucher(policy, intent, now)
        return
    role = _role(policy, intent.signer)
    _check_fees(policy, intent)
    match intent:
        case SignMint():
            _require(role is _Role.USER, RefusalCode.SIGNER)
            _check_voucher(policy, intent, now)
        case SignTopUp():
            _require(role is _Role.TREASURY, RefusalCode.SIGNER)
            _check_top_up(policy, intent)
        case SignNoop():
            pass  # zero wei to itself: whoever may send transactions may send this one
        case _:
            raise Refused(RefusalCode.INTENT)


def _require(allowed: bool, code: RefusalCode) -> None:  # noqa: FBT001 - reads as the rule it states
    if not allowed:
        raise Refused(code)


def _role(policy: Policy, signer: KeyRef) -> _Role:
    """Return what the signer may act as; half a match with a platform key is none."""
    issuer, treasury = policy.issuer, policy.treasury
    _require(
        signer.address != issuer.address and signer.subject != issuer.subject, RefusalCode.ISSUER_TRANSACTS
    )
    if signer.address == treasury.address and signer.subject == treasury.subject:
        return _Role.TREASURY
    _require(signer.address != treasury.address, RefusalCode.SIGNER)
    _require(not signer.subject.startswith(PLATFORM), RefusalCode.SIGNER)
    return _Role.USER


def _check_fees(policy: Policy, intent: AnyIntent) -> None:
    fees = intent.fees
    _require(intent.gas <= policy.max_gas, RefusalCode.GAS)
    _require(fees.max_fee_per_gas <= policy.max_fee_per_gas, RefusalCode.FEE)
    _require(fees.max_priority_fee_per_gas <= fees.max_fee_per_gas, RefusalCode.PRIORITY_FEE)
    _require(intent.gas * fees.max_fee_per_gas <= policy.max_transaction_cost, RefusalCode.COST)


def _check_voucher(policy: Policy, intent: SignMint | IssueVoucher, now: float) -> None:
    _require(intent.contract in policy.contracts, RefusalCode.CONTRACT)
    _require(intent.voucher.deadline > now, RefusalCode.VOUCHER_EXPIRED)
    _require(intent.voucher.deadline <= now + policy.max_voucher_ttl, RefusalCode.VOUCHER_TTL)


def _check_top_up(policy: Policy, intent: SignTopUp) -> None:
    _require(intent.value <= policy.max_top_up_value, RefusalCode.TOP_UP_VALUE)
    barred = {policy.issuer.address, policy.treasury.address, *policy.contracts}
    _require(intent.recipient not in barred, RefusalCode.TOP_UP_RECIPIENT)
