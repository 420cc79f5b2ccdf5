"""From an intent to what the broadcaster is told."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from mintline import kinds
from mintline.errors import Rejected, Unavailable
from mintline.messages.codec import AnyMessage
from mintline.messages.intents import AnyRequest, Intent, IssueVoucher, SignBatch, SignMint, SignRelayed
from mintline.messages.parts import KeyRef
from mintline.messages.signed import Broadcast, SigningRefused, VoucherIssued
from mintline_signer.errors import EnclaveRefusal
from mintline_signer.host.ports import AuthorizationSource, SigningPort, WrappedKeySource
from mintline_signer.protocol import Issued, LinesProof, Sign, Signed, WrappedKey

Answer: TypeAlias = Broadcast | VoucherIssued | SigningRefused


async def sign(
    intent: AnyRequest,
    *,
    keys: WrappedKeySource,
    authorizations: AuthorizationSource,
    enclave: SigningPort,
    issuer: KeyRef,
) -> Answer:
    """Have the enclave sign an intent, for a batch with its mints' authorizations.

    Raises Rejected when there is no such key, Unavailable when the enclave, KMS or the store does not answer.
    """
    if isinstance(intent, IssueVoucher):
        wrapped = [await _issuer_key(keys, intent.signer)]
    else:
        wrapped = [await keys.read(intent.signer)]
    if isinstance(intent, SignMint):
        wrapped.append(await _issuer_key(keys, issuer))
    if isinstance(intent, SignRelayed):
        wrapped.append(await keys.read(intent.holder))
    beside: list[bytes] = []
    proofs: list[LinesProof] = []
    if isinstance(intent, SignBatch):
        beside, proofs = await asyncio.gather(authorizations.of(intent), authorizations.proofs_of(intent))
    try:
        signed = await enclave.sign(Sign(intent=intent, keys=wrapped, authorizations=beside, proofs=proofs))
    except EnclaveRefusal as refused:
        return SigningRefused(
            intent=intent,
            code=refused.code,
            reason=refused.reason,
            operation_id=refused.operation_id,
            trace=intent.trace,
        )
    if isinstance(intent, IssueVoucher):
        if isinstance(signed, Issued):
            return VoucherIssued(intent=intent, signature=signed.signature, trace=intent.trace)
    elif isinstance(signed, Signed):
        return Broadcast(intent=intent, raw=signed.raw, tx_hash=signed.tx_hash, trace=intent.trace)
    raise Unavailable("the enclave signed something else")


async def _issuer_key(keys: WrappedKeySource, issuer: KeyRef) -> WrappedKey:
    """Return the issuer's key; its absence is an outage of ours, and no reason to end a mint."""
    try:
        return await keys.read(issuer)
    except Rejected as rejected:
        raise Unavailable(f"the issuer's key: {rejected.code}") from None


def intent_of(message: AnyMessage) -> AnyRequest:
    """Return a message that is an intent; raises Rejected for one that strayed into the queue."""
    if isinstance(message, Intent | IssueVoucher):
        return message
    raise Rejected("message_misrouted", f"A {message.type} message has no place on the signing queue.")


def group_of(intent: AnyRequest) -> str:
    """Return the message group of an answer: the intent's own, or the mint where no key of ours sends."""
    return intent.mint_id if isinstance(intent, IssueVoucher) else kinds.group_of(intent)


def dedup_id(message: Answer) -> str:
    """Return the id by which the queue knows a second copy of the same answer."""
    if isinstance(message, Broadcast):
        return f"0x{message.tx_hash.hex()}"
    if isinstance(message, VoucherIssued):
        return f"issued:{message.signature.hex()[:64]}"  # r alone, as an id has 128 characters at most
    intent = message.intent
    if isinstance(intent, IssueVoucher):
        return f"refused:{intent.type}:{intent.mint_id}:{intent.voucher.deadline}"
    if isinstance(intent, SignBatch):
        # It loses the mints that are refused, and is asked for again.
        return f"refused:{kinds.dedup_id(intent)}"
    # A mint's replacement and the no-op on its nonce can share nonce and attempt: hence the type.
    subject = intent.mint_id if isinstance(intent, SignMint) else intent.signer.address
    return f"refused:{intent.type}:{subject}:{intent.nonce}:{intent.attempt}"
