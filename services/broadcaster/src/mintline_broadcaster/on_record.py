"""Does a message say what its operation's record says? The record decides, never the message that came.

What an operation is was fixed when it was accepted (a mint's token id, recipient, metadata digest, contract,
chain, wallet), and how it is carried out when it was built (deadline, nonce, gas). A message that differs
changes nothing: the operation goes on by what is on record.
"""

from __future__ import annotations

from mintline.errors import Rejected
from mintline.frozen import Frozen
from mintline.kinds import operation_ids
from mintline.messages.intents import AnyIntent, AnyRequest
from mintline.messages.signed import SelfRedeem
from mintline.raw_transactions import decode
from mintline.records.operations import Mint
from mintline.vouchers import calldata

_OF_NO_EFFECT = frozenset({"trace", "built_at"})
"""Fields that the enclave is not told, and that no signature depends on."""
_OF_THE_ATTEMPT = frozenset({"fees", "attempt", "authorization"})
"""Fields in which later attempts at the same thing differ."""


class OutcomeRefused(Rejected):
    """A message names an operation whose record says otherwise; `field` is the first difference."""

    def __init__(self, code: str, operation_id: str, field: str) -> None:
        super().__init__(code, f"The message is not about the mint on record: {field} differs.")
        self.mint_id = operation_id
        self.field = field


def check_intent(intent: AnyIntent, own: AnyIntent) -> None:
    """Raise OutcomeRefused unless an intent is the record's own, at whatever fees."""
    _require_alike(intent, own, _OF_NO_EFFECT | _OF_THE_ATTEMPT)


def check_refused(intent: AnyRequest, own: AnyRequest, *, authorized: bool = True) -> None:
    """Raise OutcomeRefused unless the enclave refused the very request that the record stands for.

    Of a request that somebody else made up, with another authorization or fees beyond the policy, a refusal
    says nothing about the operation. With `authorized` unset its authorization is not on record any more.
    """
    _require_alike(intent, own, _OF_NO_EFFECT if authorized else _OF_NO_EFFECT | {"authorization"})


def _require_alike(intent: AnyRequest, own: AnyRequest, ignored: frozenset[str]) -> None:
    field = _difference(intent, own, ignored)
    if field is not None:
        raise OutcomeRefused("mint_unknown", name_of(intent), field)


def _difference(claimed: Frozen, recorded: Frozen, ignored: frozenset[str]) -> str | None:
    for name in type(recorded).model_fields:
        if name not in ignored and getattr(claimed, name, None) != getattr(recorded, name):
            return name
    return None


def name_of(request: AnyRequest) -> str:
    """Return the id by which the log names what a request is for: its operation's, or the first one's."""
    return next(iter(operation_ids(request)), request.signer.address)


def check_redemption(message: SelfRedeem, mint: Mint) -> None:
    """Raise OutcomeRefused unless the bytes redeem the mint's voucher, signed by its own wallet."""
    try:
        signed = decode(message.raw)
    except ValueError:
        raise OutcomeRefused("raw_mismatch", mint.mint_id, "raw") from None
    transaction = signed.transaction
    _require_same(
        mint.mint_id,
        code="raw_mismatch",
        sender=(signed.sender, mint.to),
        chain_id=(transaction.chain_id, mint.chain_id),
        contract=(transaction.to, mint.contract),
        data=(transaction.data, calldata(mint)),
        value=(transaction.value, 0),
        nonce=(transaction.nonce, message.nonce),
        max_fee_per_gas=(transaction.max_fee_per_gas, message.fees.max_fee_per_gas),
        max_priority_fee_per_gas=(
            transaction.max_priority_fee_per_gas,
            message.fees.max_priority_fee_per_gas,
        ),
    )


def _require_same(mint_id: str, *, code: str = "mint_unknown", **pairs: tuple[object, object]) -> None:
    for field, (claimed, recorded) in pairs.items():
        if claimed != recorded:
            raise OutcomeRefused(code, mint_id, field)
