"""From an intent that the policy allows to a signed transaction, or a signed voucher."""

from __future__ import annotations

from mintline.eth import keccak256, voucher_hash
from mintline.kinds import transaction_of
from mintline.messages import AnyIntent, AnyRequest, IssueVoucher, SignMint
from mintline_signer.enclave.curve import Signature, SigningKey
from mintline_signer.enclave.policy import Policy
from mintline_signer.errors import Failed, FailureCode
from mintline_signer.protocol import Issued, Sign, Signed, WrappedKey


def match_keys(request: Sign, policy: Policy) -> None:
    """Raise Failed (`keys_mismatch`) unless the keys are the signer's, then for a mint the issuer's."""
    intent = request.intent
    signer = intent.signer
    expected = [(signer.address, signer.subject, intent.chain_id)]
    if isinstance(intent, SignMint):
        expected.append((policy.issuer.address, policy.issuer.subject, intent.chain_id))
    if [_identity(key) for key in request.keys] != expected:
        raise Failed(FailureCode.KEYS_MISMATCH)


def _identity(key: WrappedKey) -> tuple[str, str, int]:
    return key.address, key.subject, key.chain_id


def answer(intent: AnyRequest, keys: list[SigningKey]) -> Signed | Issued:
    """Sign what is asked for; hazard and errors are those of `sign` and `issue`."""
    return issue(intent, keys[0]) if isinstance(intent, IssueVoucher) else sign(intent, keys)


def issue(intent: IssueVoucher, issuer: SigningKey) -> Issued:
    """Sign a voucher alone.

    Hazard: no policy is applied here; the caller has done so. Raises Failed (`signing_fault`).
    """
    if issuer.address != intent.signer.address:
        raise Failed(FailureCode.SIGNING_FAULT)
    return Issued(signature=_issued(intent, issuer).with_v())


def sign(intent: AnyIntent, keys: list[SigningKey]) -> Signed:
    """Sign with the signer's key, having issued the voucher with the second key if it is a mint.

    Hazard: no policy is applied here; the caller has done so. Raises Failed (`signing_fault`).
    """
    signer = keys[0]
    if signer.address != intent.signer.address:
        raise Failed(FailureCode.SIGNING_FAULT)
    issued = _issued(intent, keys[1]).with_v() if isinstance(intent, SignMint) else b""
    transaction = transaction_of(intent, issued=issued)
    signature = signer.sign(transaction.signing_hash())
    raw = transaction.signed(signature.y_parity, signature.r, signature.s)
    return Signed(raw=raw, tx_hash=keccak256(raw))


def _issued(intent: SignMint | IssueVoucher, issuer: SigningKey) -> Signature:
    voucher = intent.voucher
    digest = voucher_hash(
        chain_id=intent.chain_id,
        contract=intent.contract,
        token_id=voucher.token_id,
        to=voucher.to,
        metadata_digest=voucher.metadata_digest,
        deadline=voucher.deadline,
    )
    return issuer.sign(digest)
