"""What mints and vouchers alone have in common: a voucher that the issuer signs."""

from __future__ import annotations

import hashlib

from mintline.clock import UnixSeconds
from mintline.eth import voucher_hash
from mintline.messages.intents import IssueVoucher, SignMint
from mintline.messages.parts import Voucher
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.kinds.base import Binding, require
from mintline_signer.enclave.policy import SigningPolicy
from mintline_signer.errors import RefusalCode


def check_voucher(policy: SigningPolicy, contract: str, voucher: Voucher, now: UnixSeconds) -> None:
    """Raise EnclaveRefusal unless the policy allows the voucher."""
    require(contract in policy.contracts, RefusalCode.CONTRACT)
    require(voucher.deadline > now, RefusalCode.VOUCHER_EXPIRED)
    require(voucher.deadline <= now + policy.max_voucher_ttl, RefusalCode.VOUCHER_TTL)


def signature_of(request: SignMint | IssueVoucher, issuer: SigningKey) -> bytes:
    """Return the voucher's signature, r‖s‖v in 65 bytes."""
    voucher = request.voucher
    digest = voucher_hash(
        chain_id=request.chain_id,
        contract=request.contract,
        token_id=voucher.token_id,
        to=voucher.to,
        metadata_digest=voucher.metadata_digest,
        deadline=voucher.deadline,
    )
    return issuer.sign(digest).with_v()


def token_of(mint_id: str, *, chain_id: int, contract: str, token_id: int, operation_id: str = "") -> Binding:
    """Return what a mint is bound to: one token."""
    token = hashlib.sha256(f"{chain_id} {contract} {token_id}".encode()).digest()
    return Binding(f"mint {mint_id}", token, RefusalCode.TOKEN_ID, operation_id)
